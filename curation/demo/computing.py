"""Problems about programs (68) and letter ciphers (94)."""

import random

from curation.demo.problem import Problem, Step, signed
from curation.demo.wording import as_integer, find, listed, ordinal, person, times


def loop(rng: random.Random, level: int) -> Problem:
    rounds = 3 + 2 * level
    start, modulus = rng.randint(5, 60), rng.randint(29, 60 + 20 * level)
    add, factor, shift = rng.randint(3, 25), rng.choice((2, 3, 5, 7)), rng.randint(1, 20)
    who = person(rng)
    question = rng.choice(
        (
            f"A program sets $x$ to {start} and then runs the following {times(rounds)}: if $x$ is even, it "
            "replaces $x$ by "
            f"$x/2 + {add}$; otherwise by the remainder of ${factor}x + {shift}$ modulo {modulus}. "
            f"{find(rng)} the final "
            f"value of $x$.",
            f"{who} starts with the number {start}. In each of {rounds} rounds an even number is halved and "
            f"increased by {add}, "
            f"while an odd number is multiplied by {factor}, increased by {shift} and reduced modulo "
            f"{modulus}. Which number "
            f"is reached?",
            f"Let $f(x) = x/2 + {add}$ for even $x$ and let $f(x)$ be the remainder of ${factor}x + "
            f"{shift}$ on division by "
            f"{modulus} for odd $x$. {find(rng)} the value obtained from {start} by applying $f$ exactly "
            f"{times(rounds)}.",
            f"x = {start}; repeat {times(rounds)}: if x is odd then x = ({factor} * x + {shift}) mod "
            f"{modulus} else x = x / 2 + "
            f"{add}. {who} prints x at the end. What is printed?{as_integer(rng)}",
        )
    )
    value, steps, back = start, [], []
    for i in range(1, rounds + 1):
        goal = f"the value after round {i} ({value} is {'odd' if value % 2 else 'even'})"
        if value % 2:
            total = factor * value + shift
            work, new = f"{factor} · {value} + {shift} - {total // modulus} · {modulus}", total % modulus
            back.append(
                Step(
                    f"the undone round {i}",
                    f"({new} + {total // modulus} · {modulus} - {shift}) / {factor}",
                    str(value),
                )
            )
        else:
            work, new = f"{value} / 2 + {add}", value // 2 + add
            back.append(Step(f"the undone round {i}", f"({new} - {add}) · 2", str(value)))
        steps.append(Step(goal, work, str(new)))
        value = new
    back.reverse()
    return Problem(
        "loop",
        "68",
        question,
        f"the value of x after {rounds} rounds",
        "I follow the rounds one by one and watch the parity.",
        tuple(steps),
        str(value),
        f"Going backwards from {value} must lead to the start {start}.",
        (*back, Step("the last round once more", steps[-1].work, str(value))),
        (
            ("Does the reduction modulo apply to even numbers as well?", "No, only the odd branch reduces."),
            ("How many rounds have I done?", f"There are {rounds} lines in my list, one for each round."),
        ),
    )


def reverse_polish(rng: random.Random, level: int) -> Problem:
    operands = 4 + level
    stack: list[int] = []
    steps: list[Step] = []
    symbols = []
    left = operands
    while left or len(stack) > 1:
        if left and (len(stack) < 2 or rng.random() < 0.5):
            number = rng.randint(2, 15)
            stack.append(number)
            symbols.append(str(number))
            left -= 1
            continue
        b, a = stack.pop(), stack.pop()
        sign = rng.choice("+-*" if abs(a * b) < 3000 else "+-")
        value = {"+": a + b, "-": a - b, "*": a * b}[sign]
        symbols.append(sign)
        shown = "·" if sign == "*" else sign
        steps.append(Step(f"operation {len(steps) + 1}", f"{signed(a)} {shown} {signed(b)}", str(value)))
        stack.append(value)
    answer = stack[0]
    who, code = person(rng), " ".join(symbols)
    question = rng.choice(
        (
            f"{find(rng)} the value of the postfix expression `{code}`, in which `a b -` means $a - "
            f"b$.{as_integer(rng)}",
            f"A stack machine reads `{code}` from left to right. A number is pushed; an operator takes the "
            "top value $b$ and the "
            f"value $a$ below it off the stack and pushes $a$ operator $b$. What remains at the end?",
            f"{who} types `{code}` into a calculator with reverse Polish notation (`7 2 -` gives 5). Which "
            "number does it show?",
        )
    )
    infix: list[str] = []
    for symbol in symbols:
        if symbol in "+-*":
            b2, a2 = infix.pop(), infix.pop()
            infix.append(f"({a2} {'·' if symbol == '*' else symbol} {b2})")
        else:
            infix.append(symbol)
    return Problem(
        "reverse_polish",
        "68",
        question,
        "the value of the postfix expression",
        "I read from left to right with a stack; each operator joins the two top values.",
        tuple(steps),
        str(answer),
        "Written with brackets in the usual way it can be evaluated as a whole.",
        (Step("the expression with brackets", infix[0][1:-1], str(answer)),),
        (
            ("Which operand comes first in a subtraction?", "The lower one on the stack minus the top one."),
            (
                "Is the stack down to one value at the end?",
                f"Yes: {operands} numbers and {operands - 1} operators.",
            ),
        ),
    )


# fmt: off
WORDS = (
    "ANCHOR", "BASKET", "CANDLE", "DONKEY", "ENGINE", "FALCON", "GARDEN", "HAMMER", "ISLAND",
    "JACKET", "KETTLE", "LADDER", "MARBLE", "NEEDLE", "ORANGE", "PENCIL", "QUIVER", "RIBBON",
    "SADDLE", "TURNIP", "URCHIN", "VELVET", "WALNUT", "YOGURT", "ZEPHYR", "BRIDGE", "CASTLE",
    "DRAGON", "FOREST", "GOBLET", "HARBOR", "LANTERN", "MONSOON", "ORCHARD", "PILGRIM", "QUARTZ",
    "RAINBOW", "SPARROW", "THISTLE", "VOYAGER", "WHISTLE", "COMPASS", "DOLPHIN", "EMERALD",
    "FURNACE",
)
# fmt: on


def _shift(word: str, by: int) -> str:
    return "".join(chr((ord(c) - 65 + by) % 26 + 65) for c in word)


def letter_cipher(rng: random.Random, level: int) -> Problem:
    word = rng.choice(WORDS)
    size = len(word)
    rules: list[str] = []
    steps = []
    value, previous = word, ""
    while len(rules) < 2 + level:
        kind = rng.choice(("shift", "reverse", "rotate", "swap", "alternate"))
        if kind == previous:
            continue
        previous = kind
        if kind == "shift":
            by = rng.randint(2, 12)
            rule, new = (
                f"replace each letter by the one {by} places later in the alphabet (A follows Z)",
                _shift(value, by),
            )
        elif kind == "reverse":
            rule, new = "write the letters in the opposite order", value[::-1]
        elif kind == "rotate":
            by = rng.randint(1, size - 2)
            rule, new = (
                f"take the first {by} of the letters to the end, keeping their order",
                value[by:] + value[:by],
            )
            if by == 1:
                rule = "take the first letter to the end"
        elif kind == "swap":
            i, j = sorted(rng.sample(range(size), 2))
            letters = list(value)
            letters[i], letters[j] = letters[j], letters[i]
            rule, new = f"exchange the {ordinal(i + 1)} and the {ordinal(j + 1)} letter", "".join(letters)
        else:
            by = rng.randint(1, 9)
            new = "".join(_shift(c, by) if i % 2 == 0 else c for i, c in enumerate(value))
            rule = f"move the letters in odd places (1st, 3rd, ...) {by} forward in the alphabet, A following Z"
        rules.append(rule)
        steps.append(Step(f"rule {len(rules)} ({rule})", f"{value} becomes", new))
        value = new
    who = person(rng)
    body = "; ".join(f"({i}) {rule}" for i, rule in enumerate(rules, 1))
    question = rng.choice(
        (
            f"{who} hides the word {word} by these rules, one after another: {body}. Which letters result?",
            f"Apply to {word} in this order: {body}. What stands there at the end?",
            f"Word puzzle for a grid of {size} squares. Start: {word}. Rules: {body}. Fill in the result.",
            f"A spy called {who} sends {word} through a machine that performs: {body}. Give the {size} "
            "letters that it prints.",
        )
    )
    check = []
    for i, (rule, step) in enumerate(zip(rules, steps, strict=True), 1):
        spelled = ", ".join(f"{a} to {b}" for a, b in zip(step.work, step.value, strict=False))
        check.append(Step(f"rule {i}, place by place ({rule.split(' ')[0]}: {spelled})", step.work, step.value))
    return Problem(
        "letter_cipher",
        "94",
        question,
        f"what the {len(rules)} rules make of {word}",
        "I apply the rules in order and write the word after each.",
        tuple(steps),
        value,
        "Going through the places one by one shows slips of single letters.",
        tuple(check),
        (
            ("Does the alphabet wrap around?", "Yes, after Z comes A again."),
            (f"Is the length still {size}?", "Yes, no rule adds or removes a letter."),
        ),
    )


def column_totals(rng: random.Random, level: int) -> Problem:
    base = rng.choice((3, 4, 5, 6, 7, 8, 9))
    count = 2 + level // 3
    width = 3 + level // 2
    numerals = [[rng.randint(1, base - 1), *[rng.randrange(base) for _ in range(width - 1)]] for _ in range(count)]
    target = rng.choice([b for b in (2, 3, 5, 7, 11) if b != base and b <= 9])
    texts = [f"${''.join(map(str, digits))}_{{{base}}}$" for digits in numerals]
    who = person(rng)
    question = rng.choice(
        (
            f"Add the numbers {listed(texts)}, written in base {base}, and write the total in base "
            f"{target}. {find(rng)} the sum "
            f"of the digits of that numeral (as an ordinary decimal number).",
            f"{who} converts {listed(texts)} from base {base}, adds them and notes the total in base "
            f"{target}. What is the digit "
            f"sum of the note, said in decimal?",
            f"The subscript {base} in {listed(texts)} names the base. {find(rng)}, in decimal, the sum of "
            f"the base-{target} digits "
            f"of their total.",
        )
    )
    steps, values = [], []
    for digits, text in zip(numerals, texts, strict=True):
        value = digits[0]
        for i, digit in enumerate(digits[1:], 2):
            new = value * base + digit
            steps.append(
                Step(
                    f"the first {i} digits of {text.replace('$', '')}",
                    f"{value} · {base} + {digit}",
                    str(new),
                )
            )
            value = new
        values.append(value)
    total = sum(values)
    steps.append(Step("the total", " + ".join(map(str, values)), str(total)))
    rest, digits_found = total, []
    while rest:
        quotient, digit = divmod(rest, target)
        steps.append(Step(f"the next base-{target} digit", f"{rest} - {quotient} · {target}", str(digit)))
        digits_found.append(digit)
        rest = quotient
    answer = sum(digits_found)
    steps.append(Step("the digit sum", " + ".join(map(str, digits_found)), str(answer)))
    check = []
    for digits, value in zip(numerals, values, strict=True):
        work = " + ".join(f"{d} · {base}^{width - 1 - i}" for i, d in enumerate(digits))
        check.append(Step("the same number from place values", work, str(value)))
    back = " + ".join(f"{d} · {target}^{i}" for i, d in enumerate(digits_found))
    check.append(Step(f"the total from its base-{target} digits", back, str(total)))
    lost = sum(total // target**i for i in range(1, len(digits_found)))
    thirds = " + ".join(str(total // target**i) for i in range(1, len(digits_found))) or "0"
    check.append(Step("the quotients of the total by the powers of the base, added", thirds, str(lost)))
    check.append(Step("the digit sum by Legendre's identity", f"{total} - ({target} - 1) · {lost}", str(answer)))
    return Problem(
        "column_totals",
        "68",
        question,
        f"the digit sum of the total in base {target}",
        f"I turn the numerals into integers, add, and divide repeatedly by {target}.",
        tuple(steps),
        str(answer),
        "Place values, and Legendre's identity for digit sums, give another way.",
        tuple(check),
        (
            ("In which base is the digit sum itself wanted?", "In decimal, the digits are simply added."),
            ("In which direction do the digits come out?", "Lowest first, but their sum does not care."),
        ),
    )
