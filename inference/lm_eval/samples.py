"""A run as lm-eval (0.4.13) logs one: `samples_TASK_TIME.jsonl` and `results_TIME.json`, in a folder of the model.

One request a problem; its repeats stand side by side in `resps`, as lm-eval's own do. A trial without a grade is left
out of the metric, never counted as wrong, and a document with none has null.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from curation.errors import InputError
from inference.benchmark_sources import Benchmark
from inference.benchmarks import Problem
from inference.evaluation.folder import PROMPTS, RUN, SAMPLES, SESSIONS, read_json, read_jsonl

FORMAT = "0.4.13"
# lm-eval's name for what was made of a response before it was compared
FILTER = "extracted"
# metric -> whether more is better
METRICS: dict[str, bool | None] = {"acc": True, "thinking_tokens": None}


def export_run(folder: Path, benchmark: Benchmark, out: Path) -> tuple[Path, Path]:
    """Write a run for lm-eval's readers; a second time gives the same files again.

    Args:
        benchmark: what the run was made of.
        out: what lm-eval calls `--output_path`.

    Returns:
        (results, samples).

    Raises:
        InputError: the folder holds no run or one of another benchmark, or a file cannot be written.
    """
    run = read_json(folder / RUN)
    made_of = run["benchmark"]
    if made_of["sha256"] != benchmark.sha256:
        raise InputError(
            f"{folder} was made of {made_of['name']} with hash {made_of['sha256'][:12]}, and {benchmark.source} has "
            f"{benchmark.sha256[:12]}; give the run's own with --benchmark FILE"
        )
    sessions = list(read_jsonl(folder / SESSIONS))
    if not sessions:
        raise InputError(f"{folder} was never begun; run python -m inference.evaluate first")
    prompts = {row["sha256"]: row["text"] for row in read_jsonl(folder / PROMPTS)}
    samples = sample_rows(run, benchmark.problems, list(read_jsonl(folder / SAMPLES)), prompts)
    begun = datetime.fromisoformat(sessions[-1]["begun_at"])
    results = results_of(run, samples, sessions, num_problems=len(benchmark.problems), date=begun.timestamp())
    stamp = begun.replace(tzinfo=None).isoformat().replace(":", "-")
    place = out / results["model_name_sanitized"]
    paths = place / f"results_{stamp}.json", place / f"samples_{_task(run)}_{stamp}.jsonl"
    texts = (
        json.dumps(results, indent=2, ensure_ascii=False),
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in samples),
    )
    try:
        place.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{place}: {error.strerror or error}; give a folder that can be written") from None
    return paths


def sample_rows(
    run: Mapping[str, Any],
    problems: Sequence[Problem],
    trials: Sequence[Mapping[str, Any]],
    prompts: Mapping[str, str],
) -> list[dict[str, Any]]:
    """A row for each problem that has a trial, in the benchmark's order.

    Args:
        run: as `run.json` holds it.
        trials: rows of `samples.jsonl`, in any order.
        prompts: hash -> text.
    """
    by_problem: dict[str, list[Mapping[str, Any]]] = {}
    for trial in sorted(trials, key=lambda trial: int(trial["repeat"])):
        by_problem.setdefault(trial["problem"], []).append(trial)
    return [
        _sample_row(run, doc_id, problem, by_problem[problem.key], prompts)
        for doc_id, problem in enumerate(problems)
        if problem.key in by_problem
    ]


def results_of(
    run: Mapping[str, Any],
    samples: Sequence[Mapping[str, Any]],
    sessions: Sequence[Mapping[str, Any]],
    *,
    num_problems: int,
    date: float,
) -> dict[str, Any]:
    """What lm-eval writes beside the samples.

    Args:
        date: when the run was begun, in seconds since 1970.
    """
    config, task = run["config"], _task(run)
    system = config["system"] or None
    template = run["prompts"]["template"]
    hashes = "".join(row["doc_hash"] + row["prompt_hash"] + row["target_hash"] for row in samples)
    metrics: dict[str, Any] = {"name": task, "alias": task, "sample_len": len(samples)}
    for metric in METRICS:
        mean, error = _mean_and_error([row[metric] for row in samples if row[metric] is not None])
        metrics |= {f"{metric},{FILTER}": mean, f"{metric}_stderr,{FILTER}": error}
    return {
        "results": {task: metrics},
        "group_subtasks": {},
        "configs": {
            task: {
                "task": task,
                "dataset_path": run["benchmark"]["source"],
                "output_type": "generate_until",
                "repeats": config["repeats"],
                "generation_kwargs": _generation_kwargs(run),
                "num_fewshot": 0,
                "metric_list": [{"metric": name, "higher_is_better": better} for name, better in METRICS.items()],
                "metadata": {"sha256": run["benchmark"]["sha256"]},
            }
        },
        "versions": {task: None},
        "n-shot": {task: 0},
        "higher_is_better": {task: METRICS},
        "n-samples": {task: {"original": num_problems, "effective": len(samples)}},
        "config": {
            "model": "s1web",
            "model_args": {"pretrained": config["model"], "engine": config["engine"], **config["engine_options"]},
            "batch_size": None,
            "batch_sizes": [],
            "device": None,
            "use_cache": None,
            "limit": config["limit"],
            "bootstrap_iters": 0,
            "gen_kwargs": _generation_kwargs(run),
            "random_seed": config["seed"],
            "numpy_seed": config["seed"],
            "torch_seed": config["seed"],
            "fewshot_seed": config["seed"],
            "s1web": {"run": run, "sessions": list(sessions)},
        },
        "git_hash": None,
        "date": date,
        "pretty_env_info": None,
        "transformers_version": sessions[-1]["fingerprint"].get("transformers"),
        "lm_eval_version": FORMAT,
        "upper_git_hash": None,
        "task_hashes": {task: _sha256(hashes)},
        "model_source": "s1web",
        "model_name": config["model"],
        # lm-eval's own rule
        "model_name_sanitized": re.sub(r"[\"<>:/|\\?*\[\]]+", "__", config["model"]),
        "system_instruction": system,
        "system_instruction_sha": None if system is None else _sha256(system),
        "fewshot_as_multiturn": None,
        "chat_template": template,
        "chat_template_sha": _sha256(template),
        "total_evaluation_time_seconds": None,
    }


def _sample_row(
    run: Mapping[str, Any],
    doc_id: int,
    problem: Problem,
    trials: Sequence[Mapping[str, Any]],
    prompts: Mapping[str, str],
) -> dict[str, Any]:
    doc = {"id": problem.key, "problem": problem.text, "answer": problem.answer, "choices": list(problem.choices)}
    grades = [None if trial["grade"] is None else trial["grade"]["is_right"] for trial in trials]
    finals = [None if trial["chosen"] is None else trial["candidates"][trial["chosen"]] for trial in trials]
    served = [trial["thinking_tokens"] for trial in trials if trial["error"] is None]
    answers = ["" if final is None else final["answer"] or "" for final in finals]
    return {
        "doc_id": doc_id,
        "doc": doc,
        "target": problem.answer,
        "arguments": {"gen_args_0": {"arg_0": prompts[trials[0]["prompt_sha256"]], "arg_1": _generation_kwargs(run)}},
        "resps": [["" if final is None else final["text"] for final in finals]],
        "filtered_resps": answers if len(answers) == 1 else [answers],
        "filter": FILTER,
        "metrics": list(METRICS),
        "doc_hash": _sha256(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": trials[0]["prompt_sha256"],
        "target_hash": _sha256(problem.answer),
        "acc": _mean([float(grade) for grade in grades if grade is not None]),
        "thinking_tokens": _mean(served),
    }


def _generation_kwargs(run: Mapping[str, Any]) -> dict[str, Any]:
    config = run["config"]
    sampling = {name: value for name, value in config["sampling"].items() if name != "seed"}
    ends = {"until": config["profile"]["stops"], "do_sample": sampling["temperature"] > 0}
    return {**ends, **sampling, **config["method"]}


def _task(run: Mapping[str, Any]) -> str:
    # lm-eval reads the task between the first and the last `_` of a file's name
    return re.sub(r"[^\w.-]+", "_", run["benchmark"]["name"])


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _mean_and_error(values: Sequence[float]) -> tuple[float | None, float | str]:
    """Mean and its standard error, which lm-eval writes as "N/A" where there is none."""
    mean = _mean(values)
    if mean is None or len(values) < 2:
        return mean, "N/A"
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
