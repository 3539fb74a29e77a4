"""What is read of runs and their samples; nothing here writes."""

import json
from pathlib import Path
from typing import Any

from curation.errors import ConflictError, NotFoundError
from inference.evaluation.folder import SAMPLES
from s1web.experiments.models import EvaluationRun, Sample

_MOST_NAMES = 10


def find_run(name: str) -> EvaluationRun:
    """The run of that name.

    Raises:
        NotFoundError: there is none; the message lists the newest ones.
    """
    found = EvaluationRun.objects.filter(name=name).first()
    if found is None:
        raise NotFoundError(f"no run {name!r:.140} ({_there()}); make one with evaluate")
    return found


def find_folders(names: list[str]) -> list[Path]:
    """Where runs lie, each given by its name or as a folder.

    Raises:
        NotFoundError: one is neither.
    """
    known = {run.name: run.folder for run in EvaluationRun.objects.filter(name__in=names)}
    folders = []
    for name in names:
        folder = known.get(name, Path(name))
        if name not in known and not folder.is_dir():
            raise NotFoundError(f"no run {name!r:.140} ({_there()}), and no folder either; give names or folders")
        folders.append(folder)
    return folders


def read_line(sample: Sample) -> dict[str, Any]:
    """All that is known of a sample: its line of samples.jsonl, with ids and events.

    Raises:
        NotFoundError: the file is not there.
        ConflictError: the file was changed since, and does not hold it there.
    """
    path = sample.run.folder / SAMPLES
    try:
        with path.open("rb") as file:
            file.seek(sample.offset)
            data = file.read(sample.length)
    except OSError as error:
        raise NotFoundError(f"{path}: {error.strerror or error}; put it back, or set ARTIFACT_DIR") from None
    try:
        line = json.loads(data)
        if (line["problem"], line["repeat"]) == (sample.problem_key, sample.repeat):
            found: dict[str, Any] = line
            return found
    except (ValueError, TypeError, KeyError):
        pass
    raise ConflictError(
        f"{path} has changed: {sample.problem_key}/{sample.repeat} is not at byte {sample.offset:,}; "
        "run the same evaluate command again, which brings its rows in step"
    )


def _there() -> str:
    names = EvaluationRun.objects.order_by("-pk").values_list("name", flat=True)[:_MOST_NAMES]
    return f"there: {', '.join(names) or 'none yet'}"
