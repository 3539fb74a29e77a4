"""Export as a function of JSON: a command runs it in place, a worker as a job."""

from pathlib import Path
from typing import Any

from curation.errors import ConfigError
from s1web.exports.services import check_target, export_selection
from s1web.exports.templates import load_chat_template
from s1web.plans import Plan
from s1web.progress import Report
from s1web.selections.services import find_selection

Params = dict[str, Any]


def export(params: Params, report: Report) -> Params:
    """Write a selection as files.

    Args:
        params: selection, out_dir; optional layout, format, chat_template, allow_contaminated, overwrite.
    """
    _check(params)
    template = params.get("chat_template")
    exported = export_selection(
        find_selection(params["selection"]),
        Path(params["out_dir"]),
        layout=params.get("layout", "s1k"),
        file_format=params.get("format", "parquet"),
        render=load_chat_template(template) if template else None,
        allow_contaminated=params.get("allow_contaminated", ""),
        overwrite=bool(params.get("overwrite", False)),
        on_progress=report,
    )
    return {
        "selection": params["selection"],
        "folder": str(exported.folder),
        "data_file": str(exported.data_file),
        "rows": exported.rows,
        "layout": exported.layout,
        "format": exported.format,
        "seconds": exported.seconds,
    }


def plan_export(params: Params) -> Plan:
    """One row for each member."""
    _check(params)
    selection = find_selection(params["selection"])
    check_target(
        Path(params["out_dir"]),
        params.get("layout", "s1k"),
        params.get("format", "parquet"),
        bool(params.get("overwrite", False)),
    )
    title = f"Export {selection.name} as {params.get('layout', 's1k')} to {params['out_dir']}"
    return Plan(title, selection.size, "questions", {"rows": float(selection.size)})


def _check(params: Params) -> None:
    if params.get("chat_template") and params.get("layout") != "text":
        layout = params.get("layout", "s1k")
        raise ConfigError(f"--chat-template is for --layout text; {layout} has no rendered text")
