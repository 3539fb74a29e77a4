"""python manage.py overrule_contamination HASH --reason TEXT: a question is not contaminated, and why."""

from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from s1web.management.base import Command as BaseCommand
from s1web.management.base import counted
from s1web.pool.contamination import overrule
from s1web.selections.explain import find_question


class Command(BaseCommand):
    help = "Declare a question not contaminated, against the evidence found so far; the reason is kept."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("hash", metavar="HASH", help="the question's hash, or a beginning that only one has")
        parser.add_argument("--reason", required=True, help="why the shared words are no leak")
        parser.add_argument("--by", default="", metavar="NAME", help="who decides (default: nobody named)")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        question = find_question(options["hash"])
        overruled = overrule(question.question_hash, reason=options["reason"], decided_by=options["by"])
        return {"question_hash": question.question_hash, "overruled": overruled, "reason": options["reason"]}

    def show(self, result: dict[str, Any], console: Console) -> None:
        console.print(f"{result['question_hash']}: {counted(result['overruled'], 'piece')} of evidence overruled")
