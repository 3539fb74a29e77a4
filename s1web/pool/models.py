"""The pool as tables.

Short columns come first in every table and long texts last: SQLite reads a row from its start, so that a listing
never walks through a trace.
"""

from typing import ClassVar

from django.db import models


class Source(models.Model):
    """The data set a question came from, under the name that its rows carry (`source_type`)."""

    name = models.CharField(max_length=500, unique=True)
    preset = models.CharField(max_length=50, blank=True, help_text="which of s1's 16 sources it belongs to")
    hub_id = models.CharField(max_length=200, blank=True)
    revision = models.CharField(max_length=100, blank=True)
    licence = models.CharField(max_length=100, default="unknown")

    def __str__(self) -> str:
        return self.name


class ImportFile(models.Model):
    """One file or hub split that was loaded, known by its content and the options it was read with."""

    class State(models.TextChoices):
        LOADING = "loading"
        LOADED = "loaded"

    key = models.CharField(max_length=64, unique=True, help_text="SHA-256 of content and options")
    content_key = models.CharField(max_length=64, db_index=True, help_text="SHA-256 of the content alone")
    state = models.CharField(max_length=10, choices=State, default=State.LOADING)
    num_read = models.PositiveIntegerField(default=0)
    num_rejected = models.PositiveIntegerField(default=0)
    name = models.TextField()
    options = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name


class Question(models.Model):
    """A question of the pool, once a hash; what its repeated rows brought is merged into it."""

    question_hash = models.CharField(max_length=16, unique=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="questions")
    # a pointer that the import keeps; as a constraint it would close a circle and be checked on every insert
    trace = models.ForeignKey(
        "Trace", models.SET_NULL, null=True, blank=True, related_name="+", db_index=False, db_constraint=False
    )
    small_grade = models.BooleanField(null=True)
    large_grade = models.BooleanField(null=True)
    trace_grade = models.BooleanField(null=True)
    # False also where it was not compared yet: `Problem.checked_question_id` tells how far comparing went
    contaminated = models.BooleanField(default=False)
    quality_flags = models.SmallIntegerField(default=0)
    quality_version = models.SmallIntegerField(default=0)
    domain = models.CharField(max_length=1000, blank=True)
    cot_type = models.CharField(max_length=500, blank=True)
    text = models.TextField()
    solution = models.TextField(blank=True)
    answer = models.TextField(blank=True)
    cot = models.TextField(blank=True)
    metadata = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.question_hash


class LoadedRow(models.Model):
    """One row of a file that became part of the pool, known by its content; keeps what it brought.

    `is_attachment`: it is no question's row of its own, but brought something to a question that was there: an
    attempt, a trace, or annotations of a file that was read again with other columns mapped.
    """

    class Brought(models.IntegerChoices):
        """Bits of `brought`."""

        QUESTION = 1
        SMALL_GRADE = 2
        LARGE_GRADE = 4
        DOMAIN = 8
        TRACE = 16

    digest = models.BigIntegerField(primary_key=True)
    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="rows")
    import_file = models.ForeignKey(ImportFile, on_delete=models.PROTECT, related_name="rows", db_index=False)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="rows", db_index=False)
    line = models.PositiveIntegerField()
    brought = models.SmallIntegerField(default=0)
    is_attachment = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.import_file} line {self.line}"


class Tokenizer(models.Model):
    """A tokenizer that counted traces: one that we ran (with a hash of it), or a column of imported counts."""

    name = models.CharField(max_length=500, unique=True)
    fingerprint = models.CharField(max_length=64, blank=True, help_text="SHA-256; empty: imported counts")

    def __str__(self) -> str:
        return self.name


class Trace(models.Model):
    """One model's thinking and attempt at a question; a question's first one is `Question.trace`."""

    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="traces")
    import_file = models.ForeignKey(ImportFile, models.PROTECT, related_name="+", null=True, db_index=False)
    digest = models.BigIntegerField(help_text="of generator, thinking and attempt")
    grade = models.BooleanField(null=True)
    has_thinking = models.BooleanField(default=True)
    generator = models.CharField(max_length=500, blank=True)
    attempt = models.TextField(blank=True)
    thinking = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["question", "digest"], name="trace_once_per_question"),
        ]

    def __str__(self) -> str:
        return f"{self.generator or 'trace'} {self.pk}"


class TraceLength(models.Model):
    """Tokens of a trace's thinking by one tokenizer."""

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="lengths")
    tokenizer = models.ForeignKey(Tokenizer, on_delete=models.PROTECT, related_name="+", db_index=False)
    tokens = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tokenizer", "trace"], name="length_once_per_tokenizer"),
        ]

    def __str__(self) -> str:
        return f"{self.tokens} tokens"


class Attempt(models.Model):
    """An ordinary model's answer to a question, the measure of its difficulty."""

    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="attempts")
    import_file = models.ForeignKey(ImportFile, models.PROTECT, related_name="+", null=True, db_index=False)
    model = models.CharField(max_length=500)
    text = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.model} {self.pk}"


class Grade(models.Model):
    """One judgement of an attempt or of a trace's attempt; a question carries the one that counts.

    `value` null is a judgement without result: not graded, never wrong. `model` is whose answer was judged. A yes or
    no that was imported without a word stands on the question or the trace alone.
    """

    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="grades")
    # without an index the database cannot check these two when an attempt or a trace goes, so it does not try
    attempt = models.ForeignKey(
        Attempt, models.CASCADE, related_name="+", null=True, db_index=False, db_constraint=False
    )
    trace = models.ForeignKey(Trace, models.CASCADE, related_name="+", null=True, db_index=False, db_constraint=False)
    import_file = models.ForeignKey(ImportFile, models.PROTECT, related_name="+", null=True, db_index=False)
    value = models.BooleanField(null=True)
    model = models.CharField(max_length=500, blank=True)
    judge = models.CharField(max_length=500, blank=True, help_text="a model, or the column it was imported from")
    prompt_version = models.CharField(max_length=50, blank=True)
    raw_reply = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.judge}: {self.value}"


class Benchmark(models.Model):
    """A set of evaluation questions."""

    name = models.CharField(max_length=100, unique=True)

    def __str__(self) -> str:
        return self.name


class Problem(models.Model):
    """One evaluation question."""

    benchmark = models.ForeignKey(Benchmark, on_delete=models.CASCADE, related_name="problems")
    key = models.CharField(max_length=200, help_text="its id in the benchmark's file")
    checked_question_id = models.BigIntegerField(default=0, help_text="questions up to here were compared with it")
    text = models.TextField()
    answer = models.TextField(blank=True)
    choices = models.JSONField(default=list, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["benchmark", "key"], name="problem_key_once_per_benchmark"),
        ]

    def __str__(self) -> str:
        return f"{self.benchmark} {self.key}"


class Contamination(models.Model):
    """Evidence that a question overlaps with an evaluation question; offsets and length in words."""

    class Decision(models.TextChoices):
        UNDECIDED = ""
        OVERRULED = "overruled", "overruled: not contaminated"
        UPHELD = "upheld"

    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="contaminations")
    problem = models.ForeignKey(Problem, on_delete=models.CASCADE, related_name="contaminations")
    rule = models.CharField(max_length=40)
    num_words = models.PositiveIntegerField()
    question_offset = models.PositiveIntegerField()
    problem_offset = models.PositiveIntegerField()
    decision = models.CharField(max_length=10, choices=Decision, default=Decision.UNDECIDED, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["question", "problem"], name="contamination_once_per_pair"),
        ]

    def __str__(self) -> str:
        return f"{self.question} x {self.problem}"


class ContaminationRuling(models.Model):
    """One decision on a piece of evidence; the evidence itself carries the one that counts, the newest."""

    contamination = models.ForeignKey(Contamination, on_delete=models.CASCADE, related_name="rulings")
    decision = models.CharField(max_length=10, choices=Contamination.Decision, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(auto_now_add=True)
    reason = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.contamination_id}: {self.decision or 'undecided'}"


class PoolVersion(models.Model):
    """The one row that says which state of the pool this is; see `version.py`."""

    number = models.BigIntegerField(default=0)
    token = models.CharField(max_length=16, help_text="new with every change: a restored backup repeats numbers")

    def __str__(self) -> str:
        return f"{self.number}-{self.token}"


class SearchedQuestion(models.Model):
    """A question whose texts are in the text index, and the trace that was its own then; see `search/index.py`."""

    question = models.OneToOneField(Question, models.PROTECT, primary_key=True, related_name="+", db_constraint=False)
    indexed_trace_id = models.BigIntegerField(default=0, help_text="0: it had none")

    def __str__(self) -> str:
        return f"{self.question_id}"
