"""Runs in lm-eval's log format, held against what lm-eval itself writes and reads."""

import hashlib
import json
import re

import pytest
from lm_eval.api.metrics import mean_stderr
from lm_eval.utils import (
    get_file_datetime,
    get_file_task_name,
    get_results_filenames,
    get_sample_results_filenames,
    hash_string,
    make_table,
    sanitize_model_name,
)

from inference.evaluation.folder import SAMPLES
from inference.export_lm_eval import main
from tests.inference.evaluation.runs import evaluate, make_config, rows_of, write_problems


def export(tmp_path, capsys, *options, name="run"):
    """(results, samples, their paths)."""
    assert main([str(tmp_path / name), str(tmp_path / "out"), *options]) == 0
    paths = capsys.readouterr().out.split()
    results, samples = (next((tmp_path / "out").rglob(path.rpartition("/")[2])) for path in paths)
    return json.loads(results.read_text()), [json.loads(line) for line in samples.open()], paths


def test_every_problem_is_a_document_with_its_answer_and_its_grade(tmp_path, capsys):
    _, folder = evaluate(tmp_path)
    _, samples, _ = export(tmp_path, capsys)
    rows = rows_of(folder)
    assert [row["doc_id"] for row in samples] == list(range(12))
    assert [row["doc"]["id"] for row in samples] == [row["problem"] for row in rows]
    assert [row["acc"] for row in samples] == [float(row["grade"]["is_right"]) for row in rows]
    assert {0.0, 1.0} == {row["acc"] for row in samples}
    assert [row["thinking_tokens"] for row in samples] == [row["thinking_tokens"] for row in rows]
    assert [row["resps"] for row in samples] == [[[row["candidates"][0]["text"]]] for row in rows]
    assert [row["filtered_resps"] for row in samples] == [[row["candidates"][0]["answer"] or ""] for row in rows]
    first = samples[0]
    assert first["arguments"]["gen_args_0"]["arg_0"] == "Q: 0 + 0 = ?\n"
    assert first["target"] == "0"


def test_hashes_are_those_that_lm_eval_makes(tmp_path, capsys):
    evaluate(tmp_path)
    results, samples, _ = export(tmp_path, capsys)
    for row in samples:
        assert row["doc_hash"] == hash_string(json.dumps(row["doc"], indent=2, ensure_ascii=False))
        assert row["prompt_hash"] == hash_string(row["arguments"]["gen_args_0"]["arg_0"])
        assert row["target_hash"] == hash_string(row["target"])
    together = "".join(row["doc_hash"] + row["prompt_hash"] + row["target_hash"] for row in samples)
    assert results["task_hashes"] == {"sums": hashlib.sha256(together.encode()).hexdigest()}


def test_results_are_lm_evals_mean_and_error_of_the_samples(tmp_path, capsys):
    evaluate(tmp_path)
    results, samples, _ = export(tmp_path, capsys)
    told = results["results"]["sums"]
    for metric in ("acc", "thinking_tokens"):
        values = [row[metric] for row in samples]
        assert told[f"{metric},extracted"] == pytest.approx(sum(values) / len(values))
        assert told[f"{metric}_stderr,extracted"] == pytest.approx(mean_stderr(values))
    assert results["n-samples"] == {"sums": {"original": 12, "effective": 12}}


def test_lm_eval_finds_the_files_by_name_and_draws_its_table_of_them(tmp_path, capsys):
    evaluate(tmp_path)
    results, _, paths = export(tmp_path, capsys)
    assert get_results_filenames(paths) == paths[:1]
    assert get_sample_results_filenames(paths) == paths[1:]
    name = paths[1].rpartition("/")[2]
    assert get_file_task_name(name) == "sums"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}", get_file_datetime(name))
    assert results["model_name_sanitized"] == sanitize_model_name(results["model_name"]) == paths[0].split("/")[-2]
    told = results["results"]["sums"]["acc,extracted"]
    assert re.search(rf"\|sums *\|.*extracted.*acc.*{told:.4f}"[:-1], make_table(results))


def test_the_files_load_as_a_data_set(tmp_path, capsys):
    from datasets import load_dataset

    evaluate(tmp_path)
    _, samples, paths = export(tmp_path, capsys)
    loaded = load_dataset("json", data_files=paths[1], split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["prompt_hash"][:] == [row["prompt_hash"] for row in samples]


def test_repeats_stand_side_by_side_in_one_request(tmp_path, capsys):
    config = make_config(write_problems(tmp_path / "sums.jsonl"), repeats=3)
    _, folder = evaluate(tmp_path, config=config)
    _, samples, _ = export(tmp_path, capsys)
    rows = rows_of(folder)
    assert len(samples) == 12
    mine = [row for row in rows if row["problem"] == "p001"]
    assert samples[1]["resps"] == [[row["candidates"][0]["text"] for row in mine]]
    assert len(samples[1]["filtered_resps"][0]) == 3
    assert samples[1]["acc"] == pytest.approx(sum(row["grade"]["is_right"] for row in mine) / 3)


def test_a_trial_that_was_not_graded_is_null_and_in_no_mean(tmp_path, capsys):
    _, folder = evaluate(tmp_path)
    rows = rows_of(folder)
    rows[0]["grade"]["is_right"] = None
    rows[1] |= {"grade": None, "error": "the address refused", "chosen": None, "candidates": []}
    (folder / SAMPLES).write_text("".join(json.dumps(row) + "\n" for row in rows))
    results, samples, _ = export(tmp_path, capsys)
    assert [samples[0]["acc"], samples[1]["acc"]] == [None, None]
    assert (samples[1]["resps"], samples[1]["thinking_tokens"]) == ([[""]], None)
    graded = [row["acc"] for row in samples[2:]]
    assert results["results"]["sums"]["acc,extracted"] == pytest.approx(sum(graded) / len(graded))


def test_an_unfinished_run_keeps_each_documents_place(tmp_path, capsys):
    _, folder = evaluate(tmp_path)
    rows = rows_of(folder)[4:7]
    (folder / SAMPLES).write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)))
    results, samples, _ = export(tmp_path, capsys)
    assert [row["doc_id"] for row in samples] == [4, 5, 6]
    assert results["n-samples"] == {"sums": {"original": 12, "effective": 3}}


def test_a_run_without_samples_has_no_mean(tmp_path, capsys):
    _, folder = evaluate(tmp_path)
    (folder / SAMPLES).write_text("")
    results, samples, _ = export(tmp_path, capsys)
    assert samples == []
    assert results["results"]["sums"]["acc,extracted"] is None


def test_a_second_export_gives_the_same_files(tmp_path, capsys):
    evaluate(tmp_path)
    assert export(tmp_path, capsys) == export(tmp_path, capsys)


def test_a_benchmark_that_moved_is_named_and_another_one_refused(tmp_path, capsys):
    evaluate(tmp_path)
    moved = (tmp_path / "sums.jsonl").rename(tmp_path / "elsewhere.jsonl")
    assert main([str(tmp_path / "run"), str(tmp_path / "out")]) == 1
    assert "is neither known nor a file" in capsys.readouterr().err
    other = write_problems(tmp_path / "other.jsonl", 5)
    assert main([str(tmp_path / "run"), str(tmp_path / "out"), "--benchmark", str(other)]) == 1
    assert "give the run's own with --benchmark FILE" in capsys.readouterr().err
    _, samples, _ = export(tmp_path, capsys, "--benchmark", str(moved))
    assert len(samples) == 12


def test_a_folder_that_holds_no_run_is_one_line(tmp_path, capsys):
    assert main([str(tmp_path), str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.strip().endswith("give the folder of a run")
