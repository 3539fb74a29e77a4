"""The engine `openai`: an address that speaks OpenAI's completions, and takes and gives token ids (vLLM's does).

Each request goes its own way: it generates up to a stop, its machine decides, and it is sent again behind what stands
then; no request waits for another's round. Where the server runs our logits processor, a request is one call instead.
The openai library is loaded when an engine is made.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from curation.errors import ConfigError, InputError, S1WebError
from inference.budget_forcing import BudgetForcingMachine, replay
from inference.delimiters import Tokenizer
from inference.engines.forced_row import Report, read_drawn, read_report, stop_for
from inference.engines.protocol import Intake, Request, Sample, failed_sample, finished_sample, start
from inference.engines.vllm_processor import ARGUMENT, forcing_to_json

# the strongest bias that the interface takes; it leaves an id less than one chance in 10^40 of the likeliest's
_NEVER = -100.0


class EndpointError(S1WebError):
    """An address that cannot be reached, or that answered what it should not."""


class OpenAIEngine:
    """A model behind an address.

    Ids, events and counts are exact. Where the server samples by itself (no processor of ours there), a seed gives
    one sequence on that server, but not the one that it gives on other engines.
    """

    def __init__(
        self,
        client: Any,
        model: str,
        known_ids: Iterable[int],
        *,
        context_tokens: int,
        served_tokens: int | None,
        max_requests: int,
        has_processor: bool,
    ) -> None:
        """
        Args:
            client: of the openai library; see `connect`.
            known_ids: ids that the tokenizer knows.
            served_tokens: the server's own context.
            max_requests: requests that are under way at a time.
        """
        self.context_tokens = context_tokens
        self.has_processor = has_processor
        self._client = client
        self._model = model
        self._known = frozenset(known_ids)
        self._num_ids = max(self._known) + 1
        # numbers of a report are spelled with the ids from 0 on that are all known
        self._num_digits = next(id_ for id_ in range(self._num_ids + 1) if id_ not in self._known) - 1
        self._served_tokens = served_tokens or context_tokens
        self._max_requests = max_requests
        self._unknown_seen: set[int] = set()

    @classmethod
    def connect(
        cls,
        address: str,
        *,
        model: str,
        tokenizer: Tokenizer,
        context_tokens: int | None = None,
        max_requests: int = 64,
        key_variable: str | None = None,
        uses_processor: bool = True,
        timeout_seconds: float = 3_600.0,
        max_retries: int = 5,
    ) -> "OpenAIEngine":
        """The engine of a model at an address.

        Args:
            address: up to and with its version: http://127.0.0.1:8000/v1.
            model: the server's name of it.
            tokenizer: the model's own.
            context_tokens: of a prompt and its generation; None: the server's.
            key_variable: the environment variable that holds the key; None: no key is needed.
            uses_processor: whether a processor of ours that the server has is used.
            max_retries: of a call that could not connect, was refused for its rate (429) or failed there (5xx).

        Raises:
            ConfigError: an option is out of range, or the server does not have the model or gives no token ids.
            EndpointError: the address does not answer.
        """
        try:
            import openai
        except ImportError:
            raise ConfigError("engine openai needs the openai library; install the extra endpoints") from None
        if max_requests < 1:
            raise ConfigError(f"max_requests={max_requests}; 1 or more is allowed")
        if key_variable is not None and not os.environ.get(key_variable):
            raise ConfigError(f"the environment variable {key_variable} is not set; put the address's key into it")
        client = openai.OpenAI(
            base_url=address,
            api_key=os.environ[key_variable] if key_variable else "none",
            timeout=timeout_seconds,
            max_retries=max_retries,
        )
        served = {entry.id: entry for entry in _asked(lambda: client.models.list(), address).data}
        if model not in served:
            raise ConfigError(
                f"model {model!r:.80} is not served at {address}; it serves: {', '.join(sorted(served))}"
            )
        limit = getattr(served[model], "max_model_len", None)
        length = limit if context_tokens is None else context_tokens
        if length is None:
            raise ConfigError(f"{address} does not say how long its context is; give context_tokens")
        if length < 1 or (limit is not None and length > limit):
            raise ConfigError(f"context_tokens={length}; 1 to {limit or 'what the server has'} is allowed")
        engine = cls(
            client,
            model,
            tokenizer.get_vocab().values(),
            context_tokens=length,
            served_tokens=limit,
            max_requests=max_requests,
            has_processor=False,
        )
        engine._complete([0], max_tokens=1)  # it gives token ids, or says so now
        if uses_processor:
            engine.has_processor = engine._finds_processor()
        return engine

    def fingerprint(self) -> dict[str, Any]:
        import openai

        return {
            "engine": "openai",
            "openai": openai.__version__,
            "address": str(self._client.base_url),
            "model": self._model,
            "forcing": "in the server" if self.has_processor else "by stops",
            "context_tokens": self.context_tokens,
            "max_requests": self._max_requests,
        }

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Sample]:
        """The requests' samples, as they finish; requests are read when others are done.

        Raises:
            EndpointError: the address stopped answering. What was given until then stands.
        """
        intake = Intake(requests)
        running: set[Future[Sample]] = set()

        def has_room() -> bool:
            return len(running) < self._max_requests

        pool = ThreadPoolExecutor(self._max_requests, thread_name_prefix="openai-engine")
        try:
            while True:
                for request in intake.ready(has_room):
                    running.add(pool.submit(self._one, request))
                if not running:
                    intake.check_progress()
                    return
                done = wait(running, return_when=FIRST_COMPLETED).done
                running -= done
                for future in done:
                    intake.gave_sample()
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _one(self, request: Request) -> Sample:
        try:
            machine = start(request, context_tokens=self.context_tokens, num_ids=self._num_ids)
            drawn: list[int] = []
            stop = stop_for(request.plan) if self.has_processor else None
            if stop is not None:
                machine, drawn = self._forced_there(request, machine, Report(stop, self._num_digits))
            calls = 0
            while not machine.is_finished:
                _drain(machine)
                self._go_on(request, machine, drawn, calls)
                calls += 1
        except ConfigError as error:
            return failed_sample(request, error)
        return finished_sample(request, machine, sampled_tokens=len(drawn))

    def _forced_there(
        self, request: Request, machine: BudgetForcingMachine, report: Report
    ) -> tuple[BudgetForcingMachine, list[int]]:
        """Let the server's processor force; the machine and what was drawn, as far as its reports go."""
        drawn: list[int] = []
        room = self.context_tokens - len(request.prompt_ids)
        while not machine.is_finished:
            _drain(machine)
            prompt = [*request.prompt_ids, *machine.ids, *machine.held]
            text = forcing_to_json(request, max_new_tokens=room, drawn=drawn, report=report)
            ids = self._complete(
                prompt,
                max_tokens=self._served_tokens - len(prompt),
                extra={"stop_token_ids": [report.stop], "ignore_eos": True, "vllm_xargs": {ARGUMENT: text}},
            )
            found = read_report(ids, report)
            try:
                new = read_drawn(machine, *found) if found else []
            except InputError:
                new = []
            if not new:  # its context had no room for the report: go on from what is known, by stops
                return replay(request.plan, drawn, max_new_tokens=room, last_prompt_id=request.prompt_ids[-1]), drawn
            drawn += new
        return machine, drawn

    def _go_on(self, request: Request, machine: BudgetForcingMachine, drawn: list[int], call: int) -> None:
        """Generate up to something that the machine decides on."""
        delimiters, is_thinking = request.plan.delimiters, machine.phase == "thinking"
        watched = delimiters.ends if is_thinking else delimiters.stops + delimiters.reopens
        stops = sorted({ids[-1] for ids in watched})
        forbidden = machine.forbidden
        sampling = request.sampling.under(machine.override)
        bias = dict.fromkeys(self._unknown_seen, _NEVER)
        if sampling.frequency_penalty:  # the server counts what this call generates, and no more
            for id_, count in Counter([*machine.ids, *machine.held]).items():
                bias[id_] = max(_NEVER, bias.get(id_, 0.0) - sampling.frequency_penalty * count)
        bias |= dict.fromkeys(forbidden, _NEVER)
        # what is forbidden is so for the next id alone, but for starts of a second block in an answer
        stays = not forbidden or (not is_thinking and all(len(ids) == 1 for ids in delimiters.reopens))
        ids = self._complete(
            [*request.prompt_ids, *machine.ids, *machine.held],
            max_tokens=machine.room if stays else 1,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            frequency_penalty=sampling.frequency_penalty,
            logit_bias={str(id_): value for id_, value in bias.items()},
            seed=(request.sampling.seed * 1_000_003 + call) % 2**31,
            extra={"stop_token_ids": stops, "ignore_eos": True, "top_k": sampling.top_k or -1},
        )
        for id_ in ids:
            if id_ not in self._known or id_ in machine.forbidden:
                # it is drawn again without it, which keeps the distribution of the rest
                if bias.get(id_) == _NEVER:
                    raise EndpointError(f"{self._client.base_url} draws id {id_} against its logit_bias")
                if id_ not in self._known:
                    self._unknown_seen.add(id_)
                return
            drawn.append(id_)
            if machine.observe(id_).next_ids != (id_,):
                return
            _drain(machine)

    def _finds_processor(self) -> bool:
        import openai

        try:
            self._complete([0], max_tokens=1, extra={"vllm_xargs": {ARGUMENT: "?"}})
        except ConfigError as error:
            return ARGUMENT in str(error)
        except openai.OpenAIError:
            return False
        return False

    def _complete(self, prompt: Sequence[int], *, extra: dict[str, Any] | None = None, **options: Any) -> list[int]:
        """The ids that the server generates behind these, its stop id included.

        Raises:
            ConfigError: the server refuses the request, or gives no token ids.
            EndpointError: it does not answer, or fails.
        """
        address = str(self._client.base_url)
        answer = _asked(
            lambda: self._client.completions.create(
                model=self._model,
                prompt=list(prompt),
                extra_body={"return_token_ids": True, "skip_special_tokens": False, **(extra or {})},
                **options,
            ),
            address,
        )
        ids = getattr(answer.choices[0], "token_ids", None)
        if not ids:
            raise ConfigError(f"{address} gives no token ids (return_token_ids); use a vLLM server or engine vllm")
        return list(ids)


def _asked(call: Any, address: str) -> Any:
    """What the server answers.

    Raises:
        ConfigError: it refuses the request (status 4xx).
        EndpointError: it cannot be reached, or failed, after the client's retries.
    """
    import openai

    try:
        return call()
    except openai.APIStatusError as error:
        said = " ".join(str(error.message).split())[:300]
        if error.status_code in (401, 403):
            raise EndpointError(f"{address} wants a key ({error.status_code}); name its variable: {said}") from None
        if error.status_code == 429 or error.status_code >= 500:
            raise EndpointError(f"{address} failed ({error.status_code}) after all retries: {said}") from None
        raise ConfigError(f"{address} refuses the request ({error.status_code}): {said}") from None
    except openai.APIConnectionError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        raise EndpointError(f"{address} does not answer: {reason}; is the server up?") from None


def _drain(machine: BudgetForcingMachine) -> None:
    while machine.next_forced is not None:
        machine.take()
