"""Forms of the jobs that make vectors, and of those that compute with them."""

from collections.abc import Sequence
from typing import ClassVar

from django import forms

from curation.clustering import NUM_CLUSTERS
from s1web.forms import Follower, JobForm, LimitField, Params
from s1web.vectors.domains import FILL, KEEP, UNFILL
from s1web.vectors.duplicates import MIN_COSINE
from s1web.vectors.work import MAX_CLUSTERS, MAX_SEED

_NEEDS_VECTORS = "Needs embeddings; questions without a vector are left out, and counted."


class SeedField(forms.IntegerField):
    """A seed; the same one gives the same result again."""

    def __init__(self) -> None:
        super().__init__(
            label="Seed",
            min_value=0,
            max_value=MAX_SEED,
            initial=0,
            help_text="The same vectors and seed give the same result again.",
        )


class EmbeddingsForm(JobForm):
    summary = "A vector of each question's text, by the sentence model of the setting EMBEDDING_MODEL."
    hint = "What has its vector already is skipped. Clusters, map, neighbours and domains need it."
    advanced: ClassVar = ("limit",)

    then = forms.MultipleChoiceField(
        label="Then",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[
            ("annotate_clusters", "make clusters"),
            ("annotate_map", "draw the map"),
            ("annotate_neighbours", "find near duplicates"),
            ("annotate_domains", "label domains by nearest description"),
        ],
    )
    limit = LimitField("questions")

    def to_params(self) -> Params:
        return {"limit": self.cleaned_data["limit"]}

    def followers(self) -> Sequence[Follower]:
        return [Follower(kind) for kind in self.cleaned_data["then"]]


class ClustersForm(JobForm):
    summary = "Groups of like questions, each titled by its most telling terms; they take the place of those before."
    hint = _NEEDS_VECTORS
    advanced: ClassVar = ("seed",)

    k = forms.IntegerField(label="Clusters", min_value=1, max_value=MAX_CLUSTERS, initial=NUM_CLUSTERS)
    seed = SeedField()


class MapForm(JobForm):
    summary = "A place in the plane for each question, like ones near each other."
    hint = _NEEDS_VECTORS
    advanced: ClassVar = ("seed",)

    seed = SeedField()


class NeighboursForm(JobForm):
    summary = "Pairs of questions that say nearly the same, by their vectors."
    hint = _NEEDS_VECTORS

    min_cosine = forms.FloatField(
        label="Least cosine",
        min_value=0.51,
        max_value=1,
        initial=MIN_COSINE,
        widget=forms.NumberInput(attrs={"step": "0.01"}),
        help_text="1 is the same text; below 0.9 pairs are alike in subject alone.",
    )


class DomainsForm(JobForm):
    summary = "A domain of each question by its nearest description: a rough method that needs no judge."
    hint = _NEEDS_VECTORS

    fill = forms.ChoiceField(
        label="Questions without a domain",
        choices=[
            (KEEP, "leave them without; show this method's label beside"),
            (FILL, "give them this method's domain"),
            (UNFILL, "take back what this method gave"),
        ],
        initial=KEEP,
    )
