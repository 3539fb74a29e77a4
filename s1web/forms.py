"""What the forms of all kinds of jobs have in common; each kind's own form lies with its work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django import forms
from django.core.validators import RegexValidator

from curation.errors import ConfigError
from s1web import imports
from s1web.templatetags.s1web_format import size

Params = dict[str, Any]
MAX_LIMIT = 10**9


@dataclass(frozen=True)
class Follower:
    """A job that is to start once the one of the form is done.

    Attributes:
        title: where the one of its plan says what is true before the first job alone; else empty.
    """

    kind: str
    params: Params = field(default_factory=dict)
    title: str = ""


class JobForm(forms.Form):
    """What a person fills in for a kind of job; `to_params` are the job's parameters.

    Attributes:
        summary: what the job does, in a sentence.
        hint: what a person should know before filling it in.
        advanced: names of fields that most people leave as they are.
    """

    summary: ClassVar[str] = ""
    hint: ClassVar[str] = ""
    advanced: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data: Any = None, *, initial: Params | None = None) -> None:
        super().__init__(data, initial=initial, label_suffix="")

    def to_params(self) -> Params:
        """The parameters of the job, where its fields are no others; only of a valid form."""
        return dict(self.cleaned_data)

    def followers(self) -> Sequence[Follower]:
        """Jobs that are to start once this one is done."""
        return ()

    @classmethod
    def from_params(cls, params: Params) -> Params:
        """What to fill in for a job like one that was run with these parameters, as far as a form can say it."""
        return {name: params[name] for name in cls.base_fields if params.get(name) not in (None, "")}

    @property
    def main_fields(self) -> list[forms.BoundField]:
        return [bound for bound in self if bound.name not in self.advanced]

    @property
    def advanced_fields(self) -> list[forms.BoundField]:
        return [bound for bound in self if bound.name in self.advanced]

    @property
    def has_advanced_input(self) -> bool:
        """Whether what is folded away holds an error, or something that was filled in."""
        return any(bound.errors or bound.value() not in (None, "", False) for bound in self.advanced_fields)


class SuggestingInput(forms.TextInput):
    """A text with suggestions, which are looked up anew for each form: (value, what is said of it)."""

    template_name = "jobs/widgets/suggesting.html"

    def __init__(self, suggestions: Callable[[], Sequence[tuple[str, str]]]) -> None:
        super().__init__()
        self._suggestions = suggestions

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["suggestions"] = self._suggestions()
        context["widget"]["attrs"]["list"] = f"{context['widget']['attrs'].get('id', name)}_suggestions"
        return context


class LimitField(forms.IntegerField):
    """At most so many items; empty is all of them."""

    def __init__(self, items: str) -> None:
        super().__init__(
            label="Limit",
            required=False,
            min_value=1,
            max_value=MAX_LIMIT,
            help_text=f"At most so many {items} this time; empty: all.",
        )


class ImportFileField(forms.ChoiceField):
    """One file of the import folder, as its path; the folder is read anew for each form."""

    def __init__(self, is_wanted: Callable[[str], bool], *, what: str, **kwargs: Any) -> None:
        self._is_wanted, self._what = is_wanted, what
        super().__init__(choices=self._choices, **kwargs)

    def _choices(self) -> list[tuple[str, str]]:
        listing = imports.list_files(self._is_wanted)
        none = f"– no {self._what} in the import folder –" if not listing.names else "– choose –"
        return [("", none), *_labelled(listing)]

    def valid_value(self, value: Any) -> bool:
        # the file itself decides, below: the list is cut where it is long
        return True

    def clean(self, value: Any) -> str:
        name = super().clean(value)
        return str(_found(name, self._is_wanted, self._what)) if name else ""


class ImportFilesField(forms.MultipleChoiceField):
    """Files of the import folder, as their paths, in the order of their names."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, is_wanted: Callable[[str], bool], *, what: str, **kwargs: Any) -> None:
        self._is_wanted, self._what = is_wanted, what
        super().__init__(choices=lambda: _labelled(imports.list_files(is_wanted)), **kwargs)

    def valid_value(self, value: Any) -> bool:
        return True

    def clean(self, value: Any) -> list[str]:
        return [str(_found(name, self._is_wanted, self._what)) for name in sorted(super().clean(value))]


# a name on the Hub; none of its parts starts with a dot, so that it leads nowhere else
HUB_NAME = RegexValidator(
    r"\A[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?\Z",
    "Give a name on the Hub, such as Qwen/Qwen2.5-32B-Instruct.",
)


def _found(name: str, is_wanted: Callable[[str], bool], what: str) -> Any:
    try:
        path = imports.find_file(name)
    except ConfigError as error:
        raise forms.ValidationError(str(error)) from None
    if not is_wanted(path.name.lower()):
        raise forms.ValidationError(f"{name} is no {what}.")
    return path


def _labelled(listing: imports.Listing) -> list[tuple[str, str]]:
    return [(name, f"{name} · {size(num)}") for name, num in zip(listing.names, listing.sizes, strict=True)]
