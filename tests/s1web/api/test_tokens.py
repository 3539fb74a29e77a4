"""Tokens: shown once, kept as a digest, and of no more use than their user, their scopes and their time allow."""

import hashlib
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from curation.errors import ConfigError, NotFoundError
from s1web.api.models import ApiToken
from s1web.api.scopes import Scope
from s1web.api.tokens import find_token, make_token, revoke_token
from s1web.signin import MAX_FAILURES

from .conftest import Caller

READ = [Scope.POOL_READ.value]


def test_of_a_token_only_a_digest_of_its_secret_is_kept(make_user):
    token, text = make_token(make_user(), "a  name", READ)
    prefix, secret = text.removeprefix("s1w_").split("_")
    kept = ApiToken.objects.filter(pk=token.pk).values().get()
    assert kept["name"] == "a name"
    assert kept["prefix"] == prefix
    assert kept["digest"] == hashlib.sha256(secret.encode()).hexdigest()
    assert len(bytes.fromhex(secret)) * 8 == 256
    assert not any(secret in str(value) for value in kept.values())
    assert find_token(text) == token


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: text.replace("s1w_", "s1w-"),
        lambda text: text[: text.rindex("_")],
        lambda text: text + "0",
        lambda text: text.upper(),
        lambda text: "s1w_00000000_" + text.rpartition("_")[2],
        lambda text: "é" * 80,
        lambda text: "",
    ],
)
def test_a_text_that_differs_anywhere_is_no_token(make_user, change):
    _, text = make_token(make_user(), "mine", READ)
    assert find_token(change(text)) is None


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"name": " "}, "a token cannot be called"),
        ({"name": "x" * 81}, "a token cannot be called"),
        ({"scopes": []}, "a token without a scope is of no use"),
        ({"scopes": ["pool:write"]}, "'pool:write' is no scope; choose of pool:read"),
        ({"scopes": ["exports"]}, "scope exports needs the role operator"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "which is past; give a later time"),
    ],
)
def test_a_token_that_is_of_no_use_is_not_made(make_user, values, line):
    with pytest.raises(ConfigError, match=line):
        make_token(make_user(), **({"name": "mine", "scopes": READ} | values))
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"revoked_at": timezone.now()}, "this token was revoked"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "this token ended at"),
    ],
)
def test_a_token_that_has_ended_is_refused_and_says_why(caller, values, line):
    answer = caller("viewer", **values).send("GET", "pool")
    assert answer.status_code == 401
    assert line in answer.json()["detail"]


def test_a_token_that_ends_later_is_let_in(caller):
    assert caller("viewer", expires_at=timezone.now() + timedelta(minutes=1)).send("GET", "pool").status_code == 200


def test_the_token_of_a_user_who_is_not_active_does_nothing(caller, make_user):
    viewer = caller("viewer")
    assert viewer.send("GET", "pool").status_code == 200
    User.objects.filter(pk=make_user("viewer").pk).update(is_active=False)
    answer = viewer.send("GET", "pool")
    assert answer.status_code == 401
    assert "not active" in answer.json()["detail"]


def test_the_last_use_is_written_once_a_minute(caller, django_assert_num_queries):
    viewer = caller("viewer")
    viewer.send("GET", "pool")
    token = ApiToken.objects.get()
    first = token.last_used_at
    assert first is not None
    viewer.send("GET", "pool")
    token.refresh_from_db()
    assert token.last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    viewer.send("GET", "pool")
    token.refresh_from_db()
    assert token.last_used_at > first - timedelta(seconds=1)


def test_wrong_tokens_are_held_up_and_right_ones_are_not(caller):
    viewer, guesser = caller("viewer"), Caller("s1w_00000000_" + "0" * 64)
    statuses = [guesser.send("GET", "pool").status_code for _ in range(MAX_FAILURES + 2)]
    assert statuses == [401] * MAX_FAILURES + [429] * 2
    answer = guesser.send("GET", "pool")
    assert answer["Retry-After"] == "300"
    assert answer.json()["detail"] == "too many unknown tokens from this address; wait 5 minutes"
    assert viewer.send("GET", "pool").status_code == 200


def test_a_token_is_revoked_by_its_user_alone(make_user):
    token, _ = make_token(make_user(), "mine", READ)
    with pytest.raises(NotFoundError, match="you have no token"):
        revoke_token(make_user("admin"), token.pk)
    revoke_token(make_user(), token.pk)
    ended = ApiToken.objects.get().revoked_at
    assert ended is not None
    revoke_token(make_user(), token.pk)
    assert ApiToken.objects.get().revoked_at == ended


def test_a_session_reads_without_a_token_and_changes_nothing_without_the_csrf_token(make_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("viewer"))
    assert client.get("/api/v1/pool").status_code == 200
    body = {"name": "hard", "query": "small=wrong"}
    answer = client.post("/api/v1/views", body, content_type="application/json")
    assert answer.status_code == 403
    assert "X-CSRFToken" in answer.json()["detail"]
    client.get("/api/tokens/")
    csrf = client.cookies["csrftoken"].value
    sent = client.post("/api/v1/views", body, content_type="application/json", headers={"X-CSRFToken": csrf})
    assert sent.status_code == 201


def test_a_wrong_token_is_not_made_good_by_a_session(make_user):
    client = Client(headers={"Authorization": "Bearer s1w_00000000_" + "0" * 64})
    client.force_login(make_user("admin"))
    assert client.get("/api/v1/pool").status_code == 401


def test_a_session_has_the_rights_of_its_role(signed_in):
    answer = signed_in("viewer").get("/api/v1/questions.jsonl")
    assert answer.status_code == 403
    assert "needs the role operator" in answer.json()["detail"]


def test_the_page_shows_a_token_once_and_offers_what_the_role_covers(signed_in):
    client = signed_in("curator")
    page = client.get("/api/tokens/").content.decode()
    assert 'value="curate"' in page
    assert 'value="exports"' not in page
    answer = client.post("/api/tokens/", {"name": "<b>mine</b>", "scopes": ["pool:read", "curate"], "lasts": "7"})
    token = ApiToken.objects.get()
    assert f"s1w_{token.prefix}_" in answer.content.decode()
    assert "<b>mine" not in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert token.scopes == ["pool:read", "curate"]
    assert timedelta(days=6) < token.expires_at - timezone.now() <= timedelta(days=7)
    assert token.digest not in client.get("/api/tokens/").content.decode()
    refused = client.post("/api/tokens/", {"name": "more", "scopes": ["exports"], "lasts": "7"})
    assert refused.status_code == 200
    assert ApiToken.objects.count() == 1


def test_tokens_of_others_are_neither_shown_nor_revoked(signed_in, make_user):
    token, _ = make_token(make_user("admin"), "of the admin", READ)
    client = signed_in("viewer")
    assert "of the admin" not in client.get("/api/tokens/").content.decode()
    client.post(f"/api/tokens/{token.pk}/revoke/")
    assert ApiToken.objects.get().revoked_at is None


def test_a_token_opens_no_page(caller):
    viewer = caller("viewer")
    for path in ("/api/", "/api/tokens/", "/jobs/"):
        answer = viewer.send("GET", path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sign-in/")
