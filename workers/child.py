"""python -m workers.child JOB CLAIM: does one job's work in a process of its own.

Started by a worker (`workers.supervision`), which holds the other end of standard input: when the worker dies, that
closes, and so does this.
"""

import logging
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import django

log = logging.getLogger("job")
# how often the job's row is told; chunks may be smaller
_WRITE_SECONDS = 0.3
# how often the log is
_LOG_SECONDS = 5.0
# the rate is that of about so many seconds before
_RATE_SECONDS = 15.0


class Ended(BaseException):
    """The job was stopped or taken away: leave, write nothing more. No Exception, so that no work catches it."""


class AtCap(BaseException):
    """The job has spent what it may."""


class Progress:
    """Reports of the work to the job's row, thinned out; ends the work where the job is no longer ours.

    Args:
        job: as it stood before this start: what earlier ones have done and spent counts.
    """

    def __init__(self, claim: Any, job: Any) -> None:
        self._claim = claim
        self._unit = str(job.plan.get("unit", ""))
        self._base: dict[str, float] = dict(job.spent)
        self._caps: dict[str, float] = dict(job.caps)
        # work that skips what is done counts what is left: then the start of the count is the difference
        self._first_total: int = job.total if job.num_starts > 1 else 0
        self._marks: list[tuple[float, int]] = []
        self._written = self._logged = 0.0
        self._last: tuple[int, int, dict[str, float]] | None = None

    def __call__(self, done: int, total: int, /, **spent: float) -> None:
        now = time.monotonic()
        if total and self._first_total > total:
            done, total = done + self._first_total - total, self._first_total
        together = self._base | {name: self._base.get(name, 0) + amount for name, amount in spent.items()}
        self._last = (done, total, together)
        over = [name for name, most in self._caps.items() if together.get(name, 0) >= most]
        # whoever has done all by now has stayed within them
        is_over = bool(over) and not (total and done >= total)
        if is_over or now - self._written >= _WRITE_SECONDS:
            self._write(now)
        if is_over:
            name = over[0]
            raise AtCap(
                f"stopped at its cap of {self._caps[name]:,.10g} {name} ({together[name]:,.10g} spent); "
                "resume it with a higher one"
            )

    def flush(self) -> None:
        """Write what was reported last."""
        if self._last is not None:
            self._write(time.monotonic())

    def _write(self, now: float) -> None:
        from s1web.jobs import transitions

        assert self._last is not None
        done, total, spent = self._last
        # a second start begins with what the first had done: only steps forward count
        while self._marks and now - self._marks[0][0] > _RATE_SECONDS and len(self._marks) > 2:
            self._marks.pop(0)
        if self._marks and done < self._marks[-1][1]:
            self._marks.clear()
        self._marks.append((now, done))
        since, before = self._marks[0]
        rate = (done - before) / (now - since) if now > since else 0.0
        if not transitions.progress(self._claim, done=done, total=total, rate=round(rate, 3), spent=spent):
            raise Ended("the job was stopped or given to another worker")
        self._written = now
        if now - self._logged >= _LOG_SECONDS:
            self._logged = now
            share = f" of {total:,}" if total else ""
            log.info("%s%s %s%s", f"{done:,}", share, self._unit, f", {rate:,.0f}/s" if rate else "")


def main(job_id: int, token: str) -> int:
    """Do the work and write how it ended; the exit code is for the log alone."""
    started = time.monotonic()
    threading.Thread(target=_leave_with_the_worker, daemon=True).start()
    signal.signal(signal.SIGTERM, _on_stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stdout)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s1web.settings")
    django.setup()

    from curation.errors import S1WebError
    from s1web.errors import error_line, is_passing
    from s1web.jobs import transitions
    from s1web.jobs.kinds import find_kind

    claim = transitions.Claim(job_id, token)

    def elapsed() -> float:
        return round(time.monotonic() - started, 3)

    try:
        job = transitions.find(claim)
        if job is None:
            log.warning("the job was stopped or given to another worker before this start")
            return 0
        log.info("start %s on %s, version %s: %s", job.num_starts, job.worker, job.version, job.title)
        progress = Progress(claim, job)
        try:
            params = job.params
            if job.num_starts > 1 and params.get("limit") is not None:
                # a limit is one of the job, not of each of its starts
                params = params | {"already": job.done}
            result = find_kind(job.kind).load_work()(params, progress)
            progress.flush()
        except AtCap as error:
            log.warning("%s", error)
            transitions.hold(claim, str(error), seconds=elapsed())
            return 0
        except Exception as error:
            if is_passing(error):
                # the worker sees the exit code and lets the job go on from its last chunk
                log.exception("the database went away")
                return 1
            if isinstance(error, S1WebError):
                log.error("%s", error_line(error))
            else:
                log.exception("the work failed")
            transitions.fail(claim, error_line(error), seconds=elapsed())
            return 0
        if transitions.finish(claim, result, seconds=elapsed()):
            log.info("done")
    except Ended as error:
        log.warning("%s", error)
    return 0


def _on_stop(number: int, frame: FrameType | None) -> None:
    raise Ended("stopped as asked")


def _leave_with_the_worker() -> None:
    # the worker writes nothing: a read returns when it is gone
    os.read(sys.stdin.fileno(), 1)
    if os.getpgrp() == os.getpid():
        # with all helpers that the work has started
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
