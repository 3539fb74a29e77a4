"""Signing in and out, and the limit on guessing."""

import time

import pytest
from django.test import Client

from s1web.signin import MAX_FAILURES, WINDOW_SECONDS
from tests.s1web.web.conftest import PASSWORD, MakeUser, SignedIn

SIGN_IN = "/sign-in/"


def attempt(client: Client, name: str = "viewer", password: str = "wrong", address: str = "192.0.2.1"):
    return client.post(SIGN_IN, {"username": name, "password": password}, REMOTE_ADDR=address)


def is_signed_in(client: Client) -> bool:
    return client.get("/").status_code == 200


def test_a_user_signs_in_with_name_and_password_and_comes_to_the_page_asked_for(client, make_user: MakeUser):
    make_user("viewer")
    asked = client.get("/?from=mail")
    assert asked.status_code == 302
    assert asked["Location"] == "/sign-in/?next=/%3Ffrom%3Dmail"
    page = client.get(asked["Location"])
    assert b'value="/?from=mail"' in page.content
    answer = client.post(SIGN_IN, {"username": "viewer", "password": PASSWORD, "next": "/?from=mail"})
    assert answer.status_code == 302
    assert answer["Location"] == "/?from=mail"
    assert is_signed_in(client)


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org/", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(client, make_user: MakeUser, elsewhere):
    make_user("viewer")
    answer = client.post(SIGN_IN, {"username": "viewer", "password": PASSWORD, "next": elsewhere})
    assert answer["Location"] == "/"


def test_a_wrong_password_gets_one_line_and_keeps_the_name(client, make_user: MakeUser):
    make_user("viewer")
    answer = attempt(client)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.count("Name and password do not match a user.") == 1
    assert 'value="viewer"' in page
    assert "wrong" not in page
    assert not is_signed_in(client)


def test_an_unknown_name_and_a_wrong_password_look_alike(client, make_user: MakeUser):
    make_user("viewer")
    known, unknown = attempt(client, "viewer"), attempt(client, "nobody")
    line = "Name and password do not match a user."
    assert line in known.content.decode()
    assert line in unknown.content.decode()


def test_a_user_who_was_made_inactive_is_out_at_once(make_user: MakeUser):
    user = make_user("viewer")
    client = Client()
    client.force_login(user)
    assert is_signed_in(client)
    user.is_active = False
    user.save()
    assert not is_signed_in(client)


def test_signing_out_is_a_post_and_ends_the_session(signed_in: SignedIn):
    client = signed_in()
    assert client.get("/sign-out/").status_code == 405
    assert is_signed_in(client)
    answer = client.post("/sign-out/")
    assert answer["Location"] == SIGN_IN
    assert not is_signed_in(client)


def test_who_is_signed_in_is_not_asked_again(signed_in: SignedIn):
    assert signed_in().get(SIGN_IN)["Location"] == "/"


def test_without_any_user_the_page_says_how_to_make_one(client, db):
    assert "create_user NAME --role admin" in client.get(SIGN_IN).content.decode()


def test_with_a_user_the_page_does_not_say_how_to_make_one(client, make_user: MakeUser):
    make_user()
    assert "create_user" not in client.get(SIGN_IN).content.decode()


def test_after_ten_failures_even_the_right_password_has_to_wait(client, make_user: MakeUser):
    make_user("viewer")
    assert [attempt(client).status_code for _ in range(MAX_FAILURES)] == [200] * MAX_FAILURES
    answer = attempt(client, password=PASSWORD)
    assert answer.status_code == 429
    assert answer["Retry-After"] == str(WINDOW_SECONDS)
    page = " ".join(answer.content.decode().split())
    assert "10 sign-ins for this name failed within 5 minutes. Wait 5 minutes, then try again." in page
    assert 'value="viewer"' in page
    assert not is_signed_in(client)


def test_names_that_differ_in_case_or_space_alone_are_counted_together(client, make_user: MakeUser):
    make_user("viewer")
    for name in ("viewer", "Viewer", " VIEWER ") * 4:
        answer = attempt(client, name)
    assert answer.status_code == 429


def test_another_name_and_another_address_are_not_held_up(client, make_user: MakeUser):
    make_user("viewer")
    make_user("curator")
    for _ in range(MAX_FAILURES + 1):
        attempt(client)
    assert attempt(client, "curator", PASSWORD).status_code == 302
    assert attempt(Client(), "viewer", PASSWORD, address="192.0.2.2").status_code == 302


def test_a_success_forgets_the_failures_before_it(client, make_user: MakeUser):
    make_user("viewer")
    for _ in range(2):
        for _ in range(MAX_FAILURES - 1):
            attempt(client)
        assert attempt(client, password=PASSWORD).status_code == 302
        client.post("/sign-out/")


def test_five_minutes_after_the_first_failure_the_count_starts_again(client, make_user: MakeUser, monkeypatch):
    make_user("viewer")
    for _ in range(MAX_FAILURES + 1):
        attempt(client)
    later = time.time() + WINDOW_SECONDS + 1
    monkeypatch.setattr("django.core.cache.backends.locmem.time.time", lambda: later)
    assert attempt(client, password=PASSWORD).status_code == 302


def test_a_fragment_asked_for_after_signing_out_reloads_the_page_instead_of_showing_the_form(client, db):
    answer = client.get("/", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert answer["HX-Refresh"] == "true"
    assert answer.content == b""
