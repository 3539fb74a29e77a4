"""Decisions on questions and on evidence of contamination."""

from rest_framework import serializers

from s1web.api.shapes.questions import Evidence
from s1web.browse.deciding import MAX_PICKED
from s1web.questions.forms import MAX_REASON
from s1web.review.services import NOT_REVIEWED, STATES

# how not reviewed stands in filters
NONE = "none"
_STATES = [state or NONE for state in STATES]


class State(serializers.ChoiceField):
    """A review state; `none` is not reviewed."""

    def __init__(self, **values: object) -> None:
        super().__init__(choices=_STATES, **values)

    def to_internal_value(self, data: object) -> str:
        found: str = super().to_internal_value(data)
        return NOT_REVIEWED if found == NONE else found

    def to_representation(self, value: str) -> str:
        return value or NONE


class ReviewChange(serializers.Serializer):
    id = serializers.IntegerField(source="pk")
    state = State(help_text="What the questions were set to; none is not reviewed.")
    scope = serializers.CharField(
        allow_blank=True, help_text="The filter as behind /questions?, all for the whole pool, empty where picked."
    )
    num_questions = serializers.IntegerField(help_text="Whose state it changed.")
    made_by = serializers.CharField(source="made_by.username", allow_null=True, default=None)
    made_at = serializers.DateTimeField()
    undone_by = serializers.CharField(source="undone_by.username", allow_null=True, default=None)
    undone_at = serializers.DateTimeField(allow_null=True, help_text="null: it stands.")
    num_restored = serializers.IntegerField(help_text="Questions that have their state of before again.")


class DecideOnQuestionsBody(serializers.Serializer):
    state = State(help_text="none takes back what was decided.")
    questions = serializers.ListField(
        child=serializers.RegexField(r"^[0-9a-f]{16}\Z"),
        allow_empty=False,
        max_length=MAX_PICKED,
        help_text=f"Hashes, {MAX_PICKED} at most.",
    )


class DecideOnFilterBody(serializers.Serializer):
    state = State(help_text="none takes back what was decided.")
    query = serializers.CharField(
        allow_blank=True, max_length=100_000, help_text="Filters as behind /questions?; empty is the whole pool."
    )
    confirmed = serializers.IntegerField(
        min_value=0, max_value=2**53, help_text="How many questions that are: the total of /questions or its facets."
    )


def _pieces(help_text: str) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**53),
        required=False,
        allow_empty=False,
        max_length=1_000,
        help_text=help_text,
    )


class OverruleBody(serializers.Serializer):
    reason = serializers.CharField(max_length=MAX_REASON, help_text="Why the shared words are no leak; it is kept.")
    evidence = _pieces("The id of each piece, which has to stand; left out: all against the question.")


class ReinstateBody(serializers.Serializer):
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=MAX_REASON)
    evidence = _pieces("The id of each piece, which has to be overruled; left out: all that are.")


class Court(serializers.Serializer):
    num_decided = serializers.IntegerField(help_text="Pieces of evidence that the request decided on.")
    is_contaminated = serializers.BooleanField(help_text="Whether any evidence stands now.")
    num_evidence = serializers.IntegerField()
    contamination = Evidence(many=True, help_text="The longest shared span first, 30 pieces at most.")
