"""The log file of a job: what its processes printed, over all its starts."""

from pathlib import Path

from django.conf import settings

_TAIL_BYTES = 16_384


def log_path(job_id: int) -> Path:
    """Where it lies; in a team, the artifact folder is one that web and workers share."""
    folder: Path = settings.ARTIFACT_DIR
    return folder / "jobs" / f"{job_id}.log"


def tail(job_id: int, num_bytes: int = _TAIL_BYTES) -> str:
    """The log's last lines, whole ones; empty where there is none, or on a host that does not share the folder."""
    try:
        with log_path(job_id).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - num_bytes, 0))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return text.partition("\n")[2] if size > num_bytes else text
