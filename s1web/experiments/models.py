"""Evaluation runs and their samples as tables; ids and events stay in the run's files, see ADR 20."""

import hashlib
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models

# of no bytes: where a run's rows begin
NOTHING_SHA256 = hashlib.sha256(b"").hexdigest()
# the folder below ARTIFACT_DIR that holds one folder for each run
FOLDER = "evaluations"


class EvaluationRun(models.Model):
    """A model on a benchmark by a method; its folder's files are the truth, and its rows follow them."""

    name = models.CharField(max_length=120, unique=True, help_text="and the name of its folder")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, help_text="when its last sample came; null where some are missing")
    made_by = models.CharField(max_length=150, blank=True)
    num_trials = models.PositiveIntegerField(default=0, help_text="problems times repeats")
    num_done = models.PositiveIntegerField(default=0)
    num_failed = models.PositiveIntegerField(default=0, help_text="of those done, that ended in an error")
    benchmark = models.CharField(max_length=255)
    benchmark_sha256 = models.CharField(max_length=64)
    model_sha256 = models.CharField(max_length=64, blank=True, help_text="empty: its files are not on this machine")
    tokenizer_sha256 = models.CharField(max_length=64, blank=True)
    synced_bytes = models.BigIntegerField(default=0, help_text="so much of samples.jsonl is in the rows")
    synced_sha256 = models.CharField(max_length=64, default=NOTHING_SHA256, help_text="of those bytes")
    model = models.TextField()
    method = models.JSONField()
    config = models.JSONField()
    engines = models.JSONField(default=list, help_text="fingerprints of the engines, each once, the newest last")
    summary = models.JSONField(null=True, help_text="as of the end of the newest session")

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return folder_of(self.name)

    @property
    def is_complete(self) -> bool:
        return 0 < self.num_trials == self.num_done


class Sample(models.Model):
    """A trial that has ended, in figures; the line of samples.jsonl at `offset` has everything."""

    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="samples", db_index=False)
    problem_key = models.CharField(max_length=200)
    repeat = models.PositiveIntegerField()
    is_right = models.BooleanField(null=True, help_text="null: not graded, which is not wrong")
    hit_cap = models.BooleanField()
    thinking_tokens = models.PositiveIntegerField(help_text="of all its generations together")
    answer_tokens = models.PositiveIntegerField()
    seconds = models.FloatField()
    offset = models.BigIntegerField(help_text="of its line, in bytes")
    length = models.PositiveIntegerField(help_text="of its line with the line's end, in bytes")
    grade_rule = models.CharField(max_length=40, blank=True, help_text="empty: it ended in an error")
    parse_rule = models.CharField(max_length=40, blank=True, help_text="that found the answer; empty: none was asked")
    answer = models.TextField(null=True, help_text="null: none was found")
    error = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "problem_key", "repeat"], name="sample_once_per_trial"),
        ]

    def __str__(self) -> str:
        return f"{self.run} {self.problem_key}/{self.repeat}"


def folder_of(name: str) -> Path:
    """Where the run of that name has its files."""
    root: Path = settings.ARTIFACT_DIR
    return root / FOLDER / name
