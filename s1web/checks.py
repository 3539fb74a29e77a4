"""System checks of our own: s1web.W001, ..."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


@register
def front_end_packages_are_there(**_: Any) -> list[CheckMessage]:
    """The pages work without them, but nothing on a page updates by itself."""
    missing = [str(folder) for _prefix, folder in settings.FRONT_END_PACKAGES if not folder.is_dir()]
    if not missing:
        return []
    return [
        Warning(
            f"front-end packages are missing: {', '.join(missing)}; pages do not update by themselves",
            hint="run: make setup (or npm ci)",
            id="s1web.W001",
        )
    ]
