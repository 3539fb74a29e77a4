"""Jobs, their kinds and plans."""

from rest_framework import serializers

from s1web.jobs.forms import FORMS
from s1web.jobs.kinds import KINDS, QUEUES
from s1web.jobs.queries import STATE_CHOICES
from s1web.plans import RESOURCES


class JobRow(serializers.Serializer):
    id = serializers.IntegerField(source="pk")
    kind = serializers.CharField()
    queue = serializers.CharField()
    state = serializers.CharField(help_text="planned, queued, running, paused, done, failed or cancelled.")
    stop = serializers.CharField(
        allow_blank=True, help_text="What it was asked to do while it runs: pause or cancel."
    )
    title = serializers.CharField()
    parent = serializers.IntegerField(source="parent_id", allow_null=True)
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    done = serializers.IntegerField()
    total = serializers.IntegerField(help_text="0 is unknown.")
    seconds = serializers.FloatField(help_text="Over all its starts.")
    worker = serializers.CharField(allow_blank=True)


class Outlook(serializers.Serializer):
    position = serializers.IntegerField(allow_null=True, help_text="Place in its queue, from 1.")
    num_workers = serializers.IntegerField(help_text="That listen on its queue now.")
    line = serializers.CharField(help_text="Whether and when it will run, in words.")


class Job(JobRow):
    outlook = Outlook()
    note = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    params = serializers.DictField()
    plan = serializers.DictField()
    caps = serializers.DictField()
    spent = serializers.DictField()
    result = serializers.DictField(allow_null=True, help_text="null until it is done.")
    version = serializers.CharField(allow_blank=True, help_text="Of the code that ran it last.")
    children = serializers.ListField(
        source="family", child=serializers.IntegerField(), help_text="Jobs that belong to it."
    )


class JobsQuery(serializers.Serializer):
    state = serializers.ChoiceField(choices=STATE_CHOICES, required=False, help_text="ended: any of the three ends.")
    kind = serializers.ChoiceField(choices=list(KINDS), required=False)
    queue = serializers.ChoiceField(choices=QUEUES, required=False)
    mine = serializers.ChoiceField(choices=["1"], required=False, help_text="1: those of the token's user alone.")


class KindField(serializers.Serializer):
    name = serializers.CharField()
    label = serializers.CharField()
    help = serializers.CharField(allow_blank=True)
    is_required = serializers.BooleanField()
    choices = serializers.ListField(child=serializers.CharField(), help_text="Values allowed; empty: any.")


class Kind(serializers.Serializer):
    name = serializers.CharField()
    label = serializers.CharField()
    summary = serializers.CharField()
    queue = serializers.CharField()
    scope = serializers.CharField(help_text="That plans and submits it.")
    role = serializers.CharField()
    params = KindField(many=True, help_text="What /jobs takes for it.")


class PlanBody(serializers.Serializer):
    # kinds without a form are submitted by commands alone
    kind = serializers.ChoiceField(choices=list(FORMS), help_text="See /jobs/kinds.")
    params = serializers.DictField(
        required=False, default=dict, help_text="Field -> value, see /jobs/kinds; lists where several are allowed."
    )


class CapsBody(serializers.Serializer):
    caps = serializers.DictField(
        child=serializers.FloatField(),
        required=False,
        help_text=f"The most that the job may spend, of {', '.join(RESOURCES)}; without it as it was.",
    )


class NewJob(PlanBody, CapsBody):
    confirm = serializers.BooleanField(
        required=False, default=False, help_text="Queue it at once; else it waits as planned for /jobs/{id}/confirm."
    )


class Plan(serializers.Serializer):
    title = serializers.CharField()
    total = serializers.IntegerField(help_text="How much there is to do, in `unit`; 0 is unknown.")
    unit = serializers.CharField()
    spends = serializers.DictField(child=serializers.FloatField(), help_text="Resource -> how much of it.")
    seconds = serializers.FloatField(allow_null=True)
    notes = serializers.ListField(child=serializers.CharField())
    outlook = Outlook(help_text="Whether anybody would take it now.")
