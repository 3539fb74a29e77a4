import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.quality import (
    ASY,
    BOLD_DIGITS,
    FORMATTING_RULES,
    IMAGE_REFERENCE,
    PART_NUMBER,
    formatting_flags,
    formatting_rule,
    formatting_span,
)
from tests.factories import AIME, NUMINA
from tests.twin import slow_recipe as twin

ROOT = Path(__file__).resolve().parent.parent.parent
# the regex of the specification, as it stands there
BOLD = re.compile(r"\*\*(?=.*\d)[^\s\]]*\*\*")

BLANKS = " \n\r\t\u00a0\u2028\x85\x1f"
pieces = st.sampled_from(["**", "**", *"**17٣７²][ax.", *BLANKS])
starry_texts = st.lists(pieces, max_size=24).map("".join)
marked_texts = st.lists(
    st.sampled_from(
        ["p", "P", "0", "1", "9", "12", "999", "1000", ".", "٣", " ", "[asy]", "![Image]", "[", "!", "**"]
    ),
    max_size=10,
).map("".join)


@given(starry_texts)
@example("**a** 1")  # the digit may stand after the run, on the same line
@example("**a**\n1")
@example("**a**\u2028 1")  # for the look-ahead U+2028 is no line end
@example("1 **a**")
@example("****1")
@example("***1*")
@example("**1*]**2**")
@example("**a **b** c 1\n**d** 2")
@settings(deadline=None, derandomize=True, max_examples=1_500)
def test_bold_digits_is_the_regex_of_the_specification(text):
    match = BOLD.search(text)
    assert bool(formatting_flags(text) & BOLD_DIGITS) is bool(match)
    assert formatting_span(text, "formatting.bold_digits") == (match.span() if match else None)


@given(marked_texts)
@example("p1000.")
@example("p01.")
@example("p999.")
@example("p٣.")
@example("step12.")
@settings(deadline=None, derandomize=True, max_examples=500)
def test_the_other_rules_are_the_literals_of_the_specification(text):
    flags = formatting_flags(text)
    assert bool(flags & ASY) is ("[asy]" in text)
    assert bool(flags & IMAGE_REFERENCE) is ("![Image]" in text)
    assert bool(flags & PART_NUMBER) is any(f"p{number}." in text for number in range(1, 1_000))


@given(marked_texts | starry_texts, st.sampled_from([AIME, NUMINA]))
@settings(deadline=None, derandomize=True, max_examples=500)
def test_the_rule_that_drops_is_the_slow_recipes(text, source):
    assert formatting_rule(formatting_flags(text), is_aime=source == AIME) == twin.formatting_rule(text, source)


# about a megabyte each, and the span of the bold run where there is one
HOSTILE = {
    "'*' * 1_000_000": None,
    "'*' * 1_000_000 + ' 1'": (0, 1_000_000),
    "'**a** ' * 170_000": None,
    "'**a** ' * 170_000 + '1'": (0, 5),
    "'**a ' * 250_000 + '1'": None,
    "'**a ' * 250_000 + chr(10) + '1'": None,
    "'**a**' * 200_000 + chr(10) + '1'": None,
    "'1**a**' + chr(10) + '**a** ' * 170_000": None,
    "('**a**' + chr(10)) * 170_000": None,
    "'** ' * 330_000 + '1'": None,
    "'**]1' * 250_000": None,
    "'**1' * 330_000": (0, 989_999),
}


def test_hostile_texts_of_a_megabyte_cost_linear_time():
    # quadratic work on any of these takes minutes; all of them together take about a second of processor time,
    # which, other than time on the clock, does not grow with what else the machine does
    program = f"""if True:
        import resource
        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        from curation.quality import formatting_span
        for text in {list(HOSTILE)}:
            print(formatting_span(eval(text), "formatting.bold_digits"), flush=True)
        """
    done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines() == [str(span) for span in HOSTILE.values()]


@pytest.mark.parametrize(("text", "flags"), [("p999" * 250_000, 0), ("[asy" * 250_000, 0), ("*" * 1_000_000, 0)])
def test_flags_of_a_megabyte_of_beginnings(text, flags):
    assert formatting_flags(text) == flags


EVERYTHING = "**x1** p3. ![Image] [asy]"


@pytest.mark.parametrize(
    ("question", "is_aime", "rules", "expected"),
    [
        (EVERYTHING, False, FORMATTING_RULES, "formatting.asy"),
        ("**x1** p3. ![Image]", False, FORMATTING_RULES, "formatting.image_reference"),
        ("**x1** p3.", False, FORMATTING_RULES, "formatting.part_number"),
        ("**x1**", False, FORMATTING_RULES, "formatting.bold_digits"),
        ("plain 1", False, FORMATTING_RULES, None),
        # with [asy] from AIME: kept without further checks; without it AIME is checked like any other
        (EVERYTHING, True, FORMATTING_RULES, None),
        ("**x1** p3. ![Image]", True, FORMATTING_RULES, "formatting.image_reference"),
        # a recipe may name fewer rules: the contract's order stays, whatever the order they are named in
        (EVERYTHING, False, ("formatting.bold_digits", "formatting.image_reference"), "formatting.image_reference"),
        (EVERYTHING, False, ("formatting.bold_digits",), "formatting.bold_digits"),
        (EVERYTHING, False, (), None),
        (EVERYTHING, True, ("formatting.bold_digits",), None),
    ],
)
def test_the_first_rule_in_the_contracts_order_drops(question, is_aime, rules, expected):
    assert formatting_rule(formatting_flags(question), is_aime=is_aime, rules=rules) == expected


@pytest.mark.parametrize(
    ("question", "rule", "hit"),
    [
        ("see [asy] and [asy]", "formatting.asy", "[asy]"),
        ("![Image](a) ![Image](b)", "formatting.image_reference", "![Image]"),
        ("p0. step12. p7.", "formatting.part_number", "p12."),
        ("a **b** **c1** d", "formatting.bold_digits", "**b**"),  # the digit after the run counts, as in the regex
    ],
)
def test_a_span_is_what_the_rule_hit_first(question, rule, hit):
    start, end = formatting_span(question, rule)
    assert question[start:end] == hit
    assert start == question.index(hit)


@pytest.mark.parametrize("rule", FORMATTING_RULES)
def test_a_rule_that_does_not_hit_has_no_span(rule):
    assert formatting_span("plain text with 1 digit", rule) is None
