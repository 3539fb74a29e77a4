"""Errors that a user can mend: their text says what came, what is allowed and what to do."""


class S1WebError(Exception):
    """Base of the errors whose message is shown to the user as it stands, in one line."""


class ConfigError(S1WebError, ValueError):
    """A recipe, option or setting that cannot be used."""


class InputError(S1WebError, ValueError):
    """A file or table that cannot be read at all; single bad rows are listed instead."""


class RowError(ValueError):
    """One row that cannot be read; it is listed with its line and this reason, and the rest is loaded."""


class NotFoundError(S1WebError, LookupError):
    """A name, hash or run that is not there."""


class ConflictError(S1WebError):
    """A name that is taken, a frozen thing that would change, or two things that may not be mixed."""
