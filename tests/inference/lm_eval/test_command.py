"""lm-eval's command line with our model in it, in a process of its own: results, samples, and what was forced."""

import hashlib
import json
from pathlib import Path

import pytest

from inference.export_lm_eval import main
from tests.inference.evaluation.runs import evaluate
from tests.inference.lm_eval.tasks import NAME, QUESTIONS, ids_of, lm_eval, save_model, write_task


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(results, samples, our own log) of one evaluation with two Waits."""
    folder = tmp_path_factory.mktemp("lm_eval")
    model, task = save_model(folder / "model"), write_task(folder / "task")
    values = f"pretrained={model},num_ignore=2,max_thinking_tokens=40,samples_log={folder / 'log' / 'forced.jsonl'}"
    ran = lm_eval(
        folder,
        *("--model", "s1web", "--model_args", values),
        *("--tasks", NAME, "--include_path", task, "--apply_chat_template"),
        *("--output_path", folder / "out", "--log_samples"),
    )
    assert ran.returncode == 0, ran.stderr
    (results,) = (folder / "out").rglob("results_*.json")
    (samples,) = (folder / "out").rglob(f"samples_{NAME}_*.jsonl")
    rows = [[json.loads(line) for line in path.open()] for path in (samples, folder / "log" / "forced.jsonl")]
    return json.loads(results.read_text()), *rows


def test_the_task_is_graded_by_lm_eval_on_the_answers_alone(done):
    results, samples, _ = done
    assert results["results"][NAME]["exact_match,none"] == 1.0
    assert [row["resps"] for row in samples] == [[["42"]]] * len(QUESTIONS)
    assert results["model_source"] == "s1web"


def test_every_generation_has_the_ids_that_the_forcing_asks_for(done):
    _, samples, log = done
    thought, wait = ids_of("zy"), ids_of("Wait")
    assert len(thought) == 2
    expected = [*thought, *wait, *thought, *wait, *thought, *ids_of("<|im_start|>answer"), *ids_of("\n42")]
    assert [row["ids"] for row in log] == [expected] * len(samples)
    assert {row["thinking"] for row in log} == {"zyWaitzyWaitzy"}


def test_results_say_how_the_model_was_forced_and_what_that_came_to(done):
    results, _, log = done
    told = results["config"]["s1web"]
    assert told["forcing"]["num_ignore"] == 2
    assert told["engine"]["engine"] == "transformers"
    assert told["totals"] == {
        "requests": len(log),
        "thinking_tokens": sum(row["thinking_tokens"] for row in log),
        "answer_tokens": sum(row["answer_tokens"] for row in log),
        "sampled_tokens": sum(row["sampled_tokens"] for row in log),
        "suppressed_ends": 2 * len(log),
        "forced_ends": 0,
    }


def test_rows_of_our_log_are_found_by_lm_evals_own_document_and_prompt_hash(done):
    _, samples, log = done
    ours = {(row["task"], row["doc_id"]): row["prompt_hash"] for row in log}
    assert ours == {(NAME, row["doc_id"]): row["prompt_hash"] for row in samples}
    prompt = samples[0]["arguments"]["gen_args_0"]["arg_0"]
    assert hashlib.sha256(prompt.encode()).hexdigest() == samples[0]["prompt_hash"]
    # asked with the chat template, and the start of thinking as ids behind it
    assert prompt == f"<|im_start|>user\n{QUESTIONS[0]}<|im_end|>\n<|im_start|>assistant\n"
    assert log[0]["prompt_tokens"] == len(ids_of(prompt)) + len(ids_of("<|im_start|>think"))


def test_our_export_has_the_fields_that_lm_eval_writes(done, tmp_path, capsys):
    results, samples, _ = done
    evaluate(tmp_path)
    assert main([str(tmp_path / "run"), str(tmp_path / "out")]) == 0
    ours = [Path(path) for path in capsys.readouterr().out.split()]
    told = json.loads(ours[0].read_text())
    # of a tokenizer that was loaded for the evaluation lm-eval says more
    beside = {"tokenizer_pad_token", "tokenizer_eos_token", "tokenizer_bos_token", "eot_token_id", "max_length"}
    assert set(told) == set(results) - beside
    assert set(told["config"]) == set(results["config"])
    kind = {f"{metric},extracted" for metric in ("acc", "acc_stderr", "thinking_tokens", "thinking_tokens_stderr")}
    assert set(told["results"]["sums"]) - kind == {
        key for key in results["results"][NAME] if not key.startswith("exact_match")
    }
    row = json.loads(ours[1].read_text().splitlines()[0])
    assert set(row) - {"acc", "thinking_tokens"} == set(samples[0]) - {"exact_match"}
    shared = set(row) & set(samples[0]) - {"doc"}
    assert {key: shape(row[key]) for key in shared} == {key: shape(samples[0][key]) for key in shared}


def shape(value):
    """Kinds within a value, without the names and number of its entries."""
    if isinstance(value, list):
        return [shape(value[0])]
    return type(value).__name__


def test_a_task_that_compares_likelihoods_is_refused_in_one_line(tmp_path):
    changes = {"output_type": "multiple_choice", "doc_to_choice": ["41", "42"], "doc_to_target": 1}
    task = write_task(tmp_path / "task", **changes, generation_kwargs=None, metric_list=[{"metric": "acc"}])
    ran = lm_eval(
        tmp_path,
        *("--model", "s1web", "--model_args", f"pretrained={save_model(tmp_path / 'model')}"),
        *("--tasks", NAME, "--include_path", task),
    )
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        f"task {NAME} asks for loglikelihood, which forced thinking does not have; use a task of output_type "
        "generate_until, or one of lm-eval's own models (--model hf, --model vllm)"
    )
    assert "Traceback" not in ran.stderr
