"""Forms of jobs as a browser sends them, and what came of it."""

import re
from typing import Any

from django.test import Client
from django.urls import reverse

from s1web.jobs.models import Job

ROWS = [{"question": f"Question {number}?", "subject": "05"} for number in range(30)]


def send(client: Client, kind: str, **values: Any) -> Any:
    return client.post(reverse("jobs:new-of-kind", args=[kind]), values)


def made(answer: Any) -> Job:
    """The planned job that a form led to."""
    assert answer.status_code == 302, re.findall(r"(?:field__error|notice--error)[^>]*>.*", answer.content.decode())
    job = Job.objects.get(pk=int(answer["Location"].rstrip("/").rpartition("/")[2]))
    assert answer["Location"] == reverse("jobs:detail", args=[job.pk])
    assert job.state == "planned"
    return job


def refused(answer: Any) -> str:
    """The page that a refused form comes back with."""
    assert answer.status_code == 200
    assert not Job.objects.exists()
    page: str = answer.content.decode()
    assert "field__error" in page or "notice--error" in page
    return page
