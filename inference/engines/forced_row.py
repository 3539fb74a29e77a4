"""One sequence inside a batch that another program runs: what it is forced to, step by step (ADR 18).

A server's batch asks a row for one id per step and may do things of its own to it: compute a prompt in parts and
throw away what was drawn behind a part, or put a sequence out of its cache and compute it anew. A row therefore knows
how many of its ids the server kept, and goes back where it kept fewer. The id that comes next is the row's alone: the
server's own sampling sees only that one.

In another process than the engine a row closes with a report: ids behind the generation that say which ids were drawn
and not emitted (an end that was dropped). With it the engine has the row's whole state again.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from curation.errors import InputError
from inference.budget_forcing import BudgetForcingMachine
from inference.engines.torch_sampling import RowDraw
from inference.forcing_events import sampled_ids
from inference.forcing_plan import ForcingPlan
from inference.sampling import Sampling, make_rng


@dataclass(frozen=True, slots=True)
class Report:
    """How a row's report is written.

    Attributes:
        stop: the id that ends it, and that is never emitted before; see `stop_for`.
        num_digits: ids 0 to `num_digits` spell numbers, `stop` left out; all of them can be emitted.
    """

    stop: int
    num_digits: int


class ForcedRow:
    """A machine, its random numbers, and how far the server followed.

    Attributes:
        machine: what is decided so far.
        sampled: ids drawn so far, over all submissions.
        emitted: ids given to the server since the row was submitted.
        output: the server's own list of the ids it kept since then, where it shares one.
        has_ended: nothing more comes into this context: the machine is finished, or ids have to leave the context,
            and the row has to be submitted again.
        ended: rows of one engine that have ended, in the order they did; None: nobody asks.
    """

    __slots__ = (
        "_base",
        "_counts",
        "_hidden",
        "_is_penalised",
        "_last_prompt_id",
        "_max_new_tokens",
        "_report",
        "_rng",
        "_spelled",
        "emitted",
        "ended",
        "has_ended",
        "machine",
        "output",
        "plan",
        "sampled",
        "sampling",
    )

    def __init__(
        self,
        plan: ForcingPlan,
        sampling: Sampling,
        *,
        max_new_tokens: int,
        last_prompt_id: int,
        drawn: Sequence[int] = (),
        report: Report | None = None,
        ended: "list[ForcedRow] | None" = None,
    ) -> None:
        """
        Args:
            drawn: what was drawn already, in an earlier submission; what came of it is in the prompt.

        Raises:
            ConfigError: there is no room to answer.
        """
        self.plan = plan
        self.sampling = sampling
        self._max_new_tokens = max_new_tokens
        self._last_prompt_id = last_prompt_id
        self._report = report
        self._is_penalised = bool(sampling.frequency_penalty or plan.options.overrides)
        self.ended = ended
        self.output: Sequence[int] = ()
        self._base = list(drawn)
        self._restart()

    def _restart(self) -> None:
        """The state at the submission: what was drawn before is there, and nothing is emitted."""
        self._rng = make_rng(self.sampling.seed)
        self.machine = BudgetForcingMachine(
            self.plan, max_new_tokens=self._max_new_tokens, last_prompt_id=self._last_prompt_id
        )
        self.sampled = 0
        self.emitted = 0
        self._hidden: list[tuple[int, int]] = []
        self._spelled: deque[int] | None = None
        self._counts: Counter[int] = Counter()
        self.has_ended = False
        for drawn in self._base:
            self._take_all()
            self._use_number()
            self.machine.observe(drawn)
            self.sampled += 1
        self._take_all()
        if self._is_penalised:
            self._counts = Counter([*self.machine.ids, *self.machine.held])

    @property
    def drawn(self) -> list[int]:
        """Everything that was drawn so far, in its order."""
        return sampled_ids(self.machine.ids, self.machine.events) + self.machine.held

    def _take_all(self) -> None:
        while self.machine.next_forced is not None:
            self.machine.take()

    def submit(self) -> list[int]:
        """Begin a submission, the first one or behind ids that had to leave: what stands behind the prompt."""
        if self.emitted or self.has_ended:
            self._base = self.drawn
            self._restart()
        return [*self.machine.ids, *self.machine.held]

    def follow(self, num_kept: int) -> None:
        """Go back to where the server is: it kept so many ids of this submission.

        Raises:
            InputError: it kept ids that the row did not emit.
        """
        if num_kept == self.emitted:
            return
        if num_kept > self.emitted:
            raise InputError(f"the server holds {num_kept} ids of a sequence that was given {self.emitted}")
        later = deque(self.drawn[len(self._base) :])
        self._restart()
        while self.emitted < num_kept:
            if self.is_drawing:
                self._use_number()
                self.observe(later.popleft())
            else:
                self.emit()

    @property
    def is_drawing(self) -> bool:
        """Whether an id is to be drawn from the logits that the server has now."""
        return not self.has_ended and self.machine.next_forced is None

    def draw(self) -> RowDraw:
        """How it is drawn; uses a number of the row's generator."""
        number = self._use_number()
        sampling = self.sampling.under(self.machine.override)
        return RowDraw(sampling, number, self.machine.forbidden, self._counts)

    def _use_number(self) -> float:
        return self._rng.random() if self.sampling.under(self.machine.override).temperature else 0.0

    def observe(self, drawn: int) -> None:
        """Tell the row what was drawn."""
        self.sampled += 1
        move = self.machine.observe(drawn)
        if not move.next_ids or move.next_ids[0] != drawn or move.take_back:
            self._hidden.append((self.emitted, drawn))
        if move.phase == "finished" or move.take_back:
            self.has_ended = True
            if self.ended is not None:
                self.ended.append(self)

    def emit(self) -> int:
        """The id that comes into the context now; behind the end whatever closes the submission."""
        self.emitted += 1
        if self.machine.next_forced is not None and (self.machine.is_finished or not self.has_ended):
            id_ = self.machine.take()
            if self._is_penalised:
                self._counts[id_] += 1
            return id_
        if self._report is None:
            return self._last_prompt_id  # the engine takes the row out before anything comes of it
        if self._spelled is None:
            self._spelled = deque(_spell(self._hidden, self._report))
        return self._spelled.popleft() if self._spelled else self._report.stop

    def fail(self) -> None:
        """Close the submission without a report: the engine then knows that it has to generate in another way."""
        self.has_ended = True
        self._spelled = deque()

    def __deepcopy__(self, memo: object) -> "ForcedRow":
        """The row itself: a server copies a request's options, and engine and batch have to share the row."""
        return self


def stop_for(plan: ForcingPlan) -> int | None:
    """An id that is never emitted under the plan: it ends thinking, stops an answer, and stands in nothing forced.

    None where there is none; such a plan runs without reports.
    """
    delimiters = plan.delimiters
    stops = {ids[0] for ids in delimiters.stops if len(ids) == 1}
    forced = {*plan.natural_end, *plan.forced_end, *delimiters.separator, *sum(plan.ignore_ids, ())}
    reopening = {id_ for ids in delimiters.reopens for id_ in ids}
    found = [ids[0] for ids in delimiters.ends if len(ids) == 1 and ids[0] in stops - forced - reopening]
    return min(found, default=None)


def read_report(ids: Sequence[int], report: Report) -> tuple[list[int], list[tuple[int, int]]] | None:
    """What a row emitted, without its report, and what it drew and did not emit: (ids emitted before it, id).

    None where the report is not whole: the server stopped the sequence itself.
    """
    base = report.num_digits
    values = [id_ - (id_ > report.stop) for id_ in ids[-3:-1]]
    if len(ids) < 3 or ids[-1] != report.stop or not all(0 <= value < base for value in values):
        return None
    length = values[0] * base + values[1]
    end = len(ids) - 3
    if length > end:
        return None
    numbers, number = [], 0
    for id_ in ids[end - length : end]:
        value = id_ - (id_ > report.stop)
        number += value
        if value < base - 1:
            numbers.append(number)
            number = 0
    hidden, place = [], 0
    for step, drawn in zip(numbers[::2], numbers[1::2], strict=True):
        place += step
        hidden.append((place, drawn))
    return list(ids[: end - length]), hidden


def _spell(hidden: Iterable[tuple[int, int]], report: Report) -> Iterable[int]:
    base = report.num_digits
    digits: list[int] = []
    before = 0
    for place, drawn in hidden:
        for number in (place - before, drawn):
            digits += [base - 1] * (number // (base - 1)) + [number % (base - 1)]
        before = place
    length = len(digits)
    digits += [length // base % base, length % base]
    return [digit + (digit >= report.stop) for digit in digits]


def read_drawn(machine: BudgetForcingMachine, emitted: Sequence[int], hidden: Iterable[tuple[int, int]]) -> list[int]:
    """What a row drew in a submission; the machine, as it stood at its begin, then stands where the row's does.

    Raises:
        InputError: these are not the ids of such a row.
    """
    waiting = deque(hidden)
    drawn: list[int] = []
    place = 0
    while True:
        if machine.next_forced is not None:
            if place == len(emitted):
                break
            if emitted[place] != machine.take():
                raise InputError(f"id {place} of the generation is not the one that was forced")
            place += 1
            continue
        if machine.is_finished:
            break
        if waiting and waiting[0][0] == place:
            id_ = waiting.popleft()[1]
        elif place < len(emitted):
            id_ = emitted[place]
        else:
            break
        if id_ in machine.forbidden:
            raise InputError(f"id {place} of the generation was forbidden")
        drawn.append(id_)
        if machine.observe(id_).take_back:
            break
    if waiting or place < len(emitted):
        raise InputError(f"{len(emitted) - place} ids of the generation stand behind its end")
    return drawn
