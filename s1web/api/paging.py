"""Lists in pages: an opaque cursor says where a page starts, and belongs to the one list that it came from."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from curation.errors import ConfigError

DEFAULT_LIMIT, MAX_LIMIT = 50, 500
_MAX_CURSOR = 4_000
FORWARD, BACKWARD = "f", "b"
M = TypeVar("M", bound=Model)


class PagingQuery(serializers.Serializer):
    """What every list takes."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text="Items a page at most."
    )
    cursor = serializers.CharField(
        default="",
        allow_blank=True,
        help_text="Where the page starts, from `next` or `previous`; without it the first.",
    )


@dataclass(frozen=True)
class Place:
    """Where a page starts: behind a key, or (backward) before it; "" is the beginning."""

    key: str = ""
    is_backward: bool = False


@dataclass(frozen=True)
class Slice:
    """A page; `following` and `preceding` are the places to either side, None where there is nothing.

    Attributes:
        total: items of the whole list; None where nobody counts them.
    """

    items: Sequence[Any]
    following: Place | None
    preceding: Place | None
    total: int | None


class Pager:
    """The page that a request asks for, and the addresses of those beside it."""

    def __init__(self, request: Request, limit: int, cursor: str) -> None:
        self.limit = limit
        self._path = request.path
        pairs = [(name, value) for name, values in request.query_params.lists() for value in values]
        self._pairs = [(name, value) for name, value in pairs if name != "cursor"]
        conditions = sorted((name, value) for name, value in self._pairs if name != "limit")
        self._list = hashlib.sha256(f"{self._path}?{urlencode(conditions)}".encode()).hexdigest()[:8]
        self.place = self._unpack(cursor) if cursor else Place()

    def envelope(self, page: Slice) -> dict[str, Any]:
        """What every list answers."""
        return {
            "items": page.items,
            "next": self._address(page.following),
            "previous": self._address(page.preceding),
            "total": page.total,
        }

    def _address(self, place: Place | None) -> str | None:
        if place is None:
            return None
        direction = BACKWARD if place.is_backward else FORWARD
        packed = json.dumps([self._list, direction, place.key], separators=(",", ":")).encode()
        cursor = base64.urlsafe_b64encode(packed).decode().rstrip("=")
        return f"{self._path}?{urlencode([*self._pairs, ('cursor', cursor)])}"

    def _unpack(self, cursor: str) -> Place:
        wrong = ConfigError(
            f"cursor={cursor[:40]!r} is not of this list; take it from `next` or `previous` of an answer to the same "
            "query, or leave it out"
        )
        if len(cursor) > _MAX_CURSOR:
            raise wrong
        try:
            found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        except (binascii.Error, ValueError, RecursionError):
            raise wrong from None
        match found:
            case [self._list, str(direction), str(key)] if direction in (FORWARD, BACKWARD):
                return Place(key, direction == BACKWARD)
        raise wrong


def newest_first(queryset: "QuerySet[M]", pager: Pager) -> Slice:
    """A page of rows by falling primary key, in two queries."""
    number = _number(pager.place.key)
    if pager.place.is_backward:
        found = list(queryset.filter(pk__gt=number or 0).order_by("pk")[: pager.limit + 1])
        is_more = len(found) > pager.limit
        items, is_before, is_behind = found[: pager.limit][::-1], is_more, True
    else:
        below = queryset if number is None else queryset.filter(pk__lt=number)
        found = list(below.order_by("-pk")[: pager.limit + 1])
        items, is_before, is_behind = found[: pager.limit], number is not None, len(found) > pager.limit
    return Slice(
        items,
        following=Place(str(items[-1].pk)) if items and is_behind else None,
        preceding=Place(str(items[0].pk), is_backward=True) if items and is_before else None,
        total=queryset.order_by().count(),
    )


def part_of(items: Sequence[Any], pager: Pager) -> Slice:
    """A page of what is in memory whole."""
    return by_number(lambda start, stop: items[start:stop], len(items), pager)


def by_number(read: Callable[[int, int], Sequence[Any]], total: int, pager: Pager) -> Slice:
    """A page of a list that never changes, by the places of its items.

    Args:
        read: the items from a place up to another.
    """
    start = min(_number(pager.place.key) or 0, total)
    stop = min(start + pager.limit, total)
    return Slice(
        read(start, stop),
        following=Place(str(stop)) if stop < total else None,
        preceding=Place(str(max(start - pager.limit, 0))) if start else None,
        total=total,
    )


def piece_by_piece(read: Callable[[int], tuple[Sequence[Any], int | None]], total: int | None, pager: Pager) -> Slice:
    """A page of a list that only goes forward, made of its own shorter pages.

    Args:
        read: what follows a key (an item's `key`), and the key that more follows, None at the end.
    """
    items: list[Any] = []
    after: int | None = _number(pager.place.key) or 0
    while after is not None and len(items) < pager.limit:
        some, after = read(after)
        items += some
    is_cut = len(items) > pager.limit
    items = items[: pager.limit]
    following = Place(str(items[-1].key)) if is_cut or (items and after is not None) else None
    return Slice(items, following, preceding=None, total=total)


def _number(key: str) -> int | None:
    """The key as a number; None is the beginning.

    Raises:
        ConfigError: it is none, so somebody made the cursor up.
    """
    if key and not (key.isascii() and key.isdigit() and len(key) <= 18):
        raise ConfigError("the cursor holds no place of this list; take it from `next` or `previous` of an answer")
    return int(key) if key else None
