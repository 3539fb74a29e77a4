"""Making, finding and revoking tokens."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from curation.errors import ConfigError, NotFoundError
from s1web.api.models import ApiToken
from s1web.api.scopes import Scope
from s1web.roles import has_role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAX_NAME = 80
MAX_TOKENS = 100
_FORM = re.compile(r"s1w_([0-9a-f]{8})_([0-9a-f]{64})")
_NOBODY = hashlib.sha256(b"").hexdigest()
# how fine the time of the last use is kept: a write to the database for each request would cost more than the request
_USED_EACH = timedelta(minutes=1)


def make_token(
    user: "User", name: str, scopes: Collection[str], expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new token, and its text, which is not kept and cannot be had again.

    Raises:
        ConfigError: no name, no scope or one beyond the user's role, an end that is past, or too many tokens.
    """
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise ConfigError(f"a token cannot be called {name[:90]!r}; give it a name of 1 to {MAX_NAME} characters")
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown or not scopes:
        what = f"{unknown[0]!r:.60} is no scope" if unknown else "a token without a scope is of no use"
        raise ConfigError(f"{what}; choose of {', '.join(Scope.values)}")
    chosen = [scope for scope in Scope if scope.value in scopes]
    for scope in chosen:
        if not has_role(user, scope.role):
            raise ConfigError(f"scope {scope.value} needs the role {scope.role.value}; ask an admin, or leave it out")
    if expires_at is not None and expires_at <= timezone.now():
        raise ConfigError(f"a token cannot end at {expires_at:%Y-%m-%d %H:%M} UTC, which is past; give a later time")
    # those that can be used: what has ended is kept for the record
    if _usable(user) >= MAX_TOKENS:
        raise ConfigError(f"{MAX_TOKENS} tokens can be used, which is all there is room for; revoke one first")
    prefix, secret = secrets.token_hex(4), secrets.token_hex(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=prefix,
        digest=_digest(secret),
        scopes=[scope.value for scope in chosen],
        expires_at=expires_at,
    )
    return token, f"s1w_{prefix}_{secret}"


def find_token(text: str) -> ApiToken | None:
    """The token of this text with its user, usable or not; one query, and the same work for a wrong secret."""
    match = _FORM.fullmatch(text)
    prefix, secret = match.groups() if match else ("", "")
    token = ApiToken.objects.select_related("user").filter(prefix=prefix).first() if match else None
    is_right = hmac.compare_digest(_digest(secret), token.digest if token else _NOBODY)
    return token if token and is_right else None


def mark_used(token: ApiToken) -> None:
    """Keep when it was used, to the minute."""
    now = timezone.now()
    if token.last_used_at is not None and now - token.last_used_at < _USED_EACH:
        return
    is_old = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - _USED_EACH)
    try:
        ApiToken.objects.filter(is_old, pk=token.pk).update(last_used_at=now)
    except DatabaseError:
        # somebody writes for long: a reader is not refused for a note on himself
        return


def revoke_token(user: "User", pk: int) -> ApiToken:
    """End one of the user's tokens, at once and for good; a second time changes nothing.

    Raises:
        NotFoundError: the user has none of that number.
    """
    ApiToken.objects.filter(user=user, pk=pk, revoked_at__isnull=True).update(revoked_at=timezone.now())
    token = ApiToken.objects.filter(user=user, pk=pk).first()
    if token is None:
        raise NotFoundError(f"you have no token {pk}; look at the list again")
    return token


def tokens_of(user: "User", most: int = 200) -> list[ApiToken]:
    """The user's tokens, the newest first."""
    return list(ApiToken.objects.filter(user=user).order_by("-pk")[:most])


def _usable(user: "User") -> int:
    lasts = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
    return ApiToken.objects.filter(lasts, user=user, revoked_at__isnull=True).count()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
