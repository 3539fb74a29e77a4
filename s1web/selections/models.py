"""Runs of the recipe and what they selected."""

from typing import ClassVar

from django.db import models

from s1web.pool.models import Question


class Selection(models.Model):
    """A frozen, ordered list of questions; `sha256` is over their hashes joined by a newline."""

    name = models.CharField(max_length=120, unique=True)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def run(self) -> "CurationRun":
        """The newest run that came to it; earlier ones came to the same questions in the same order."""
        return self.runs.latest("pk")


class CurationRun(models.Model):
    """One run of a recipe over the pool, with everything needed to replay and explain it."""

    selection = models.ForeignKey(Selection, on_delete=models.PROTECT, related_name="runs")
    created_at = models.DateTimeField(auto_now_add=True)
    seed = models.BigIntegerField()
    code_version = models.CharField(max_length=50)
    pool_fingerprint = models.CharField(max_length=64)
    recipe = models.JSONField()
    ledger = models.JSONField()
    warnings = models.JSONField(default=list)
    recipe_toml = models.TextField()

    def __str__(self) -> str:
        return f"run {self.pk}"


class Decision(models.Model):
    """Why a run dropped a question: the stage and rule that hit it first, and its evidence."""

    run = models.ForeignKey(CurationRun, on_delete=models.CASCADE, related_name="decisions", db_index=False)
    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="decisions")
    rule = models.CharField(max_length=40)
    evidence = models.TextField(blank=True, help_text="JSON")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "rule", "question"], name="decision_once_per_run_and_question"),
        ]

    def __str__(self) -> str:
        return f"{self.run}: {self.rule}"

    @property
    def stage(self) -> str:
        """A rule's code starts with its stage."""
        return self.rule.partition(".")[0]


class SelectionMember(models.Model):
    """A question's place in a selection."""

    selection = models.ForeignKey(Selection, on_delete=models.CASCADE, related_name="members", db_index=False)
    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="memberships")
    position = models.PositiveIntegerField()
    is_whole = models.BooleanField(default=False, help_text="taken whole as benchmark-like, not drawn")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["selection", "position"], name="member_once_per_position"),
        ]

    def __str__(self) -> str:
        return f"{self.selection} #{self.position}"
