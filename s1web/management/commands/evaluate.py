"""python manage.py evaluate: a model on a benchmark, with any way of spending test-time compute."""

import getpass
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from inference.delimiters import PROFILES
from inference.engines.registry import ENGINES
from inference.evaluation.config import config_to_json
from inference.evaluation.showing import summary_lines
from inference.evaluation.stopping import stop_signals
from inference.methods.registry import METHODS
from s1web.experiments.options import config_from_options
from s1web.experiments.work import ENDPOINTS, evaluate_until
from s1web.management.jobs import JobCommand, Request
from s1web.progress import Report


class Command(JobCommand):
    progress_label = "evaluating"
    help = "Evaluate a model on a benchmark; the same command goes on where a run was stopped."

    def add_options(self, parser: CommandParser) -> None:
        what = parser.add_argument_group("what is run; all of it can stand in --config")
        what.add_argument("--config", metavar="FILE", help="a JSON file that describes a run; options override it")
        what.add_argument("--model", metavar="PATH_OR_ID", help="a folder, or a name on the Hub")
        what.add_argument(
            "--tokenizer", metavar="PATH_OR_ID", help="where the model's files have none, or are elsewhere"
        )
        what.add_argument("--benchmark", metavar="NAME", help="loaded with load_benchmark, known, or a file")
        what.add_argument("--method", metavar="NAME", help=f"one of {', '.join(METHODS)}")
        what.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of the method")
        what.add_argument("--max-thinking-tokens", type=int, metavar="N", help="cap of thinking (default: none)")
        what.add_argument("--num-ignore", type=int, metavar="N", help="ends of thinking to suppress (default: 0)")
        what.add_argument(
            "--ignore-string",
            action="append",
            metavar="TEXT",
            help="what is put in instead (default: Wait); several are taken in turn",
        )
        what.add_argument("--repeats", type=int, metavar="N", help="samples of each problem (default: 1)")
        what.add_argument("--seed", type=int, metavar="N", help="of all draws (default: 0)")
        what.add_argument("--temperature", type=float, metavar="T", help="of samples (default: 0, greedy)")
        what.add_argument("--limit", type=int, metavar="N", help="the benchmark's first N problems alone")
        what.add_argument("--engine", metavar="NAME", help=f"one of {', '.join(ENGINES)} (default: transformers)")
        what.add_argument(
            "--engine-option",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="as device=cuda; repeatable",
        )
        what.add_argument("--reward-model", metavar="PATH_OR_ID", help="for best_of_n and rebase")
        what.add_argument("--profile", metavar="NAME", help=f"delimiters: {', '.join(PROFILES)} (default: s1)")
        what.add_argument(
            "--template",
            metavar="TEXT",
            help="a prompt with {problem} in it (default: the model's chat template)",
        )
        parser.add_argument("--name", default="", help="of the run (default: made of what it is)")
        parser.add_argument("--retry-failed", action="store_true", help="do anew what ended in an error")

    def request(self, options: dict[str, Any]) -> Request:
        config = config_from_options(options)
        params = {
            "config": config_to_json(config),
            "name": options["name"],
            "retry_failed": options["retry_failed"],
            "made_by": _user(),
        }
        return Request("evaluate_endpoint" if config.engine in ENDPOINTS else "evaluate", params)

    def work(self, request: Request, report: Report) -> dict[str, Any]:
        with stop_signals() as should_stop:
            return evaluate_until(request.params, report, should_stop)

    def show(self, result: dict[str, Any], console: Console) -> None:
        console.print(f"run          {result['run']}", markup=False)
        for line in summary_lines(result):
            console.print(line, markup=False)


def _user() -> str:
    """Who runs the command; empty where the system has no name for them."""
    try:
        return getpass.getuser()[:150]
    except (KeyError, OSError):
        return ""
