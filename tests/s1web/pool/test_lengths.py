"""Trace lengths: counted as the tokenizer counts, once each, never mixed with another's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import models, pre_tokenizers, processors, trainers

from curation.demo.pool import DemoPool
from curation.errors import ConfigError, ConflictError
from s1web.pool import lengths
from s1web.pool.lengths import LengthsResult, count_lengths, load_tokenizer, total_tokens
from s1web.pool.models import Tokenizer, Trace, TraceLength
from tests.processes import Project
from tests.s1web.pools import load_rows, write_lines

HOSTILE = ["", " ", "\n\n", "naïve 漢字 🜚", "<|im_start|>answer", "1234567890" * 50, "a" * 5_000, "\u2028\u0085"]


@pytest.fixture(scope="module")
def make_bpe(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Trains a byte-level BPE of so many tokens on a few sentences; a tokenizer.json."""
    texts = ["let me think step by step about this sum", "wait, let me check the sum again", "so the answer is 42"]

    def make(size: int) -> Path:
        tokenizer = FastTokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<|im_start|>"],
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts * 3, trainer)
        # what a count must not be led astray by: a token before each text, and cutting long texts off
        start = tokenizer.token_to_id("<|im_start|>")
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|im_start|> $A", special_tokens=[("<|im_start|>", start)]
        )
        path = tmp_path_factory.mktemp("bpe") / "tokenizer.json"
        tokenizer.save(str(path))
        return path

    return make


@pytest.fixture(scope="module")
def bpe(make_bpe: Callable[[int], Path]) -> Path:
    return make_bpe(300)


@pytest.fixture
def thoughts(db: None, tmp_path: Path) -> list[str]:
    """Questions with a trace each, of awkward texts too; two more have none."""
    texts = [*(text for text in HOSTILE if text), *(f"let me think about {number}" for number in range(30))]
    rows = [{"question": f"Q{n}?", "thinking": text, "attempt": "7"} for n, text in enumerate(texts)]
    load_rows(tmp_path, [*rows, {"question": "No trace?"}, {"question": "No thinking?", "attempt": "7"}])
    return texts


def stored(name: str) -> dict[str, int]:
    counts = TraceLength.objects.filter(tokenizer__name=name)
    return dict(counts.values_list("trace__thinking", "tokens"))


def counts(result: LengthsResult) -> tuple[int, int]:
    return result.done, result.skipped


def test_counts_are_the_tokenizers_own_without_special_tokens(thoughts: list[str], bpe: Path) -> None:
    fast = FastTokenizer.from_file(str(bpe))
    result = count_lengths(str(bpe), name="bpe")
    expected = {text: len(fast.encode(text, add_special_tokens=False).ids) for text in thoughts}
    assert stored("bpe") == expected
    assert counts(result) == (len(thoughts), 0)
    assert result.tokens == total_tokens("bpe") == sum(expected.values())
    # the tokenizer would add one token to each text
    assert all(len(fast.encode(text).ids) == number + 1 for text, number in expected.items())


@pytest.mark.parametrize("batch_characters", [1, 60, 10**9])
def test_the_size_of_batches_changes_no_count(
    thoughts: list[str], bpe: Path, monkeypatch: pytest.MonkeyPatch, batch_characters: int
) -> None:
    count_lengths(str(bpe), name="reference")
    monkeypatch.setattr(lengths, "BATCH_CHARACTERS", batch_characters)
    monkeypatch.setattr(lengths, "FETCH_ROWS", 7)
    count_lengths(str(bpe), name="bpe")
    assert stored("bpe") == stored("reference")


def test_a_second_count_counts_nothing(thoughts: list[str], bpe: Path) -> None:
    first = count_lengths(str(bpe), name="bpe")
    second = count_lengths(str(bpe), name="bpe")
    assert (counts(second), second.tokens) == ((0, first.done), 0)


def test_new_traces_alone_are_counted(thoughts: list[str], bpe: Path, tmp_path: Path) -> None:
    count_lengths(str(bpe), name="bpe")
    load_rows(tmp_path, [{"question": "Late?", "thinking": "wait, let me check"}], "late")
    assert counts(count_lengths(str(bpe), name="bpe")) == (1, len(thoughts))
    assert stored("bpe")["wait, let me check"] > 0


@pytest.mark.parametrize("limit", [1, 5, 7, 36, 37, 38, 1_000])
def test_limited_counts_add_up_to_a_whole_one(
    thoughts: list[str], bpe: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(lengths, "FETCH_ROWS", 3)
    count_lengths(str(bpe), name="reference")
    done = []
    while (result := count_lengths(str(bpe), name="bpe", limit=limit)).done:
        done.append(result.done)
    assert (sum(done), done[0]) == (len(thoughts), min(limit, len(thoughts)))
    assert stored("bpe") == stored("reference")


def test_progress_is_told_with_the_total(thoughts: list[str], bpe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths, "BATCH_CHARACTERS", 1)
    monkeypatch.setattr(lengths, "FETCH_ROWS", 10)
    told: list[tuple[int, int]] = []
    count_lengths(str(bpe), limit=25, on_progress=lambda done, total, **spent: told.append((done, total)))
    assert told == [(0, 25), (10, 25), (20, 25), (25, 25)]


def test_a_killed_count_goes_on_where_it_was(make_project: Any, tmp_path: Path, bpe: Path) -> None:
    rows = [{"question": f"Q{n}?", "thinking": f"let me think about {n}"} for n in range(50)]
    project: Project = make_project("sqlite")
    project.json("load_pool", write_lines(tmp_path / "rows.jsonl", rows))
    # dies by SIGKILL inside the third batch's transaction
    script = f"""
import os, signal, django
django.setup()
from s1web.pool import lengths
lengths.BATCH_CHARACTERS, lengths.FETCH_ROWS = 1, 10
calls = []
original = lengths.bulk.insert
def insert(*arguments):
    calls.append(arguments)
    original(*arguments)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
lengths.bulk.insert = insert
lengths.count_lengths({str(bpe)!r}, name="bpe")
"""
    assert project.python("-c", script).returncode == -9
    result = project.json("annotate", "lengths", "--tokenizer", bpe, "--tokenizer-name", "bpe")
    assert (result["done"], result["skipped"]) == (30, 20)
    assert project.json("annotate", "lengths", "--tokenizer", bpe, "--tokenizer-name", "bpe")["done"] == 0


# --- names -----------------------------------------------------------------------------------------------


def test_counts_are_kept_under_the_tokenizers_name_or_the_one_given(thoughts: list[str], bpe: Path) -> None:
    assert count_lengths(str(bpe)).tokenizer == str(bpe)
    assert count_lengths(str(bpe), name="bpe").tokenizer == "bpe"
    assert set(Tokenizer.objects.values_list("name", flat=True)) == {str(bpe), "bpe"}


def test_two_tokenizers_count_side_by_side(thoughts: list[str], make_bpe: Callable[[int], Path], bpe: Path) -> None:
    count_lengths(str(bpe), name="small")
    before = stored("small")
    larger = count_lengths(str(make_bpe(330)), name="larger")
    assert counts(larger) == (len(thoughts), 0)
    assert stored("small") == before
    assert sum(stored("larger").values()) < sum(before.values())
    assert TraceLength.objects.count() == 2 * len(thoughts)


def test_another_tokenizer_under_the_same_name_is_refused(
    thoughts: list[str], make_bpe: Callable[[int], Path], bpe: Path
) -> None:
    count_lengths(str(bpe), name="bpe", limit=3)
    before = stored("bpe")
    with pytest.raises(ConflictError, match=r"'bpe' belongs to another tokenizer; .* --tokenizer-name"):
        count_lengths(str(make_bpe(330)), name="bpe")
    assert stored("bpe") == before


def test_the_same_tokenizer_elsewhere_is_the_same(thoughts: list[str], bpe: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_bytes(bpe.read_bytes())
    count_lengths(str(bpe), name="bpe", limit=3)
    assert counts(count_lengths(str(copy), name="bpe")) == (len(thoughts) - 3, 3)


def test_imported_counts_keep_the_name_of_their_column(db: None, small_demo: DemoPool, tmp_path: Path) -> None:
    load_rows(tmp_path, small_demo.rows)
    tokenizer = Tokenizer.objects.get()
    assert (tokenizer.name, tokenizer.fingerprint) == ("gemini_length", "")
    found = dict(TraceLength.objects.values_list("trace__question__text", "tokens"))
    given = {row["question"]: row["gemini_length"] for row in small_demo.rows if row["gemini_length"] is not None}
    assert found == given


def test_a_tokenizer_is_not_counted_under_an_imported_columns_name(db: None, tmp_path: Path, bpe: Path) -> None:
    load_rows(tmp_path, [{"question": "Q?", "thinking": "let me think", "trace_tokens": 99}])
    with pytest.raises(ConflictError, match="'trace_tokens' belongs to counts imported from a column"):
        count_lengths(str(bpe), name="trace_tokens")
    count_lengths(str(bpe), name="bpe")
    assert stored("trace_tokens") == {"let me think": 99}
    assert stored("bpe") != stored("trace_tokens")


def test_counts_of_two_columns_are_kept_apart(db: None, tmp_path: Path) -> None:
    load_rows(tmp_path, [{"question": "One?", "thinking": "hm", "gemini_length": 10}], "one")
    load_rows(tmp_path, [{"question": "Two?", "thinking": "hm", "trace_tokens": 20}], "two")
    assert {name: list(stored(name).values()) for name in ("gemini_length", "trace_tokens")} == {
        "gemini_length": [10],
        "trace_tokens": [20],
    }


# --- tokenizers ------------------------------------------------------------------------------------------


def test_a_folder_and_its_file_count_alike_and_neither_cuts_texts_off(db: None, tmp_path: Path, bpe: Path) -> None:
    long = "let me think " * 500
    load_rows(tmp_path, [{"question": "Q?", "thinking": long}])
    folder = tmp_path / "folder"
    folder.mkdir()
    fast = FastTokenizer.from_file(str(bpe))
    fast.enable_truncation(16)
    fast.enable_padding(length=64)
    fast.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 16}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    whole = len(FastTokenizer.from_file(str(bpe)).encode(long, add_special_tokens=False).ids)
    assert whole > 1_000
    for name in (folder, folder / "tokenizer.json"):
        count_lengths(str(name))
        assert stored(str(name)) == {long: whole}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"tokenizer '.*' cannot be loaded: .*; give a name on the Hub, a folder with tokenizer.json"),
        ("{}", "cannot be loaded"),
        ("not JSON", "cannot be loaded"),
        ('{"version": "1.0"}', "cannot be loaded"),
    ],
)
def test_what_is_no_tokenizer_is_refused_before_anything_is_stored(
    thoughts: list[str], tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=said) as caught:
        count_lengths(str(path))
    assert "\n" not in str(caught.value)
    assert not Tokenizer.objects.exists()


def test_an_empty_folder_is_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_tokenizer(str(tmp_path))


def test_a_pool_without_traces_has_nothing_to_count(db: None, tmp_path: Path, bpe: Path) -> None:
    load_rows(tmp_path, [{"question": "Q?", "attempt": "7"}])
    assert Trace.objects.filter(has_thinking=True).count() == 0
    assert counts(count_lengths(str(bpe))) == (0, 0)
