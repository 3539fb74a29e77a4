"""Stored samples under new rules."""

from collections.abc import Iterator

from inference.answers import BARE, NONE
from inference.equivalence import Grade
from inference.regrading import StoredSample, regrade

RIGHT, WRONG = Grade(True, "integer"), Grade(False, "integer")


def test_samples_keep_their_order_and_say_what_changed() -> None:
    samples = [
        StoredSample("a", r"\boxed{023}", "23", grade=WRONG),
        StoredSample("b", r"\boxed{23}", "23", grade=Grade(True, "judge")),
        StoredSample("c", r"\boxed{24}", "23"),
        StoredSample("d", r"\boxed{x+1}", "1+x", grade=RIGHT),
        StoredSample("e", "Answer: (B) two", "B", choices=("one", "two"), grade=WRONG),
        StoredSample("f", "it is 23", "23", grade=RIGHT),
    ]
    done = list(regrade(samples))
    assert [one.key for one in done] == list("abcdef")
    assert [one.has_changed for one in done] == [True, False, True, True, True, True]
    assert [one.grade.is_right for one in done] == [True, True, False, None, True, False]
    assert done[-1].extraction.rule == NONE
    assert done[1].grade.rule == "text"


def test_a_sample_that_cannot_be_graded_now_as_before_has_not_changed() -> None:
    [one] = regrade([StoredSample("a", r"\boxed{x+1}", "1+x", grade=Grade(None, "math_verify.timeout"))])
    assert not one.has_changed


def test_options_reach_extraction_and_judge() -> None:
    samples = [StoredSample("a", "x+1", "1+x", problem="Which?")]
    [one] = regrade(samples, judge=lambda item: item.problem == "Which?", allow_bare=True)
    assert (one.extraction.rule, one.grade) == (BARE, Grade(True, "judge"))


def test_samples_are_read_as_they_are_needed() -> None:
    read = 0

    def endless() -> Iterator[StoredSample]:
        nonlocal read
        while True:
            read += 1
            yield StoredSample(str(read), r"\boxed{1}", "1")

    stream = regrade(endless())
    assert [next(stream).key for _ in range(600)] == [str(number) for number in range(1, 601)]
    assert read <= 768
