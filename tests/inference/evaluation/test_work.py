import json
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from curation.errors import ConfigError, ConflictError
from inference.evaluation.folder import PROMPTS, RUN, SESSIONS, SUMMARY, read_json, read_jsonl
from inference.evaluation.work import carry_out
from inference.forcing_events import event_from_json, sampled_ids
from tests.inference.evaluation.killing import NUM_PROBLEMS
from tests.inference.evaluation.runs import evaluate, make_config, make_loaded, rows_of, write_problems

ROOT = Path(__file__).resolve().parents[3]
TIMES = ("seconds",)


def without_times(rows):
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def test_a_run_keeps_what_was_asked_drawn_forced_and_graded(tmp_path):
    summary, folder = evaluate(tmp_path)
    rows = rows_of(folder)
    assert [row["problem"] for row in rows] == [f"p{n:03d}" for n in range(12)]
    assert summary["is_complete"]
    assert summary == json.loads((folder / SUMMARY).read_text())
    prompts = {row["sha256"]: row["text"] for row in read_jsonl(folder / PROMPTS)}
    for row in rows:
        (sample,) = row["samples"]
        (candidate,) = row["candidates"]
        assert prompts[row["prompt_sha256"]].startswith("Q: ")
        events = [event_from_json(event) for event in sample["events"]]
        assert len(sampled_ids(sample["ids"], events)) == sample["sampled_tokens"]
        assert row["thinking_tokens"] == sample["thinking_tokens"] <= 12
        assert row["hit_cap"] == any(event.kind == "forced_end" for event in events)
        assert row["grade"] == candidate["grade"]
        assert row["grade"]["is_right"] is (candidate["answer"] == row["reference"])
    assert {row["hit_cap"] for row in rows} == {True, False}
    right = sum(row["grade"]["is_right"] for row in rows)
    assert 0 < right < 12
    assert summary["accuracy"]["value"] == right / 12
    assert summary["accuracy"]["interval"]["low"] < right / 12 < summary["accuracy"]["interval"]["high"]
    assert summary["statistics"]["share_at_cap"] == sum(row["hit_cap"] for row in rows) / 12
    assert summary["account"]["requests"] == 12


def test_a_run_says_what_it_was_made_of(tmp_path):
    _, folder = evaluate(tmp_path)
    run = read_json(folder / RUN)
    assert (run["model_sha256"], run["tokenizer_sha256"]) == ("0" * 64, "1" * 64)
    assert run["benchmark"]["num_problems"] == 12
    assert len(run["benchmark"]["sha256"]) == 64
    assert run["prompts"]["template"] == "Q: {problem}\n"
    (session,) = read_jsonl(folder / SESSIONS)
    assert session["fingerprint"]["engine"] == "scripted"


def test_a_stopped_run_goes_on_and_comes_to_the_same(tmp_path):
    _, whole = evaluate(tmp_path, name="whole")
    asked = []

    def after_five():
        asked.append(True)
        return len(asked) > 5

    summary, folder = evaluate(tmp_path, name="parts", should_stop=after_five)
    assert (summary["num_done"], summary["is_complete"]) == (5, False)
    seen = []
    summary, folder = evaluate(tmp_path, name="parts", on_progress=seen.append)
    assert summary["is_complete"]
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (5, 12, 12)
    assert without_times(rows_of(folder)) == without_times(rows_of(whole))
    assert sum(1 for _ in read_jsonl(folder / SESSIONS)) == 2


def test_a_finished_run_is_not_done_again(tmp_path):
    _, folder = evaluate(tmp_path)
    before = rows_of(folder)

    class Idle:
        context_tokens = 512

        def fingerprint(self):
            return {}

        def generate(self, requests):
            assert list(requests) == []
            return iter(())

    summary, _ = evaluate(tmp_path, engine=Idle())
    assert summary["num_done"] == 12
    assert rows_of(folder) == before


def test_killed_at_twenty_random_moments_no_sample_is_lost_or_there_twice(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.inference.evaluation.killing", str(tmp_path), "20", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "20"), done.stderr
    rows = rows_of(tmp_path / "run")
    assert Counter(row["key"] for row in rows) == Counter(f"p{n:03d}/0" for n in range(NUM_PROBLEMS))
    # killed ones had done a part: that is what the test is about
    sessions = list(read_jsonl(tmp_path / "run" / SESSIONS))
    assert len(sessions) > 10
    _, whole = evaluate(tmp_path, name="whole")
    assert without_times(rows) == without_times(rows_of(whole))


def test_two_processes_do_not_write_to_one_run(tmp_path):
    seen = []

    def again(progress):
        if progress.done == 3:
            with pytest.raises(ConflictError, match="another process works on this run; wait for it or stop it"):
                evaluate(tmp_path)
            seen.append(progress.done)

    evaluate(tmp_path, on_progress=again)
    assert seen == [3]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 4}, "holds another run: config.seed is 3, and 4 is asked for; give another folder"),
        ({"repeats": 2}, "config.repeats is 1, and 2 is asked for"),
        (
            {"method": {"name": "budget_forcing", "forcing": {"max_thinking_tokens": 9, "max_answer_tokens": 12}}},
            "config.method.forcing.max_thinking_tokens is 12, and 9 is asked for",
        ),
    ],
)
def test_a_folder_keeps_to_its_run(tmp_path, change, text):
    _, folder = evaluate(tmp_path)
    before = rows_of(folder)
    with pytest.raises(ConflictError, match=text):
        evaluate(tmp_path, config=make_config(tmp_path / "sums.jsonl", **change))
    assert rows_of(folder) == before


def test_another_benchmark_under_the_same_path_is_another_run(tmp_path):
    evaluate(tmp_path)
    write_problems(tmp_path / "sums.jsonl", 13)
    with pytest.raises(ConflictError, match=r"benchmark\.sha256 is .*, and .* is asked for"):
        evaluate(tmp_path)


def test_another_model_is_another_run(tmp_path):
    config = make_config(write_problems(tmp_path / "sums.jsonl"))
    loaded = make_loaded(config)
    carry_out(config, loaded, tmp_path / "run")
    with pytest.raises(ConflictError, match="model_sha256 is"):
        carry_out(config, replace(loaded, model_sha256="2" * 64), tmp_path / "run")


def test_repeats_have_seeds_of_their_own_and_give_coverage_and_votes(tmp_path):
    config = make_config(write_problems(tmp_path / "sums.jsonl"), repeats=8)
    summary, folder = evaluate(tmp_path, config=config)
    rows = rows_of(folder)
    assert len(rows) == summary["num_trials"] == 96
    seeds = {sample["seed"] for row in rows for sample in row["samples"]}
    assert len(seeds) == 96
    shares = [sum(row["grade"]["is_right"] for row in rows[at : at + 8]) / 8 for at in range(0, 96, 8)]
    assert summary["accuracy"]["value"] == pytest.approx(sum(shares) / 12)
    assert summary["coverage_at_k"][0] == pytest.approx(sum(shares) / 12)
    assert summary["coverage_at_k"][-1] == pytest.approx(sum(share > 0 for share in shares) / 12)
    assert summary["majority_at_k"][0] == pytest.approx(sum(shares) / 12)
    assert len(summary["majority_at_k"]) == 8


def test_a_request_that_fails_is_an_error_and_no_wrong_answer_and_can_be_retried(tmp_path):
    class Failing:
        """Fails on some, until it is mended."""

        def __init__(self, engine):
            self._engine, self.context_tokens, self.is_broken = engine, engine.context_tokens, True

        def fingerprint(self):
            return self._engine.fingerprint()

        def generate(self, requests):
            for sample in self._engine.generate(requests):
                if self.is_broken and sample.key.startswith(("p003", "p007")):
                    sample = replace(sample, ids=(), events=(), finish_reason="error", error="the device is gone")
                yield sample

    config = make_config(write_problems(tmp_path / "sums.jsonl"))
    engine = Failing(make_loaded(config).engine)
    summary, folder = evaluate(tmp_path, engine=engine)
    assert (summary["num_done"], summary["num_failed"], summary["accuracy"]["num_graded"]) == (12, 2, 10)
    assert summary["grading_rules"]["error"] == 2
    failed = [row for row in rows_of(folder) if row["error"]]
    assert [(row["problem"], row["grade"], row["error"]) for row in failed] == [
        ("p003", None, "the device is gone"),
        ("p007", None, "the device is gone"),
    ]
    engine.is_broken = False
    summary, _ = evaluate(tmp_path, engine=engine)
    assert summary["num_failed"] == 2  # nothing is retried unasked
    summary, _ = evaluate(tmp_path, engine=engine, retry_failed=True)
    assert (summary["num_done"], summary["num_failed"]) == (12, 0)
    _, whole = evaluate(tmp_path, name="whole")
    assert without_times(rows_of(folder)) == without_times(rows_of(whole))


def test_a_cap_that_leaves_no_room_to_answer_is_refused_before_anything_is_written(tmp_path):
    config = make_config(
        write_problems(tmp_path / "sums.jsonl"),
        method={"name": "budget_forcing", "forcing": {"max_thinking_tokens": 500}},
    )
    with pytest.raises(ConfigError, match=r"max_thinking_tokens=500 leaves no room to answer: .* use \d+ or less"):
        evaluate(tmp_path, config=config)
    assert not (tmp_path / "run").exists()


def test_an_error_in_grading_ends_the_run_and_keeps_what_was_stored(tmp_path, monkeypatch):
    config = make_config(write_problems(tmp_path / "sums.jsonl"))
    calls = []

    def grade_many(items, verifier):
        calls.append(len(items))
        if sum(calls) > 6:
            raise RuntimeError("the judge left")
        return original(items, verifier)

    from inference.evaluation import grading

    original = grading.grade_many
    monkeypatch.setattr(grading, "grade_many", grade_many)
    monkeypatch.setattr(grading, "_BATCH", 1)
    with pytest.raises(RuntimeError, match="the judge left"):
        evaluate(tmp_path, config=config)
    assert len(rows_of(tmp_path / "run")) == 6
    monkeypatch.undo()
    assert evaluate(tmp_path, config=config)[0]["is_complete"]


def test_the_caller_is_told_of_each_outcome_in_its_own_thread_and_may_end_the_run(tmp_path):
    threads = []

    def on_outcome():
        threads.append(threading.current_thread())
        if len(threads) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(tmp_path, on_outcome=on_outcome)
    assert threads == [threading.main_thread()] * 4
    assert len(rows_of(tmp_path / "run")) == 4
    seen = []
    summary, _ = evaluate(tmp_path, on_outcome=lambda: threads.append(None), on_progress=seen.append)
    assert summary["is_complete"]
    assert threads.count(None) == 8
    assert (seen[0].requests, seen[-1].requests) == (0, 8)
