"""python manage.py create_user NAME --role ROLE: a user who can sign in to the pages, or another role for one."""

import secrets
import sys
from typing import Any

from django.contrib.auth import password_validation
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.db import transaction
from rich.console import Console
from rich.markup import escape

from curation.errors import InputError
from s1web.management.base import Command as BaseCommand
from s1web.roles import Role, role_of, set_role

_PASSWORD_BYTES = 12  # 16 letters, digits, - and _


class Command(BaseCommand):
    help = "Make a user who can sign in to the pages, or give one another role or password."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="who signs in; letters, digits and @ . + - _")
        roles = "what the user may do; each role includes those before it (default of a new user: viewer)"
        parser.add_argument("--role", choices=Role.values, help=roles)
        from_stdin = "read the password from the first line of standard input, instead of making one up"
        parser.add_argument("--password-stdin", action="store_true", help=from_stdin)

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        name, role = options["name"], options["role"]
        given = _read_password() if options["password_stdin"] else None
        with transaction.atomic():
            user = User.objects.filter(username=name).first()
            is_new = user is None
            if user is None:
                user = _checked(User(username=name))
            elif role is None and given is None:
                raise InputError(f"user {name!r} is there; give --role or --password-stdin to change it")
            made = secrets.token_urlsafe(_PASSWORD_BYTES) if is_new and given is None else None
            password = given if given is not None else made
            if password is not None:
                _set_password(user, password)
                user.save()
            if is_new or role:
                set_role(user, role or Role.VIEWER)
        return {"name": name, "role": str(role_of(user)), "new": is_new, "password": made}

    def show(self, result: dict[str, Any], console: Console) -> None:
        what = "made" if result["new"] else "changed"
        console.print(escape(f"user {result['name']} {what}, role {result['role']}"))
        if result["password"]:
            console.print(escape(f"password: {result['password']}"))
            console.print("it is not shown again; sign in with it, or set another with --password-stdin")


def _read_password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise InputError("--password-stdin: standard input holds no line; write the password to it")
    return password


def _checked(user: User) -> User:
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise InputError(f"user name {user.username!r}: {' '.join(error.messages)}") from None
    return user


def _set_password(user: User, password: str) -> None:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise InputError(f"this password is refused: {' '.join(error.messages)} Give another one") from None
    user.set_password(password)
