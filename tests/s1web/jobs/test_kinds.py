"""The table of kinds against what it names by string: tasks, queues, work and planners."""

import inspect
import json
import subprocess
import sys

import pytest

from curation.errors import NotFoundError
from s1web.jobs.kinds import KINDS, QUEUES, find_kind
from s1web.plans import RESOURCES
from tests.processes import ROOT, Project


def printed_by(project: Project, code: str) -> object:
    done = project.python("-c", code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_workers_have_exactly_the_tasks_that_the_kinds_name(make_project):
    code = """
import json
from s1web.celery import app
app.loader.import_default_modules()
tasks = sorted(name for name in app.tasks if not name.startswith("celery."))
routes = {name: app.amqp.router.route({}, name)["queue"].name for name in tasks}
print(json.dumps(routes))
"""
    found = printed_by(make_project("sqlite"), code)
    assert isinstance(found, dict)
    assert {name: found[name] for name in found if name in {kind.task for kind in KINDS.values()}} == {
        kind.task: kind.queue for kind in KINDS.values()
    }
    # others than those of jobs are the beat's
    assert all(name.startswith("workers.schedule.") for name in set(found) - {kind.task for kind in KINDS.values()})


def test_the_table_loads_neither_the_work_nor_celery():
    code = (
        "import os, sys, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 's1web.settings'\ndjango.setup()\n"
        "import s1web.jobs.kinds, s1web.jobs.services\n"
        "print([name for name in sys.modules if name.endswith('.work') or name in ('celery', 'pyarrow', 'tokenizers')"
        " or name.split('.')[0] == 'workers'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_a_kind_names_is_there_and_takes_what_is_passed(kind):
    assert kind.queue in QUEUES
    assert kind.label
    assert list(inspect.signature(kind.load_work()).parameters) == ["params", "report"] or kind.name.startswith(
        "trial"
    )
    inspect.signature(kind.load_work()).bind({}, lambda *a, **k: None)
    inspect.signature(kind.load_plan()).bind({})
    assert all(rate > 0 for rate in kind.rates.values())
    assert kind.rates, "an estimate of the time needs a rate to start from"


def test_kinds_have_names_and_tasks_of_their_own():
    assert all(name == kind.name for name, kind in KINDS.items())
    assert len({kind.task for kind in KINDS.values()}) == len(KINDS)


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(NotFoundError, match="no kind of job 'lenghts'; there are load_pool, load_benchmark, "):
        find_kind("lenghts")


def test_resources_have_a_unit_for_people():
    assert set(RESOURCES) == {"rows", "tokens", "requests", "money", "seconds"}
    assert all(RESOURCES.values())
