"""From a filled-in form to planned jobs."""

from dataclasses import replace

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from s1web.forms import JobForm
from s1web.jobs import services
from s1web.jobs.models import Job


@transaction.atomic
def plan_jobs(kind: str, form: JobForm, user: AbstractBaseUser) -> Job:
    """Make a planned job of a valid form, and one for each that is to follow it.

    Raises:
        S1WebError: parameters that cannot work.
    """
    job = services.submit(kind, form.to_params(), user=user, is_confirmed=False)
    for follower in form.followers():
        plan = services.make_plan(follower.kind, follower.params)
        # counted now, it would leave out what the first one brings
        later = f"how much there is to do is known once job {job.pk} is done"
        plan = replace(plan, title=follower.title or plan.title, total=0, spends={}, seconds=None, notes=(later,))
        services.submit(follower.kind, follower.params, user=user, parent=job, is_confirmed=False, plan=plan)
    return job
