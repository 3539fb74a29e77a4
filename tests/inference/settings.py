"""Settings of runs over the small tokenizer, traces written as text, and engines that finish in any order."""

import random
from collections.abc import Iterable, Iterator

from inference.benchmarks import Problem
from inference.delimiters import find_profile
from inference.engines.protocol import Intake
from inference.engines.scripted import TraceEngine
from inference.methods.base import Account, Setting, Trial
from inference.methods.registry import method_from_json
from inference.prompts import PromptBuilder
from inference.runner import run
from tests.inference.models import make_tokenizer

CONTEXT = 512
# short answers, so that a table's traces are short too
SHORT = {"answer_reserve": 4, "max_answer_tokens": 30}


def ids_of(text):
    return tuple(make_tokenizer().encode(text, add_special_tokens=False))


def make_setting(*, profile="s1", context_tokens=CONTEXT, **options):
    tokenizer = make_tokenizer()
    profile = find_profile(profile) if isinstance(profile, str) else profile
    prompts = PromptBuilder(tokenizer, profile, template="Q: {problem}\n")
    return Setting(tokenizer, profile, prompts, context_tokens, **options)


def make_trial(key="p", repeat=0, *, text="12 + 30", answer="42", choices=()):
    return Trial(Problem(key, text, answer, choices), repeat)


def trace(thinking, answer):
    """What the model draws: thinking, its end, an answer, its stop. Each piece is encoded by itself."""
    return (*ids_of(thinking), *ids_of("<|im_start|>"), *ids_of(answer), *ids_of("<|im_end|>"))


def one_outcome(method, traces, *, setting=None, trial=None):
    """The outcome of one trial whose requests draw these traces, in their order."""
    setting, trial = setting or make_setting(), trial or make_trial()
    if isinstance(method, dict):
        method = method_from_json(method)
    engine = TraceEngine(
        {f"{trial.key}/{place}": ids for place, ids in enumerate(traces)}, context_tokens=setting.context_tokens
    )
    (outcome,) = run([trial], method, engine, setting)
    check_account(outcome)
    return outcome


def check_account(outcome):
    """The account holds every sample once: counted anew from ids and events."""
    total = Account(reward_tokens=outcome.account.reward_tokens)
    for paid in outcome.samples:
        sample = paid.sample
        delimiters = sum(
            len(getattr(event, "ids", ())) for event in sample.events if event.kind in ("forced_end", "natural_end")
        ) + sum(getattr(event, "num_ids", 0) for event in sample.events)
        rest = len(sample.ids) - delimiters
        thinking = {"all": sample.thinking_tokens, "thinking": rest + len(paid.put_back), "answer": 0}[paid.part]
        total += Account(
            prompt_tokens=len(paid.request.prompt_ids),
            sampled_tokens=sample.sampled_tokens,
            thinking_tokens=thinking,
            answer_tokens=0 if paid.part == "thinking" else rest - (thinking if paid.part == "all" else 0),
            requests=1,
        )
    assert outcome.account == total


class ShuffledEngine:
    """Another engine's samples, given in a random order of so many rows at a time.

    Attributes:
        read: requests read so far.
    """

    def __init__(self, engine, *, rows, seed) -> None:
        self.context_tokens = engine.context_tokens
        self.read = 0
        self._engine = engine
        self._rows = rows
        self._rng = random.Random(seed)

    def fingerprint(self):
        return {"engine": "shuffled"}

    def generate(self, requests: Iterable) -> Iterator:
        intake = Intake(requests)
        waiting = []
        while True:
            while len(waiting) < self._rows and (request := intake.take()) is not None:
                waiting.append(request)
                self.read += 1
            if not waiting:
                intake.check_progress()
                return
            request = waiting.pop(self._rng.randrange(len(waiting)))
            yield from self._engine.generate([request])
