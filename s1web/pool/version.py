"""Which state of the pool this is: one row, moved by every service that changes what lists of questions show.

Whoever keeps something computed from the whole pool compares two short texts to know whether it still holds.
"""

import secrets

from django.db.models import F

from s1web.pool.models import PoolVersion

_PK = 1


def pool_version() -> str:
    """The state as a text that names a folder: `12-9f2c...`; one query."""
    return str(PoolVersion.objects.filter(pk=_PK).first() or "0-empty")


def bump() -> None:
    """Say that the pool has changed; the last statement of the transaction that changes it.

    Last, as on PostgreSQL the row is held from here to the transaction's end.
    """
    token = secrets.token_hex(8)
    if not PoolVersion.objects.filter(pk=_PK).update(number=F("number") + 1, token=token):
        PoolVersion.objects.create(pk=_PK, number=1, token=token)
