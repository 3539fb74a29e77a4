import dataclasses

import pytest

from curation.errors import ConfigError
from inference.delimiters import PROFILES, DelimiterProfile, build_delimiters, find_profile, profile_from_json
from inference.forcing_plan import BudgetForcing, make_plan
from tests.inference.models import make_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


class Changed:
    """A tokenizer, with some answers of its own."""

    def __init__(self, tokenizer, *, encode=None, decode=None):
        self._tokenizer, self._encode, self._decode = tokenizer, encode, decode

    def encode(self, text, *, add_special_tokens):
        ids = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return self._encode(text, ids) if self._encode else ids

    def decode(self, ids, *, skip_special_tokens):
        text = self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)
        return self._decode(text) if self._decode else text

    def get_vocab(self):
        return self._tokenizer.get_vocab()


def ids_of(tokenizer, text):
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def changed_s1(**changes):
    return dataclasses.replace(PROFILES["s1"], **changes)


def test_s1_delimiters_are_the_ids_of_the_papers_texts(tokenizer):
    delimiters = build_delimiters(PROFILES["s1"], tokenizer)
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    assert delimiters.ends == ((start,), (end,))
    assert delimiters.stops == ((end,),)
    assert delimiters.has_single_id_ends
    assert tokenizer.decode(list(delimiters.answer)) == "<|im_start|>answer"
    assert tokenizer.decode(list(delimiters.forced_answer)) == "<|im_start|>answer\nFinal Answer:"
    assert tokenizer.decode(list(delimiters.separator)) == "\n"


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_profile_can_be_built_for_a_tokenizer_without_its_special_tokens(tokenizer, name):
    delimiters = build_delimiters(PROFILES[name], tokenizer, eos_ids=[tokenizer.eos_token_id])
    assert tokenizer.decode(list(delimiters.start)) == PROFILES[name].start
    assert (tokenizer.eos_token_id,) in delimiters.ends
    assert (tokenizer.eos_token_id,) in delimiters.stops


def test_an_end_that_is_no_special_token_comes_as_several_ids(tokenizer):
    delimiters = build_delimiters(PROFILES["think"], tokenizer, eos_ids=[tokenizer.eos_token_id])
    assert ids_of(tokenizer, "</think>") in delimiters.ends
    assert not delimiters.has_single_id_ends


def test_an_end_is_found_where_an_id_reaches_over_its_edge(tokenizer):
    # a tokenizer in whose vocabulary ">" and a newline are one id, as in Qwen's
    joined = max(tokenizer.get_vocab().values())
    close, newline = ids_of(tokenizer, ">")[0], ids_of(tokenizer, "\n")[0]

    def encode(text, ids):
        out = []
        for id_ in ids:
            if id_ == newline and out and out[-1] == close:
                out[-1] = joined
            else:
                out.append(id_)
        return out

    class Joined(Changed):
        def decode(self, ids, *, skip_special_tokens):
            split = [part for id_ in ids for part in ((close, newline) if id_ == joined else (id_,))]
            return super().decode(split, skip_special_tokens=skip_special_tokens)

    delimiters = build_delimiters(PROFILES["think"], Joined(tokenizer, encode=encode), eos_ids=[2])
    plain = ids_of(tokenizer, "</think>")
    assert plain in delimiters.ends
    assert (*plain[:-1], joined) in delimiters.ends
    assert all(len(ids) <= len(plain) for ids in delimiters.ends)


def test_ids_that_end_in_a_newline_are_known(tokenizer):
    delimiters = build_delimiters(PROFILES["s1"], tokenizer)
    slow = {id_ for id_ in range(len(tokenizer)) if tokenizer.decode([id_]).endswith("\n")}
    assert delimiters.line_ends == slow
    assert ids_of(tokenizer, "\n")[0] in slow


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"ends": ("",)}, "its end delimiter is empty"),
        ({"start": ""}, "its start delimiter is empty"),
        ({"answer": ""}, "its answer delimiter is empty"),
        ({"ends": ("<|im_start|>think",)}, "'<|im_start|>think' is its start and its end"),
        ({"ends": ()}, "nothing ends its thinking"),
        ({"stops": ()}, "nothing stops its answer"),
        ({"stops": ("<|im_start|>",)}, "begins its reopening .* which could never come"),
    ],
)
def test_a_profile_that_cannot_work_says_why(tokenizer, changes, error):
    with pytest.raises(ConfigError, match=r"^delimiter profile 's1' cannot be built: ") as caught:
        build_delimiters(changed_s1(**changes), tokenizer)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=error.replace("|", r"\|")):
        build_delimiters(changed_s1(**changes), tokenizer)


def test_a_delimiter_that_is_not_in_the_tokenizer_is_named(tokenizer):
    # one without byte fallback: what it does not know is its unknown token
    unknowing = Changed(
        tokenizer,
        encode=lambda text, ids: [0] if "im_start" in text else ids,
        decode=lambda text: text.replace("<|endoftext|>", "<unk>"),
    )
    with pytest.raises(ConfigError) as error:
        build_delimiters(PROFILES["s1"], unknowing)
    assert str(error.value) == (
        "delimiter profile 's1' cannot be built: end delimiter '<|im_start|>' is not in the tokenizer: its ids [0] "
        "decode to '<unk>'; use a text that this tokenizer can write"
    )


@pytest.mark.parametrize("text", ["Wait", " Wait", "\nWait", "Wait\n", "Hmm", "Alternatively", "等等", ""])
def test_an_ignore_string_is_inserted_as_it_is_written(tokenizer, text):
    plan = make_plan(BudgetForcing(ignore_strings=(text,)), build_delimiters(PROFILES["s1"], tokenizer), tokenizer)
    assert tokenizer.decode(list(plan.ignore_ids[0])) == text


def test_wait_with_and_without_a_leading_space_or_newline_are_different_ids(tokenizer):
    delimiters = build_delimiters(PROFILES["s1"], tokenizer)
    plan = make_plan(BudgetForcing(ignore_strings=("Wait", " Wait", "\nWait")), delimiters, tokenizer)
    assert len(set(plan.ignore_ids)) == 3


def test_an_ignore_string_that_would_end_thinking_is_refused(tokenizer):
    delimiters = build_delimiters(PROFILES["s1"], tokenizer)
    with pytest.raises(ConfigError, match=r"ignore string 'Wait<\|im_end\|>' holds an end of thinking"):
        make_plan(BudgetForcing(ignore_strings=("Hmm", "Wait<|im_end|>")), delimiters, tokenizer)


def test_a_text_that_the_tokenizer_changes_is_refused(tokenizer):
    # Qwen's normalizer composes letters: e and an accent become one
    delimiters = build_delimiters(PROFILES["s1"], tokenizer)
    with pytest.raises(ConfigError, match=r"ignore string .* is not in the tokenizer"):
        make_plan(BudgetForcing(ignore_strings=("e\u0301",)), delimiters, tokenizer)


def test_a_forced_answer_of_ones_own_follows_the_answer_delimiter(tokenizer):
    delimiters = build_delimiters(PROFILES["s1"], tokenizer)
    plan = make_plan(BudgetForcing(forced_answer="\nAnswer: 42"), delimiters, tokenizer)
    assert tokenizer.decode(list(plan.forced_end)) == "<|im_start|>answer\nAnswer: 42"
    plan = make_plan(BudgetForcing(forced_answer=""), delimiters, tokenizer)
    assert plan.forced_end == plan.natural_end


def test_a_profile_is_found_by_name_or_the_names_are_listed():
    assert find_profile("think").ends == ("</think>",)
    with pytest.raises(ConfigError, match="'r1' is unknown; allowed: s1, think, harmony"):
        find_profile("r1")


def test_a_profile_of_ones_own_is_read_from_json():
    row = {"name": "own", "start": "<t>", "ends": ["</t>"], "answer": "</t>", "stops": ["<e>"]}
    profile = profile_from_json(row)
    assert profile == DelimiterProfile(name="own", start="<t>", ends=("</t>",), answer="</t>", stops=("<e>",))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"end": "</t>"}, "unknown key 'end'; allowed: name, start, ends"),
        ({"ends": "</t>"}, "ends='</t>'; a list of texts is needed"),
        ({"start": 3}, "start=3; a text is needed"),
        ({"ends": [3]}, "a list of texts is needed"),
    ],
)
def test_a_profile_that_cannot_be_read_says_which_key(changes, error):
    row = {"name": "own", "start": "<t>", "ends": ["</t>"], "answer": "</t>", "stops": ["<e>"]} | changes
    with pytest.raises(ConfigError, match=error):
        profile_from_json(row)


def test_a_profile_without_a_needed_key_says_which():
    with pytest.raises(ConfigError, match="delimiter profile has no 'start'; give a text"):
        profile_from_json({"name": "own"})
