"""Evaluation as a function of JSON: a command runs it in place, a worker as a job."""

from collections.abc import Callable
from typing import Any

from inference.evaluation.config import config_from_json
from s1web.experiments.estimate import most_of_a_trial
from s1web.experiments.models import EvaluationRun
from s1web.experiments.naming import check_name, default_name
from s1web.experiments.services import check_same_run, evaluate, find_benchmark
from s1web.plans import Plan
from s1web.progress import Report

Params = dict[str, Any]
# engines that ask a model elsewhere: their jobs need no device
ENDPOINTS = ("openai",)


def evaluation(params: Params, report: Report) -> Params:
    """Evaluate a model on a benchmark.

    Args:
        params: config (`inference.evaluation.config`); optional name, retry_failed, made_by.
    """
    return evaluate_until(params, report, lambda: False)


def evaluate_until(params: Params, report: Report, should_stop: Callable[[], bool]) -> Params:
    """The same, until `should_stop` says so; what is begun then is finished."""
    return evaluate(
        config_from_json(params["config"]),
        name=params.get("name", ""),
        made_by=params.get("made_by", ""),
        retry_failed=bool(params.get("retry_failed", False)),
        on_progress=report,
        should_stop=should_stop,
    )


def plan_evaluation(params: Params) -> Plan:
    """The trials that are left, and at most how many requests and tokens they take; no model is loaded."""
    config = config_from_json(params["config"])
    name = params.get("name", "") or default_name(config)
    check_name(name)
    benchmark = find_benchmark(config)
    check_same_run(name, config, benchmark)
    num_trials = len(benchmark.problems[: config.limit]) * config.repeats
    run = EvaluationRun.objects.filter(name=name).first()
    done = 0 if run is None else run.num_done
    if run is not None and params.get("retry_failed"):
        done -= run.num_failed
    total = max(num_trials - done, 0)
    most = most_of_a_trial(config)
    notes = []
    if run is not None:
        notes.append(
            f"run {name} has {done:,} of {num_trials:,} trials done" + ("" if total else ": there is nothing to do")
        )
    spends = {"requests": float(total * most.requests)}
    if most.tokens is None:
        notes.append("tokens have no upper bound that is known here: give caps for thinking and answers")
    else:
        spends["tokens"] = float(total * most.tokens)
    if total:
        notes.append("requests and tokens are upper bounds")
    if config.greedy_repeats:
        notes.append("repeats of greedy samples are all the same; give a --temperature")
    return Plan(f"Evaluate {name}", total, "trials", spends, notes=tuple(notes))
