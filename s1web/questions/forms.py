"""Deciding on evidence of contamination."""

from collections.abc import Sequence
from typing import Any

from django import forms

from s1web.pool.models import Contamination
from s1web.questions.court import Court

MAX_REASON = 2_000


class EvidenceField(forms.TypedMultipleChoiceField):
    """Pieces of evidence against one question, by primary key."""

    def __init__(self, pieces: Sequence[Contamination], *, none: str) -> None:
        super().__init__(
            choices=[(piece.pk, str(piece.pk)) for piece in pieces],
            coerce=int,
            error_messages={
                "required": none,
                "invalid_choice": "What you chose was decided on or has gone meanwhile; look at the page again.",
            },
        )


class OverruleForm(forms.Form):
    """Why some of the evidence that stands is no leak."""

    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Why the shared words are no leak",
        error_messages={"required": "Overruling needs a reason; say why the shared words are no leak."},
    )

    def __init__(self, court: Court, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        standing = [piece.evidence for piece in court.pieces if not piece.is_overruled]
        self.fields["evidence"] = EvidenceField(standing, none="Choose the evidence that you overrule.")
        self.chosen = set(data.getlist("evidence")) if data is not None else {str(piece.pk) for piece in standing}


class ReinstateForm(forms.Form):
    """Which of the overruled evidence counts again."""

    reason = forms.CharField(max_length=MAX_REASON, required=False)

    def __init__(self, court: Court, data: Any) -> None:
        super().__init__(data)
        overruled = [piece.evidence for piece in court.pieces if piece.is_overruled]
        self.fields["evidence"] = EvidenceField(overruled, none="Choose the evidence that is to count again.")
