"""Forms of the jobs that work on the pool."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from curation.errors import ConfigError
from curation.layouts import FIELDS
from s1web import imports
from s1web.forms import (
    HUB_NAME,
    Follower,
    ImportFileField,
    ImportFilesField,
    JobForm,
    LimitField,
    Params,
    SuggestingInput,
)
from s1web.pool.readers import SUFFIXES

_MAX_NAME = 100
_MAX_SOURCE = 500
_MAX_MAPPING = 10_000
_TOKENIZER_FILE = "tokenizer.json"
# the form of an address; whether there is such a data set, the Hub says as the job is planned
_HUB_ADDRESS = RegexValidator(
    r"\Ahf://(datasets/)?[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*@[\w./-]+(\?[\w=&.%-]+)?\Z",
    "Give hf://owner/name@revision, with ?split=train&config=NAME where needed.",
)


def _is_pool_file(name: str) -> bool:
    return name.endswith(SUFFIXES) and name != _TOKENIZER_FILE


def _is_tokenizer(name: str) -> bool:
    return name == _TOKENIZER_FILE


def _tokenizers() -> list[tuple[str, str]]:
    """Those of the import folder; one in a folder of its own goes by the folder: the files beside it belong to it."""
    names = [Path(found) for found in imports.list_files(_is_tokenizer).names]
    return [(str(path.parent if len(path.parts) > 1 else path), "") for path in names]


class TokenizerField(forms.CharField):
    """A tokenizer by a name on the Hub, or by a folder or tokenizer.json below the import folder; as (name, path)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=300, widget=SuggestingInput(_tokenizers), **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value).rstrip("/")
        if not text:
            return None
        for name in (text, f"{text}/{_TOKENIZER_FILE}"):
            try:
                path = imports.find_file(name)
            except ConfigError:
                continue
            if _is_tokenizer(path.name.lower()):
                return text, str(path if name == text else path.parent)
        try:
            HUB_NAME(text)
        except ValidationError:
            raise ValidationError(
                f"{text!r:.200} is no name on the Hub, and no folder of the import folder with a {_TOKENIZER_FILE}."
            ) from None
        # the library would read such a folder of the server in place of the Hub
        if (Path(settings.BASE_DIR) / text).exists() or Path(text).exists():
            raise ValidationError(
                f"{text!r} is also a folder of the server; put the tokenizer into the import folder."
            )
        return text, text


class LoadPoolForm(JobForm):
    summary = "Questions, traces, attempts and grades from files, or from a data set of the Hub."
    hint = "Loading a file twice changes nothing; rows that cannot be read are listed, the rest is loaded."
    advanced: ClassVar = ("source", "mapping", "existing_only")

    pool_files = ImportFilesField(
        _is_pool_file,
        what="pool file",
        label="Files",
        required=False,
        help_text="Parquet, JSON lines or CSV (.gz and .zst too) in the import folder of the server.",
    )
    address = forms.CharField(
        label="Data set of the Hub",
        required=False,
        max_length=500,
        validators=[_HUB_ADDRESS],
        widget=forms.TextInput(attrs={"placeholder": "hf://owner/name@revision", "spellcheck": "false"}),
        help_text="The revision, best a commit, is what makes the import repeatable.",
    )
    then_contamination = forms.BooleanField(label="Then compare with the benchmarks", required=False)
    then_lengths = TokenizerField(
        label="Then count trace lengths with",
        required=False,
        help_text="A name on the Hub, or a tokenizer in the import folder; empty: do not count.",
    )
    source = forms.CharField(
        label="Source",
        required=False,
        max_length=_MAX_SOURCE,
        help_text="Of every row, in place of the files' own column.",
    )
    mapping = forms.CharField(
        label="Columns",
        required=False,
        max_length=_MAX_MAPPING,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "subject=domain", "spellcheck": "false"}),
        help_text=f"One column=field a line, where names differ from s1's. Fields: {', '.join(FIELDS)}.",
    )
    existing_only = forms.BooleanField(
        label="Add no questions",
        required=False,
        help_text="Rows whose question the pool does not have are rejected.",
    )

    def clean_mapping(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["mapping"].splitlines() if line.strip()]
        for line in lines:
            if not re.fullmatch(r"[^=]+=[^=]+", line):
                raise ValidationError(f"{line!r:.100} is no column=field, such as subject=domain.")
        return lines

    def clean(self) -> None:
        values = super().clean() or self.cleaned_data
        if not self.errors and not values.get("pool_files") and not values.get("address"):
            self.add_error(None, "Choose at least one file, or give a data set of the Hub.")

    def to_params(self) -> Params:
        values = self.cleaned_data
        return {
            "paths": [*values["pool_files"], *([values["address"]] if values["address"] else [])],
            "source": values["source"],
            "mapping": values["mapping"],
            "existing_only": values["existing_only"],
        }

    def followers(self) -> Sequence[Follower]:
        found = []
        if self.cleaned_data["then_contamination"]:
            # which benchmarks there are will be known then
            found.append(Follower("annotate_contamination", title="Compare the pool with the benchmarks"))
        if self.cleaned_data["then_lengths"]:
            name, path = self.cleaned_data["then_lengths"]
            found.append(Follower("annotate_lengths", {"tokenizer": path, "name": name}))
        return found

    @classmethod
    def from_params(cls, params: Params) -> Params:
        paths = params.get("paths", [])
        names = [imports.name_of(path) for path in paths if not path.startswith("hf://")]
        return {
            "pool_files": [name for name in names if name],
            "address": next((path for path in paths if path.startswith("hf://")), ""),
            "mapping": "\n".join(params.get("mapping", [])),
            "source": params.get("source", ""),
            "existing_only": params.get("existing_only", False),
        }


class LoadBenchmarkForm(JobForm):
    summary = "An evaluation set, to keep its questions out of selections."
    hint = "Rows hold id, problem and answer, and choices where there are any."

    file = ImportFileField(_is_pool_file, what="pool file", label="File")
    name = forms.CharField(
        label="Name", max_length=_MAX_NAME, help_text="What the benchmark is called, such as aime24."
    )

    def to_params(self) -> Params:
        return {"path": self.cleaned_data["file"], "name": self.cleaned_data["name"]}

    @classmethod
    def from_params(cls, params: Params) -> Params:
        return {"file": imports.name_of(params.get("path", "")), "name": params.get("name", "")}


class LengthsForm(JobForm):
    summary = "Tokens of each trace's thinking, by a tokenizer that has not counted them yet."
    hint = "The recipe prefers long traces, so it needs a length of each."
    advanced: ClassVar = ("name", "limit")

    tokenizer = TokenizerField(
        label="Tokenizer", help_text="A name on the Hub, or a tokenizer in the import folder of the server."
    )
    name = forms.CharField(
        label="Name of the counts",
        required=False,
        max_length=_MAX_NAME,
        help_text="Stands in the recipes that use them; empty: what is given above.",
    )
    limit = LimitField("traces")

    def to_params(self) -> Params:
        name, path = self.cleaned_data["tokenizer"]
        return {"tokenizer": path, "name": self.cleaned_data["name"] or name, "limit": self.cleaned_data["limit"]}

    @classmethod
    def from_params(cls, params: Params) -> Params:
        given = params.get("tokenizer", "")
        path = Path(given)
        own = imports.name_of(given) or imports.name_of(str(path / _TOKENIZER_FILE))
        shown = own.removesuffix(f"/{_TOKENIZER_FILE}") if own and path.is_dir() else own
        is_name = not path.is_absolute()
        return {
            "tokenizer": shown or (given if is_name else ""),
            "name": params.get("name", ""),
            "limit": params.get("limit"),
        }


class ContaminationForm(JobForm):
    summary = "Questions that share a passage with a problem of a benchmark."
    hint = "What was compared before is skipped."
    advanced: ClassVar = ("limit",)

    limit = LimitField("questions")


class SearchForm(JobForm):
    summary = "The text index that keyword search reads: questions, solutions and traces."
    hint = "What is in the index as it stands is skipped."
    advanced: ClassVar = ("limit",)

    limit = LimitField("questions")
