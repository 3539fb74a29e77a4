"""Pages that belong to no app."""

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from s1web.jobs.rights import role_for_kind
from s1web.overview import read_overview
from s1web.roles import has_role


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    overview = read_overview()
    kind = overview.next_step.kind
    may_do_it = has_role(request.user, role_for_kind(kind))
    step_url = reverse("jobs:new-of-kind", args=[kind]) if may_do_it else None
    return render(request, "overview.html", {"overview": overview, "step_url": step_url})


@never_cache
@require_safe
@login_not_required
def health(request: HttpRequest) -> HttpResponse:
    """For whoever watches the process: "ok" while the database answers, else 503 and why."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return HttpResponse(f"database: {type(error).__name__}\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
