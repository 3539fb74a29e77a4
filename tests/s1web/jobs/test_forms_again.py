"""Forms filled in with an earlier job, to run it again."""

import pytest
from django.urls import reverse

from s1web.selections.models import Selection
from tests.factories import make_job
from tests.s1web.jobs.conftest import SignedIn
from tests.s1web.jobs.forms import ROWS, made, send
from tests.s1web.pools import write_lines

# --- again ---


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (
            "load_pool",
            {
                "pool_files": ["pool.jsonl"],
                "source": "mine",
                "mapping": "subject=domain\nquestion=question",
                "existing_only": "on",
            },
        ),
        ("load_benchmark", {"file": "pool.jsonl", "name": "b"}),
        ("annotate_lengths", {"tokenizer": "bpe", "name": "called so", "limit": "9"}),
        ("annotate_lengths", {"tokenizer": "Qwen/Qwen2.5-7B"}),
        ("annotate_contamination", {"limit": "5"}),
        ("curate", {"preset": "longest", "size": "7", "seed": "2", "name": "n"}),
        ("curate", {"preset": "own", "recipe": "size = 5\n[selection]\nmethod = 'longest'\n"}),
        ("export_selection", {"selection": "mine", "layout": "text", "format": "jsonl", "overwrite": "on"}),
        ("trial_cpu", {"seconds": "9"}),
    ],
)
def test_to_run_again_fills_the_form_in_so_that_it_makes_the_same_job(signed_in: SignedIn, import_dir, kind, values):
    write_lines(import_dir / "pool.jsonl", ROWS)
    write_lines(import_dir / "bpe" / "tokenizer.json", [{}])
    Selection.objects.create(name="mine", size=3, sha256="0" * 64)
    client = signed_in("operator")
    first = made(send(client, kind, **values))
    answer = client.get(reverse("jobs:new-of-kind", args=[kind]), {"like": first.pk})
    assert f"job {first.pk}</a> was, as far as a form can say it" in answer.content.decode()
    form = answer.context["form"]
    typed = {bound.name: bound.value() for bound in form if bound.value() not in (None, "", False)}
    assert made(send(client, kind, **typed)).params == first.params


def test_what_a_command_ran_elsewhere_is_filled_in_as_far_as_the_import_folder_goes(curator, import_dir, tmp_path):
    write_lines(import_dir / "pool.jsonl", ROWS)
    paths = [str(import_dir / "pool.jsonl"), str(tmp_path / "secret.jsonl"), "hf://a/b@c"]
    job = make_job("done", kind="load_pool", params={"paths": paths, "source": "s"})
    page = curator.get(f"/jobs/new/load_pool/?like={job.pk}").content.decode()
    assert 'value="pool.jsonl" id="id_pool_files_0" checked' in page
    assert 'value="hf://a/b@c"' in page
    assert "secret" not in page


def test_a_job_of_another_kind_is_no_pattern(curator, import_dir):
    job = make_job("done", kind="curate", params={"name": "from the other"})
    assert "from the other" not in curator.get(f"/jobs/new/load_benchmark/?like={job.pk}").content.decode()
