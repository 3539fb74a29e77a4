"""The form of a new token."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone

from s1web.api.scopes import Scope
from s1web.api.tokens import MAX_NAME
from s1web.roles import has_role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_LASTS = {"7": "a week", "30": "30 days", "90": "90 days", "365": "a year", "": "until it is revoked"}


class TokenForm(forms.Form):
    """What a token is for; the scopes offered are those that the user's role covers."""

    name = forms.CharField(
        label="Name", max_length=MAX_NAME, help_text="What uses it, to know it again when it is to go."
    )
    scopes = forms.MultipleChoiceField(
        label="Scopes",
        widget=forms.CheckboxSelectMultiple,
        help_text="What it may do; a token never does more than its user's role allows at the time.",
        error_messages={"required": "Choose at least one scope; a token without any is of no use."},
    )
    lasts = forms.ChoiceField(label="Lasts", choices=list(_LASTS.items()), initial="90", required=False)

    def __init__(self, user: "User", data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        offered = [(scope.value, f"{scope.value} · {scope.label}") for scope in Scope if has_role(user, scope.role)]
        self.fields["scopes"].choices = offered  # type: ignore[attr-defined]
        self.fields["scopes"].initial = [Scope.POOL_READ.value]

    def ends_at(self) -> datetime | None:
        """When it is to end; only of a valid form."""
        days = self.cleaned_data["lasts"]
        return timezone.now() + timedelta(days=int(days)) if days else None
