"""Thinking and answer as requests of their own, for methods that look at a trace before they let it go on."""

from dataclasses import dataclass, replace

from curation.errors import ConfigError
from inference.delimiters import decode
from inference.engines.protocol import Sample
from inference.forcing_events import Finished, Ids
from inference.forcing_plan import BudgetForcing, ForcingPlan
from inference.methods.base import Book, RequestFailedError, Setting


@dataclass(frozen=True, slots=True)
class Parts:
    """Plans for the parts of a generation.

    Attributes:
        whole: the plan that one generation in one request would have; it gives the delimiters put in between.
        thinking: draws thinking and stops at its end, or at the end of a step.
        answer: goes on behind what opens the answer; thinking does not begin again.
        step_ends: ids that end a step.
    """

    whole: ForcingPlan
    thinking: ForcingPlan
    answer: ForcingPlan
    step_ends: frozenset[Ids] = frozenset()

    def thinking_plan(self, max_tokens: int) -> ForcingPlan:
        """Thinking of at most so many tokens, at least 1."""
        return replace(self.thinking, options=replace(self.thinking.options, max_answer_tokens=max_tokens))

    def opening(self, thinking: Ids, *, is_forced: bool, last_prompt_id: int) -> Ids:
        """What stands between thinking and answer, as the machine would put it in."""
        if not is_forced:
            return self.whole.natural_end
        last = thinking[-1] if thinking else last_prompt_id
        delimiters = self.whole.delimiters
        return (() if last in delimiters.line_ends else delimiters.separator) + self.whole.forced_end

    def opening_text(self, setting: Setting, *, is_forced: bool) -> str:
        """The part of an answer's text that was put in: `Final Answer:` where the end was forced."""
        if not is_forced:
            return ""
        delimiters = self.whole.delimiters
        text = decode(setting.tokenizer, self.whole.forced_end)
        return text.partition(decode(setting.tokenizer, delimiters.answer))[2]


def make_parts(setting: Setting, options: BudgetForcing, *, step_ends: tuple[Ids, ...] = ()) -> Parts:
    """The plans under a setting.

    Raises:
        ConfigError: as `Setting.plan`.
    """
    whole = setting.plan(options)
    delimiters = whole.delimiters
    stops = replace(delimiters, stops=tuple(dict.fromkeys((*delimiters.ends, *step_ends))), reopens=())
    thinking = BudgetForcing(starts_thinking=False, answer_reserve=1)
    # a cap of 0 forbids the start of a further block
    answer = replace(options, starts_thinking=False, max_thinking_tokens=0, num_ignore=0)
    return Parts(
        whole=whole,
        thinking=replace(whole, delimiters=stops, options=thinking),
        answer=replace(whole, options=answer),
        step_ends=frozenset(step_ends) - frozenset(delimiters.ends),
    )


def stopped_by(sample: Sample) -> Ids:
    """The ids of the delimiter that ended a part; () where a length did."""
    last = sample.events[-1]
    assert isinstance(last, Finished)
    return last.dropped


def room_to_think(book: Book, parts: Parts) -> int:
    """The cap, or what the context leaves of it behind the trial's prompt.

    Raises:
        RequestFailedError: there is no room to answer.
    """
    plan = parts.whole
    left = book.setting.context_tokens - len(book.prompt.ids) - plan.tokens_beside_thinking
    if left < 0:
        try:
            plan.room_for_thinking(context_tokens=book.setting.context_tokens, prompt_tokens=len(book.prompt.ids))
        except ConfigError as error:
            raise RequestFailedError(str(error)) from None
    cap = plan.options.max_thinking_tokens
    return left if cap is None else min(cap, left)
