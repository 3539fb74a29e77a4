"""Who asks: the holder of a token, or somebody who is signed in on the pages."""

import hashlib

from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from s1web.api.models import ApiToken
from s1web.api.scopes import Scope
from s1web.api.tokens import find_token, mark_used
from s1web.roles import Role, has_role, role_of
from s1web.signin import MAX_FAILURES, WINDOW_SECONDS

REALM = 'Bearer realm="s1web"'
_HOW = "send Authorization: Bearer s1w_..., a token made at /api/tokens/"


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer s1w_PREFIX_SECRET`.

    Wrong ones are counted by address, with the limit of the sign-in: beyond it they are answered by 429. A right one
    is let in all the same, so that nobody locks out others who share his address.
    """

    def authenticate(self, request: Request) -> tuple[object, ApiToken] | None:
        kind, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not kind:
            return None
        token = find_token(text.strip()) if kind.lower() == "bearer" else None
        if token is None:
            _count_failure(request)
            raise exceptions.AuthenticationFailed(f"this token is not known; {_HOW}")
        if token.revoked_at is not None:
            raise exceptions.AuthenticationFailed("this token was revoked; make another at /api/tokens/")
        if token.is_expired:
            raise exceptions.AuthenticationFailed(
                f"this token ended at {token.expires_at:%Y-%m-%d %H:%M} UTC; make another at /api/tokens/"
            )
        if not token.user.is_active:
            raise exceptions.AuthenticationFailed("the user of this token is not active any more; ask an admin")
        mark_used(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return REALM


class SessionOfPages(SessionAuthentication):
    """The session of the pages; what changes something needs their CSRF token too."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied:
            raise PermissionDenied(
                f"a session alone changes nothing here; send the page's token as X-CSRFToken, or {_HOW}"
            ) from None


class _DocumentedToken(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "s1w_PREFIX_SECRET",
            "description": "A token made at `/api/tokens/`. Each operation names the scope that it needs.",
        }


class _DocumentedSession(OpenApiAuthenticationExtension):
    target_class = SessionOfPages
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "Signed in on the pages; what changes something needs the header `X-CSRFToken` too.",
        }


def demand(request: Request, scope: Scope | None, role: Role | None = None) -> None:
    """Refuse what neither the token nor the user's role allows; without a scope, any user may.

    Args:
        role: where it takes a higher one than the scope does.

    Raises:
        NotAuthenticated: nobody asks.
        PermissionDenied: with the scope or the role that is needed.
    """
    if not request.user.is_authenticated:
        raise exceptions.NotAuthenticated(f"this needs a user; {_HOW}")
    if scope is None:
        return
    if isinstance(request.auth, ApiToken) and scope.value not in request.auth.scopes:
        has = ", ".join(request.auth.scopes)
        raise PermissionDenied(
            f"this needs the scope {scope.value}; the token has {has}: make another at /api/tokens/"
        )
    needed = role or scope.role
    if not has_role(request.user, needed):
        own = role_of(request.user)
        raise PermissionDenied(
            f"this needs the role {needed.value} or one above it; yours is {own.value if own else 'none'}: "
            "ask an admin for it"
        )


def _count_failure(request: Request) -> None:
    """Note a wrong token.

    Raises:
        Throttled: there were too many from this address.
    """
    address = str(request.META.get("REMOTE_ADDR", ""))
    key = f"api-token:{hashlib.sha256(address.encode(errors='replace')).hexdigest()}"
    cache.add(key, 0, WINDOW_SECONDS)
    try:
        failures = cache.incr(key)
    except ValueError:  # the window ended between the two lines
        failures = 1
    if failures > MAX_FAILURES:
        raise TooManyFailures(WINDOW_SECONDS)


class TooManyFailures(exceptions.Throttled):
    def __init__(self, wait: int) -> None:
        super().__init__(wait)
        self.detail = f"too many unknown tokens from this address; wait {wait // 60} minutes"
