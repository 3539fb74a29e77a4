"""JSON files that users write."""

import json
from pathlib import Path
from typing import Any

from curation.errors import InputError


def read_json(path: Path, what: str) -> Any:
    """What a JSON file holds.

    Args:
        what: the file describes, for the message: "a run".

    Raises:
        InputError: there is no such file, or it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a JSON file that describes {what}") from None
    except ValueError as error:
        raise InputError(f"{path}: no JSON ({error}); give a JSON file that describes {what}") from None
