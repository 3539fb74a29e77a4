"""What jobs leave behind: plans that nobody confirmed, log files that nobody reads any more."""

import logging
import time
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from s1web.jobs import transitions
from s1web.jobs.logs import log_path
from s1web.jobs.models import ENDED, Job

log = logging.getLogger(__name__)
_PLAN_AGE = timedelta(days=1)
_DAY_SECONDS = 24 * 3_600


def clean_up() -> tuple[int, int]:
    """Drop old plans and logs; returns how many of each."""
    num_plans = transitions.drop_plans(_PLAN_AGE)
    num_logs = _delete_logs(log_path(0).parent, settings.JOB_LOG_DAYS)
    if num_plans or num_logs:
        log.info("%s plans that nobody confirmed were cancelled, %s old logs deleted", num_plans, num_logs)
    return num_plans, num_logs


def _delete_logs(folder: Path, days: int) -> int:
    """Delete logs that were last written to so long ago, of jobs that have ended or are gone."""
    oldest = time.time() - days * _DAY_SECONDS
    num_deleted = 0
    for path in folder.glob("*.log"):
        if not path.stem.isdecimal() or path.stat().st_mtime >= oldest:
            continue
        if not Job.objects.filter(pk=int(path.stem)).exclude(state__in=ENDED).exists():
            path.unlink(missing_ok=True)
            num_deleted += 1
    return num_deleted
