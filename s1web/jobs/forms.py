"""Which form belongs to which kind of job, forms of trials, and caps."""

from importlib import import_module
from typing import Any, cast

from django import forms

from s1web.forms import JobForm
from s1web.jobs.models import Job
from s1web.jobs.trial import MAX_SECONDS
from s1web.plans import RESOURCES

# by string, as the work itself: this app stands to the left of those whose forms they are
FORMS = {
    "load_pool": "s1web.pool.forms.LoadPoolForm",
    "load_benchmark": "s1web.pool.forms.LoadBenchmarkForm",
    "annotate_lengths": "s1web.pool.forms.LengthsForm",
    "annotate_contamination": "s1web.pool.forms.ContaminationForm",
    "annotate_search": "s1web.pool.forms.SearchForm",
    "annotate_embeddings": "s1web.vectors.forms.EmbeddingsForm",
    "annotate_clusters": "s1web.vectors.forms.ClustersForm",
    "annotate_map": "s1web.vectors.forms.MapForm",
    "annotate_neighbours": "s1web.vectors.forms.NeighboursForm",
    "annotate_domains": "s1web.vectors.forms.DomainsForm",
    "curate": "s1web.selections.forms.CurationForm",
    "seed_stability": "s1web.selections.forms.SeedStabilityForm",
    "export_selection": "s1web.exports.forms.ExportForm",
    "trial_cpu": "s1web.jobs.forms.TrialCpuForm",
    "trial_gpu": "s1web.jobs.forms.TrialGpuForm",
}


def form_of(kind: str) -> type[JobForm]:
    """The form that a person fills in for a job of this kind."""
    module, _, name = FORMS[kind].rpartition(".")
    return cast(type[JobForm], getattr(import_module(module), name))


class TrialCpuForm(JobForm):
    summary = "Counts seconds: shows that a worker takes jobs of the queue cpu."

    seconds = forms.IntegerField(label="Seconds", min_value=1, max_value=MAX_SECONDS, initial=10)


class TrialGpuForm(TrialCpuForm):
    summary = "Counts seconds: shows that a worker takes jobs of the queue gpu, and on which device."


class CapsForm(forms.Form):
    """The most that a job may spend: a number for each resource of its plan; an empty one is no cap."""

    def __init__(self, job: Job, data: Any = None) -> None:
        super().__init__(data, auto_id="cap-%s", prefix="cap", label_suffix="")
        for name in resources_of(job):
            self.fields[name] = forms.FloatField(
                label=RESOURCES[name].capitalize(),
                required=False,
                min_value=0.001,
                max_value=1e15,
                initial=_plain(job.caps.get(name)),
                widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
            )

    def caps(self) -> dict[str, float]:
        """Resource -> cap, those alone that were given; only of a valid form."""
        return {name: value for name, value in self.cleaned_data.items() if value is not None}


def resources_of(job: Job) -> list[str]:
    """What a job spends, as far as its plan, its caps or what it spent say so; seconds always."""
    known = {"seconds", *job.plan.get("spends", {}), *job.spent, *job.caps}
    return [name for name in RESOURCES if name in known]


def _plain(number: float | None) -> float | int | None:
    """Without a fraction that says nothing."""
    return int(number) if number is not None and float(number).is_integer() else number
