"""REBASE: a tree search over steps of thinking whose frontier a reward model balances (s1 §6.2; Wu et al. 2024).

"Inference Scaling Laws", arXiv 2408.00724, §3.2. A step ends at a blank line. From the prompt N steps are drawn. Of
each depth's steps, those that end their thinking leave the tree and take their share of the width N with them; what
is left of it is given to the others in proportion to the softmax of their rewards over a temperature. So N answers
come out in the end, of which one is chosen, by a vote weighted with rewards unless told otherwise.
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from inference.delimiters import decode
from inference.engines.protocol import Request, Sample
from inference.forcing_events import Ids
from inference.forcing_plan import ANSWER_RESERVE, BudgetForcing
from inference.methods.base import Book, Candidate, Setting, Steps, Trial, Work
from inference.methods.options import check_above_zero, check_choice, check_count
from inference.methods.parallel import check_num_samples, find_reward_model
from inference.methods.parts import Parts, make_parts, room_to_think, stopped_by
from inference.methods.voting import FINALS, Final, vote
from inference.rewards import AGGREGATES, Aggregate, RewardModel, Solution, aggregate, score_checked
from inference.steps import blank_line_ids


@dataclass(frozen=True, slots=True)
class Rebase:
    """Options of the search; reward temperature and step length are those of the authors' released settings.

    Attributes:
        num_samples: N, the width: answers that come out.
        reward_temperature: of the softmax over rewards; small values follow the best step alone.
        max_step_tokens: where a step without a blank line is cut.
        max_steps: depth at which thinking is ended by force.
        max_thinking_tokens: cap of a path; None: as far as the context goes. There thinking is ended by force too.
        final: "weighted_majority" ("REBASE + majority"), "majority" without weights, or "best".
        aggregate: an answer's reward from those of its path, the answer as the last step.
        temperature: of steps and answers, above 0: greedy steps of one node are all the same.
        answer_reserve, max_answer_tokens: as in BudgetForcing.
    """

    name: ClassVar[str] = "rebase"
    num_samples: int
    reward_temperature: float = 0.2
    max_step_tokens: int = 256
    max_steps: int = 100
    max_thinking_tokens: int | None = None
    final: Final = "weighted_majority"
    aggregate: Aggregate = "last"
    temperature: float = 1.0
    answer_reserve: int = ANSWER_RESERVE
    max_answer_tokens: int | None = None

    def __post_init__(self) -> None:
        check_num_samples(self.num_samples)
        check_above_zero("reward_temperature", self.reward_temperature)
        check_above_zero("temperature", self.temperature)
        check_count("max_step_tokens", self.max_step_tokens, at_least=1)
        check_count("max_steps", self.max_steps, at_least=1)
        check_choice("final", self.final, FINALS)
        check_choice("aggregate", self.aggregate, AGGREGATES)
        self._forcing()

    def bind(self, setting: Setting) -> Callable[[Trial], Work]:
        parts = make_parts(setting, self._forcing(), step_ends=blank_line_ids(setting.tokenizer))
        model = find_reward_model(setting, self.name)

        def start(trial: Trial) -> Work:
            book = Book(trial, setting, setting.prompts.build(trial.problem))
            return book.carry_out(_Search(self, book, parts, model).steps())

        return start

    def _forcing(self) -> BudgetForcing:
        return BudgetForcing(
            max_thinking_tokens=self.max_thinking_tokens,
            answer_reserve=self.answer_reserve,
            max_answer_tokens=self.max_answer_tokens,
        )


@dataclass(frozen=True, slots=True)
class _Node:
    """A path of steps from the prompt.

    Attributes:
        ids: of all its steps, blank lines too.
        places: of its samples.
        texts, rewards: of its steps.
        is_over: its thinking has ended; `is_forced` says whether by force.
    """

    ids: Ids = ()
    places: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    rewards: tuple[float, ...] = ()
    is_over: bool = False
    is_forced: bool = False


class _Search:
    """The search for one trial."""

    def __init__(self, options: Rebase, book: Book, parts: Parts, model: RewardModel) -> None:
        self._options = options
        self._book = book
        self._parts = parts
        self._model = model
        self._cap = 0

    def steps(self) -> Steps:
        options = self._options
        self._cap = room_to_think(self._book, self._parts)
        frontier, widths = [_Node()], [options.num_samples]
        over: list[_Node] = []
        drawn = []
        if self._cap == 0:
            over, widths = [_Node(is_over=True, is_forced=True)] * options.num_samples, [0]
        while any(widths):
            parents = [node for node, width in zip(frontier, widths, strict=True) for _ in range(width)]
            drawn.append(len(parents))
            nodes = yield from self._grow(parents, is_last=len(drawn) == options.max_steps)
            over += [node for node in nodes if node.is_over]
            frontier = [node for node in nodes if not node.is_over]
            rewards = [node.rewards[-1] for node in frontier]
            widths = allocate(options.num_samples - len(over), rewards, options.reward_temperature)
        candidates = yield from self._answer(over)
        ending = vote(candidates, self._book.trial.problem, self._book.setting, options.final)
        return ending._replace(notes={**ending.notes, "drawn": drawn})

    def _grow(
        self, parents: Sequence[_Node], *, is_last: bool
    ) -> Generator[list[Request], list[Sample], list[_Node]]:
        """A further step behind each of these paths, with its reward."""
        book = self._book
        limits = [min(self._options.max_step_tokens, self._cap - len(node.ids)) for node in parents]
        places = yield from book.ask(
            [self._parts.thinking_plan(limit) for limit in limits],
            temperature=self._options.temperature,
            prompts=[book.prompt.ids + node.ids for node in parents],
            part="thinking",
            parents=[node.places[-1] if node.places else None for node in parents],
        )
        nodes = [self._child(node, place, is_last) for node, place in zip(parents, places, strict=True)]
        rewards = self._score([(node.texts, len(node.texts) - 1) for node in nodes])
        for place, (reward,) in zip(places, rewards, strict=True):
            book.paid[place] = replace(book.paid[place], reward=reward)
        return [
            replace(node, rewards=(*node.rewards, reward)) for node, (reward,) in zip(nodes, rewards, strict=True)
        ]

    def _child(self, parent: _Node, place: int, is_last: bool) -> _Node:
        book = self._book
        sample = book.paid[place].sample
        stop = stopped_by(sample)
        put_back = stop if stop in self._parts.step_ends else ()
        if put_back:
            book.paid[place] = replace(book.paid[place], put_back=put_back)
        step = sample.ids + put_back
        ids = parent.ids + step
        ends_itself = bool(stop) and not put_back
        is_forced = not ends_itself and (is_last or len(ids) >= self._cap or sample.finish_reason == "context_length")
        return _Node(
            ids=ids,
            places=(*parent.places, place),
            texts=(*parent.texts, decode(book.setting.tokenizer, step)),
            rewards=parent.rewards,
            is_over=ends_itself or is_forced,
            is_forced=is_forced,
        )

    def _answer(self, nodes: Sequence[_Node]) -> Generator[list[Request], list[Sample], list[Candidate]]:
        """The answers behind paths whose thinking is over, with their rewards."""
        book, parts = self._book, self._parts
        last_prompt_id = book.prompt.ids[-1]
        openings = [
            parts.opening(node.ids, is_forced=node.is_forced, last_prompt_id=last_prompt_id) for node in nodes
        ]
        places = yield from book.ask(
            [parts.answer] * len(nodes),
            temperature=self._options.temperature,
            prompts=[book.prompt.ids + node.ids + opening for node, opening in zip(nodes, openings, strict=True)],
            part="answer",
            parents=[node.places[-1] if node.places else None for node in nodes],
        )
        texts = [
            parts.opening_text(book.setting, is_forced=node.is_forced) + book.text_of(place)
            for node, place in zip(nodes, places, strict=True)
        ]
        scored = self._score(
            [((*node.texts, text), len(node.texts)) for node, text in zip(nodes, texts, strict=True)]
        )
        candidates = []
        for node, place, text, (own,) in zip(nodes, places, texts, scored, strict=True):
            reward = aggregate((*node.rewards, own), self._options.aggregate)
            book.paid[place] = replace(book.paid[place], reward=own)
            candidates.append(book.candidate_of((*node.places, place), text, reward=reward))
        return candidates

    def _score(self, paths: Sequence[tuple[tuple[str, ...], int]]) -> list[tuple[float, ...]]:
        problem = self._book.trial.problem.text
        scored = score_checked(self._model, [Solution(problem, steps, first) for steps, first in paths])
        self._book.pay_for_rewards(sum(result.tokens for result in scored))
        return [result.rewards for result in scored]


def allocate(width: int, rewards: Sequence[float], temperature: float) -> list[int]:
    """How many steps to draw behind each node: together `width`, in proportion to softmax(reward / temperature).

    Rounded as in the authors' code: from the best node down, each takes its share of what is left, rounded up. So no
    width is lost, and the worst nodes are the ones that get nothing. Of equal rewards the first is served first.
    """
    if not rewards:
        return []
    top = max(rewards)
    weights = [math.exp((reward - top) / temperature) for reward in rewards]
    widths = [0] * len(rewards)
    order = sorted(range(len(rewards)), key=lambda place: -rewards[place])
    left = width
    for rank, place in enumerate(order):
        total = math.fsum(weights[other] for other in order[rank:])
        # weights so small that they are all 0 are as good as equal
        share = weights[place] / total if total else 1 / (len(order) - rank)
        # rounding errors of the share are no further step
        widths[place] = min(left, math.ceil(left * share - 1e-9))
        left -= widths[place]
    return widths
