import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.decontamination import EvaluationIndex, Overlap, contamination_rule
from tests.twin import slow_recipe as twin

BLANKS = [" ", "  ", "\n", "\t", "\u00a0", "\u2028", "\x85", "\u3000", " \x1f "]


@st.composite
def texts(draw, max_words: int = 14) -> str:
    """Few words, so that much is shared; every kind of white space between and around them."""
    words = draw(st.lists(st.sampled_from(["a", "A", "b", "b.", "ß"]), max_size=max_words))
    blanks = draw(st.lists(st.sampled_from(BLANKS), min_size=len(words) + 1, max_size=len(words) + 1))
    return draw(st.sampled_from(["", " ", "\n"])) + "".join(map("".join, zip(words, blanks, strict=False)))


def slow_overlaps(questions: list[str], problems: list[str]) -> list[Overlap]:
    """By the slow recipe; texts without a word, which it calls equal, are no evidence and no pool has them."""
    found = []
    for question, text in enumerate(questions):
        if not text.split():
            continue
        for problem, other in enumerate(problems):
            rule = twin.is_contaminated(text, [other])
            if rule is not None:
                found.append(Overlap(question, problem, rule, *twin.longest_shared_span(text, other)))
    return found


@given(st.lists(texts(), max_size=6), st.lists(texts(), max_size=4), st.sampled_from([8, 8, 5, 6, 13]))
@example([], ["a b c d e f g h"], 8)
@example(["", " ", "a"], [], 8)
@example(["a b c d e f g h"], ["", "a"], 8)
@example(["a a a a a a a a a a a"], ["a a a a a a a a a"], 8)
@settings(deadline=None, derandomize=True, max_examples=600)
def test_overlaps_are_the_slow_recipes(questions, problems, ngram_words):
    found = EvaluationIndex(problems, ngram_words).find(questions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(twin, "NGRAM_WORDS", ngram_words)
        assert found == slow_overlaps(questions, problems)
        for question, text in enumerate(questions):
            rule = contamination_rule([overlap for overlap in found if overlap.question == question])
            assert rule == (twin.is_contaminated(text, problems) if text.split() else None)


PROBLEM = "One two three four five six seven eight nine ten"


@pytest.mark.parametrize(
    ("question", "rule", "num_words", "question_offset", "problem_offset"),
    [
        ("x two three four five six seven eight nine y", "decontamination.ngram", 8, 1, 1),
        ("TWO\u00a0three\u2028four\nfive\tsix  seven eight nine", "decontamination.ngram", 8, 0, 1),
        (PROBLEM, "decontamination.ngram", 10, 0, 0),
        ("x " + PROBLEM + " y", "decontamination.ngram", 10, 1, 0),
        # seven words and fewer: contained at word boundaries from four words on
        ("four five six seven eight nine ten", "decontamination.short", 7, 0, 3),
        ("seven eight nine ten", "decontamination.short", 4, 0, 6),
        ("one two three four", "decontamination.short", 4, 0, 0),
    ],
)
def test_evidence_is_the_longest_shared_span(question, rule, num_words, question_offset, problem_offset):
    expected = [Overlap(0, 0, rule, num_words, question_offset, problem_offset)]
    assert EvaluationIndex([PROBLEM]).find([question]) == expected


@pytest.mark.parametrize(
    "question",
    [
        "one two three four five six seven x eight nine ten",  # no eight in a row
        "one two three",  # three words are contained, but too few
        "eight nine ten eleven",
        "even eight nine ten",  # not at a word boundary
        "one two three, four",  # punctuation stays on its word
        "one three two four",
        "",
        " \n\u2028 ",
    ],
)
def test_a_question_without_overlap(question):
    assert EvaluationIndex([PROBLEM]).find([question]) == []


@pytest.mark.parametrize("num_words", range(10))
def test_a_question_that_equals_an_evaluation_question_of_any_length(num_words):
    text = " ".join(PROBLEM.split()[:num_words])
    found = EvaluationIndex(["something else entirely", text]).find([text])
    rule = "decontamination.ngram" if num_words >= 8 else "decontamination.short"
    # a question without words equals only another without words, and that says nothing
    assert found == ([Overlap(0, 1, rule, num_words, 0, 0)] if num_words else [])


def test_an_evaluation_question_shorter_than_n_words_hits_only_what_equals_it():
    index = EvaluationIndex(["What is the dipole moment of this", "Why"])
    questions = ["Why", "Why not", "What is the dipole moment of this ring here", "is the dipole moment"]
    assert index.find(questions) == [
        Overlap(0, 1, "decontamination.short", 1, 0, 0),
        Overlap(3, 0, "decontamination.short", 4, 0, 1),
    ]


def test_an_ngram_does_not_run_from_one_question_into_the_next():
    index = EvaluationIndex([PROBLEM])
    words = PROBLEM.split()
    # three words are too few to be contained, so that the border alone decides
    for cut in range(1, 8):
        questions = ["x " + " ".join(words[:cut]), "", " ".join(words[cut:8]) + " x"]
        expected = [(at, text) for at, text in enumerate(questions) if twin.is_contaminated(text, [PROBLEM])]
        assert [overlap.question for overlap in index.find(questions)] == [at for at, _ in expected] == []
    found = index.find(["one two three", PROBLEM, "", "four five six"])
    assert [(overlap.question, overlap.num_words) for overlap in found] == [(1, 10)]


def test_batches_do_not_change_what_is_found():
    index = EvaluationIndex([PROBLEM, "nine ten one two three four five six seven", "seven eight nine ten"])
    questions = [" ".join((PROBLEM.split() * 2)[start : start + size]) for start in range(10) for size in range(11)]
    alone = [(place, overlap) for place, text in enumerate(questions) for overlap in index.find([text])]
    together = [(overlap.question, overlap) for overlap in index.find(questions)]
    assert [(place, o.problem, o.rule, o.num_words, o.question_offset, o.problem_offset) for place, o in alone] == [
        (place, o.problem, o.rule, o.num_words, o.question_offset, o.problem_offset) for place, o in together
    ]


def test_of_equally_long_spans_the_first_in_the_question_then_in_the_problem_is_shown():
    eight = "a b c d e f g h"
    other = "i j k l m n o p"
    (overlap,) = EvaluationIndex([f"{other} x {eight} y {eight}"]).find([f"{eight} z {other}"])
    assert (overlap.num_words, overlap.question_offset, overlap.problem_offset) == (8, 0, 9)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], None),
        (["decontamination.short"], "decontamination.short"),
        (["decontamination.short", "decontamination.ngram"], "decontamination.ngram"),
    ],
)
def test_the_rule_of_several_overlaps_is_the_first_in_the_contract(rules, expected):
    assert contamination_rule([Overlap(0, place, rule, 8, 0, 0) for place, rule in enumerate(rules)]) == expected
