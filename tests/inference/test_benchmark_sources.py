"""Named benchmarks and files: what is read, how options are put in order, and one line where something is wrong."""

import csv
import io
import json
from collections import Counter
from dataclasses import replace

import pyarrow
import pyarrow.parquet
import pytest

from curation.errors import InputError, RowError
from inference.benchmark_sources import SOURCES, fetch_benchmark, load_benchmark, make_benchmark, shuffle_choices
from inference.benchmarks import Problem
from tests.s1web.pool.hub_server import COMMIT, REPOSITORY, serve

GPQA = {
    "Record ID": "rec1",
    "Question": "Which energy?\n",
    "Correct Answer": "5 eV\n",
    "Incorrect Answer 1": "1 eV",
    "Incorrect Answer 2": " 2 eV",
    "Incorrect Answer 3": "9 eV",
}


def as_csv(rows):
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def as_parquet(rows):
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    return sink.getvalue()


def as_lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """Fetches rows through the Hub's own client from a server on this machine, as a named source would be."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)

    def go(name, content, *, num_problems=1, revision=COMMIT, status=0, **options):
        source = replace(SOURCES[name], repository=REPOSITORY, revision=revision, num_problems=num_problems)
        with serve({source.path: content}) as server:
            server.status = status
            return fetch_benchmark(name, source, endpoint=server.address, **options)

    return go


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (
            "aime24",
            as_parquet([{"id": 60, "problem": "How far?", "solution": "204 it is", "answer": "204"}]),
            Problem("aime24-60", "How far?", "204"),
        ),
        (
            "aime25",
            as_lines([{"problem": "How\u2028many?", "answer": 70, "id": "0"}]),
            Problem("aime25-0", "How\u2028many?", "70"),
        ),
        (
            "math500",
            as_lines([{"problem": "Find it.", "answer": "\\frac12", "unique_id": "test/algebra/1.json", "level": 2}]),
            Problem("test/algebra/1.json", "Find it.", "\\frac12"),
        ),
    ],
)
def test_a_named_benchmark_comes_from_the_hub_at_its_commit(fetch, name, content, problem):
    benchmark = fetch(name, content)
    assert benchmark.problems == (problem,)
    assert (benchmark.name, benchmark.shuffle_seed) == (name, None)
    assert benchmark.source == f"{REPOSITORY}@{COMMIT}/{SOURCES[name].path}"


def test_what_was_fetched_once_needs_no_network(fetch):
    content = as_lines([{"problem": "Why?", "answer": "7", "id": "0"}])
    assert fetch("aime25", content) == fetch("aime25", b"", status=403)


def test_gpqas_options_are_put_in_an_order_that_is_kept_with_the_problem(fetch):
    benchmark = fetch("gpqa_diamond", as_csv([GPQA]))
    (problem,) = benchmark.problems
    assert benchmark.shuffle_seed == 0
    assert (problem.key, problem.text) == ("rec1", "Which energy?\n")
    source = ("5 eV", "1 eV", "2 eV", "9 eV")
    assert problem.choices == tuple(source[place] for place in problem.order)
    assert problem.choices["ABCD".index(problem.answer)] == "5 eV"
    assert fetch("gpqa_diamond", as_csv([GPQA])) == benchmark
    others = {fetch("gpqa_diamond", as_csv([GPQA]), shuffle_seed=seed).problems[0].order for seed in range(1, 9)}
    assert len(others) > 3


def test_every_named_source_is_pinned_to_a_whole_commit():
    assert list(SOURCES) == ["aime24", "aime25", "math500", "gpqa_diamond"]
    assert [source.num_problems for source in SOURCES.values()] == [30, 30, 500, 198]
    assert all(len(source.revision) == 40 and int(source.revision, 16) for source in SOURCES.values())


def test_options_land_everywhere_alike():
    """Chi-square of 6 would be likely at 24 orders; no letter is favoured."""
    problems = [Problem(f"g{place}", "Which?", "A", ("a", "b", "c", "d")) for place in range(4_800)]
    orders = Counter(shuffle_choices(problem, 0).order for problem in problems)
    assert len(orders) == 24
    assert sum((count - 200) ** 2 / 200 for count in orders.values()) < 49.7  # p = 0.001 at 23 degrees
    assert shuffle_choices(problems[0], 0) == shuffle_choices(problems[0], 0)


def test_a_problem_without_options_stays_as_it_is():
    problem = Problem("a", "Why?", "7")
    assert shuffle_choices(problem, 1) == problem


@pytest.mark.parametrize("answer", ["E", "5 eV", "", "a"])
def test_options_whose_answer_is_no_letter_of_theirs_are_not_shuffled(answer):
    with pytest.raises(RowError, match="is no letter of its 2 choices"):
        shuffle_choices(Problem("a", "Which?", answer, ("1 eV", "2 eV")), 0)


def test_a_file_of_ones_own_is_a_benchmark(tmp_path):
    path = tmp_path / "mine.jsonl"
    rows = [{"id": 1, "problem": "Why?", "answer": "7"}, {"question": "Which?", "answer": "B", "choices": ["x", "y"]}]
    path.write_bytes(as_lines(rows) + b"\n")
    benchmark = load_benchmark(path)
    assert [problem.text for problem in benchmark.problems] == ["Why?", "Which?"]
    assert (benchmark.name, benchmark.source, benchmark.shuffle_seed) == ("mine", str(path), None)
    assert benchmark.problems[1].choices == ("x", "y")
    assert len(benchmark.sha256) == 64
    shuffled = {load_benchmark(path, shuffle_seed=seed).problems[1].choices for seed in range(8)}
    assert shuffled == {("x", "y"), ("y", "x")}
    path.write_bytes(as_lines([rows[0] | {"answer": "8"}, rows[1]]))
    assert load_benchmark(path).sha256 != benchmark.sha256


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no problem; a benchmark has at least one"),
        (b'{"problem": "Why?"}\n', "row 1: answer holds None; a text or a number is needed"),
        (b'{"problem": "Why?", "answer": " "}\n', "row 1: answer is empty; nothing can be graded without one"),
        (b'\n{"problem": "", "answer": "7"}\n', "row 2: problem holds ''; a text is needed"),
        (b"[1]\n", "row 1: it is no object"),
        (b'{"id": 1, "problem": "a", "answer": 1}\n{"id": "1", "problem": "b", "answer": 1}', "row 2: id '1' stands"),
        (b"{\n", "cannot be read: Expecting property name"),
        (b"\xff\xfe", "cannot be read: 'utf-8' codec"),
    ],
)
def test_a_file_that_is_no_benchmark_says_why(tmp_path, content, said):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_benchmark(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_whose_ending_lies_says_so(tmp_path):
    for ending in (".parquet", ".csv"):
        path = tmp_path / f"bad{ending}"
        path.write_bytes(b"\0\xffnothing")
        with pytest.raises(InputError, match=r"cannot be read|holds no problem"):
            load_benchmark(path)


def test_options_of_a_file_can_only_be_shuffled_where_answers_are_letters(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_bytes(as_lines([{"problem": "Which?", "answer": "x", "choices": ["x", "y"]}]))
    assert load_benchmark(path).problems[0].answer == "x"
    with pytest.raises(InputError, match="options can only be shuffled where answers are letters"):
        load_benchmark(path, shuffle_seed=0)


def test_an_unknown_name_lists_what_is_known():
    with pytest.raises(InputError) as caught:
        load_benchmark("aime99")
    assert str(caught.value) == (
        "benchmark 'aime99' is neither known nor a file; allowed: aime24, aime25, math500, gpqa_diamond, "
        "or a path to JSON lines"
    )


def test_what_the_hub_does_not_give_out_is_one_line_that_says_what_to_do(fetch):
    with pytest.raises(InputError) as caught:
        fetch("gpqa_diamond", b"", revision="0" * 40)
    text = str(caught.value)
    assert text.startswith(f"benchmark gpqa_diamond: {REPOSITORY}@{'0' * 40}/gpqa_diamond.csv cannot be had: ")
    assert text.endswith("accept its terms on the Hub and give your token in HF_TOKEN, or give a file")
    assert "\n" not in text
    with pytest.raises(InputError, match="check the network, or give a file"):
        fetch("math500", b"", status=403)


def test_a_data_set_of_another_size_is_not_the_benchmark(fetch):
    rows = [{"problem": f"{place}?", "answer": "1", "unique_id": str(place)} for place in range(3)]
    with pytest.raises(InputError, match="holds 3 problems; it should be 500"):
        fetch("math500", as_lines(rows), num_problems=500)


def test_problems_that_were_read_elsewhere_are_the_same_benchmark_as_their_file(tmp_path):
    path = tmp_path / "own.jsonl"
    rows = [{"id": f"q{n}", "problem": f"Which is {n}?", "answer": "B", "choices": ["x", str(n)]} for n in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for seed in (None, 4):
        read = load_benchmark(path, shuffle_seed=seed)
        problems = [Problem(row["id"], row["problem"], row["answer"], tuple(row["choices"])) for row in rows]
        made = make_benchmark("own", problems, source="database", shuffle_seed=seed)
        assert (made.problems, made.sha256, made.shuffle_seed) == (read.problems, read.sha256, seed)
        assert (made.name, made.source) == ("own", "database")


@pytest.mark.parametrize(
    ("problems", "text"),
    [
        ([], "database holds no problem; a benchmark has at least one"),
        ([Problem("a", "Which?", " ")], "database, problem 'a': answer is empty; nothing can be graded without one"),
        ([Problem("a", "Which?", "1")] * 2, "database, problem 'a': id 'a' stands there twice"),
    ],
)
def test_problems_that_make_no_benchmark_are_refused(problems, text):
    with pytest.raises(InputError, match=text):
        make_benchmark("own", problems, source="database")
