"""Users of each role, without a password: nobody types one here, and to hash one takes half a second."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from s1web.roles import set_role
from tests.s1web.pools import write_lines

MakeUser = Callable[..., User]
SignedIn = Callable[..., Client]


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """The user of a role, named after it or as told; made where there is none."""

    def make(role: str = "viewer", name: str = "") -> User:
        user, is_new = User.objects.get_or_create(username=name or role)
        if is_new:
            user.set_unusable_password()
            user.save()
            set_role(user, role)
        return user

    return make


@pytest.fixture
def signed_in(make_user: MakeUser) -> SignedIn:
    """A client signed in as the user of a role."""

    def sign_in(role: str = "viewer", **options: bool) -> Client:
        client = Client(**options)
        client.force_login(make_user(role))
        return client

    return sign_in


@pytest.fixture
def import_dir(settings, tmp_path) -> Path:
    """An import folder beside a secret."""
    folder: Path = tmp_path / "imports"
    folder.mkdir()
    settings.IMPORT_DIR = folder
    write_lines(tmp_path / "secret.jsonl", [{"question": "A secret?"}])
    return folder


@pytest.fixture
def curator(signed_in: SignedIn) -> Client:
    return signed_in("curator")


@pytest.fixture
def operator(signed_in: SignedIn) -> Client:
    return signed_in("operator")
