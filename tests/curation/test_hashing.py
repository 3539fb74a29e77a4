import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.hashing import digest64, question_hash, selection_sha256


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "e3b0c44298fc1c14"), ("abc", "ba7816bf8f01cfea")],  # the published SHA-256 test vectors
)
def test_question_hash_is_the_head_of_sha256(text, expected):
    assert question_hash(text) == expected


def test_question_hash_does_not_normalise():
    texts = ["What is é?", "What is e\u0301?", "what is é?", "What is é? ", "What  is é?", "What is é?\n"]
    assert len({question_hash(text) for text in texts}) == len(texts)


def test_a_text_without_utf8_form_has_no_hash():
    with pytest.raises(UnicodeEncodeError):
        question_hash("half a pair: \ud800")


def test_selection_sha256_is_over_the_ordered_hashes_joined_by_a_newline():
    hashes = ["00aa", "11bb", "22cc"]
    assert selection_sha256(hashes) == hashlib.sha256(b"00aa\n11bb\n22cc").hexdigest()
    assert selection_sha256(iter(hashes)) == selection_sha256(hashes)
    assert selection_sha256(hashes[::-1]) != selection_sha256(hashes)
    assert selection_sha256([]) == hashlib.sha256(b"").hexdigest()


def test_digest64_keeps_parts_apart():
    parts = [
        (),
        ("",),
        (None,),
        ("", ""),
        ("ab",),
        ("a", "b"),
        ("ab", None),
        ("b", "a"),
        ("-;",),
        ("1;a",),
        (None, None),
    ]
    assert len({digest64(*given) for given in parts}) == len(parts)


def test_digest64_stays_the_same_from_one_release_to_the_next():
    # stored in databases: a change would make every row look updated
    assert digest64("question", None, "é") == 4242551455100605579


@pytest.mark.parametrize("size", [0, 1, 1_022, 1_023, 1_024, 1_025, 100_000])
def test_digest64_is_the_head_of_sha256_of_the_parts_with_their_lengths(size):
    long = "é" * (size // 2) + "x" * (size % 2)
    data = f"1;a{len(long)};{long}-;1;b{len(long)};{long}0;".encode()
    expected = int.from_bytes(hashlib.sha256(data).digest()[:8], "big", signed=True)
    assert digest64("a", long, None, "b", long, "") == expected


parts = st.lists(st.none() | st.text(max_size=5), max_size=4)


@given(parts, parts)
@settings(deadline=None, derandomize=True)
def test_digest64_fits_a_signed_column_and_tells_parts_apart(a, b):
    assert -(2**63) <= digest64(*a) < 2**63
    assert (digest64(*a) == digest64(*b)) == (a == b)
