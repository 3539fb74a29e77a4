"""Problems of games (91) and logic (03)."""

import random
from fractions import Fraction

from curation.demo.problem import Problem, Step, over, sum_of
from curation.demo.wording import as_fraction, as_integer, find, listed, person, place, times


def nim(rng: random.Random, level: int) -> Problem:
    top = 6 + 6 * level
    while True:
        piles = [rng.randint(2, top) for _ in range(2 + (level + 2) // 2)]
        total = 0
        for pile in piles:
            total ^= pile
        if total:
            break
    thing = rng.choice(("matches", "pebbles", "coins", "counters", "nuts", "shells"))
    first, second = rng.sample(("Ada", "Bruno", "Cleo", "Dario", "Edda", "Felix", "Gwen", "Hugo", "Ines", "Jonas"), 2)
    where = place(rng)
    moves = [pile - (pile ^ total) for pile in piles if pile ^ total < pile]
    counting = rng.random() < 0.35
    ask = (
        f"In how many ways can {first} move first so that a win is certain?"
        if counting
        else f"What is the least number of {thing} that {first}, who begins, can take in a winning move?"
    )
    heaps = listed([str(pile) for pile in piles])
    question = rng.choice(
        (
            f"{first} and {second} play with heaps of {heaps} {thing}. A move takes any positive number of "
            f"{thing} from one heap; "
            f"whoever takes the last one wins. {ask} (Equal heaps count as different.)",
            f"In {where} {len(piles)} heaps with {heaps} {thing} lie on a table. {first} and {second} take "
            "turns, each time removing "
            f"at least one from a single heap of their choice, and the player who cannot move loses. {ask} "
            "The heaps are told apart.",
            f"Heap sizes {heaps}; two players, {first} and {second}; a turn removes one or more {thing} "
            "from exactly one heap; the "
            f"one who empties the table wins. {ask} Heaps of the same size are still different heaps.",
        )
    )
    steps, value = [], piles[0]
    for pile in piles[1:]:
        steps.append(Step("the running nim-sum", f"{value} xor {pile}", str(value ^ pile)))
        value ^= pile
    for pile in piles:
        new = pile ^ total
        word = f"smaller, so taking {pile - new} wins" if new < pile else "not smaller, so no winning move here"
        steps.append(Step(f"the size that balances the heap of {pile} ({word})", f"{pile} xor {total}", str(new)))
    answer = len(moves) if counting else min(moves)
    if counting:
        steps.append(Step("the number of winning moves", " + ".join(["1"] * len(moves)), str(answer)))
    else:
        pile = next(p for p in piles if p - (p ^ total) == answer)
        steps.append(
            Step(
                "the only winning removal"
                if len(moves) == 1
                else f"the least of the winning removals {listed([str(m) for m in moves])}",
                f"{pile} - {pile ^ total}",
                str(answer),
            )
        )
    high = 1 << (total.bit_length() - 1)
    able = [pile for pile in piles if pile & high]
    check = [
        Step(
            f"the nim-sum of the others beside {pile}",
            " xor ".join(map(str, [total, pile])),
            str(total ^ pile),
        )
        for pile in able
    ]
    if counting:
        goal = f"the heaps whose binary form holds the digit of {high}: {listed([str(p) for p in able])}"
        check.append(Step(goal, " + ".join(["1"] * len(able)), str(answer)))
    else:
        pile = next(p for p in able if p - (p ^ total) == answer)
        check.append(Step("the least removal once more", f"{pile} - ({total} xor {pile})", str(answer)))
    return Problem(
        "nim",
        "91",
        question,
        "the winning first moves" if counting else f"the least winning removal of {thing}",
        "This is Nim: a position is lost for the player to move exactly if the nim-sum (binary sum without "
        "carry) is 0.",
        tuple(steps),
        str(answer),
        f"Only heaps that hold the highest binary digit of the nim-sum, {high}, can be reduced rightly.",
        tuple(check),
        (
            (
                "Does the player who takes the last one win or lose?",
                "Wins, so this is the normal form of the game.",
            ),
            ("Can two different heaps be reduced in one move?", "No, one heap a move."),
        ),
    )


def reroll(rng: random.Random, level: int) -> Problem:
    throws = 2 + (level + 1) // 2
    prizes = sorted(rng.sample(range(1, 16 + 4 * level), rng.choice((4, 5, 6))))
    fee = rng.randint(0, 2) if level > 1 else 0
    sides = len(prizes)
    who, where = person(rng), place(rng)
    cost = f" Each further spin costs {fee}." if fee else ""
    numbers = listed([str(p) for p in prizes])
    question = rng.choice(
        (
            f"A fair wheel has {sides} equal sectors with the prizes {numbers}. {who} may spin it up to "
            f"{times(throws)} and stop "
            f"after any spin; only the last prize is paid.{cost} {find(rng)} the expected gain under the "
            "best strategy."
            f"{as_fraction(rng)}",
            f"At a stall in {where} you draw one of {sides} equally likely amounts, {numbers}. You may keep "
            "it or draw again with "
            f"the same chances, with at most {throws} draws in all; then the last amount is "
            f"yours.{cost.replace('spin', 'draw')} "
            f"What is the expected gain with optimal play?{as_fraction(rng)}",
            f"{who} gets offers that are independent and uniform among {numbers}. An offer is taken or "
            "refused for good, and the "
            f"offer number {throws} has to be taken.{cost.replace('spin', 'offer')} {find(rng)} the "
            "greatest possible expected "
            f"gain.{as_fraction(rng)}",
        )
    )
    value = Fraction(sum(prizes), sides)
    steps = [Step("the value of one last chance", f"({sum_of(prizes)}) / {sides}", str(value))]
    check: list[Step] = []
    for left in range(2, throws + 1):
        go_on = value - fee
        if fee:
            steps.append(Step("the value of going on, after the fee", f"{over(value)} - {fee}", str(go_on)))
        kept = [p for p in prizes if p >= go_on]
        worse = sides - len(kept)
        new = (worse * go_on + sum(kept)) / sides
        goal = f"the value with {left} chances, keeping {listed([str(p) for p in kept])}"
        steps.append(Step(goal, f"({worse} · {over(go_on)} + {sum_of(kept)}) / {sides}", str(new)))
        gains = " + ".join(f"({p} - {over(go_on)})" for p in kept)
        check.append(
            Step(
                f"the same as a gain over going on, with {left} chances",
                f"{over(go_on)} + ({gains}) / {sides}",
                str(new),
            )
        )
        value = new
    return Problem(
        "reroll",
        "91",
        question,
        "the expected gain under the best strategy",
        "I work backwards: keep an amount when it is at least what going on is worth.",
        tuple(steps),
        str(value),
        "The value is that of going on plus the mean of what the kept amounts bring beyond it.",
        tuple(check),
        (
            (
                "What if the amount equals the value of going on?",
                "Then both choices are worth the same, so it does not matter.",
            ),
            ("Is the best amount so far remembered?", "No, only the last one counts."),
        ),
    )


def switches(rng: random.Random, level: int) -> Problem:
    size = 4 + level
    kinds = [rng.choice(("implies", "not both", "at least one", "free", "implied")) for _ in range(size - 1)]
    if all(kind == "free" for kind in kinds):
        kinds[0] = "implies"
    letters = "ABCDEFGHIJ"[:size]
    thing, on = rng.choice((("statements", "true"), ("lamps", "lit"), ("valves", "open"), ("guards", "awake")))
    off = {"true": "false", "lit": "dark", "open": "shut", "awake": "asleep"}[on]
    facts = []
    for a, b, kind in zip(letters, letters[1:], kinds, strict=False):
        text = {
            "implies": f"if {a} is {on} then so is {b}",
            "implied": f"{b} is {on} only if {a} is",
            "not both": f"{a} and {b} are not both {on}",
            "at least one": f"at least one of {a} and {b} is {on}",
            "free": "",
        }[kind]
        if text:
            facts.append(text)
    who, where = person(rng), place(rng)
    names, rules = listed(list(letters)), listed(facts)
    allowed = {
        "implies": ((1, 1), (0, 0), (0, 1)),
        "implied": ((1, 1), (0, 0), (1, 0)),
        "not both": ((0, 0), (0, 1), (1, 0)),
        "at least one": ((1, 1), (0, 1), (1, 0)),
        "free": ((0, 0), (0, 1), (1, 0), (1, 1)),
    }
    question = rng.choice(
        (
            f"Each of the {thing} {names} is {on} or {off}. It is known that {rules}. How many combinations "
            "are possible?"
            f"{as_integer(rng)}",
            f"{who} has {size} {thing}, called {names}, each {on} or {off}. The rules say: {rules}. "
            f"{find(rng)} the number of "
            f"states that obey all the rules.",
            f"In {where} there are {thing} {names}, and {rules}. Apart from this each of the {size} may be "
            f"{on} or {off}. {find(rng)} "
            f"the number of ways in which they can be {on} or {off}.",
        )
    )
    yes, no, steps = 1, 1, []
    for b, kind in zip(letters[1:], kinds, strict=True):
        pairs = allowed[kind]
        for state, name in ((1, on), (0, off)):
            before = [count for last, count in ((1, yes), (0, no)) if (last, state) in pairs]
            steps.append(
                Step(f"the ways up to {b} with {b} {name}", sum_of(before) if before else "0", str(sum(before)))
            )
        yes, no = int(steps[-2].value), int(steps[-1].value)
    answer = yes + no
    steps.append(Step("all ways", f"{yes} + {no}", str(answer)))
    check, yes, no = [], 1, 1
    for a, kind in zip(reversed(letters[:-1]), reversed(kinds), strict=True):
        pairs = allowed[kind]
        for state, name in ((1, on), (0, off)):
            after = [count for nxt, count in ((1, yes), (0, no)) if (state, nxt) in pairs]
            check.append(
                Step(f"the ways from {a} on with {a} {name}", sum_of(after) if after else "0", str(sum(after)))
            )
        yes, no = int(check[-2].value), int(check[-1].value)
    check.append(Step("all ways, counted from the other end", f"{yes} + {no}", str(yes + no)))
    return Problem(
        "switches",
        "03",
        question,
        "the number of combinations that obey all rules",
        f"Each rule joins two neighbours, so I walk along the letters and count ways that end {on} and ways "
        f"that end {off}.",
        tuple(steps),
        str(answer),
        "Walking from the last letter to the first must give the same total.",
        tuple(check),
        (
            ("Does 'if A then B' forbid B without A?", "No, it only forbids A without B."),
            (
                "Is there a rule between all neighbours?",
                "Not always; where none is given all four pairs are allowed.",
            ),
        ),
    )
