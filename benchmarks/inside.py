"""python -m benchmarks.inside CASE ...: what has to be measured inside a process of the project; prints JSON."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import django

# how often a waiting case looks at a job's row
_LOOK_SECONDS = 0.005
_WAIT_SECONDS = 60.0
# a trial that is cancelled long before it ends
_LONG_SECONDS = 600


def enqueue(count: int) -> dict[str, Any]:
    """Submit jobs one by one, each in its own transaction with its message; the baseline inserts their rows alone."""
    from s1web.jobs.models import Job
    from s1web.jobs.services import make_plan, submit

    params = {"seconds": 1}
    plan = make_plan("trial_cpu", params)
    values = {"kind": "trial_cpu", "queue": "cpu", "title": plan.title, "params": params, "plan": plan.to_json()}
    # what loads on first use is no part of a rate
    submit("trial_cpu", params)
    bare = _seconds(lambda: [Job.objects.create(**values) for _ in range(count)])
    ours = _seconds(lambda: [submit("trial_cpu", params) for _ in range(count)])
    return {
        "jobs": count,
        "jobs_per_second": round(count / ours),
        "baseline_bare_inserts_per_second": round(count / bare),
    }


def fill(count: int) -> dict[str, Any]:
    """Make so many queued jobs, of which every third is an import with long parameters."""
    from s1web.jobs.models import Job

    paths = [f"/data/pool/part-{number:05d}.parquet" for number in range(50)]
    jobs = []
    for number in range(count):
        kind, params = ("load_pool", {"paths": paths}) if number % 3 == 0 else ("annotate_contamination", {})
        plan = {"title": "", "total": 57_629, "unit": "rows", "spends": {"rows": 57_629.0}, "notes": []}
        title = f"Import part {number}" if number % 3 == 0 else "Compare the pool with math500"
        jobs.append(
            Job(
                kind=kind,
                queue="cpu",
                state="queued",
                place=number,
                title=title,
                params=params,
                plan=plan,
                total=57_629,
            )
        )
    Job.objects.bulk_create(jobs, batch_size=500)
    return {"jobs": Job.objects.filter(state="queued").count()}


def session() -> dict[str, Any]:
    """A signed-in user's session; its key."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    user = get_user_model().objects.create_superuser("benchmark")
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return {"session": store.session_key}


def first_progress(count: int) -> dict[str, Any]:
    """Seconds from submitting a small job to its first word of progress; the baseline starts a bare child process."""
    from s1web.jobs.models import Job
    from s1web.jobs.services import submit

    _wait(_is_listening)
    code = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 's1web.settings'; django.setup()"
    ours, bare = [], []
    for _ in range(count):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        bare.append(time.perf_counter() - started)
        started = time.perf_counter()
        pk = submit("trial_cpu", {"seconds": 1}).pk
        _wait(partial(_is_told_of, pk))
        ours.append(time.perf_counter() - started)
        _wait(Job.objects.filter(pk=pk, state="done").exists)
        # its worker is idle again
        time.sleep(0.5)
    return {"seconds": ours, "baseline_seconds": bare}


def cancelling(count: int) -> dict[str, Any]:
    """Seconds from cancelling a running job to its end; the baseline ends a bare process by a signal."""
    from s1web.jobs import transitions
    from s1web.jobs.models import Job
    from s1web.jobs.services import submit

    _wait(_is_listening)
    ours, bare = [], []
    for _ in range(count):
        process = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"], stdout=-1, stdin=-1)
        assert process.stdout is not None
        process.stdout.readline()
        started = time.perf_counter()
        process.terminate()
        process.wait()
        bare.append(time.perf_counter() - started)
        job = submit("trial_cpu", {"seconds": _LONG_SECONDS})
        _wait(Job.objects.filter(pk=job.pk, done__gte=1).exists)
        started = time.perf_counter()
        transitions.cancel(job)
        _wait(Job.objects.filter(pk=job.pk, state="cancelled").exists)
        ours.append(time.perf_counter() - started)
    return {"seconds": ours, "baseline_seconds": bare}


def _is_told_of(pk: int) -> bool:
    from s1web.jobs.models import Job

    # the start writes one time into both; the first report a later one
    row = Job.objects.values("started_at", "heartbeat_at").get(pk=pk)
    return row["heartbeat_at"] is not None and row["heartbeat_at"] != row["started_at"]


def _is_listening() -> bool:
    from s1web.jobs.dispatch import listening

    return bool(listening("cpu"))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _wait(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            from s1web.jobs.models import Job

            names = ("pk", "state", "done", "num_starts", "num_losses", "worker", "note", "error")
            raise TimeoutError(
                f"nothing happened in {_WAIT_SECONDS:.0f} s: {Job.objects.order_by('-pk').values(*names)[:3]}"
            )
        time.sleep(_LOOK_SECONDS)


_CASES: dict[str, Callable[..., dict[str, Any]]] = {
    "enqueue": enqueue,
    "fill": fill,
    "session": session,
    "first_progress": first_progress,
    "cancelling": cancelling,
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s1web.settings")
    django.setup()
    name, *numbers = sys.argv[1:]
    print(json.dumps(_CASES[name](*map(int, numbers))))


if __name__ == "__main__":
    main()
