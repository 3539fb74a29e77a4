"""Rows of the pool, facets, clusters, the map, agreement of domains, saved views."""

from rest_framework import serializers

from s1web.api.shapes.tuples import FromTuple
from s1web.browse.services import MAX_NAME


class SnippetPart(FromTuple):
    text = serializers.CharField(help_text="As it stands in the field; not HTML.")
    is_hit = serializers.BooleanField()


class Snippet(serializers.Serializer):
    field = serializers.CharField(help_text="question, solution or trace")
    parts = SnippetPart(many=True, help_text="Together the piece of text, hits apart.")
    is_cut_before = serializers.BooleanField()
    is_cut_after = serializers.BooleanField()


class QuestionRow(serializers.Serializer):
    question_hash = serializers.CharField(help_text="16 hex digits; names the question everywhere.")
    text = serializers.CharField(help_text="Its first 300 characters.")
    is_cut = serializers.BooleanField(help_text="Whether the text goes on.")
    source = serializers.CharField()
    domain = serializers.CharField(allow_null=True, help_text="As annotated; null is none.")
    cot_type = serializers.CharField(allow_null=True)
    cluster = serializers.IntegerField(allow_null=True, help_text="Number of its cluster, see /clusters.")
    small_grade = serializers.BooleanField(
        allow_null=True, help_text="Of the small model's attempt; null: not graded."
    )
    large_grade = serializers.BooleanField(allow_null=True, help_text="Of the large model's attempt.")
    trace_grade = serializers.BooleanField(allow_null=True, help_text="Of the trace's attempt.")
    trace_tokens = serializers.IntegerField(allow_null=True, help_text="Tokens of the trace's thinking.")
    quality = serializers.ListField(child=serializers.CharField(), help_text="Formatting rules that hit.")
    contamination = serializers.CharField(
        allow_null=True, help_text="none, ngram, short or overruled; null: not compared with every benchmark yet."
    )
    review = serializers.CharField(allow_null=True, help_text="keep, drop or unsure; null: nobody decided.")
    is_selected = serializers.BooleanField(help_text="Whether any selection holds it.")
    snippet = Snippet(allow_null=True, help_text="Where the words of the search were found.")


class FacetValue(serializers.Serializer):
    value = serializers.CharField(help_text="As the filter of the facet's name takes it.")
    label = serializers.CharField()
    count = serializers.IntegerField(help_text="Questions that have it and fulfil all other conditions.")
    is_on = serializers.BooleanField(help_text="Whether the filter asks for it.")


class Facet(serializers.Serializer):
    name = serializers.CharField()
    values = FacetValue(many=True)
    num_more = serializers.IntegerField(help_text="Values left out; the most frequent are there.")


class Bar(serializers.Serializer):
    low = serializers.IntegerField(help_text="Tokens, included.")
    high = serializers.IntegerField(allow_null=True, help_text="Tokens, included; null: and more.")
    count = serializers.IntegerField()
    is_on = serializers.BooleanField()


class Facets(serializers.Serializer):
    total = serializers.IntegerField(help_text="Questions that match.")
    facets = Facet(many=True)
    histogram = Bar(many=True, help_text="Trace lengths, under all conditions but that on length.")
    num_without_length = serializers.IntegerField()


class BenchmarkCount(serializers.Serializer):
    name = serializers.CharField()
    num_problems = serializers.IntegerField()


class Pool(serializers.Serializer):
    version = serializers.CharField(help_text="Another one after every change of the pool.")
    questions = serializers.IntegerField()
    traces = serializers.IntegerField()
    sources = serializers.IntegerField()
    contaminated = serializers.IntegerField(
        allow_null=True, help_text="Questions with evidence that stands; null until all were compared."
    )
    benchmarks = BenchmarkCount(many=True)


class Cluster(serializers.Serializer):
    number = serializers.IntegerField(help_text="0 is the largest.")
    size = serializers.IntegerField(help_text="Questions in it.")
    title = serializers.CharField()
    terms = serializers.ListField(child=serializers.CharField(), help_text="The most telling first.")


class PoolMap(serializers.Serializer):
    method = serializers.CharField(help_text="Library, version and parameters.")
    seed = serializers.IntegerField()
    num_questions = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class MapPoint(serializers.Serializer):
    question_hash = serializers.CharField()
    x = serializers.FloatField(help_text="From 0 to 1.")
    y = serializers.FloatField(help_text="From 0 to 1.")


class DomainMethod(FromTuple):
    name = serializers.CharField()
    num_questions = serializers.IntegerField()


class AgreementQuery(serializers.Serializer):
    first = serializers.CharField(help_text="A method, see /domains.")
    second = serializers.CharField(help_text="Another one.")


class Disagreement(serializers.Serializer):
    first = serializers.CharField()
    second = serializers.CharField()
    questions = serializers.IntegerField()


class Agreement(serializers.Serializer):
    compared = serializers.IntegerField(help_text="Questions whose two labels can be compared.")
    unknown = serializers.IntegerField(help_text="Questions with a label that is no code known here.")
    agreed = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True, help_text="agreed / compared; null where nothing was.")
    disagreements = Disagreement(many=True, help_text="The most frequent first, ten at most.")


class SavedView(serializers.Serializer):
    name = serializers.CharField()
    query = serializers.CharField(help_text="What stands behind the question mark of /questions.")
    saved_at = serializers.DateTimeField()


class NewView(serializers.Serializer):
    name = serializers.CharField(max_length=MAX_NAME, help_text="Another view of the same name is replaced.")
    query = serializers.CharField(
        allow_blank=True, max_length=100_000, help_text="Filters and order, as behind /questions?"
    )
