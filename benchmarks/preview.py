"""The preview of a recipe: the time of an answer after one parameter changed, against a whole run of the recipe."""

from pathlib import Path
from typing import Any

from benchmarks import pools
from benchmarks.browse import SHORT_TOKENS
from benchmarks.cases import fresh_database
from benchmarks.measure import manage, python

# in one process, as in a web server's: the requests of the page itself, forms and templates included
_REQUESTS = """
import json, os, statistics, sys, time
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "s1web.settings"
django.setup()
from django.conf import settings
settings.ALLOWED_HOSTS.append("testserver")
from django.contrib.auth.models import User
from django.test import Client
from curation.presets import PRESETS
from s1web.selections import preview as previews
from s1web.selections.preview import Asked, make_preview
from s1web.selections.recipe_form import RecipeForm
from s1web.roles import set_role

repeats = int(sys.argv[1])
user = User.objects.create_user("benchmark")
set_role(user, "curator")
client = Client()
client.force_login(user)

started = time.perf_counter()
make_preview(Asked(PRESETS["paper"]))
first = time.perf_counter() - started

form = RecipeForm.of(PRESETS["paper"])
base = {name: form[name].value() for name in form.fields if name != "toml"}
base = {name: value for name, value in base.items() if value is not None and value is not False} | {"mode": "fields"}
CHANGES = {
    "seed": lambda n: {"seed": n + 1},
    "size": lambda n: {"size": 500 + n},
    "difficulty": lambda n: {"drop_solved_by": [["large"], ["small"], []][n % 3], "seed": n},
    "formatting": lambda n: {"rules": ["formatting.asy"], "seed": n},
    "annotation": lambda n: {"requires": ["domain", "trace_length"], "seed": n},
    "decontamination_off": lambda n: {"decontaminate": [], "seed": n},
    "long_math_tokens": lambda n: {"long_math_tokens": 4_000 + n},
    "released": lambda n: {"benchmark_weighted_after": 700, "seed": n},
    "random": lambda n: {"method": "random", "seed": n},
    "diverse": lambda n: {"method": "diverse", "seed": n},
    "longest": lambda n: {"method": "longest", "size": 500 + n},
    "full": lambda n: {"method": "full", "seed": n},
}
figures, everything, cpu, size = {}, [], [], 0
for name, change in CHANGES.items():
    seconds = []
    for number in range(repeats):
        started, cpu_before = time.perf_counter(), time.process_time()
        answer = client.post("/curate/preview/", base | change(number))
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - cpu_before)
        assert answer.status_code == 200
        assert b"would be selected" in answer.content, answer.content[:500]
        size = max(size, len(answer.content))
    everything += seconds
    figures[name] = round(1000 * statistics.median(seconds), 1)
everything.sort()
print(json.dumps({
    "first_seconds": round(first, 3),
    "after_a_change_ms": {
        "median": round(1000 * statistics.median(everything), 1),
        "p95": round(1000 * everything[int(0.95 * len(everything))], 1),
        "max": round(1000 * everything[-1], 1),
    },
    # what the answers cost without others on the same cores
    "cpu_ms_median": round(1000 * statistics.median(cpu), 1),
    "median_ms_by_change": figures,
    "answer_kb": round(size / 1024, 1),
}))
"""
_REPEATS = 10


def measure(folder: Path, num_rows: int) -> dict[str, Any]:
    """Previews of a pool of so many rows; the goal is an answer within 500 ms of one changed parameter."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = pools.write_pool(folder / "pool", num_rows, with_traces=True, mean_tokens=SHORT_TOKENS)
    environment = fresh_database(folder / "database")
    manage(environment, "load_pool", str(pool))
    manage(environment, "load_benchmark", str(pools.write_benchmark(folder / "benchmark.jsonl")), "--name", "all")
    manage(environment, "annotate", "contamination")
    run = manage(environment, "curate", "--preset", "paper")
    found = python(environment, _REQUESTS, str(_REPEATS)).output
    return {"rows": num_rows, **found, "baseline_whole_run_seconds": run.output["seconds"]}
