"""The form of an export."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings

from curation.errors import NotFoundError
from s1web.exports.layouts import LAYOUTS
from s1web.exports.services import FORMATS
from s1web.forms import JobForm, Params, SuggestingInput
from s1web.selections.queries import newest_selections
from s1web.selections.services import MAX_NAME, find_selection

# suggested as one types; any other can be named too
_NUM_SELECTIONS = 200
_WHAT = {
    "s1k": "s1K's columns",
    "s1k-1.1": "s1K-1.1's, a set a generator",
    "messages": "conversations",
    "text": "training texts",
}


def _selections() -> list[tuple[str, str]]:
    return [(item.name, f"{item.size:,} questions") for item in newest_selections(_NUM_SELECTIONS)]


class ExportForm(JobForm):
    summary = "A selection as files that others load."
    hint = (
        "Written to exports/SELECTION-LAYOUT in the artifact folder; rows are compared with the benchmarks once more."
    )
    advanced: ClassVar = ("overwrite", "allow_contaminated")

    selection = forms.CharField(
        label="Selection",
        max_length=MAX_NAME,
        widget=SuggestingInput(_selections),
        help_text="Its name; the newest are suggested.",
    )
    layout = forms.ChoiceField(
        label="Layout", choices=[(name, f"{name} · {_WHAT[name]}" if name in _WHAT else name) for name in LAYOUTS]
    )
    format = forms.ChoiceField(label="Format", choices=[(name, name) for name in FORMATS])
    overwrite = forms.BooleanField(label="Replace an earlier export of this selection and layout", required=False)
    allow_contaminated = forms.CharField(
        label="Export contaminated rows, because",
        required=False,
        max_length=1_000,
        help_text="Rows that overlap with a benchmark are refused without a reason; it is kept beside the export.",
    )

    def clean_selection(self) -> str:
        try:
            return find_selection(self.cleaned_data["selection"]).name
        except NotFoundError as error:
            raise forms.ValidationError(str(error)) from None

    def to_params(self) -> Params:
        values: dict[str, Any] = self.cleaned_data
        # neither part holds a slash, and the layout behind it leaves no name that leads elsewhere
        folder = settings.ARTIFACT_DIR / "exports" / f"{values['selection']}-{values['layout']}"
        names = ("selection", "layout", "format", "overwrite", "allow_contaminated")
        return {name: values[name] for name in names} | {"out_dir": str(folder)}
