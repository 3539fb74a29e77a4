"""The engine `transformers`: a model in this process, on a CPU or a GPU, many rows at a time.

Its loop is its own: one batch in which rows finish and others take their place, and in which a forced id is fed like
any other, so that the KV cache is kept across a forcing. torch and transformers are loaded when an engine is made.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.errors import ConfigError
from inference.budget_forcing import BudgetForcingMachine
from inference.engines.protocol import Intake, Request, Sample, failed_sample, finished_sample, start
from inference.engines.rows import Rows
from inference.engines.torch_sampling import RowDraw, draw_rows
from inference.sampling import make_rng

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16")
ATTENTIONS = ("sdpa", "eager")
# rows that are finished stay, unused, until they are so large a part of the batch: taking rows out copies the cache
_IDLE_PART = 8


@dataclass(slots=True)
class _Row:
    """A request in the batch.

    Attributes:
        sampled: ids drawn so far.
        counts: of the generated ids that are in the context, kept up where a penalty may need them.
        again: the id to feed once more, for its logits.
    """

    request: Request
    machine: BudgetForcingMachine
    rng: np.random.Generator
    sampled: int = 0
    counts: Counter[int] = field(default_factory=Counter)
    again: int | None = None

    def draw(self) -> RowDraw:
        sampling = self.request.sampling.under(self.machine.override)
        number = self.rng.random() if sampling.temperature else 0.0
        return RowDraw(sampling, number, self.machine.forbidden, self.counts)

    @property
    def is_drawing(self) -> bool:
        """Whether an id is to be drawn from the row's logits."""
        return not self.machine.is_finished and self.machine.next_forced is None and self.again is None

    def observe(self, drawn: int) -> int:
        """How many of the ids that were fed have to be taken back."""
        self.sampled += 1
        held = self.machine.held
        take_back = self.machine.observe(drawn).take_back
        if take_back and self._is_penalised():
            self.counts.subtract(held[-take_back:])
        if take_back and self.machine.next_forced is None:
            # a delimiter of several ids was dropped and nothing put in: the logits before it are gone, so the id
            # before it is fed once more
            self.again = self.machine.ids[-1] if self.machine.ids else self.request.prompt_ids[-1]
            return take_back + 1
        return take_back

    def take(self) -> int | None:
        """The id to feed; None once the row is finished."""
        if self.machine.is_finished:
            return None
        if self.again is not None:
            id_, self.again = self.again, None
            return id_
        id_ = self.machine.take()
        if self._is_penalised():
            self.counts[id_] += 1
        return id_

    def take_all(self) -> list[int]:
        taken = []
        while self.machine.next_forced is not None:
            taken.append(self.machine.take())
        self.counts.update(taken)
        return taken

    def _is_penalised(self) -> bool:
        overrides = self.request.plan.options.overrides
        return bool(self.request.sampling.frequency_penalty or overrides)


class TransformersEngine:
    """A causal language model of transformers."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        context_tokens: int | None = None,
        max_rows: int = 64,
        max_prefill_tokens: int = 16_384,
    ) -> None:
        """
        Args:
            model: in its dtype and on its device, in evaluation mode.
            tokenizer: ids that it does not know are never drawn, though the model may have rows for them.
            context_tokens: of a prompt and its generation; None: what the model was made for.
            max_rows: generations at a time. Their KV cache has to fit: rows x longest row.
            max_prefill_tokens: prompts that are computed at a time, in tokens.

        Raises:
            ConfigError: the model cannot keep rows of different lengths side by side, or a number is out of range.
        """
        import torch

        config = model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        if kinds != {"full_attention"}:
            raise ConfigError(
                f"the model has layers of kind {', '.join(sorted(kinds - {'full_attention'}))}; engine transformers "
                "takes full attention alone: use another engine"
            )
        if config._attn_implementation not in ATTENTIONS:
            raise ConfigError(
                f"attn_implementation={config._attn_implementation!r}; engine transformers needs masks as sdpa and "
                "eager take them: load the model with one of these"
            )
        for name, value in (("max_rows", max_rows), ("max_prefill_tokens", max_prefill_tokens)):
            if value < 1:
                raise ConfigError(f"{name}={value}; 1 or more is allowed")
        longest = config.max_position_embeddings
        if context_tokens is not None and not 1 <= context_tokens <= longest:
            raise ConfigError(f"context_tokens={context_tokens}; 1 to {longest}, the model's own, is allowed")
        self.context_tokens = longest if context_tokens is None else context_tokens
        self._model = model
        self._max_rows = max_rows
        self._max_prefill_tokens = max_prefill_tokens
        self._num_ids: int = config.vocab_size
        known = [id_ for id_ in tokenizer.get_vocab().values() if id_ < self._num_ids]
        unknown = torch.ones(self._num_ids, dtype=torch.bool)
        unknown[known] = False
        self._unknown = unknown.to(model.device)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        dtype: str = "float32",
        device: str = "cpu",
        attention: str = "sdpa",
        context_tokens: int | None = None,
        max_rows: int = 64,
        max_prefill_tokens: int = 16_384,
    ) -> "TransformersEngine":
        """The engine of a saved model: safetensors alone, and no code of the model's own.

        Args:
            path: a folder, or a name on the Hub.
            dtype: float32 (exact, as in the released evaluation) or bfloat16.
            attention: sdpa or eager.
            context_tokens, max_rows, max_prefill_tokens: see __init__.

        Raises:
            ConfigError: dtype, attention or device cannot be used, or the model cannot be loaded.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if dtype not in DTYPES:
            raise ConfigError(f"dtype={dtype!r}; {' or '.join(DTYPES)} is allowed")
        if attention not in ATTENTIONS:
            raise ConfigError(f"attention={attention!r}; {' or '.join(ATTENTIONS)} is allowed")
        try:
            place = torch.device(device)
        except RuntimeError:
            raise ConfigError(f"device={device!r} is unknown; cpu, cuda or cuda:N is allowed") from None
        if place.type == "cuda" and not torch.cuda.is_available():
            raise ConfigError(f"device={device!r}, but torch finds no GPU here; use cpu")
        try:
            tokenizer = AutoTokenizer.from_pretrained(path)
            model: Any = AutoModelForCausalLM.from_pretrained(
                path, dtype=getattr(torch, dtype), use_safetensors=True, attn_implementation=attention
            )
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"model {str(path)!r} cannot be loaded: {reason}") from None
        # from_pretrained leaves it in evaluation mode
        return cls(
            model.to(place),
            tokenizer,
            context_tokens=context_tokens,
            max_rows=max_rows,
            max_prefill_tokens=max_prefill_tokens,
        )

    def fingerprint(self) -> dict[str, Any]:
        import torch
        import transformers

        return {
            "engine": "transformers",
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "device": str(self._model.device),
            "attention": self._model.config.get_text_config()._attn_implementation,
            "threads": torch.get_num_threads(),
            "context_tokens": self.context_tokens,
            "max_rows": self._max_rows,
            "max_prefill_tokens": self._max_prefill_tokens,
        }

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Sample]:
        """The requests' samples, as they finish; requests are read when rows become free."""
        intake = Intake(requests)
        batch = Rows(self._model, max_prefill_tokens=self._max_prefill_tokens)
        rows: list[_Row] = []
        idle_before = 0
        failed: list[Sample] = []
        while True:
            idle = sum(row.machine.is_finished for row in rows)
            # behind a pause a sample may have made many requests ready, and the rows for them stand empty
            may_be_ready = bool(failed) or (intake.is_paused and idle > idle_before)
            idle_before, failed = idle, []
            if may_be_ready or idle * _IDLE_PART >= len(rows):
                if idle:
                    kept = [place for place, row in enumerate(rows) if not row.machine.is_finished]
                    batch.keep(kept)
                    rows = [rows[place] for place in kept]
                    idle_before = 0
                admitted, failed = self._admit(intake, self._max_rows - len(rows))
                yield from failed
                if admitted:
                    # ids that are forced before anything is drawn (a cap of 0) are computed with the prompt
                    logits = batch.add([[*row.request.prompt_ids, *row.take_all()] for row in admitted])
                    first = len(rows)
                    rows += admitted
                    yield from self._draw(batch, rows, logits, first=first)
                    continue  # of the new ones some may be finished already
                if not rows:
                    if failed:
                        continue  # requests may have waited for those samples
                    intake.check_progress()
                    return
            logits = batch.feed([row.take() for row in rows])
            yield from self._draw(batch, rows, logits)

    def _admit(self, intake: Intake, room: int) -> tuple[list[_Row], list[Sample]]:
        admitted: list[_Row] = []
        failed: list[Sample] = []
        while len(admitted) + len(failed) < room and (request := intake.take()) is not None:
            try:
                machine = start(request, context_tokens=self.context_tokens, num_ids=self._num_ids)
            except ConfigError as error:
                failed.append(failed_sample(request, error))
            else:
                admitted.append(_Row(request, machine, make_rng(request.sampling.seed)))
        return admitted, failed

    def _draw(self, batch: Rows, rows: list[_Row], logits: "torch.Tensor", *, first: int = 0) -> list[Sample]:
        """Draw an id for each row from `first` on that waits for one; the samples of rows that are then finished.

        Args:
            logits: of the rows from `first` on, shape (len(rows) - first, vocabulary).
        """
        logits = logits.masked_fill(self._unknown, float("-inf"))
        finished: list[Sample] = []
        drawing = [place for place in range(first, len(rows)) if rows[place].is_drawing]
        while drawing:
            some = logits if len(drawing) == len(logits) else logits[[place - first for place in drawing]]
            ids = draw_rows(some, [rows[place].draw() for place in drawing])
            for place, id_ in zip(drawing, ids, strict=True):
                row = rows[place]
                batch.take_back(place, row.observe(id_))
                if row.machine.is_finished:
                    finished.append(finished_sample(row.request, row.machine, sampled_tokens=row.sampled))
            # where an end was dropped and nothing put in, the next id comes from the same logits
            drawing = [place for place in drawing if rows[place].is_drawing]
        return finished
