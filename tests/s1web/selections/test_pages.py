"""Pages of curation: what they say, who may do what, how often they ask, and that nothing hostile gets through."""

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from curation.demo.pool import DemoPool
from curation.presets import PRESETS, Recipe, recipe_from_toml
from s1web.jobs.models import Job
from s1web.progress import ignore
from s1web.roles import Role
from s1web.selections.ablations import ablation_recipes
from s1web.selections.models import CurationRun
from s1web.selections.recipe_form import RecipeForm
from s1web.selections.services import curate
from s1web.selections.work import curation, seed_stability
from tests.factories import make_job
from tests.s1web.jobs.conftest import SignedIn
from tests.s1web.pools import load_rows
from tests.s1web.selections.conftest import HOSTILE
from tests.s1web.selections.pages import get, text_of

CURATE = "/curate/"


def filled(recipe: Recipe, **more: Any) -> dict[str, Any]:
    """What a browser sends of the form filled in with a recipe."""
    form = RecipeForm.of(recipe)
    values = {name: form[name].value() for name in form.fields if name not in ("toml", "mode")}
    sent = {name: value for name, value in values.items() if value is not None and value is not False}
    return sent | {"mode": "fields"} | more


def shown(page: str) -> dict[str, Any]:
    """Values of the form's fields as the page has them."""
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'<input type="(?:text|number)" name="(\w+)" value="([^"]*)"', page)
    }


def errors_of(page: str) -> list[str]:
    return [html.unescape(error) for error in re.findall(r'<p class="field__error">(.*?)</p>', page)]


# --- the recipe's page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_the_form_filled_in_with_a_recipe_means_that_recipe(db: None, preset):
    recipe = replace(PRESETS[preset], size=77, seed=2**63 - 1, near_threshold=0.9, generator="gemini")
    form = RecipeForm(filled(recipe))
    assert form.is_valid(), form.errors
    assert form.recipe == recipe
    text = RecipeForm({"mode": "toml", "toml": recipe.to_toml()})
    assert text.is_valid(), text.errors
    assert text.recipe == recipe


def test_every_field_of_a_recipe_is_in_the_form_with_its_meaning(db: None):
    form = RecipeForm.of(PRESETS["paper"])
    assert set(Recipe.__dataclass_fields__) <= set(form.fields)
    grouped = [field.name for group in form.groups for field in group.fields]
    assert sorted(grouped) == sorted({*Recipe.__dataclass_fields__, "selection_name"})
    assert all(form.fields[name].help_text for name in grouped)


def test_the_page_starts_from_a_preset_or_a_run(two_runs, signed_in: SignedIn):
    client = signed_in("viewer")
    assert shown(get(client, CURATE))["name"] == "paper"
    assert shown(get(client, f"{CURATE}?preset=released"))["benchmark_weighted_after"] == "700"
    assert shown(get(client, f"{CURATE}?run={two_runs[0].pk}"))["size"] == "30"
    for nonsense in ("?run=999999", "?run=x", "?run=" + "9" * 30, "?preset=<b>"):
        assert shown(get(client, CURATE + nonsense))["size"] == "1000"


def test_the_preview_of_the_page_is_what_the_run_stores(demo_pool: DemoPool, signed_in: SignedIn):
    recipe = replace(PRESETS["paper"], size=25, name="mine")
    page = signed_in("viewer").post(f"{CURATE}preview/", filled(recipe)).content.decode()
    curated = curate(recipe)
    assert curated.result.sha256 in page
    text = text_of(page)
    assert "25 questions would be selected" in text
    for stage in curated.run.ledger:
        assert f"{stage['stage']} {stage['out']:,}" in text
    assert CurationRun.objects.count() == 1


def test_wrong_values_are_said_beside_the_field_and_what_was_typed_stays(demo_pool: DemoPool, signed_in: SignedIn):
    client = signed_in("curator")
    wrong = filled(PRESETS["paper"], size="0", ngram_words="4", selection_name="a/b", near_threshold="2", do="run")
    page = client.post(CURATE, wrong).content.decode()
    assert not Job.objects.exists()
    assert "Ensure this value is greater than or equal to 1." in errors_of(page)
    assert "Ensure this value is greater than or equal to 5." in errors_of(page)
    assert "A name holds no slashes." in errors_of(page)
    assert shown(page)["size"] == "0"
    assert shown(page)["selection_name"] == "a/b"
    assert "No preview before this is put right" in text_of(page)
    # as a fragment it brings the errors along, for their places in the form
    fragment = client.post(f"{CURATE}preview/", wrong).content.decode()
    assert '<div class="field__errors" id="id_size_error" hx-swap-oob="true"><p class="field__error">' in fragment


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"near_threshold": "0.3"}, "near_threshold", "near_threshold=0.3 is not a similarity"),
        ({"requires": ["trace_length"]}, "method", "draws by domain, but requires=['trace_length'] lacks it"),
        ({"name": "a/b"}, "name", "cannot name a recipe"),
    ],
)
def test_what_only_the_recipe_itself_refuses_stands_beside_its_field(db: None, change, field, said):
    form = RecipeForm(filled(PRESETS["paper"]) | change)
    assert not form.is_valid()
    assert said in form.errors[field][0]


def test_text_and_fields_turn_into_each_other(demo_pool: DemoPool, signed_in: SignedIn):
    client = signed_in("viewer")
    recipe = replace(PRESETS["paper"], size=31, rules=("formatting.asy",))
    page = client.post(CURATE, filled(recipe, do="toml")).content.decode()
    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", page, flags=re.DOTALL)
    assert found
    text = html.unescape(found[1]).strip()
    assert recipe_from_toml(text) == recipe
    assert 'name="rules"' not in page
    edited = text.replace("size = 31", "size = 32").replace("\n", "\r\n")
    page = client.post(CURATE, {"mode": "toml", "toml": edited, "do": "fields"}).content.decode()
    assert shown(page)["size"] == "32"
    assert re.findall(r'name="rules" value="([\w.]+)"[^>]*checked', page) == ["formatting.asy"]


def test_text_that_is_no_recipe_stays_with_its_error(demo_pool: DemoPool, signed_in: SignedIn):
    client = signed_in("viewer")
    page = client.post(CURATE, {"mode": "toml", "toml": "siez = 3", "do": "fields"}).content.decode()
    assert errors_of(page)[0].startswith("'siez' is not known in the recipe's top level")
    assert "siez = 3</textarea>" in page


def test_a_recipe_that_names_what_the_pool_lacks_keeps_it_and_says_so(demo_pool: DemoPool, signed_in: SignedIn):
    recipe = replace(PRESETS["paper"], benchmarks=("elsewhere",), tokenizer="other")
    client = signed_in("viewer")
    page = client.post(CURATE, filled(recipe)).content.decode()
    assert "benchmark 'elsewhere' is not loaded (there: demo)" in text_of(page)
    assert re.search(r'name="benchmarks" value="elsewhere"[^>]*checked', page)
    assert '<option value="other" selected>' in page


@pytest.mark.parametrize("role", [role.value for role in Role])
@pytest.mark.parametrize(
    ("do", "kind"), [("run", "curate"), ("stability", "seed_stability"), ("ablations", "curate")]
)
def test_curators_start_and_others_only_look(demo_pool: DemoPool, signed_in: SignedIn, role, do, kind):
    client = signed_in(role)
    may = Role(role).rank >= Role.CURATOR.rank
    page = get(client, CURATE)
    assert ("Start run" in page) is may
    answer = client.post(CURATE, filled(PRESETS["paper"], do=do))
    assert answer.status_code == (302 if may else 403)
    assert set(Job.objects.values_list("kind", flat=True)) == ({kind} if may else set())


def test_a_run_is_planned_as_previewed_and_waits_for_a_yes(demo_pool: DemoPool, signed_in: SignedIn):
    client = signed_in("curator")
    recipe = replace(PRESETS["diverse"], size=12, seed=9)
    answer = client.post(CURATE, filled(recipe, do="run", selection_name="my twelve"))
    job = Job.objects.get()
    assert answer["Location"] == reverse("jobs:detail", args=[job.pk])
    assert (job.state, job.created_by.username) == ("planned", "curator")
    assert recipe_from_toml(job.params["recipe"]) == recipe
    preview = client.post(f"{CURATE}preview/", filled(recipe)).content.decode()
    assert curation(job.params, ignore)["sha256"] in preview


def test_posting_twice_and_wrong_methods(demo_pool: DemoPool, signed_in: SignedIn):
    client = signed_in("curator")
    assert client.get(f"{CURATE}preview/").status_code == 405
    assert client.put(CURATE).status_code == 405
    for _ in range(2):
        client.post(CURATE, filled(PRESETS["paper"], do="run"))
    assert Job.objects.filter(state="planned").count() == 2


def test_a_form_of_another_site_is_refused(demo_pool: DemoPool, signed_in: SignedIn):
    client = signed_in("curator", enforce_csrf_checks=True)
    assert client.post(CURATE, filled(PRESETS["paper"], do="run")).status_code == 403


# --- ablations and stability ------------------------------------------------------------------------------


def test_the_ablations_of_the_paper_are_the_presets_of_their_names():
    for recipe in ablation_recipes(replace(PRESETS["paper"], size=50, seed=3)):
        assert recipe == replace(PRESETS[recipe.name], size=50, seed=3)


def test_the_ablations_of_another_recipe_keep_what_they_do_not_vary():
    base = replace(PRESETS["paper"], name="x" * 80, rules=(), generator="r1", decontaminate=False)
    for recipe, method in zip(ablation_recipes(base), ("random", "diverse", "longest", "full"), strict=True):
        assert (recipe.method, recipe.rules, recipe.generator, recipe.decontaminate) == (method, (), "r1", False)
        assert (recipe.drop_solved_by, recipe.take_whole) == ((), False)
        assert recipe.name.endswith(f"-{method}")


def test_ablations_are_queued_at_once_and_compared_as_they_end(demo_pool: DemoPool, signed_in: SignedIn):
    client = signed_in("curator")
    answer = client.post(CURATE, filled(replace(PRESETS["paper"], size=20), do="ablations"))
    parent = Job.objects.order_by("pk")[0]
    assert answer["Location"] == reverse("selections:ablations", args=[parent.pk])
    children = list(parent.children.order_by("pk"))
    assert [(job.state, job.waits_for_parent) for job in children] == [("queued", False)] * 4
    page = get(client, answer["Location"])
    assert 'hx-trigger="every 2s"' in page
    assert "1K-longest 33.3" in text_of(page)
    for job in [parent, *children]:
        Job.objects.filter(pk=job.pk).update(state="done", result=curation(job.params, ignore))
    page = get(client, answer["Location"])
    assert 'hx-trigger="every 2s"' not in page.partition('id="ablations"')[2]
    paper, longest = (set(curation(job.params, ignore)["hashes"]) for job in (parent, children[2]))
    shared = len(paper & longest)
    assert re.search(
        rf"longest \d+ done 20 \d+ [\d,]+ [\d,]+ {shared} {shared / (40 - shared):.3f} compare", text_of(page)
    )
    assert client.get(reverse("selections:ablations", args=[children[0].pk])).status_code == 404
    assert client.get(reverse("selections:ablations", args=[999])).status_code == 404


def test_the_report_on_seeds_shows_what_the_job_found(demo_pool: DemoPool, signed_in: SignedIn):
    params = {"recipe": replace(PRESETS["paper"], size=30).to_toml(), "num_seeds": 4}
    client = signed_in("viewer")
    job = make_job("queued", kind="seed_stability", title="Seed stability of paper", params=params)
    assert "The report is not there yet" in get(client, f"/curate/stability/{job.pk}/")
    result = seed_stability(params, ignore)
    Job.objects.filter(pk=job.pk).update(state="done", result=result)
    page = get(client, f"/curate/stability/{job.pk}/")
    text = text_of(page)
    mean, least, most = result["overlap"]
    assert f"{least:.3f} to {most:.3f} over 6 pairs {mean:.3f}" in text
    assert f"never drawn, of {result['num_candidates']:,} that pass every rule {result['num_never']:,}" in text
    for place, count in enumerate(result["times_drawn"][1:], start=1):
        assert f"by {place} of 4 seeds: {count:,}" in page
    assert all(name in page for name in result["always"][:100])
    assert f'href="/curate/stability/{job.pk}/"' in get(client, reverse("jobs:detail", args=[job.pk]))
    assert client.get("/curate/stability/999/").status_code == 404


# --- runs -------------------------------------------------------------------------------------------------


def test_every_count_of_the_funnel_leads_to_as_many_rows(two_runs, signed_in: SignedIn, monkeypatch):
    monkeypatch.setattr("s1web.selections.queries.PAGE_ROWS", 10**6)
    client, run = signed_in("viewer"), two_runs[0]
    page = get(client, f"/runs/{run.pk}/")
    links = re.findall(rf'<a href="(/runs/{run.pk}/rows/[^"]+)">([\d,]+)</a>', page)
    assert len(links) > 12
    for address, count in links:
        rows = get(client, html.unescape(address))
        listed = len(re.findall(r'<th scope="row" class="hash">', rows))
        if "pool.duplicate" in address:
            # rows are counted, questions listed
            assert 0 < listed <= int(count)
        else:
            assert listed == int(count.replace(",", "")), address


@pytest.mark.parametrize("what", ["rule=selected", "rule=selection.not_drawn", "left=annotation", "rule=formatting"])
def test_pages_by_key_hold_every_row_once(two_runs, signed_in: SignedIn, monkeypatch, what):
    client, run = signed_in("viewer"), two_runs[0]
    address = f"/runs/{run.pk}/rows/?{what}"
    monkeypatch.setattr("s1web.selections.queries.PAGE_ROWS", 10**6)
    everything = re.findall(r"data-row>(\w+)<", get(client, address))
    monkeypatch.setattr("s1web.selections.queries.PAGE_ROWS", 7)
    found: list[str] = []
    following: str | None = address
    while following:
        page = get(client, following)
        rows = re.findall(r"data-row>(\w+)<", page)
        assert 0 < len(rows) <= 7
        found += rows
        older = re.search(r'href="(\?[^"]+)" rel="next"', page)
        following = f"/runs/{run.pk}/rows/{html.unescape(older[1])}" if older else None
    assert found == everything
    assert len(set(found)) == len(found) > 7


def test_members_stand_in_the_selections_order(two_runs, signed_in: SignedIn):
    run = two_runs[0]
    page = get(signed_in("viewer"), f"/runs/{run.pk}/rows/?rule=selected")
    members = run.selection.members.order_by("position").values_list("question__question_hash", flat=True)
    assert re.findall(r"data-row>(\w+)<", page) == list(members)


def test_rows_carry_their_evidence(two_runs, signed_in: SignedIn):
    client, run = signed_in("viewer"), two_runs[0]

    def rows(rule: str) -> str:
        return text_of(get(client, f"/runs/{run.pk}/rows/?rule={rule}"))

    assert re.search(r"\d+ words shared with demo, problem [\w-]+:", rows("decontamination.ngram"))
    assert "lacks " in rows("annotation.missing")
    assert "[asy]" in rows("formatting.asy")
    assert re.search(r"solved by (small|large)", rows("difficulty.solved"))
    assert "2 rows" in rows("pool.duplicate")
    assert "taken whole" in rows("selected")


@pytest.mark.parametrize(
    "what", ["", "rule=nothing", "rule=' OR 1=1", "left=nowhere", "left=deduplication", "rule=selection.x"]
)
def test_rows_that_are_none_are_not_found(two_runs, signed_in: SignedIn, what):
    assert signed_in("viewer").get(f"/runs/{two_runs[0].pk}/rows/?{what}").status_code == 404


def test_a_rule_that_dropped_nothing_has_an_empty_list(two_runs, signed_in: SignedIn):
    page = get(signed_in("viewer"), f"/runs/{two_runs[1].pk}/rows/?rule=difficulty.solved&after=0")
    assert "No question is here." in page


def test_the_page_of_a_run_says_what_replays_it(two_runs, signed_in: SignedIn):
    run = two_runs[0]
    client = signed_in("viewer")
    page = get(client, f"/runs/{run.pk}/")
    for fact in (run.selection.sha256, run.pool_fingerprint, run.code_version, html.escape(run.recipe_toml)):
        assert fact in page
    assert "The paper: arXiv 2501.19393" in text_of(page)
    answer = client.get(f"/runs/{run.pk}/recipe/")
    assert recipe_from_toml(answer.content.decode()).to_json() == run.recipe
    assert answer["Content-Disposition"] == f'attachment; filename="run-{run.pk}.toml"'
    assert client.get("/runs/999/").status_code == 404


def test_warnings_of_a_run_are_shown(db: None, tmp_path: Path, signed_in: SignedIn):
    load_rows(tmp_path, [{"question": "How many legs has a stool?"}])
    run = curate(Recipe(name="bare", method="random", requires=(), size=5)).run
    page = text_of(get(signed_in("viewer"), f"/runs/{run.pk}/"))
    assert "no benchmark is loaded, so nothing was decontaminated" in page
    assert "1 of the 5 questions asked for" in page


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("curator", False), ("operator", True)])
def test_an_export_is_planned_from_the_run_by_operators(two_runs, signed_in: SignedIn, role, may):
    client, run = signed_in(role), two_runs[0]
    assert ("Plan the export" in get(client, f"/runs/{run.pk}/")) is may
    answer = client.post(f"/runs/{run.pk}/export/", {"layout": "messages", "format": "jsonl"})
    assert answer.status_code == (302 if may else 403)
    jobs = [(job.kind, job.state, job.params["selection"], job.params["layout"]) for job in Job.objects.all()]
    assert jobs == ([("export_selection", "planned", run.selection.name, "messages")] if may else [])


def test_an_export_of_another_selection_cannot_be_slipped_in(two_runs, signed_in: SignedIn):
    a, b = two_runs
    sent = {"layout": "s1k", "format": "parquet", "selection": b.selection.name}
    signed_in("operator").post(f"/runs/{a.pk}/export/", sent)
    assert Job.objects.get().params["selection"] == a.selection.name


def test_a_layout_that_is_none_is_said_and_plans_nothing(two_runs, signed_in: SignedIn):
    client = signed_in("operator")
    answer = client.post(f"/runs/{two_runs[0].pk}/export/", {"layout": "zip", "format": "jsonl"}, follow=True)
    assert "Export: layout: Select a valid choice." in text_of(answer.content.decode())
    assert not Job.objects.exists()


def test_runs_are_listed_by_key_newest_first(demo_pool: DemoPool, signed_in: SignedIn, monkeypatch):
    monkeypatch.setattr("s1web.selections.runs._RUNS_A_PAGE", 2)
    bare = Recipe(name="bare", method="random", requires=(), size=2)
    runs = [curate(replace(bare, seed=seed)).run.pk for seed in range(5)]
    client = signed_in("viewer")
    found, address = [], "/runs/"
    for _ in range(3):
        page = get(client, address)
        found += re.findall(r'<th scope="row"><a href="/runs/(\d+)/">', page)
        older = re.search(r'href="(\?before=\d+)" rel="next"', page)
        address = f"/runs/{older[1]}" if older else ""
    assert found == [str(pk) for pk in reversed(runs)]
    assert address == ""


def test_without_runs_the_pages_say_what_comes_next(db: None, signed_in: SignedIn):
    client = signed_in("viewer")
    assert "No run yet." in get(client, "/runs/")
    assert "Two runs are needed" in get(client, "/compare/")


# --- everywhere -------------------------------------------------------------------------------------------


def addresses(run: CurationRun, other: CurationRun) -> list[str]:
    rules = ["rule=selected", "rule=selection.not_drawn", "left=annotation"]
    return [
        CURATE,
        "/runs/",
        f"/runs/{run.pk}/",
        *(f"/runs/{run.pk}/rows/?{what}" for what in rules),
        f"/compare/?a={run.pk}&b={other.pk}",
        "/",
    ]


def test_hostile_names_and_texts_are_shown_as_text(hostile_pool: None, signed_in: SignedIn):
    name = f"<b>{HOSTILE[:60]}".replace("/", "")
    bare = replace(PRESETS["random"], requires=("domain",), size=4, name=name[:70])
    runs = [curate(bare).run, curate(replace(bare, seed=1), name=f"{name} 2").run]
    client = signed_in("curator")
    pages = [get(client, address) for address in addresses(*runs)]
    pages.append(client.post(f"{CURATE}preview/", filled(bare)).content.decode())
    pages.append(client.post(CURATE, filled(bare, do="toml")).content.decode())
    pages.append(client.post(CURATE, filled(bare, size=HOSTILE, do="run")).content.decode())
    job = make_job("done", kind="seed_stability", title=HOSTILE, params={"recipe": bare.to_toml()})
    Job.objects.filter(pk=job.pk).update(result=seed_stability({"recipe": bare.to_toml(), "num_seeds": 2}, ignore))
    pages.append(get(client, f"/curate/stability/{job.pk}/"))
    for page in pages:
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "<b>" not in page
        assert "<i>" not in page
    assert any("&lt;script&gt;alert" in page for page in pages)


@pytest.mark.parametrize("place", range(1, 8))
def test_a_page_asks_as_often_for_many_rows_as_for_few(
    db: None, tmp_path: Path, signed_in: SignedIn, place, monkeypatch
):
    bare = Recipe(name="bare", method="random", requires=(), size=10**6)
    client = signed_in("curator")
    asked = []
    for number, num_rows in enumerate((3, 120)):
        rows = [{"question": f"What is {n} + {number}?", "source_type": f"sums/{n}"} for n in range(num_rows)]
        load_rows(tmp_path, rows, f"rows{number}")
        runs = [curate(replace(bare, size=size)).run for size in (2, num_rows - 1)]
        address = addresses(*runs)[place]
        get(client, address)
        with CaptureQueriesContext(connection) as queries:
            get(client, address)
        asked.append(len(queries))
    # what is kept between requests is read each time here: in a transaction nothing is kept
    assert asked[0] == asked[1] <= 50


@pytest.mark.parametrize("address", [CURATE, "/runs/", "/runs/1/", "/compare/", "/curate/stability/1/"])
def test_nobody_reads_without_signing_in(db: None, address):
    answer = Client().get(address)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")


def test_the_overview_shows_the_newest_runs_funnel_with_what_was_published(two_runs, signed_in: SignedIn):
    run = two_runs[1]
    page = get(signed_in("viewer"), "/")
    assert f'href="/runs/{run.pk}/rows/?rule=selected"' in page
    assert f'href="/runs/{run.pk}/rows/?left=formatting"' in page
    formatting = next(stage for stage in run.ledger if stage["stage"] == "formatting")
    dropped = formatting["in"] - formatting["out"]
    assert f"{dropped:,} {formatting['out']:,} 51,581 51,607" in text_of(page)
