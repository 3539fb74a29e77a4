"""What is known of questions through their vectors; the vectors themselves are arrays beside the database.

All of it is computed and can be computed again, so no row here holds back a question that is taken out of the pool:
keys to questions are no constraints, and what points nowhere is removed by the next run.
"""

from typing import ClassVar

from django.db import models

from s1web.pool.models import Question


class VectorModel(models.Model):
    """A sentence model whose vectors are kept, at one precision; the one used last for a setting counts."""

    key = models.CharField(max_length=200, unique=True, help_text="names its folder; see `encoder.SentenceModel`")
    name = models.CharField(max_length=500, help_text="EMBEDDING_MODEL")
    precision = models.CharField(max_length=10, help_text="EMBEDDING_PRECISION")
    dimension = models.PositiveIntegerField()
    used_at = models.DateTimeField(help_text="when questions were embedded with it last")

    def __str__(self) -> str:
        return self.key


class Clustering(models.Model):
    """One k-means run over all vectors of a model; its assignments are an array beside the database."""

    model = models.ForeignKey(VectorModel, on_delete=models.CASCADE, related_name="clusterings")
    k = models.PositiveIntegerField()
    seed = models.BigIntegerField()
    inertia = models.FloatField(help_text="sum of squared distances to the centres")
    num_questions = models.PositiveIntegerField()
    digest = models.CharField(max_length=32, help_text="of questions and assignments: names the array")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.k} clusters of {self.num_questions} questions, seed {self.seed}"


class Cluster(models.Model):
    """Questions that lie together, the largest cluster being number 0, under their most telling terms."""

    clustering = models.ForeignKey(Clustering, on_delete=models.CASCADE, related_name="clusters")
    number = models.PositiveSmallIntegerField()
    size = models.PositiveIntegerField()
    title = models.CharField(max_length=300)
    terms = models.JSONField(default=list, help_text="the most telling first")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["clustering", "number"], name="cluster_number_once_per_clustering"),
        ]

    def __str__(self) -> str:
        return self.title


class ClusterMember(models.Model):
    """The cluster of a question in the newest clustering."""

    question = models.OneToOneField(
        Question, models.CASCADE, primary_key=True, related_name="cluster_member", db_constraint=False
    )
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="members")

    def __str__(self) -> str:
        return f"{self.question_id} in {self.cluster_id}"


class PoolMap(models.Model):
    """One drawing of all vectors of a model in two dimensions; the places are an array beside the database."""

    model = models.ForeignKey(VectorModel, on_delete=models.CASCADE, related_name="maps")
    method = models.CharField(max_length=100, help_text="library, version and parameters")
    seed = models.BigIntegerField()
    num_questions = models.PositiveIntegerField()
    digest = models.CharField(max_length=32, help_text="of questions and places: names the array")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"map of {self.num_questions} questions"


class SimilarPair(models.Model):
    """Two questions whose vectors point nearly the same way; `question_a` has the smaller key."""

    question_a = models.ForeignKey(Question, models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    question_b = models.ForeignKey(Question, models.CASCADE, related_name="+", db_constraint=False)
    cosine = models.FloatField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["question_a", "question_b"], name="similar_pair_once"),
        ]

    def __str__(self) -> str:
        return f"{self.question_a_id} ~ {self.question_b_id}"


class DomainLabel(models.Model):
    """What one method says a question's domain is; `Question.domain` is the one that counts."""

    question = models.ForeignKey(Question, models.CASCADE, related_name="domain_labels", db_constraint=False)
    method = models.CharField(max_length=100, help_text="`imported`, `nearest description`, or a judge's name")
    code = models.CharField(max_length=1000, help_text="a code of two digits; imported: as it came")
    score = models.FloatField(null=True, help_text="of the method's own scale; nearest description: cosine")
    is_filled = models.BooleanField(default=False, help_text="Question.domain was empty and has this one now")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["question", "method"], name="domain_label_once_per_method"),
        ]
        indexes: ClassVar = [models.Index(fields=["method", "code"], name="domain_label_by_code")]

    def __str__(self) -> str:
        return f"{self.method}: {self.code}"
