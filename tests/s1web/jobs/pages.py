"""What tests of the pages of jobs have in common: which action needs what, and how a page is read."""

import re
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from s1web.jobs.models import Job
from tests.factories import make_job

# action -> the state that it needs, and the state that comes of it
WORKS = {
    "confirm": ("planned", "queued"),
    "pause": ("queued", "paused"),
    "resume": ("paused", "queued"),
    "retry": ("failed", "queued"),
    "cancel": ("queued", "cancelled"),
    "move_up": ("queued", "queued"),
    "to_front": ("queued", "queued"),
}
# action -> the lowest role that may do it to a job of somebody else
NEEDS = {
    "confirm": "curator",
    "pause": "curator",
    "resume": "curator",
    "retry": "curator",
    "cancel": "operator",
    "move_up": "operator",
    "to_front": "operator",
}


def url_of(action: str, job: Job) -> str:
    return reverse(f"jobs:{action.replace('_', '-')}", args=[job.pk])


def page_of(client: Client, job: Job) -> str:
    return client.get(reverse("jobs:detail", args=[job.pk])).content.decode()


def said_on(page: str) -> list[tuple[str, str]]:
    """(level, text) of each notice."""
    return re.findall(r'<p class="notice notice--(\w+)"[^>]*>(?:<svg.*?</svg>)?\s*([^<]*)', page)


def work_job(state: str, **values: Any) -> Job:
    """A job that is no trial, so that curators may run it."""
    return make_job(state, **({"kind": "curate", "ended_at": ended_at(state)} | values))


def ended_at(state: str) -> Any:
    return timezone.now() if state in ("done", "failed", "cancelled") else None


def user_of(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])
