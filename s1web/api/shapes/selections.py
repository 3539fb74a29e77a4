"""Runs, ledgers, selections, previews, comparisons, stability."""

from rest_framework import serializers

from curation.presets import PRESETS
from s1web.api.shapes.tuples import FromTuple


class Stage(serializers.Serializer):
    stage = serializers.CharField()
    num_in = serializers.IntegerField(source="in")
    num_out = serializers.IntegerField(source="out")
    dropped = serializers.DictField(child=serializers.IntegerField(), help_text="Rule -> rows.")


class Run(serializers.Serializer):
    id = serializers.IntegerField(source="pk")
    recipe = serializers.CharField(source="recipe.name")
    seed = serializers.IntegerField()
    selection = serializers.CharField(source="selection.name")
    size = serializers.IntegerField(source="selection.size")
    sha256 = serializers.CharField(source="selection.sha256", help_text="Over the ordered hashes, a newline between.")
    created_at = serializers.DateTimeField()


class RunDetail(Run):
    code_version = serializers.CharField()
    pool_fingerprint = serializers.CharField()
    recipe_toml = serializers.CharField(help_text="Replays the run on the same pool.")
    ledger = Stage(many=True)
    warnings = serializers.ListField(child=serializers.CharField())


class RunRow(serializers.Serializer):
    question_hash = serializers.CharField()
    text = serializers.CharField(help_text="Its first 200 characters.")
    source = serializers.CharField()
    domain = serializers.CharField(allow_null=True)
    rule = serializers.CharField(allow_blank=True, help_text="That dropped it.")
    evidence = serializers.CharField(allow_blank=True)
    quote = serializers.CharField(allow_blank=True, help_text="The text that the evidence is about.")
    position = serializers.IntegerField(allow_null=True, help_text="In the selection, from 1.")


class StageResult(serializers.Serializer):
    stage = serializers.CharField()
    result = serializers.CharField(help_text="passed, dropped or selected.")
    rule = serializers.CharField(allow_null=True)
    evidence = serializers.DictField()


class Explanation(serializers.Serializer):
    question_hash = serializers.CharField()
    run = serializers.IntegerField()
    recipe = serializers.CharField()
    seed = serializers.IntegerField()
    selection = serializers.CharField()
    outcome = serializers.CharField(help_text="selected, dropped or absent.")
    stage = serializers.CharField(allow_null=True)
    rule = serializers.CharField(allow_null=True)
    position = serializers.IntegerField(allow_null=True, help_text="In the selection, from 0.")
    stages = StageResult(many=True)
    annotations = serializers.DictField()


class Selection(serializers.Serializer):
    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()


class SelectionDetail(Selection):
    run = serializers.IntegerField(help_text="The newest run that came to it.")
    num_whole = serializers.IntegerField(help_text="Questions taken whole; they come first.")
    domains = serializers.DictField(child=serializers.IntegerField())
    sources = serializers.DictField(child=serializers.IntegerField())
    lengths = serializers.DictField(child=serializers.IntegerField(), help_text="Range in tokens -> questions.")
    median_tokens = serializers.FloatField(allow_null=True)


class ComparingQuery(serializers.Serializer):
    a = serializers.IntegerField(min_value=1, help_text="A run.")
    b = serializers.IntegerField(min_value=1, help_text="The run compared with it.")


class ReasonCount(FromTuple):
    fate = serializers.CharField(help_text="A rule, selected or absent: what the other run did.")
    count = serializers.IntegerField()


class Pair(serializers.Serializer):
    label = serializers.CharField()
    a = serializers.IntegerField()
    b = serializers.IntegerField()


class Change(serializers.Serializer):
    change = serializers.CharField(help_text="added, removed or kept.")
    count = serializers.IntegerField()
    reasons = ReasonCount(many=True)


class Comparison(serializers.Serializer):
    a = Run()
    b = Run()
    jaccard = serializers.FloatField(help_text="Shared questions over those in either.")
    changes = Change(many=True)
    domains = Pair(many=True)
    sources = Pair(many=True)
    lengths = Pair(many=True)


class Changed(serializers.Serializer):
    question_hash = serializers.CharField()
    text = serializers.CharField(help_text="Its first 200 characters.")
    source = serializers.CharField()
    domain = serializers.CharField(allow_null=True)
    trace_tokens = serializers.IntegerField(allow_null=True)
    position = serializers.IntegerField(help_text="In the selection that has it, from 1.")
    other = serializers.CharField(help_text="What the other run did with it.")
    other_position = serializers.IntegerField(allow_null=True)


class RecipeBody(serializers.Serializer):
    preset = serializers.ChoiceField(choices=list(PRESETS), required=False, help_text="A recipe of this product, or:")
    recipe = serializers.CharField(required=False, max_length=100_000, help_text="a recipe of one's own as TOML.")
    size = serializers.IntegerField(
        min_value=1, max_value=10**9, required=False, help_text="In place of the recipe's."
    )
    seed = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, required=False, help_text="In place of its own."
    )


class PreviewBody(RecipeBody):
    stage = serializers.CharField(required=False, default="", allow_blank=True, help_text="Whose border is shown.")
    near = serializers.BooleanField(
        required=False, default=False, help_text="Look for near duplicates too, about a minute for 59,029 questions."
    )


class PreviewRow(serializers.Serializer):
    question_hash = serializers.CharField()
    text = serializers.CharField(help_text="Its first 200 characters.")
    source = serializers.CharField()
    domain = serializers.CharField(allow_null=True)
    trace_tokens = serializers.IntegerField(allow_null=True)
    why = serializers.CharField(allow_blank=True)
    was = serializers.CharField(allow_blank=True, help_text="What the newest run did, where that differs.")


class PreviewLine(serializers.Serializer):
    name = serializers.CharField(help_text="A stage or a rule.")
    is_rule = serializers.BooleanField()
    count = serializers.IntegerField(allow_null=True, help_text="Rows left after the stage, or dropped by the rule.")
    before = serializers.IntegerField(allow_null=True, help_text="The newest run's.")
    published = serializers.IntegerField(allow_null=True, help_text="s1's own.")


class Preview(serializers.Serializer):
    run = serializers.IntegerField(source="run.pk", allow_null=True, default=None, help_text="The one compared with.")
    sha256 = serializers.CharField(source="result.sha256")
    size = serializers.IntegerField(source="spread.size")
    changed = serializers.ListField(child=serializers.CharField(), help_text="Fields that differ from that run's.")
    lines = PreviewLine(many=True)
    stage = serializers.CharField(help_text="Whose border the rows lie at.")
    gone = PreviewRow(many=True, help_text="Would only just go.")
    kept = PreviewRow(many=True, help_text="Would only just stay.")
    num_gone = serializers.IntegerField()
    num_kept = serializers.IntegerField()
    warnings = serializers.ListField(child=serializers.CharField())
    is_without_near = serializers.BooleanField()
    seconds = serializers.FloatField()


class Stability(serializers.Serializer):
    job = serializers.IntegerField()
    state = serializers.CharField(help_text="Of the job; the report is there once it is done.")
    report = serializers.DictField(allow_null=True, help_text="Overlap, outcomes by seed, domains; null until then.")


class PublishedScore(serializers.Serializer):
    benchmark = serializers.CharField()
    accuracy = serializers.FloatField(help_text="Percent.")
    low = serializers.FloatField(allow_null=True, help_text="95% interval of the difference to s1K, in points.")
    high = serializers.FloatField(allow_null=True)


class PublishedSelection(serializers.Serializer):
    title = serializers.CharField()
    scores = PublishedScore(many=True)


class Ablation(serializers.Serializer):
    job = serializers.IntegerField(source="job.pk")
    state = serializers.CharField(source="job.state", help_text="Of the job; figures are there once it is done.")
    recipe = serializers.CharField(source="recipe.name")
    method = serializers.CharField(
        allow_blank=True, help_text="random, diverse, longest or full; empty: the recipe itself."
    )
    run = serializers.IntegerField(source="run.pk", allow_null=True, default=None)
    size = serializers.IntegerField(source="spread.size", allow_null=True, default=None)
    domains = serializers.DictField(
        source="spread.domains", child=serializers.IntegerField(), allow_null=True, default=None
    )
    median_tokens = serializers.FloatField(source="spread.median_tokens", allow_null=True, default=None)
    mean_tokens = serializers.FloatField(source="spread.mean_tokens", allow_null=True, default=None)
    shared = serializers.IntegerField(allow_null=True, help_text="Questions in common with the recipe's selection.")
    jaccard = serializers.FloatField(allow_null=True, help_text="Shared questions over those in either.")
    published = PublishedSelection(allow_null=True, help_text="What s1 measured after training on its own.")


class Ablations(serializers.Serializer):
    job = serializers.IntegerField(help_text="Of the recipe itself, which the others belong to.")
    items = Ablation(many=True, help_text="The recipe first.")
