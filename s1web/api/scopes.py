"""What a token may be used for, and the role that its user needs all the same."""

from django.db import models

from s1web.roles import Role


class Scope(models.TextChoices):
    """A token has some of these; it never gives more than its user's role does at the time of the request."""

    POOL_READ = "pool:read", "read questions, traces, clusters, the map and saved views"
    SELECTIONS_READ = "selections:read", "read runs, selections and comparisons, preview recipes"
    VIEWS_WRITE = "views:write", "save and delete one's own views of the pool"
    REVIEW_WRITE = "review:write", "set and undo review states, decide on evidence of contamination"
    CURATE = "curate", "plan and submit curation, ablations and seed stability"
    JOBS_READ = "jobs:read", "read jobs"
    JOBS_WRITE = "jobs:write", "plan and submit other jobs; confirm, pause, resume, retry, cancel"
    EXPORTS = "exports", "download filtered rows with their texts, submit exports"

    @property
    def role(self) -> Role:
        return _ROLES[self]


_ROLES = {
    Scope.POOL_READ: Role.VIEWER,
    Scope.SELECTIONS_READ: Role.VIEWER,
    Scope.VIEWS_WRITE: Role.VIEWER,
    # all of a filter, and what others decided, takes a curator
    Scope.REVIEW_WRITE: Role.REVIEWER,
    Scope.CURATE: Role.CURATOR,
    Scope.JOBS_READ: Role.VIEWER,
    # one's own jobs are stopped without a role; what more is needed depends on the job
    Scope.JOBS_WRITE: Role.VIEWER,
    Scope.EXPORTS: Role.OPERATOR,
}
_BY_KIND = {
    "curate": Scope.CURATE,
    "seed_stability": Scope.CURATE,
    "export_selection": Scope.EXPORTS,
}


def scope_for_kind(kind: str) -> Scope:
    """The scope that plans and submits jobs of a kind."""
    return _BY_KIND.get(kind, Scope.JOBS_WRITE)
