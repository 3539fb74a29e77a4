"""One question: texts, traces, attempts, grades, evidence, neighbours, history."""

from rest_framework import serializers

from s1web.api.shapes.tuples import FromTuple


class Length(FromTuple):
    tokenizer = serializers.CharField()
    tokens = serializers.IntegerField()


class Judgement(serializers.Serializer):
    value = serializers.BooleanField(allow_null=True, help_text="null: a judgement without a result.")
    judge = serializers.CharField(allow_blank=True, help_text="A model, or the column it was imported from.")
    model = serializers.CharField(allow_blank=True, help_text="Whose answer was judged.")
    prompt_version = serializers.CharField(allow_blank=True)
    reply = serializers.CharField(
        source="reply.text", allow_blank=True, help_text="The judge's words, up to 4,000 characters."
    )


class TraceHead(serializers.Serializer):
    id = serializers.IntegerField(source="pk")
    generator = serializers.CharField(allow_blank=True)
    grade = serializers.BooleanField(allow_null=True)
    has_thinking = serializers.BooleanField()
    is_own = serializers.BooleanField(help_text="The question's own trace, which recipes look at.")
    lengths = Length(many=True)
    judgements = Judgement(many=True)


class Trace(TraceHead):
    thinking = serializers.CharField(allow_blank=True)
    attempt = serializers.CharField(allow_blank=True)


class Attempt(serializers.Serializer):
    id = serializers.IntegerField(source="pk")
    model = serializers.CharField()
    text = serializers.CharField(source="whole", allow_blank=True)
    judgements = Judgement(many=True)


class DomainLabel(FromTuple):
    method = serializers.CharField()
    domain = serializers.CharField()
    score = serializers.FloatField(allow_null=True, help_text="On the method's own scale.")


class Membership(FromTuple):
    selection = serializers.CharField()
    position = serializers.IntegerField(help_text="From 1.")


class LoadedRow(serializers.Serializer):
    file = serializers.CharField()
    line = serializers.IntegerField()
    source = serializers.CharField()
    brought = serializers.ListField(source="what", child=serializers.CharField())
    is_attachment = serializers.BooleanField(help_text="No row of its own, but something for one that was there.")


class Ruling(serializers.Serializer):
    decision = serializers.CharField(allow_blank=True, help_text='overruled, or "": it counts again.')
    decided_by = serializers.CharField(allow_blank=True)
    decided_at = serializers.DateTimeField()
    reason = serializers.CharField(allow_blank=True)


class Evidence(serializers.Serializer):
    id = serializers.IntegerField(source="evidence.pk", help_text="Names it, to decide on it.")
    benchmark = serializers.CharField(source="evidence.problem.benchmark.name")
    problem = serializers.CharField(source="evidence.problem.key")
    problem_text = serializers.CharField(source="evidence.problem.text")
    rule = serializers.CharField(source="evidence.rule")
    num_words = serializers.IntegerField(source="evidence.num_words", help_text="Of the longest shared span.")
    question_offset = serializers.IntegerField(source="evidence.question_offset", help_text="Words before it.")
    problem_offset = serializers.IntegerField(source="evidence.problem_offset", help_text="Words before it.")
    is_overruled = serializers.BooleanField(help_text="It does not count.")
    rulings = Ruling(many=True, help_text="The newest first.")


class Fate(serializers.Serializer):
    run = serializers.IntegerField(source="run.pk")
    selection = serializers.CharField(source="run.selection.name")
    outcome = serializers.CharField(help_text="selected, dropped, or absent: loaded after the run.")
    stage = serializers.CharField(allow_blank=True)
    rule = serializers.CharField(allow_blank=True)
    evidence = serializers.CharField(allow_blank=True)
    position = serializers.IntegerField(source="number", allow_null=True, help_text="In the selection, from 1.")
    how = serializers.CharField(allow_blank=True, help_text="taken whole, taken or drawn.")


class Question(serializers.Serializer):
    question_hash = serializers.CharField(source="question.question_hash")
    source = serializers.CharField(source="question.source.name")
    text = serializers.CharField(source="question.text")
    solution = serializers.CharField(source="question.solution", allow_blank=True)
    answer = serializers.CharField(source="question.answer", allow_blank=True)
    cot = serializers.CharField(source="question.cot", allow_blank=True)
    metadata = serializers.CharField(source="question.metadata", allow_blank=True)
    cot_type = serializers.CharField(source="question.cot_type", allow_blank=True)
    domain = serializers.CharField(source="question.domain", allow_blank=True, help_text="As annotated.")
    domain_title = serializers.CharField(source="domain", allow_blank=True)
    small_grade = serializers.BooleanField(source="question.small_grade", allow_null=True)
    large_grade = serializers.BooleanField(source="question.large_grade", allow_null=True)
    trace_grade = serializers.BooleanField(source="question.trace_grade", allow_null=True)
    cluster = serializers.CharField(allow_blank=True, help_text="Number and title.")
    domain_labels = DomainLabel(source="labels", many=True, help_text="What each method says.")
    selections = Membership(many=True)
    quality = serializers.ListField(child=serializers.CharField(), help_text="Formatting rules that hit.")
    traces = TraceHead(many=True, help_text="The question's own first; texts by /questions/{hash}/traces/{id}.")
    attempts = Attempt(many=True)
    judgements = Judgement(many=True, help_text="Of answers that are not kept.")
    rows = LoadedRow(many=True, help_text="Rows of files that became this question.")
    contamination = Evidence(many=True, help_text="The longest shared span first, 30 pieces at most.")
    num_evidence = serializers.IntegerField()
    history = Fate(many=True, help_text="What each run did with it, the newest first, 50 at most.")
    has_older_runs = serializers.BooleanField()
    has_more = serializers.ListField(child=serializers.CharField(), help_text="Lists of which there is more.")


class Neighbour(serializers.Serializer):
    question_hash = serializers.CharField()
    text = serializers.CharField(help_text="Its first 300 characters.")
    source = serializers.CharField()
    distance = serializers.FloatField(help_text="1 - cosine.")
    is_pair = serializers.BooleanField(help_text="Near enough to be a near-duplicate.")


class NearProblem(serializers.Serializer):
    benchmark = serializers.CharField()
    problem = serializers.CharField()
    text = serializers.CharField()
    distance = serializers.FloatField(help_text="1 - cosine.")


class Neighbours(serializers.Serializer):
    questions = Neighbour(many=True, help_text="The nearest first.")
    problems = NearProblem(many=True, help_text="The nearest evaluation questions.")
