"""Any error as the one line that a user sees: what came, what is allowed, what to do."""

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError, connection

from curation.errors import S1WebError

# what SQLite says -> what that means, and what to do
_DATABASE_ADVICE = {
    "full": ("the disk is full", "free space where the database lies"),
    "disk I/O": ("the disk of the database fails", "see that it is well and has space"),
    "locked": ("another program writes to the database", "wait for it, or raise SQLITE_TIMEOUT_SECONDS"),
    "readonly": ("the database cannot be written to", "give yourself the right to write to it and its folder"),
    "unable to open": ("the database cannot be opened", "see that its folder is there and may be written to"),
}


def error_line(error: BaseException) -> str:
    """The one line that a user sees."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, S1WebError | ImproperlyConfigured | CommandError):
        return text
    if isinstance(error, MemoryError):
        return "out of memory; free some, or lower POOL_BATCH_BYTES, and run the command again"
    if isinstance(error, OperationalError):
        for sign, advice in _DATABASE_ADVICE.items():
            if sign in text:
                return f"{advice[0]} ({text}): {advice[1]}, then run the command again"
    if isinstance(error, OperationalError | ProgrammingError) and ("no such" in text or "does not exist" in text):
        return f"the database is not ready ({text.partition(' LINE ')[0]}); run: python manage.py migrate"
    if isinstance(error, DatabaseError):
        return f"the database refused: {text}; check DATABASE_URL and the server, and run the command again"
    if isinstance(error, ImportError):
        return f"a library is missing or broken: {text}; run: make setup"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}; check the path, its rights and the space on the disk"
    if isinstance(error, OSError):
        return f"the system refused: {text}; check paths, rights and the space on the disk"
    return f"a fault in the program, {type(error).__name__}: {text}; see the log of the job"


def is_passing(error: BaseException) -> bool:
    """Whether it is the database, and it may well answer again soon: it restarts, or others keep it busy."""
    if connection.vendor == "sqlite":
        return isinstance(error, OperationalError) and "locked" in str(error)
    return isinstance(error, OperationalError | InterfaceError)
