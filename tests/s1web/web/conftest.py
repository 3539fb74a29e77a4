"""Users of each role, and a limit on sign-ins that starts at zero."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from s1web.roles import set_role

PASSWORD = "one-long-password-of-words"
MakeUser = Callable[..., User]
SignedIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_failed_sign_ins() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _quick_passwords(settings) -> None:
    """The real hash takes a third of a second by design, and is Django's to test."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """Makes a user of a role, named after it; None makes one without any group."""

    def make(role: str | None = "viewer", name: str = "") -> User:
        user = User.objects.create_user(name or role or "nobody", password=PASSWORD)
        if role:
            set_role(user, role)
        return user

    return make


@pytest.fixture
def signed_in(make_user: MakeUser) -> SignedIn:
    """A client signed in as a new user of a role."""

    def sign_in(role: str | None = "viewer", **options: bool) -> Client:
        client = Client(**options)
        client.force_login(make_user(role))
        return client

    return sign_in
