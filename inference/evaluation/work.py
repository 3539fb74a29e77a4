"""Carrying a run out: every trial that is not done yet, through engine, grading and folder."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curation.errors import ConfigError, S1WebError
from inference.benchmark_sources import Benchmark
from inference.delimiters import build_delimiters
from inference.engines.protocol import Engine
from inference.equivalence import Grade
from inference.evaluation.config import RunConfig, config_to_json
from inference.evaluation.folder import RunFolder
from inference.evaluation.grading import Grader
from inference.evaluation.rows import row_of
from inference.evaluation.summary import read_run, summarise
from inference.forcing_events import Ids
from inference.math_verifier import MathVerifier
from inference.methods.base import Outcome, Setting, Trial
from inference.prompts import ChatTokenizer, PromptBuilder
from inference.rewards import RewardModel
from inference.runner import run


@dataclass(frozen=True)
class Loaded:
    """What a run needs beside its config.

    Attributes:
        eos_ids: the model's end tokens.
        model_sha256, tokenizer_sha256: None where the files are not on this machine.
    """

    engine: Engine
    tokenizer: ChatTokenizer
    benchmark: Benchmark
    eos_ids: Ids
    model_sha256: str | None
    tokenizer_sha256: str | None
    reward_model: RewardModel | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        done, total: trials; those of earlier sessions too.
        right, graded, failed: of this session's.
        sampled_tokens: that the model drew in this session.
        requests: generations asked for in this session.
    """

    done: int
    total: int
    right: int = 0
    graded: int = 0
    failed: int = 0
    sampled_tokens: int = 0
    requests: int = 0


def carry_out(
    config: RunConfig,
    loaded: Loaded,
    folder: Path,
    *,
    retry_failed: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_outcome: Callable[[], None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Do what is missing of a run, and give its summary; a stopped run goes on where it was.

    Args:
        folder: the run's own; made where it is not there.
        retry_failed: do anew what ended in an error.
        on_progress: called once before the first trial, then after each one that was stored, in a thread beside.
        on_outcome: called in the caller's thread each time the engine is through with a trial; of those before it
            some may still be graded. It may raise to stop the run; what was stored by then stays.
        should_stop: asked before each trial; what is begun then is finished.

    Raises:
        ConfigError: the method cannot be used with this model, or a cap leaves no room to answer.
        ConflictError: the folder holds another run, or another process works on it.
    """
    problems = loaded.benchmark.problems[: config.limit]
    setting = _setting(config, loaded)
    _check_room(config, setting, [Trial(problem) for problem in problems])
    # bound for its checks before anything is written; the runner binds it again, over the same setting
    config.method.bind(setting)
    with ExitStack() as stack:
        if config.grading.math_verify:
            verifier = stack.enter_context(MathVerifier(timeout_seconds=config.grading.timeout_seconds))
            setting = replace(setting, verifier=verifier)
        opened = stack.enter_context(RunFolder(folder, describe(config, loaded)))
        if retry_failed:
            opened.drop_failed()
        opened.begin_session({"begun_at": datetime.now(UTC).isoformat(), "fingerprint": loaded.engine.fingerprint()})
        session = _Session(opened, len(problems) * config.repeats, on_progress)
        trials = (
            trial
            for repeat in range(config.repeats)
            for trial in (Trial(problem, repeat) for problem in problems)
            if trial.key not in opened.done
        )
        with Grader(setting.verifier, session.store) as grader:
            outcomes = run(session.timed(_until(trials, should_stop)), config.method, loaded.engine, setting)
            with closing(outcomes):  # type: ignore[type-var]  # a generator
                for outcome in outcomes:
                    grader.put(outcome, session.seconds_of(outcome))
                    on_outcome()
        summary = summarise(read_run(folder), num_problems=len(problems), num_repeats=config.repeats)
        summary |= {"folder": str(folder), "session_seconds": round(time.monotonic() - session.started, 3)}
        opened.write_summary(summary)
    return summary


def describe(config: RunConfig, loaded: Loaded) -> dict[str, Any]:
    """What `run.json` holds."""
    benchmark = loaded.benchmark
    profile = build_delimiters(config.profile, loaded.tokenizer, eos_ids=loaded.eos_ids)
    return {
        "config": config_to_json(config),
        "benchmark": {
            "name": benchmark.name,
            "sha256": benchmark.sha256,
            "num_problems": len(benchmark.problems),
            "source": benchmark.source,
            "shuffle_seed": benchmark.shuffle_seed,
        },
        "model_sha256": loaded.model_sha256,
        "tokenizer_sha256": loaded.tokenizer_sha256,
        "delimiters": {**asdict(profile), "line_ends": sorted(profile.line_ends)},
        "eos_ids": list(loaded.eos_ids),
        "prompts": _prompts(config, loaded).describe(),
    }


class _Session:
    """This time's work: what is stored, how long trials take, how far the run is."""

    def __init__(self, folder: RunFolder, total: int, on_progress: Callable[[Progress], None]) -> None:
        self.started = time.monotonic()
        self._folder = folder
        self._on_progress = on_progress
        self._begun: dict[str, float] = {}
        self._progress = Progress(len(folder.done), total)
        on_progress(self._progress)

    def timed(self, trials: Iterable[Trial]) -> Iterator[Trial]:
        for trial in trials:
            self._begun[trial.key] = time.monotonic()
            yield trial

    def seconds_of(self, outcome: Outcome) -> float:
        return time.monotonic() - self._begun.pop(outcome.trial.key)

    def store(self, outcome: Outcome, grades: Sequence[Grade], seconds: float) -> None:
        row = row_of(outcome, grades, seconds=seconds)
        self._folder.add_prompt(outcome.prompt.sha256, outcome.prompt.text)
        self._folder.add_sample(row)
        grade: Mapping[str, Any] = row["grade"] or {}
        before = self._progress
        self._progress = Progress(
            done=before.done + 1,
            total=before.total,
            right=before.right + (grade.get("is_right") is True),
            graded=before.graded + (grade.get("is_right") is not None),
            failed=before.failed + (row["error"] is not None),
            sampled_tokens=before.sampled_tokens + outcome.account.sampled_tokens,
            requests=before.requests + outcome.account.requests,
        )
        self._on_progress(self._progress)


def _until(trials: Iterable[Trial], should_stop: Callable[[], bool]) -> Iterator[Trial]:
    for trial in trials:
        if should_stop():
            return
        yield trial


def _prompts(config: RunConfig, loaded: Loaded) -> PromptBuilder:
    return PromptBuilder(loaded.tokenizer, config.profile, template=config.template, system=config.system)


def _setting(config: RunConfig, loaded: Loaded) -> Setting:
    return Setting(
        tokenizer=loaded.tokenizer,
        profile=config.profile,
        prompts=_prompts(config, loaded),
        context_tokens=loaded.engine.context_tokens,
        eos_ids=loaded.eos_ids,
        sampling=config.sampling,
        seed=config.seed,
        reward_model=loaded.reward_model,
        allow_bare=config.grading.allow_bare,
    )


def _check_room(config: RunConfig, setting: Setting, trials: Sequence[Trial]) -> None:
    """Refuse a cap for which the longest prompt leaves no room, before anything is generated (s1: the "auto" cap)."""
    forcing = getattr(config.method, "forcing", None)
    if forcing is None or forcing.max_thinking_tokens is None:
        return
    longest = max((len(setting.prompts.build(trial.problem).ids) for trial in trials), default=0)
    setting.plan(forcing).room_for_thinking(context_tokens=setting.context_tokens, prompt_tokens=longest)


def load(config: RunConfig, benchmark: Benchmark) -> Loaded:
    """The engine, tokenizer and reward model of a run.

    Raises:
        ConfigError: one of them cannot be loaded.
    """
    from transformers.utils import logging as transformers_logging

    from inference.engines.registry import load_engine
    from inference.evaluation.hashing import local_folder, model_sha256, tokenizer_sha256

    # its bars would stand beside ours, and in pipes
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    tokenizer, eos_ids = load_tokenizer(config.model, config.tokenizer)
    model_folder = None if config.engine == "openai" else local_folder(config.model)
    tokenizer_folder = local_folder(config.tokenizer or config.model)
    reward_model: RewardModel | None = None
    if config.reward_model is not None:
        from inference.engines.reward_model import TransformersRewardModel

        reward_model = TransformersRewardModel.load(config.reward_model)
    return Loaded(
        engine=load_engine(config.engine, config.model, config.engine_options, tokenizer),
        tokenizer=tokenizer,
        benchmark=benchmark,
        eos_ids=eos_ids,
        model_sha256=None if model_folder is None else model_sha256(model_folder),
        tokenizer_sha256=None if tokenizer_folder is None else tokenizer_sha256(tokenizer_folder),
        reward_model=reward_model,
    )


def load_tokenizer(model: str, tokenizer_name: str | None) -> tuple[Any, Ids]:
    """The tokenizer, and the ids that end a generation by the model's own settings.

    Args:
        tokenizer_name: a folder, or a name on the Hub; None: the model's.

    Raises:
        ConfigError: it cannot be loaded.
    """
    from transformers import AutoTokenizer, GenerationConfig

    name = tokenizer_name or model
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"tokenizer {name!r} cannot be loaded: {reason}") from None
    ends = [tokenizer.eos_token_id]
    try:
        eos: Any = GenerationConfig.from_pretrained(model).eos_token_id
        ends += eos if isinstance(eos, list) else [eos]
    except (OSError, ValueError, S1WebError):
        pass  # a model without such settings, or an endpoint: the tokenizer's own end stands alone
    return tokenizer, tuple(dict.fromkeys(id_ for id_ in ends if id_ is not None))
