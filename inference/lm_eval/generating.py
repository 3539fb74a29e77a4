"""lm-eval's `generate_until` through our engines: each request under its own plan, its thinking kept."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from curation.errors import ConfigError, InputError, S1WebError
from inference.delimiters import Delimiters, build_delimiters, decode, encode_exactly
from inference.engines.protocol import Engine, Request, Sample
from inference.evaluation.rows import is_cut
from inference.forcing_events import Finished, Ids, SuppressedEnd, event_to_json
from inference.forcing_plan import BudgetForcing, ForcingPlan, make_plan
from inference.lm_eval.arguments import Generation, ModelArguments, first_stop, generation_arguments
from inference.methods.base import seed_of
from inference.methods.options import forcing_to_json
from inference.prompts import ChatTokenizer
from inference.texts import answer_text, thinking_text


class GenerationFailedError(S1WebError):
    """The engine could not serve a request; lm-eval has no word for a missing response, so the evaluation ends."""


class Instance(Protocol):
    """The part of lm-eval's Instance that is read.

    Attributes:
        args: the context, and `generation_kwargs`.
    """

    @property
    def args(self) -> tuple[Any, ...]: ...
    @property
    def task_name(self) -> str | None: ...
    @property
    def doc_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request on its way."""

    task: str
    doc_id: int
    repeat: int
    context: str
    generation: Generation
    request: Request


class Generator:
    """An engine and all that turns lm-eval's requests into ours.

    Attributes:
        totals: over every request so far: requests, thinking_tokens, answer_tokens, sampled_tokens, suppressed_ends,
            forced_ends.
    """

    def __init__(
        self, arguments: ModelArguments, engine: Engine, tokenizer: ChatTokenizer, *, eos_ids: Ids = ()
    ) -> None:
        """
        Raises:
            ConfigError: the profile cannot be built with the tokenizer, or the forcing not with the profile.
            InputError: `samples_log` cannot be written.
        """
        self.arguments = arguments
        self.engine = engine
        self.tokenizer = tokenizer
        self.totals: Counter[str] = Counter()
        self._delimiters = build_delimiters(arguments.profile, tokenizer, eos_ids=eos_ids)
        make_plan(arguments.forcing, self._delimiters, tokenizer)  # checked before anything runs
        self._plans: dict[tuple[BudgetForcing, tuple[str, ...]], ForcingPlan] = {}
        # repeats of one document are asked one after another, also over several calls
        self._asked: Counter[tuple[str, int, str]] = Counter()
        if arguments.samples_log is not None:
            _append(Path(arguments.samples_log), ())

    def generate(
        self, instances: Sequence[Instance], on_response: Callable[[Instance, str], None] = lambda *_: None
    ) -> list[str]:
        """The answer to each request, in their order, up to the first of its `until`.

        Args:
            on_response: called with each one as it is there, in any order.

        Raises:
            ConfigError: a request cannot be served as it stands; said before anything is generated.
            GenerationFailedError: the engine could not serve one.
        """
        asked = {str(place): self._ask(str(place), instance) for place, instance in enumerate(instances)}
        responses: dict[str, str] = {}
        for sample in self.engine.generate(each.request for each in asked.values()):
            one = asked[sample.key]
            if sample.error is not None:
                raise GenerationFailedError(f"task {one.task}, document {one.doc_id}: {sample.error}")
            responses[sample.key] = self._response(one, sample)
            self._keep(one, sample, responses[sample.key])
            on_response(instances[int(sample.key)], responses[sample.key])
        return [responses[key] for key in asked]

    def render(self, history: Sequence[dict[str, str]], *, add_generation_prompt: bool) -> str:
        """A conversation as the tokenizer's chat template writes it.

        Raises:
            ConfigError: there is no template, or the task begins the answer, which comes after the thinking.
        """
        if not getattr(self.tokenizer, "chat_template", None):
            raise ConfigError("the tokenizer has no chat template; leave out --apply_chat_template")
        if not add_generation_prompt and self.arguments.forcing.starts_thinking:
            raise ConfigError(
                "the task has a gen_prefix, which begins the answer before the thinking; give forced_answer=TEXT "
                "and a task without it, or starts_thinking=False"
            )
        options = {} if add_generation_prompt else {"continue_final_message": True}
        text = self.tokenizer.apply_chat_template(
            list(history), tokenize=False, add_generation_prompt=add_generation_prompt, **options
        )
        assert isinstance(text, str)
        return text

    def describe(self) -> dict[str, Any]:
        """What results say of the model, beside lm-eval's own: how it was forced, and what that came to."""
        return {
            "s1web": {
                "engine": self.engine.fingerprint(),
                "profile": asdict(self.arguments.profile),
                "forcing": forcing_to_json(self.arguments.forcing),
                "seed": self.arguments.seed,
                "totals": dict(self.totals),
            }
        }

    def _ask(self, key: str, instance: Instance) -> _Asked:
        context, values = instance.args
        task, doc_id = instance.task_name or "", instance.doc_id or 0
        try:
            generation = generation_arguments(values, self.arguments.forcing)
            plan = self._plan(generation)
            prompt = self._prompt_ids(context, plan.options)
            plan.room_for_thinking(context_tokens=self.engine.context_tokens, prompt_tokens=len(prompt))
        except ConfigError as error:
            raise ConfigError(f"task {task}, document {doc_id}: {error}") from None
        repeat = self._asked[task, doc_id, context]
        self._asked[task, doc_id, context] += 1
        seed = seed_of(self.arguments.seed, f"{task}/{doc_id}/{_sha256(context)}", repeat, 0)
        request = Request(key, prompt, plan, replace(generation.sampling, seed=seed))
        return _Asked(task, doc_id, repeat, context, generation, request)

    def _prompt_ids(self, context: str, options: BudgetForcing) -> Ids:
        ids = tuple(self.tokenizer.encode(context, add_special_tokens=False))
        opens = context.rstrip().endswith(self.arguments.profile.start.strip())
        if opens and not options.starts_thinking:
            raise ConfigError("the prompt begins thinking by itself, and starts_thinking=False; leave that out")
        return ids if opens or not options.starts_thinking else ids + self._delimiters.start

    def _plan(self, generation: Generation) -> ForcingPlan:
        key = generation.forcing, generation.until
        if key not in self._plans:
            delimiters = _stopped_at(self._delimiters, generation.until, self.tokenizer)
            self._plans[key] = make_plan(generation.forcing, delimiters, self.tokenizer)
        return self._plans[key]

    def _response(self, asked: _Asked, sample: Sample) -> str:
        text = answer_text(sample.ids, sample.events, asked.request.plan.delimiters, self.tokenizer)
        last = sample.events[-1]
        assert isinstance(last, Finished)
        # a stop that was dropped may have begun before its own ids
        text += decode(self.tokenizer, last.dropped)
        ends = (decode(self.tokenizer, ids) for ids in self._delimiters.stops)
        # as lm-eval does behind thinking: the line ends that open an answer are not where it stops
        return first_stop(text.lstrip(), (*asked.generation.until, *ends))

    def _keep(self, asked: _Asked, sample: Sample, response: str) -> None:
        events = [event_to_json(event) for event in sample.events]
        self.totals.update(
            requests=1,
            thinking_tokens=sample.thinking_tokens,
            answer_tokens=sample.answer_tokens,
            sampled_tokens=sample.sampled_tokens,
            suppressed_ends=sum(isinstance(event, SuppressedEnd) for event in sample.events),
            forced_ends=int(is_cut(events)),
        )
        if self.arguments.samples_log is None:
            return
        options = asked.request.plan.options
        row = {
            "task": asked.task,
            "doc_id": asked.doc_id,
            "repeat": asked.repeat,
            "prompt_hash": _sha256(asked.context),
            "prompt_tokens": sample.prompt_tokens,
            "until": list(asked.generation.until),
            "forcing": forcing_to_json(options),
            "sampling": asdict(asked.request.sampling),
            "ids": list(sample.ids),
            "events": events,
            "finish_reason": sample.finish_reason,
            "thinking_tokens": sample.thinking_tokens,
            "answer_tokens": sample.answer_tokens,
            "sampled_tokens": sample.sampled_tokens,
            "thinking": thinking_text(
                sample.ids, sample.events, self.tokenizer, starts_thinking=options.starts_thinking
            ),
            "response": response,
        }
        _append(Path(self.arguments.samples_log), (row,))


def _stopped_at(delimiters: Delimiters, until: Sequence[str], tokenizer: ChatTokenizer) -> Delimiters:
    """The delimiters with those stops that are found by ids, so that no more is generated than has to be.

    The text is cut afterwards all the same: other ids may write the same text. A stop that begins in white space is
    found in the text alone, as answers open with line ends that are no stop.
    """
    found = []
    for text in until:
        if text[0].isspace():
            continue
        try:
            found.append(encode_exactly(text, tokenizer, "until"))
        except ConfigError:
            continue  # no ids are this text; it may still come as a part of others
    stops = tuple(dict.fromkeys((*delimiters.stops, *found)))
    # a block that begins with a stop cannot be opened again
    reopens = tuple(ids for ids in delimiters.reopens if not any(ids[: len(stop)] == stop for stop in found))
    return replace(delimiters, stops=stops, reopens=reopens)


def _append(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except OSError as error:
        raise InputError(f"samples_log={path}: {error.strerror or error}; give a file that can be written") from None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
