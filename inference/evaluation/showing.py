"""A run in a terminal: its progress, and its figures in a few lines."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from inference.evaluation.work import Progress


@contextmanager
def shown_progress(name: str, *, is_quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """A function that shows how far a run is, on standard error; where that is no terminal, nothing is shown."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, quiet=is_quiet)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None, figures="")

        def show(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total, figures=_figures(progress))

        yield show


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """The figures that are asked for first."""
    lines = [f"{summary['num_done']:,} of {summary['num_trials']:,} done"]
    if not summary["is_complete"]:
        lines[0] += "; run the same command again to go on"
    found = summary.get("accuracy")
    if found:
        lines.append(f"accuracy     {_percent(found['value'])}  {_interval(found['interval'])}")
        if found["num_graded"] < summary["num_done"]:
            lines.append(f"not graded   {summary['num_done'] - found['num_graded']:,}")
    statistics = summary.get("statistics")
    if statistics:
        tokens = statistics["thinking_tokens"]
        lines.append(f"thinking     {tokens['mean']:,.0f} tokens ({tokens['least']:,} to {tokens['most']:,})")
        lines.append(f"at the cap   {_percent(statistics['share_at_cap'])}")
        lines.append(f"no answer    {_percent(statistics['share_without_answer'])}")
    if summary["num_failed"]:
        lines.append(f"failed       {summary['num_failed']:,}; see `error` in samples.jsonl, or --retry-failed")
    lines.append(f"folder       {summary['folder']}")
    return lines


def curve_lines(curve: Mapping[str, Any]) -> list[str]:
    """Points by increasing compute, then the three metrics of each arm."""
    width = max(len(point["run"]) for point in curve["arms"]["all"]["points"])
    lines = [f"{'run':{width}}  {'thinking tokens':>24}  {'accuracy %':>20}"]
    for point in curve["arms"]["all"]["points"]:
        tokens, value = point["thinking_tokens"], point["accuracy"]
        lines.append(
            f"{point['run']:{width}}  {tokens['value']:>8,.0f} [{tokens['low']:,.0f}, {tokens['high']:,.0f}]".ljust(
                width + 28
            )
            + f"{100 * value['value']:>6.1f} {_interval(value)}"
        )
    for name, arm in curve["arms"].items():
        scaling = _metric(arm["scaling"]) + (" points per 1,000 tokens" if arm["scaling"] else "")
        lines.append(
            f"{name:10}  control {_metric(arm['control'], 100, ' %')}, scaling {scaling}, "
            f"performance {_metric(arm['performance'], unit=' %')}"
        )
    lines.append(f"{curve['num_problems']:,} problems" + _left_out(curve["num_left_out"]))
    return lines + [f"warning: {warning}" for warning in curve["warnings"]]


def _metric(interval: Mapping[str, float] | None, factor: float = 1, unit: str = "") -> str:
    if interval is None:
        return "none"
    low, high = factor * interval["low"], factor * interval["high"]
    return f"{factor * interval['value']:.1f}{unit} [{low:.1f}, {high:.1f}]"


def _left_out(count: int) -> str:
    return f"; {count:,} left out, which not every run has graded" if count else ""


def _figures(progress: Progress) -> str:
    parts = []
    if progress.graded:
        parts.append(f"{100 * progress.right / progress.graded:.1f}% right")
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    parts.append(f"{progress.sampled_tokens:,} tokens")
    return ", ".join(parts)


def _percent(share: float | None) -> str:
    return "not graded" if share is None else f"{100 * share:.1f} %"


def _interval(interval: Mapping[str, float] | None) -> str:
    return "" if interval is None else f"[{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]"
