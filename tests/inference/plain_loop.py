"""Budget forcing as the paper's loop does it, one prompt at a time: generate, stop, append, generate again.

Written from the paper's rules and not from our code: it knows no machine and no events, and computes the whole text
anew in every round. Two things differ from the released loop, as they have to: delimiters may have several ids, and
the cap holds over all rounds together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Rules:
    ends: Sequence[tuple[int, ...]]
    answer: Sequence[int]
    forced: Sequence[int]
    newline: Sequence[int]
    line_ends: frozenset[int]
    stops: Sequence[tuple[int, ...]]
    wait: Sequence[Sequence[int]]
    num_ignore: int
    cap: int
    max_answer: int
    known_ids: int


def ends_with(ids, sequences):
    return next((list(seq) for seq in sequences if seq[-1] == ids[-1] and ids[-len(seq) :] == list(seq)), None)


@torch.inference_mode()
def generate(model, prompt, *, max_tokens, until, known_ids, min_tokens=0, margins=None):
    """(greedy ids, the delimiter that ended them or None), the delimiter not among the ids.

    Args:
        margins: a list that gets how far each id's logit was above the next one's.
    """
    new, past, inputs = [], None, list(prompt)
    while len(new) < max_tokens:
        out = model(input_ids=torch.tensor([inputs]), past_key_values=past, use_cache=True)
        past, logits = out.past_key_values, out.logits[0, -1].clone()
        logits[known_ids:] = -torch.inf
        short = len(new) < min_tokens + max(map(len, until), default=0) - 1
        for seq in until if short else ():  # the delimiter may not be complete before min_tokens others stand
            if len(new) - (len(seq) - 1) < min_tokens and new[len(new) - len(seq) + 1 :] == list(seq[:-1]):
                logits[seq[-1]] = -torch.inf
        inputs = [int(logits.argmax())]
        if margins is not None:
            best, second = logits.topk(2).values.tolist()
            margins.append(best - second)
        new += inputs
        if found := ends_with(new, until):
            return new[: -len(found)], found
    return new, None


def plain_loop(model, prompt, rules, *, margins=None):
    """The ids after the prompt, stop delimiter left out; `margins` as in `generate`."""
    thinking = []
    num_waits = 0
    known = {"known_ids": rules.known_ids, "margins": margins}
    while True:
        room = rules.cap - len(thinking)
        new, ended = generate(
            model, [*prompt, *thinking], max_tokens=room, until=rules.ends, min_tokens=min(num_waits, 1), **known
        )
        thinking += new
        if not ended:
            last = (list(prompt) + thinking)[-1]
            ids = thinking + ([] if last in rules.line_ends else list(rules.newline)) + list(rules.forced)
            break
        wait = list(rules.wait[num_waits % len(rules.wait)])
        if num_waits == rules.num_ignore or len(thinking) + len(wait) >= rules.cap:
            ids = thinking + list(rules.answer)
            break
        thinking += wait
        num_waits += 1
    answer, _ = generate(model, [*prompt, *ids], max_tokens=rules.max_answer, until=rules.stops, **known)
    return ids + answer
