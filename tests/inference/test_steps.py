"""Steps: parts of thinking between blank lines, as text and as ids."""

import random

import pytest

from inference.steps import blank_line_ids, split_steps
from tests.inference.models import make_tokenizer
from tests.inference.settings import ids_of


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        (" \n\n ", ()),
        ("one", ("one",)),
        ("one\ntwo", ("one\ntwo",)),
        ("one\n\ntwo", ("one\n\n", "two")),
        ("one\n \n\n  two\n\n", ("one\n \n\n  ", "two\n\n")),
        ("\n\none\n\ntwo", ("one\n\n", "two")),
    ],
)
def test_text_is_split_at_blank_lines(text, steps):
    assert split_steps(text) == steps


def test_steps_joined_are_the_text_from_its_first_word_on():
    rng = random.Random(0)
    for _ in range(300):
        text = "a" + "".join(rng.choice("ab \n\n\n") for _ in range(rng.randrange(30)))
        steps = split_steps(text)
        assert "".join(steps) == text
        assert all(step.strip() for step in steps)


class Merging:
    """A tokenizer with ids for a newline, two of them, a full stop before one, and others."""

    VOCABULARY = ("a", "Ċ", "ĊĊ", ".Ċ", ".ĊĊĊ", "Ċa", "b")

    def get_vocab(self):
        return {token: id_ for id_, token in enumerate(self.VOCABULARY)}

    def decode(self, token_ids, **_options):
        return "".join(self.VOCABULARY[id_] for id_ in token_ids).replace("Ċ", "\n")


def test_a_blank_line_is_an_id_that_holds_one_or_a_newline_behind_the_end_of_a_line():
    assert set(blank_line_ids(Merging())) == {(2,), (4,), (1, 1), (3, 1)}


def test_with_a_real_tokenizer_every_sequence_holds_a_blank_line_and_two_newlines_are_found():
    tokenizer = make_tokenizer()
    found = blank_line_ids(tokenizer)
    assert all("\n\n" in tokenizer.decode(list(ids)) for ids in found)
    written = ids_of("a\n\nb")
    assert any(written[place : place + len(ids)] == ids for ids in found for place in range(len(written)))
