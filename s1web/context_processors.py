"""What the frame of every page needs."""

from typing import Any

from django.http import HttpRequest

from s1web import navigation
from s1web.roles import role_of


def frame(request: HttpRequest) -> dict[str, Any]:
    """Navigation, the address of the running-jobs meter, and the user's role; nothing for who is not signed in."""
    # an error may be answered before anyone was recognised
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"places": [], "meter_url": None}
    return {
        "places": navigation.entries(request.path),
        "meter_url": navigation.address("jobs:meter"),
        "role": role_of(user),
    }
