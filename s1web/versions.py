"""What a record says made it."""

from importlib.metadata import PackageNotFoundError, version


def code_version() -> str:
    """The installed version of this code, which a run records."""
    try:
        return version("s1web")
    except PackageNotFoundError:
        return "unknown"
