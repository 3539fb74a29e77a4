"""From a form to a planned job: what is offered, what is refused, and that no path leads out of the import folder."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from curation.errors import ConfigError
from curation.presets import PRESETS, recipe_from_toml
from s1web import imports
from s1web.jobs import services
from s1web.jobs.forms import FORMS, form_of
from s1web.jobs.kinds import KINDS
from s1web.jobs.models import Job
from s1web.selections.models import Selection
from tests.factories import make_job, make_presence
from tests.s1web.jobs.conftest import SignedIn
from tests.s1web.jobs.forms import ROWS, made, refused, send
from tests.s1web.pools import load_problems, load_rows, write_lines

# --- kinds and rights ---


def test_every_kind_but_evaluations_has_a_form_that_says_what_its_job_does():
    # those are asked for by commands: a form could name any path and address for the server to open
    assert set(KINDS) - set(FORMS) == {"evaluate", "evaluate_endpoint"}
    assert set(FORMS) <= set(KINDS)
    for kind in FORMS:
        form = form_of(kind)
        assert form.summary.endswith(".")
        assert set(form.advanced) <= set(form.base_fields)


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_is_for_who_may_submit_that_kind(signed_in: SignedIn, import_dir, kind):
    address = reverse("jobs:new-of-kind", args=[kind])
    needed = "operator" if kind in ("trial_cpu", "trial_gpu", "export_selection") else "curator"
    for role in ("viewer", "reviewer", "curator", "operator"):
        is_allowed = role == "operator" or (role == "curator" and needed == "curator")
        client = signed_in(role)
        assert client.get(address).status_code == (200 if is_allowed else 403)
        if not is_allowed:
            assert client.post(address, {"seconds": 1}).status_code == 403
        chooser = client.get("/jobs/new/").content.decode()
        assert (f'href="{address}"' in chooser) == is_allowed
    assert not Job.objects.exists()


def test_a_kind_that_is_not_there_or_has_no_form_is_404_and_not_offered(signed_in: SignedIn, monkeypatch):
    client = signed_in("admin")
    assert client.get("/jobs/new/nonsense/").status_code == 404
    monkeypatch.delitem(FORMS, "trial_cpu")
    assert client.get("/jobs/new/trial_cpu/").status_code == 404
    assert "Trial (cpu)" not in client.get("/jobs/new/").content.decode()
    job = make_job("done")
    assert "Run again" not in client.get(f"/jobs/{job.pk}/").content.decode()


def test_a_form_says_before_anything_else_that_nobody_would_take_the_job(signed_in: SignedIn):
    client = signed_in("operator")
    page = client.get("/jobs/new/trial_gpu/").content.decode()
    assert "It would wait, as no worker listens on queue gpu" in page
    assert "No worker on queue gpu now." in client.get("/jobs/new/").content.decode()
    make_presence("gpu@here", queues=["gpu"])
    assert "no worker listens" not in client.get("/jobs/new/trial_gpu/").content.decode()


# --- import ---


def test_an_import_is_planned_shown_and_confirmed(curator, import_dir):
    write_lines(import_dir / "sets" / "pool.jsonl", ROWS)
    page = curator.get("/jobs/new/load_pool/").content.decode()
    assert 'value="sets/pool.jsonl"' in page
    job = made(
        send(
            curator,
            "load_pool",
            pool_files=["sets/pool.jsonl"],
            source="mine",
            mapping=" subject=domain \n\nquestion=question\n",
            existing_only="on",
        )
    )
    assert job.params == {
        "paths": [str(import_dir / "sets" / "pool.jsonl")],
        "source": "mine",
        "mapping": ["subject=domain", "question=question"],
        "existing_only": True,
    }
    assert job.created_by is not None
    assert job.created_by.username == "curator"
    page = curator.get(reverse("jobs:detail", args=[job.pk])).content.decode()
    for text in ("Import pool.jsonl", "Run it", "subject=domain", "no worker listens on queue cpu"):
        assert text in page
    curator.post(reverse("jobs:confirm", args=[job.pk]))
    job.refresh_from_db()
    assert job.state == "queued"


def test_what_follows_an_import_is_planned_with_it_and_runs_and_ends_with_it(curator, import_dir, tmp_path):
    write_lines(import_dir / "pool.jsonl", ROWS)
    write_lines(import_dir / "bpe" / "tokenizer.json", [{}])
    load_problems(tmp_path, ["A problem?"])
    values = {"pool_files": ["pool.jsonl"], "then_contamination": "on", "then_lengths": "bpe"}
    job = made(send(curator, "load_pool", **values))
    children = list(job.children.order_by("pk"))
    assert [(child.kind, child.state, child.waits_for_parent) for child in children] == [
        ("annotate_contamination", "planned", True),
        ("annotate_lengths", "planned", True),
    ]
    assert [child.title for child in children] == [
        "Compare the pool with the benchmarks",
        "Count trace lengths with bpe",
    ]
    assert children[1].params == {"tokenizer": str(import_dir / "bpe"), "name": "bpe"}
    for child in children:
        assert (child.total, child.plan["notes"]) == (
            0,
            [f"how much there is to do is known once job {job.pk} is done"],
        )
    curator.post(reverse("jobs:confirm", args=[job.pk]))
    assert {child.state for child in job.children.all()} == {"queued"}
    page = curator.get(reverse("jobs:detail", args=[job.pk])).content.decode()
    assert "What waits for this job is cancelled too." in page
    curator.post(reverse("jobs:cancel", args=[job.pk]))
    assert {child.state for child in job.children.all()} == {"cancelled"}


def test_a_confirmed_job_queues_behind_those_that_wait_already(curator, import_dir):
    write_lines(import_dir / "pool.jsonl", ROWS)
    planned = made(send(curator, "load_pool", pool_files=["pool.jsonl"]))
    waiting = services.submit("trial_cpu", {"seconds": 1})
    curator.post(reverse("jobs:confirm", args=[planned.pk]))
    planned.refresh_from_db()
    assert services.position_of(waiting) == 1
    assert services.position_of(planned) == 2


@pytest.mark.parametrize(
    "name",
    [
        "../secret.jsonl",
        "sets/../../secret.jsonl",
        "/etc/passwd",
        "link.jsonl",
        "folder/secret.jsonl",
        "sets",
        "",
        "nowhere.jsonl",
        "pool.jsonl\0",
        "~/secret.jsonl",
        "x" * 5_000,
        "note.txt",
    ],
)
def test_a_path_that_leads_out_of_the_import_folder_or_to_no_pool_file_is_refused(
    curator, import_dir, tmp_path, name
):
    write_lines(import_dir / "sets" / "pool.jsonl", ROWS)
    (import_dir / "note.txt").write_text("no pool file")
    (import_dir / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (import_dir / "folder").symlink_to(tmp_path)
    outright = name if name != "/etc/passwd" else str(tmp_path / "secret.jsonl")
    page = refused(send(curator, "load_pool", pool_files=[outright]))
    assert "secret?" not in page
    refused(send(curator, "load_benchmark", file=outright, name="b"))


def test_a_link_that_stays_inside_is_followed(curator, import_dir):
    write_lines(import_dir / "sets" / "pool.jsonl", ROWS)
    (import_dir / "today.jsonl").symlink_to(import_dir / "sets" / "pool.jsonl")
    job = made(send(curator, "load_pool", pool_files=["today.jsonl"]))
    assert job.params["paths"] == [str(import_dir / "sets" / "pool.jsonl")]


def test_only_files_that_can_be_named_are_offered(import_dir, tmp_path):
    for name in (
        "b.jsonl",
        "a.parquet",
        ".hidden.jsonl",
        "note.txt",
        "new\nline.jsonl",
        "sub/c.csv.gz",
        ".git/d.jsonl",
    ):
        path = import_dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12345")
    Path(os.fsdecode(os.fsencode(import_dir) + b"/\xff.jsonl")).write_bytes(b"1")
    (import_dir / "out.jsonl").symlink_to(tmp_path / "secret.jsonl")
    found = imports.list_files(lambda name: name.endswith((".jsonl", ".parquet", ".csv.gz")))
    assert found.names == ("a.parquet", "b.jsonl", "sub/c.csv.gz")
    assert found.sizes == (5, 5, 5)
    assert found.num_unnamable == 2
    assert not found.is_cut


def test_a_folder_of_many_files_is_cut_but_every_file_can_be_named(import_dir):
    for number in range(imports.MAX_LISTED + 10):
        (import_dir / f"{number:05d}.jsonl").write_bytes(b"1")
    found = imports.list_files(lambda name: name.endswith(".jsonl"))
    assert (len(found.names), found.is_cut) == (imports.MAX_LISTED, True)
    last = f"{imports.MAX_LISTED + 9:05d}.jsonl"
    assert imports.find_file(last) == import_dir / last


def test_a_file_is_known_by_its_name_below_the_folder_and_nothing_outside_has_one(import_dir, tmp_path):
    write_lines(import_dir / "a.jsonl", ROWS)
    assert imports.name_of(str(import_dir / "a.jsonl")) == "a.jsonl"
    assert imports.name_of(str(tmp_path / "secret.jsonl")) is None
    assert imports.name_of(str(import_dir / ".." / "secret.jsonl")) is None
    with pytest.raises(ConfigError, match="is no file below the import folder"):
        imports.find_file("b.jsonl")


def test_without_an_import_folder_the_form_says_whose_it_is(curator, settings, tmp_path):
    settings.IMPORT_DIR = tmp_path / "nowhere"
    page = curator.get("/jobs/new/load_pool/").content.decode()
    assert "holds no such file" in page
    assert "IMPORT_DIR" in page


@pytest.mark.parametrize(
    "address",
    [
        "simplescaling/s1K@abc",
        "hf://s1K@abc",
        "hf://simplescaling/s1K",
        "hf://simplescaling/../../etc@abc",
        "hf://../s1K@abc",
        "file:///etc/passwd",
        "https://example.org/x",
        "hf://a/b@c d",
        "hf://a/b@c#d",
        "hf://.a/b@c",
    ],
)
def test_an_address_that_is_none_of_the_hub_is_refused_and_comes_back_as_typed(curator, import_dir, address):
    page = refused(send(curator, "load_pool", address=address, source="kept"))
    assert "Give hf://owner/name@revision" in page
    assert f'value="{address}"' in page
    assert 'value="kept"' in page


def test_an_address_of_the_hub_is_asked_for_as_the_job_is_planned(curator, import_dir, monkeypatch):
    asked: list[str] = []

    def open_hub(address: str, limits: Any) -> Any:
        from s1web.pool.tables import Table

        asked.append(address)
        return Table(address, "key", ["question"], lambda wanted: iter(()))

    monkeypatch.setattr("s1web.pool.hub.open_hub", open_hub)
    address = "hf://simplescaling/s1K@0123abc?split=train&config=default"
    job = made(send(curator, "load_pool", address=address))
    assert asked == [address]
    assert job.params["paths"] == [address]


def test_an_import_of_nothing_says_what_to_choose(curator, import_dir):
    assert "Choose at least one file, or give a data set of the Hub." in refused(send(curator, "load_pool"))


def test_an_unreadable_file_is_refused_before_anything_waits(curator, import_dir):
    (import_dir / "pool.parquet").write_bytes(b"no parquet")
    page = refused(send(curator, "load_pool", pool_files=["pool.parquet"]))
    assert "notice--error" in page
    assert "pool.parquet" in page
    assert 'value="pool.parquet" id="id_pool_files_0" checked' in page


@pytest.mark.parametrize("mapping", ["subject", "a=b=c", "=domain", "subject="])
def test_a_line_that_maps_nothing_is_named(curator, import_dir, mapping):
    write_lines(import_dir / "pool.jsonl", ROWS)
    page = refused(send(curator, "load_pool", pool_files=["pool.jsonl"], mapping=f"x=domain\n{mapping}"))
    assert f"&#x27;{mapping}&#x27; is no column=field" in page
    assert 'class="more" open' in page


# --- tokenizers ---


def test_a_tokenizer_is_a_file_or_folder_of_the_import_folder_or_a_name_on_the_hub(curator, import_dir, tmp_path):
    write_lines(import_dir / "bpe" / "tokenizer.json", [{}])
    write_lines(import_dir / "tokenizer.json", [{}])
    page = curator.get("/jobs/new/annotate_lengths/").content.decode()
    assert '<option value="bpe">' in page
    assert '<option value="tokenizer.json">' in page
    for typed, path in (
        ("bpe", str(import_dir / "bpe")),
        ("bpe/", str(import_dir / "bpe")),
        ("bpe/tokenizer.json", str(import_dir / "bpe" / "tokenizer.json")),
        ("tokenizer.json", str(import_dir / "tokenizer.json")),
        ("Qwen/Qwen2.5-32B-Instruct", "Qwen/Qwen2.5-32B-Instruct"),
        ("gpt2", "gpt2"),
    ):
        job = made(send(curator, "annotate_lengths", tokenizer=typed, limit="7"))
        assert job.params == {"tokenizer": path, "name": typed.rstrip("/"), "limit": 7}


@pytest.mark.parametrize(
    "typed", ["../bpe", "/etc", "a/b/c", ".hidden/x", "a b", "", "hf://a/b", "s1web/pool", "docs"]
)
def test_a_tokenizer_from_elsewhere_on_the_server_is_refused(curator, import_dir, typed):
    refused(send(curator, "annotate_lengths", tokenizer=typed))


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5", str(10**12)])
def test_a_limit_that_leaves_nothing_to_do_is_refused(curator, import_dir, limit):
    refused(send(curator, "annotate_contamination", limit=limit))


# --- curation, export, trials ---


def test_a_curation_by_a_preset_holds_the_whole_recipe(curator, db):
    job = made(send(curator, "curate", preset="released", size="50", seed="7", name="mine"))
    recipe = recipe_from_toml(job.params["recipe"])
    assert (recipe.name, recipe.size, recipe.seed) == ("released", 50, 7)
    assert recipe.benchmark_weighted_after == PRESETS["released"].benchmark_weighted_after
    assert job.params["name"] == "mine"


def test_a_curation_by_ones_own_recipe(curator, db):
    text = 'name = "own"\nsize = 9\n[annotation]\nrequires = []\n[selection]\nmethod = "random"\n'
    job = made(send(curator, "curate", preset="own", recipe=text, seed="3"))
    recipe = recipe_from_toml(job.params["recipe"])
    assert (recipe.name, recipe.size, recipe.seed, recipe.method) == ("own", 9, 3, "random")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"preset": "own", "recipe": "size = 'many'"}, "size = &#x27;many&#x27; must be a whole number"),
        ({"preset": "own", "recipe": "<b>"}, "the recipe is not valid TOML"),
        ({"preset": "own", "recipe": " "}, "Write or paste the recipe"),
        ({"preset": "paper", "recipe": "size = 3"}, "one of the two counts"),
        ({"preset": "none"}, "Select a valid choice"),
        ({"preset": "paper", "size": "0"}, "greater than or equal to 1"),
        ({"preset": "paper", "seed": str(2**63)}, "less than or equal to"),
        ({"preset": "paper", "name": "a/b"}, "A name holds no slashes."),
        ({"preset": "paper", "name": "x" * 121}, "at most 120 characters"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_what_was_typed(curator, db, values, said):
    page = refused(send(curator, "curate", **values))
    assert said in page
    if values.get("recipe", "").startswith("size"):
        assert values["recipe"].replace("'", "&#x27;") in page


def test_an_export_goes_below_the_artifact_folder_and_nowhere_else(operator, db, settings, tmp_path):
    load_rows(tmp_path, ROWS)
    for name in ("mine", "..", "a b"):
        Selection.objects.create(name=name, size=3, sha256="0" * 64)
        job = made(send(operator, "export_selection", selection=name, layout="s1k", format="jsonl"))
        folder = Path(job.params["out_dir"])
        assert folder == settings.ARTIFACT_DIR / "exports" / f"{name}-s1k"
        assert folder.resolve().parent == (settings.ARTIFACT_DIR / "exports").resolve()
    values = {"layout": "text", "format": "parquet", "overwrite": "on", "allow_contaminated": "boilerplate"}
    job = made(send(operator, "export_selection", selection="mine", **values))
    assert {name: job.params[name] for name in ("layout", "format", "overwrite", "allow_contaminated")} == values | {
        "overwrite": True
    }


@pytest.mark.parametrize(
    "values",
    [
        {"selection": "other", "layout": "s1k", "format": "jsonl"},
        {"selection": "mine", "layout": "../x", "format": "jsonl"},
        {"selection": "mine", "layout": "s1k", "format": "csv"},
        {"selection": "", "layout": "s1k", "format": "jsonl"},
    ],
)
def test_an_export_of_what_is_not_offered_is_refused(operator, db, values):
    Selection.objects.create(name="mine", size=3, sha256="0" * 64)
    refused(send(operator, "export_selection", **values))


def test_any_selection_can_be_named_however_many_came_after_it(operator, db):
    many = [Selection(name=f"one of many {n}", size=n, sha256=f"{n:064}") for n in range(230)]
    Selection.objects.create(name="oldest", size=3, sha256="f" * 64)
    Selection.objects.bulk_create(many)
    page = operator.get("/jobs/new/export_selection/").content.decode()
    assert '<option value="one of many 229">229 questions</option>' in page
    assert page.count('<option value="one of many') == 200
    assert "oldest" not in page
    page = refused(send(operator, "export_selection", selection="<b>none", layout="s1k", format="jsonl"))
    assert "no selection &#x27;&lt;b&gt;none&#x27; (there: " in page
    assert 'value="&lt;b&gt;none"' in page
    job = made(send(operator, "export_selection", selection=" oldest ", layout="s1k", format="jsonl"))
    assert job.params["selection"] == "oldest"


def test_a_benchmark_is_planned_from_the_import_folder(curator, import_dir):
    write_lines(import_dir / "aime.jsonl", [{"id": "1", "problem": "One?", "answer": "7"}])
    job = made(send(curator, "load_benchmark", file="aime.jsonl", name="aime24"))
    assert job.params == {"path": str(import_dir / "aime.jsonl"), "name": "aime24"}


def test_a_trial_counts_the_seconds_it_was_told(signed_in: SignedIn):
    client = signed_in("operator")
    assert made(send(client, "trial_gpu", seconds="7")).params == {"seconds": 7}
    for seconds in ("0", "3601", "x", ""):
        assert send(client, "trial_gpu", seconds=seconds).status_code == 200
    assert Job.objects.count() == 1
