"""What people decided on questions, and every change of it, so that a change can be taken back.

A question that nobody decided on has no row here.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models

from s1web.pool.models import Question


class ReviewState(models.Model):
    """Where a question stands in review."""

    class State(models.TextChoices):
        KEEP = "keep"
        DROP = "drop"
        UNSURE = "unsure"

    question = models.OneToOneField(Question, on_delete=models.PROTECT, primary_key=True, related_name="review")
    state = models.CharField(max_length=10, choices=State)

    def __str__(self) -> str:
        return f"{self.question_id}: {self.state}"


class ReviewChange(models.Model):
    """One decision on any number of questions, made at once; "" for `state` is back to not reviewed."""

    state = models.CharField(max_length=10, choices=ReviewState.State, blank=True)
    scope = models.TextField(help_text="which questions: a query of the pool page, or empty where picked by hand")
    num_questions = models.PositiveIntegerField(default=0, help_text="whose state it changed")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="review_changes"
    )
    made_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    num_restored = models.PositiveIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-id"], name="review_change_newest")]

    def __str__(self) -> str:
        return f"{self.num_questions} questions: {self.state or 'not reviewed'}"


class ChangedQuestion(models.Model):
    """A question of a change, with its state before."""

    change = models.ForeignKey(ReviewChange, on_delete=models.CASCADE, related_name="questions")
    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="review_changes")
    before = models.CharField(max_length=10, blank=True)

    def __str__(self) -> str:
        return f"{self.question_id}: {self.before or 'not reviewed'} before"
