"""Budget forcing as a pure state machine over token ids (s1 §3.1; design: "Budget forcing"; decision 17).

One machine per sequence. An engine asks it before every step and tells it what it drew:

    while not machine.is_finished:
        if machine.next_forced is None:
            machine.observe(draw(machine.forbidden, machine.override))
        ...  # take back what observe() said, then feed machine.take()

It does what the plain loop "generate what is left of the cap, stop at an end, append, generate again" does, with the
cap counted over all rounds, and decodes no text.
"""

from collections import deque
from collections.abc import Iterable
from typing import Literal, NamedTuple

from curation.errors import ConfigError
from inference.forcing_events import (
    CapHit,
    Event,
    Finished,
    FinishReason,
    ForcedEnd,
    Ids,
    InsertedString,
    NaturalEnd,
    ReopenedThinking,
    SuppressedEnd,
)
from inference.forcing_plan import ForcingPlan, SamplingOverride

Phase = Literal["thinking", "answer", "finished"]


class Move(NamedTuple):
    """The machine's answer to a drawn id.

    Attributes:
        take_back: ids at the end of the context, already fed, that were part of a delimiter and leave it; 0 where
            every delimiter is one id.
        next_ids: what comes into the context next: the drawn id itself ("go on"), or others; empty at the finish, and
            where an end was dropped and nothing put in: the next id is then drawn behind the same context.
        phase: where the sequence now is.
    """

    take_back: int
    next_ids: Ids
    phase: Phase


class BudgetForcingMachine:
    """The state of one sequence.

    Attributes:
        ids: what is decided to stand after the prompt, forced ids included as soon as they are decided.
        held: ids drawn and fed that may yet turn out to be a delimiter; they follow `ids`.
        events: what was forced and where; see `inference.forcing_events`.
        thinking_tokens: of `ids`, over all rounds.
        answer_tokens: of `ids`, without delimiters and what was put in with them.
        num_suppressed: ends of thinking suppressed so far.
        phase: "thinking", "answer" or "finished".
    """

    __slots__ = (
        "_closing",
        "_ends",
        "_last_prompt_id",
        "_max_answer",
        "_max_ids",
        "_max_thinking",
        "_must_go_on",
        "_pending",
        "_reopens",
        "_round",
        "_single_ends",
        "_single_reopens",
        "_stops",
        "answer_tokens",
        "events",
        "held",
        "ids",
        "num_suppressed",
        "phase",
        "plan",
        "thinking_tokens",
    )

    def __init__(self, plan: ForcingPlan, *, max_new_tokens: int, last_prompt_id: int | None = None) -> None:
        """
        Args:
            max_new_tokens: room in the context after the prompt; the answer's reserve is kept out of it.
            last_prompt_id: tells whether an empty thinking begins behind a newline.

        Raises:
            ConfigError: there is no room to answer.
        """
        options = plan.options
        needed = plan.tokens_beside_thinking if options.starts_thinking else 1
        if max_new_tokens < needed:
            raise ConfigError(
                f"{max_new_tokens} tokens are left after the prompt, and delimiters and answer need {needed}; "
                "use a shorter prompt, a longer context or a smaller answer_reserve"
            )
        self.plan = plan
        self.ids: list[int] = []
        self.held: list[int] = []
        self.events: list[Event] = []
        self.thinking_tokens = 0
        self.answer_tokens = 0
        self.num_suppressed = 0
        self.phase: Phase = "thinking" if options.starts_thinking else "answer"
        self._round = 0
        self._must_go_on = False  # an end was suppressed and nothing was drawn since
        self._pending: deque[int] = deque()
        self._last_prompt_id = last_prompt_id
        self._max_ids = max_new_tokens
        self._max_answer = max_new_tokens if options.max_answer_tokens is None else options.max_answer_tokens
        # what all rounds together may take; the context bounds it too, see _room()
        self._max_thinking = max_new_tokens if options.max_thinking_tokens is None else options.max_thinking_tokens
        self._closing = plan.tokens_beside_thinking
        self._ends = _Sequences(plan.delimiters.ends)
        self._stops = _Sequences(plan.delimiters.stops + plan.delimiters.reopens)
        self._reopens = frozenset(plan.delimiters.reopens)
        self._single_ends = frozenset(ids[0] for ids in plan.delimiters.ends if len(ids) == 1)
        self._single_reopens = frozenset(ids[0] for ids in plan.delimiters.reopens if len(ids) == 1)
        if self.phase == "thinking" and self._room() <= 0:
            self._pending.extend(self._cut_off())

    @property
    def is_finished(self) -> bool:
        """Whether the generation is over: nothing more is drawn or fed."""
        return self.phase == "finished"

    @property
    def next_forced(self) -> int | None:
        """The id that comes into the context next; None: one has to be drawn."""
        return self._pending[0] if self._pending else None

    def take(self) -> int:
        """The id to feed next; it is then no longer `next_forced`."""
        return self._pending.popleft()

    @property
    def forbidden(self) -> frozenset[int]:
        """Ids that may not be drawn now.

        Right after a suppressed end those that would end thinking at once: at least one further token follows (s1's
        min_tokens=1). In an answer with no budget left those that would begin thinking again.
        """
        if self.phase == "thinking" and self._must_go_on:
            if not self.held:
                return self._single_ends
            held = tuple(self.held)
            return frozenset(end[-1] for end in self.plan.delimiters.ends if end[:-1] == held)
        if self.phase == "answer" and self._reopens and self._room(len(self.held) + 1) <= 0:
            if not self.held:
                return self._single_reopens
            held = tuple(self.held)
            return frozenset(
                reopen[-1] for reopen in self._reopens if len(reopen) == 1 or held[1 - len(reopen) :] == reopen[:-1]
            )
        return frozenset()

    @property
    def override(self) -> SamplingOverride | None:
        """The sampling options that hold now instead of the request's own, if any."""
        overrides = self.plan.options.overrides
        if not overrides or self.phase != "thinking":
            return None
        reached = [override for override in overrides if override.after <= self.num_suppressed]
        return reached[-1] if reached else None

    @property
    def room(self) -> int:
        """The most ids that may be drawn in a row before the machine decides something, delimiters aside."""
        undecided = len(self.held)
        if self.phase == "thinking":
            return self._room(undecided)
        return min(self._max_answer - self.answer_tokens, self._max_ids - len(self.ids)) - undecided

    def observe(self, drawn: int) -> Move:
        """Tell the machine the id that was drawn; its answer is also what `next_forced` and `take` then give.

        Raises:
            ValueError: the sequence is finished, an id was to be taken instead, or the id is forbidden now.
        """
        if self._pending or self.phase == "finished":
            raise ValueError(
                f"id {drawn} was drawn where none is to be: phase {self.phase}, forced {self.next_forced}"
            )
        if drawn in self.forbidden:
            raise ValueError(f"id {drawn} may not be drawn here; mask {sorted(self.forbidden)} (see forbidden)")
        fed = self.held
        watched = self._ends if self.phase == "thinking" else self._stops
        released, matched, self.held = watched.push(fed, drawn)
        follows = self._think(released, matched) if self.phase == "thinking" else self._answer(released, matched)
        # what was held is in the context already; what of it stays there need not be fed again
        wanted = (*released, *follows) if matched else (*fed, drawn, *follows)
        kept = 0
        while kept < len(fed) and kept < len(wanted) and fed[kept] == wanted[kept]:
            kept += 1
        self._pending.extend(wanted[kept:])
        return Move(len(fed) - kept, tuple(self._pending), self.phase)

    def _think(self, released: list[int], matched: Ids) -> Ids:
        """Ids that follow what is kept of the thinking."""
        self._keep_thinking(released)
        if matched:
            return self._end_reached(matched)
        if self._room(len(self.held)) > 0:
            return ()
        self._keep_thinking(self.held)
        self.held = []
        return self._cut_off()

    def _end_reached(self, dropped: Ids) -> Ids:
        options = self.plan.options
        if self.num_suppressed < options.num_ignore:
            place = self.num_suppressed % len(self.plan.ignore_ids)
            ids = self.plan.ignore_ids[place]
            if len(ids) < self._room():  # the string, and at least one further token
                self._add(SuppressedEnd(len(self.ids), self._round, dropped))
                self.num_suppressed += 1
                self._round += 1
                if ids:
                    self._add(InsertedString(len(self.ids), self._round, ids, options.ignore_strings[place]))
                    self.ids.extend(ids)
                    self.thinking_tokens += len(ids)
                self._must_go_on = True
                return ids
            self._add(self._cap_hit(is_cut=False))
        ids = self.plan.natural_end
        self._add(NaturalEnd(len(self.ids), self._round, dropped, ids))
        self.ids.extend(ids)
        self._open_answer()
        return ids

    def _cut_off(self) -> Ids:
        """End thinking by force: a newline unless it ends in one, the answer delimiter, the forced answer's text."""
        self._add(self._cap_hit(is_cut=True))
        last = self.ids[-1] if self.ids else self._last_prompt_id
        separator = () if last in self.plan.delimiters.line_ends else self.plan.delimiters.separator
        ids = separator + self.plan.forced_end
        self._add(ForcedEnd(len(self.ids), self._round, ids))
        self.ids.extend(ids)
        self._open_answer()
        return ids

    def _answer(self, released: list[int], matched: Ids) -> Ids:
        """Ids that follow what is kept of the answer, or of a delimiter in it."""
        self.ids.extend(released)
        self.answer_tokens += len(released)
        if matched in self._reopens:
            self.ids.extend(matched)
            self.phase = "thinking"
            self._must_go_on = False
            self._round += 1
            self._add(ReopenedThinking(len(self.ids), self._round, len(matched)))
            return matched
        if matched:
            self._finish("stop", matched)
        elif self.answer_tokens + len(self.held) >= self._max_answer:
            self._finish("answer_length")
        elif len(self.ids) + len(self.held) >= self._max_ids:
            self._finish("context_length")
        return ()

    def _finish(self, reason: FinishReason, dropped: Ids = ()) -> None:
        self.ids.extend(self.held)
        self.answer_tokens += len(self.held)
        self.held = []
        self.phase = "finished"
        self._add(Finished(len(self.ids), self._round, reason, dropped))

    def _keep_thinking(self, ids: list[int]) -> None:
        self.ids.extend(ids)
        self.thinking_tokens += len(ids)
        if ids:
            self._must_go_on = False

    def _open_answer(self) -> None:
        self.phase = "answer"
        self._must_go_on = False

    def _room(self, undecided: int = 0) -> int:
        """Thinking tokens that may still come behind `ids` and so many undecided ones."""
        room_of_context = self._max_ids - self._closing - len(self.ids)
        # in an answer the undecided ids would be a start of thinking, which the cap does not count
        counted = undecided if self.phase == "thinking" else 0
        return min(self._max_thinking - self.thinking_tokens - counted, room_of_context - undecided)

    def _cap_hit(self, *, is_cut: bool) -> CapHit:
        of_cap = self._max_thinking - self.thinking_tokens
        is_cap = of_cap <= self._max_ids - self._closing - len(self.ids)
        given = is_cap and self.plan.options.max_thinking_tokens is not None
        limit: Literal["max_thinking_tokens", "context"] = "max_thinking_tokens" if given else "context"
        return CapHit(len(self.ids), self._round, self.thinking_tokens, limit, is_cut)

    def _add(self, event: Event) -> None:
        self.events.append(event)


def replay(
    plan: ForcingPlan, sampled: Iterable[int], *, max_new_tokens: int, last_prompt_id: int | None = None
) -> BudgetForcingMachine:
    """The machine as it stands after the model drew `sampled`, with every forced id taken.

    With `forcing_events.sampled_ids` a stored generation is taken up where it stopped; behind those ids go the ones
    that the machine held.
    """
    machine = BudgetForcingMachine(plan, max_new_tokens=max_new_tokens, last_prompt_id=last_prompt_id)
    machine._pending.clear()
    for drawn in sampled:
        machine.observe(drawn)
        machine._pending.clear()
    return machine


class _Sequences:
    """Finds id sequences in a stream of ids, and holds back what may still become one."""

    __slots__ = ("_first", "_longest", "_prefixes", "_whole")

    def __init__(self, sequences: Iterable[Ids]) -> None:
        self._whole = frozenset(sequences)
        self._prefixes = frozenset(ids[:length] for ids in self._whole for length in range(1, len(ids)))
        self._first = frozenset(ids[0] for ids in self._whole)
        self._longest = max(map(len, self._whole), default=0)

    def push(self, held: list[int], drawn: int) -> tuple[list[int], Ids, list[int]]:
        """(ids that are no part of a sequence, the sequence that is now complete or (), ids still held)."""
        if not held and drawn not in self._first:
            return [drawn], (), []
        tail = (*held, drawn)
        for start in range(max(0, len(tail) - self._longest), len(tail)):
            if tail[start:] in self._whole:
                return list(tail[:start]), tail[start:], []
        for start in range(len(tail)):
            if tail[start:] in self._prefixes:
                return list(tail[:start]), (), list(tail[start:])
        return list(tail), (), []
