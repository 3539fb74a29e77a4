"""Every page there is, found by walking the addresses; what an answer carries; pages for what goes wrong."""

import re
from collections.abc import Iterator

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from s1web import views
from tests.processes import Project
from tests.s1web.web.conftest import PASSWORD, MakeUser, SignedIn

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}
OPEN = {"/sign-in/", "/health/"}
SAMPLES = {"int": "1", "str": "sample", "slug": "sample", "path": "sample", "question_hash": "0" * 16}
SAMPLES |= {"number": "1", "action": "cancel", "question": "0" * 16}


def addresses(resolver: URLResolver | None = None, before: str = "/") -> Iterator[str]:
    """Each address of the site, with a sample for each argument."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + re.sub(r"<(\w+):\w+>", lambda part: SAMPLES[part[1]], str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from addresses(pattern, route)


EVERY = sorted({address for address in addresses() if "^" not in address})
# what programs ask is no page: it answers without a form to sign in
OPEN_TO_PROGRAMS = {"/api/v1/openapi.json"}
OF_PROGRAMS = [address for address in EVERY if address.startswith("/api/v1/")]
ADDRESSES = [address for address in EVERY if address not in OF_PROGRAMS]
# answer for what the query names: two selections, a place of a map that was drawn
NEEDS_QUERY = {"/compare/csv/", "/map/near/", "/map/points/"}
PLAIN = [
    address for address in ADDRESSES if address not in NEEDS_QUERY and not re.search(r"\b(1|sample|0{16})\b", address)
]


def test_the_walk_finds_the_pages():
    assert {"/", "/sign-in/", "/sign-out/", "/health/"} <= set(ADDRESSES)


@pytest.mark.parametrize("address", [address for address in ADDRESSES if address not in OPEN | {"/sign-out/"}])
@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_not_signed_in_is_sent_to_the_form(client, db, address, method):
    answer = getattr(client, method)(address)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/?next=/")


@pytest.mark.parametrize("address", [address for address in OF_PROGRAMS if address not in OPEN_TO_PROGRAMS])
def test_a_program_that_is_not_signed_in_is_told_so(client, db, address):
    answer = client.get(address)
    # 405: it is for sending alone
    assert answer.status_code in (401, 405)
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("address", PLAIN)
@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_every_page_answers(signed_in: SignedIn, address, role):
    status = signed_in(role).get(address, follow=True).status_code
    # 405: it is for sending alone; 403: the role is too low, which an admin's never is
    assert status in ({200, 405} if role == "admin" else {200, 403, 405}), f"{address}: {status}"


@pytest.mark.parametrize("address", PLAIN)
def test_no_page_holds_script_or_style_of_its_own(signed_in: SignedIn, address):
    page = signed_in("admin").get(address, follow=True).content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<[^>]*\s(style|on\w+)=", page)
    assert "<style" not in page
    assert "javascript:" not in page


@pytest.mark.parametrize("address", ["/", "/sign-in/", "/no/such/page", "/health/"])
def test_every_answer_carries_the_policy_and_forbids_frames_and_sniffing(signed_in: SignedIn, client, db, address):
    for visitor in (signed_in(), client):
        answer = visitor.get(address)
        assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(client, make_user: MakeUser):
    make_user("viewer")
    client.post("/sign-in/", {"username": "viewer", "password": PASSWORD})
    assert {"sessionid", "csrftoken"} <= set(client.cookies)
    for cookie in client.cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"


def test_an_unknown_address_is_named_in_the_frame_and_without_it_for_who_is_not_signed_in(
    client, signed_in: SignedIn
):
    inside, outside = signed_in().get("/no/<such>"), client.get("/no/<such>")
    for answer in (inside, outside):
        assert answer.status_code == 404
        assert "<code>/no/%3Csuch%3E</code>" in answer.content.decode()
    assert 'aria-label="Main"' in inside.content.decode()
    assert 'aria-label="Main"' not in outside.content.decode()


def test_a_refused_page_says_which_role_it_needs(signed_in: SignedIn, monkeypatch):
    def refuse() -> None:
        raise PermissionDenied("This needs the role <operator>.")

    monkeypatch.setattr(views, "read_overview", refuse)
    answer = signed_in().get("/")
    assert answer.status_code == 403
    assert "This needs the role &lt;operator&gt;." in answer.content.decode()


def test_a_broken_page_says_so_without_asking_the_database(
    signed_in: SignedIn, monkeypatch, django_assert_max_num_queries
):
    def broken() -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(views, "read_overview", broken)
    client = signed_in(raise_request_exception=False)
    with django_assert_max_num_queries(2):  # the session and its user; none for the error page
        answer = client.get("/")
    assert answer.status_code == 500
    assert "Something broke on the server" in answer.content.decode()
    assert "a secret of the server" not in answer.content.decode()
    assert set(answer["Content-Security-Policy"].split("; ")) == POLICY


def test_a_form_without_the_sign_of_the_site_is_refused_and_says_why(make_user: MakeUser):
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/sign-in/", {"username": "viewer", "password": PASSWORD})
    assert answer.status_code == 403
    assert "This form was refused" in answer.content.decode()


def test_a_host_name_that_is_not_allowed_is_refused(client, db):
    answer = client.get("/", headers={"host": "elsewhere.example.org"})
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.content.decode()


def test_health_answers_without_signing_in(client, db):
    answer = client.get("/health/")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert answer["Content-Type"] == "text/plain"
    assert "no-store" in answer["Cache-Control"]
    assert client.post("/health/").status_code == 405


@pytest.mark.parametrize(
    "database_url", ["postgresql://nobody@127.0.0.1:1/none", "sqlite:////nowhere/at/all/pool.sqlite3"]
)
def test_health_says_503_while_the_database_does_not_answer(tmp_path, database_url):
    code = (
        "import os; os.environ['SECRET_KEY'] = 'x'\nimport django; django.setup()\nfrom django.test import Client\n"
        "answer = Client(headers={'host': 'localhost'}).get('/health/')\nprint(answer.status_code, answer.content)"
    )
    done = Project(database_url, tmp_path / "artifacts").python("-c", code)
    assert done.stdout == "503 b'database: OperationalError\\n'\n", done.stderr
