"""python manage.py explain HASH: why a question is in or out of a run."""

from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console
from rich.markup import escape

from s1web.management.base import Command as BaseCommand
from s1web.management.base import print_table
from s1web.selections.explain import explain, find_question, find_run
from s1web.selections.services import find_selection

_LISTED = 5


class Command(BaseCommand):
    help = "Say why a question is in or out of a run: every stage, rule and evidence."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("hash", metavar="HASH", help="the question's hash, or a beginning that only one has")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--run", type=int, metavar="N", help="the run (default: the newest)")
        which.add_argument("--selection", metavar="NAME", help="the run that made this selection")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        question = find_question(options["hash"])
        if options["selection"]:
            return explain(question, find_selection(options["selection"]).run)
        return explain(question, find_run(options["run"]))

    def show(self, result: dict[str, Any], console: Console) -> None:
        outcome = {
            "selected": f"selected, number {(result['position'] or 0) + 1} of {result['selection']}",
            "dropped": f"dropped by {result['rule']}",
            "absent": "not in the pool when the run was made",
        }[result["outcome"]]
        recipe = f"recipe {result['recipe']}, seed {result['seed']}"
        console.print(escape(f"{result['question_hash']}  {outcome}  (run {result['run']}, {recipe})"))
        console.print(escape(" ".join(result["question"].split())[:200]))
        console.print()
        rows = [
            [stage["stage"], stage["result"], stage["rule"] or "", _one_line(_numbered(stage["evidence"]))]
            for stage in result["stages"]
        ]
        print_table(console, ["stage", "result", "rule", "evidence"], rows)
        console.print()
        annotations = result["annotations"] | {"domain": result["domain"]}
        print_table(console, ["annotation", "value"], [[n, _shown(v)] for n, v in annotations.items()])
        console.print()
        loaded = [[row["file"], str(row["line"]), row["source"], ", ".join(row["brought"])] for row in result["rows"]]
        print_table(console, ["file", "line", "source", "brought"], loaded[:_LISTED])
        if len(loaded) > _LISTED:
            console.print(f"and {len(loaded) - _LISTED:,} more rows; all of them with --json")
        if result["contamination"]:
            console.print()
            found = [
                [f"{item['benchmark']} {item['problem']}", item["num_words"], item["shared"], item["decision"] or ""]
                for item in result["contamination"]
            ]
            print_table(console, ["evaluation question", "words", "shared", "decision"], found[:_LISTED])
            if len(found) > _LISTED:
                console.print(f"and {len(found) - _LISTED:,} more; all of them with --json")


def _numbered(evidence: dict[str, Any]) -> dict[str, Any]:
    """A person counts a selection's questions from 1."""
    return {
        "number" if name == "position" else name: value + 1 if name == "position" else value
        for name, value in evidence.items()
    }


def _one_line(evidence: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {_shown(value)}" for name, value in evidence.items())


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, dict):
        return _one_line(value) or "missing"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)
