"""The engine `vllm`: vLLM in this process, with the forcing inside its running batch.

vLLM schedules, batches and computes; a logits processor gives each row the id that its machine says (ADR 18). vllm is
loaded when an engine is made.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import ConfigError
from inference.engines.forced_row import ForcedRow
from inference.engines.protocol import Intake, Request, Sample, failed_sample, finished_sample, start
from inference.engines.vllm_processor import row_arguments

DTYPES = ("float32", "bfloat16")
# read by vLLM while it starts: the engine's core shares its rows with this process, and custom logits processors
# that are told which request is where are those of the first model runner
_ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_USE_V2_MODEL_RUNNER": "0"}
_DEFAULTS = {
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
}


class VLLMEngine:
    """A model under vLLM.

    Attributes:
        num_preemptions: how often a generation was put out of the KV cache and computed anew: many say that the cache
            is too small for `max_rows`. It changes no id.
    """

    def __init__(self, llm: Any) -> None:
        """
        Args:
            llm: vLLM's LLMEngine, its core in this process, with our processor; see `load`.
        """
        self._llm = llm
        config = llm.vllm_config
        self._max_rows: int = config.scheduler_config.max_num_seqs
        self.context_tokens: int = config.model_config.max_model_len
        self._num_ids: int = config.model_config.get_vocab_size()
        self._names = count()
        self.num_preemptions = 0

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        dtype: str = "float32",
        context_tokens: int | None = None,
        max_rows: int = 64,
        max_batched_tokens: int | None = None,
        kv_cache_gib: float | None = None,
        block_tokens: int | None = None,
        compiles: bool = True,
    ) -> "VLLMEngine":
        """The engine of a saved model, on the device that the installed vLLM is built for.

        Args:
            path: a folder, or a name on the Hub.
            dtype: float32 (exact, as in the released evaluation) or bfloat16.
            context_tokens: of a prompt and its generation; None: what the model was made for.
            max_rows: generations at a time.
            max_batched_tokens: prompt and generated tokens that one step computes at most; None: vLLM's choice.
            kv_cache_gib: memory of the KV cache; None: vLLM's choice, on a GPU 90% of what is free.
            block_tokens: of a block of the KV cache; None: vLLM's choice.
            compiles: False starts faster and runs slower.

        Raises:
            ConfigError: vllm is not installed, an option is out of range, or the model cannot be loaded.
        """
        if dtype not in DTYPES:
            raise ConfigError(f"dtype={dtype!r}; {' or '.join(DTYPES)} is allowed")
        limits = {"max_rows": max_rows, "max_batched_tokens": max_batched_tokens, "context_tokens": context_tokens}
        for limit, number in limits.items():
            if number is not None and number < 1:
                raise ConfigError(f"{limit}={number}; 1 or more is allowed")
        if kv_cache_gib is not None and not kv_cache_gib > 0:
            raise ConfigError(f"kv_cache_gib={kv_cache_gib}; a number above 0 is allowed")
        os.environ.update(_ENVIRONMENT)
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        try:
            from vllm.engine.arg_utils import EngineArgs
            from vllm.v1.engine.llm_engine import LLMEngine
        except ImportError as error:
            raise ConfigError(
                f"engine vllm needs vLLM, which cannot be loaded here ({error}); install the extra vllm (GPU) or run "
                "make all-extras (CPU)"
            ) from None
        from inference.engines import vllm_processor

        options: dict[str, Any] = {
            "max_model_len": context_tokens,
            "max_num_batched_tokens": max_batched_tokens,
            "kv_cache_memory_bytes": None if kv_cache_gib is None else int(kv_cache_gib * 2**30),
            "block_size": block_tokens,
        }
        arguments = EngineArgs(
            model=str(path),
            dtype=dtype,
            max_num_seqs=max_rows,
            enforce_eager=not compiles,
            logits_processors=[vllm_processor.BudgetForcingProcessor],
            async_scheduling=False,  # what a step kept is known before the next one begins
            skip_tokenizer_init=True,  # ids alone go in and come out
            disable_log_stats=True,
            **{name: value for name, value in options.items() if value is not None},
        )
        try:
            with _searchable_modules():
                return cls(LLMEngine.from_engine_args(arguments))
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigError(f"model {str(path)!r} cannot be loaded: {_one_line(error)}") from None

    def fingerprint(self) -> dict[str, Any]:
        import torch
        import vllm

        config = self._llm.vllm_config
        layers = config.compilation_config.static_forward_context.values()
        backends = sorted({layer.get_attn_backend().get_name() for layer in layers if hasattr(layer, "kv_cache")})
        return {
            "engine": "vllm",
            "vllm": vllm.__version__,
            "torch": torch.__version__,
            "dtype": str(config.model_config.dtype).removeprefix("torch."),
            "device": str(config.device_config.device),
            "tensor_parallel": config.parallel_config.tensor_parallel_size,
            "attention": ", ".join(backends),
            "compiles": not config.model_config.enforce_eager,
            "threads": torch.get_num_threads(),
            "context_tokens": self.context_tokens,
            "max_rows": self._max_rows,
            "max_batched_tokens": config.scheduler_config.max_num_batched_tokens,
            "kv_cache_blocks": config.cache_config.num_gpu_blocks,
            "block_tokens": config.cache_config.block_size,
        }

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Sample]:
        """The requests' samples, as they finish; requests are read when rows become free."""
        intake = Intake(requests)
        running: dict[ForcedRow, _Running] = {}
        ended: list[ForcedRow] = []
        try:
            while True:
                for request in intake.ready(lambda: len(running) < self._max_rows):
                    try:
                        row = self._row(request, ended)
                    except ConfigError as error:
                        yield failed_sample(request, error)
                    else:
                        running[row] = _Running(request, self._submit(request, row))
                if not running:
                    intake.check_progress()
                    return
                for sample in self._step(running, ended):
                    intake.gave_sample()
                    yield sample
        finally:
            self._llm.abort_request([one.name for one in running.values()], internal=True)

    def forget(self) -> None:
        """Empty the cache of prompts: after a change of weights, or before a measurement."""
        self._llm.reset_prefix_cache()

    def _row(self, request: Request, ended: list[ForcedRow]) -> ForcedRow:
        start(request, context_tokens=self.context_tokens, num_ids=self._num_ids)
        prompt = request.prompt_ids
        room = self.context_tokens - len(prompt)
        return ForcedRow(request.plan, request.sampling, max_new_tokens=room, last_prompt_id=prompt[-1], ended=ended)

    def _submit(self, request: Request, row: ForcedRow) -> str:
        """Hand a row to vLLM, behind what of its generation stands already; vLLM's name for it."""
        from vllm import SamplingParams
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind

        prompt = [*request.prompt_ids, *row.submit()]
        params = SamplingParams(
            temperature=0.0,  # of the one id that the row leaves
            max_tokens=self.context_tokens - len(prompt),
            ignore_eos=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            extra_args=row_arguments(row),
        )
        name: str = self._llm.add_request(str(next(self._names)), tokens_input(prompt), params)
        return name

    def _step(self, running: dict[ForcedRow, "_Running"], ended: list[ForcedRow]) -> list[Sample]:
        """Compute one id more of every row; the samples of those that are finished by it."""
        self._llm.step()
        finished: list[Sample] = []
        for row in ended:
            # what was drawn behind a part of a prompt is thrown away, and the row goes back before its next id
            if row not in running or len(row.output) != row.emitted:
                continue
            request, name = running[row]
            self._leave(name)
            if row.machine.is_finished:
                del running[row]
                finished.append(finished_sample(request, row.machine, sampled_tokens=row.sampled))
            else:  # a delimiter of several ids has to leave the context, which vLLM cannot do: begin behind the rest
                running[row] = _Running(request, self._submit(request, row))
        ended.clear()
        if running and not self._llm.has_unfinished_requests():
            raise RuntimeError(f"vLLM ended {len(running)} generations by itself, before their budget did")
        return finished

    def _leave(self, name: str) -> None:
        computed = self._llm.engine_core.engine_core.scheduler.requests.get(name)
        if computed is not None:
            self.num_preemptions += computed.num_preemptions
        self._llm.abort_request([name], internal=True)


@contextmanager
def _searchable_modules() -> Iterator[None]:
    """Modules that vLLM 0.32 can search for its kernels when it starts.

    It asks every object of every module for its attributes, and breaks at one that has an answer to any name, as
    llvmlite's library has where numba is loaded.
    """
    hidden = {
        name: module
        for name, module in list(sys.modules.items())
        if any(_answers_anything(value) for value in list(getattr(module, "__dict__", {}).values()))
    }
    for name in hidden:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(hidden)


def _answers_anything(value: Any) -> bool:
    try:
        return hasattr(value, "__dict__") and not hasattr(vars(value), "get")
    except Exception:  # what else an object does when it is looked at is its own affair
        return False


class _Running(NamedTuple):
    """A request in the batch, and the name that vLLM gave it."""

    request: Request
    name: str


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else repr(error)
