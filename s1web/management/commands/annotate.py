"""python manage.py annotate KIND: what is known of each question, computed once and kept."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from curation.domains import domain_title
from curation.errors import ConfigError
from s1web.management.base import absolute, print_table
from s1web.management.jobs import JobCommand, Request

# kind -> the options it takes, by the names of their values
KINDS: dict[str, tuple[str, ...]] = {
    "lengths": ("limit", "tokenizer", "tokenizer_name"),
    "contamination": ("limit",),
    "search": ("limit",),
    "embeddings": ("limit",),
    "clusters": ("k", "seed"),
    "map": ("seed",),
    "neighbours": ("min_cosine",),
    "domains": ("fill",),
}
# options that go together, as one name
_TOGETHER = {
    "tokenizer": "--tokenizer and --tokenizer-name",
    "tokenizer_name": "--tokenizer and --tokenizer-name",
    "fill": "--fill and --unfill",
}


class Command(JobCommand):
    help = "Annotate the pool; what is done already is skipped, so a stopped run goes on where it was."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=KINDS, metavar="KIND", help=f"what to annotate: {', '.join(KINDS)}")
        parser.add_argument("--limit", type=int, metavar="N", help="annotate at most N items this time")
        parser.add_argument(
            "--tokenizer", default=None, help="lengths: a name on the Hub, a folder, or a tokenizer.json"
        )
        parser.add_argument(
            "--tokenizer-name",
            default=None,
            help="lengths: the name of its counts (default: --tokenizer)",
        )
        parser.add_argument("-k", type=int, default=None, metavar="N", help="clusters: how many (default: 50)")
        parser.add_argument("--seed", type=int, default=None, metavar="N", help="clusters, map: default 0")
        parser.add_argument(
            "--min-cosine",
            type=float,
            default=None,
            metavar="X",
            help="neighbours: how near two questions of a pair are at least (default: 0.95)",
        )
        filling = parser.add_mutually_exclusive_group()
        filling.add_argument(
            "--fill",
            action="store_const",
            const="fill",
            default=None,
            help="domains: give questions without a domain theirs by this method",
        )
        filling.add_argument(
            "--unfill",
            action="store_const",
            const="unfill",
            dest="fill",
            help="domains: take back the domains that --fill gave",
        )

    def request(self, options: dict[str, Any]) -> Request:
        kind = options["kind"]
        self.progress_label = f"annotating {kind}"
        _check_options(kind, options)
        params = {name: options[name] for name in KINDS[kind]}
        if kind == "lengths":
            tokenizer = params["tokenizer"] or ""
            # a worker may run elsewhere than here, but the counts keep the name that was given
            name = params["tokenizer_name"] or tokenizer.rstrip("/")
            path = absolute(tokenizer) if tokenizer and Path(tokenizer).exists() else tokenizer
            params = {"tokenizer": path, "name": name, "limit": params["limit"]}
        return Request(f"annotate_{kind}", params)

    def show(self, result: dict[str, Any], console: Console) -> None:
        apart = {"warnings", "clusters", "agreement"}
        hidden = {"failed", "requests"} | (set() if result["tokens"] else {"tokens"}) | apart
        shown = {name: value for name, value in result.items() if name not in hidden}
        print_table(console, list(shown), [list(shown.values())])
        if result.get("clusters"):
            console.print()
            print_table(console, ["cluster", "size", "title"], [_cluster_row(item) for item in result["clusters"]])
        if result.get("agreement"):
            _show_agreement(result["agreement"], console)
        for line in result.get("warnings", ()):
            self.warn(line)


def _check_options(kind: str, options: dict[str, Any]) -> None:
    """Refuse an option that this kind would silently leave out."""
    for name in sorted({name for names in KINDS.values() for name in names}):
        if options[name] is None or name in KINDS[kind]:
            continue
        takers = ", ".join(other for other, names in KINDS.items() if name in names)
        if name in _TOGETHER:
            raise ConfigError(f"{_TOGETHER[name]} are for annotate {takers}, not {kind}; leave them out")
        option = "-k" if name == "k" else "--" + name.replace("_", "-")
        raise ConfigError(f"{option} is for annotate {takers}, not {kind}; leave it out")


def _cluster_row(cluster: dict[str, Any]) -> list[object]:
    return [cluster["number"], cluster["size"], cluster["title"]]


def _show_agreement(agreement: dict[str, Any], console: Console) -> None:
    console.print()
    if agreement["share"] is None:
        console.print("no question has an imported domain to compare with")
        return
    console.print(
        f"agrees with the imported domain in {agreement['agreed']:,} of {agreement['compared']:,} questions "
        f"({agreement['share']:.1%}); {agreement['unknown']:,} more have one that cannot be compared"
    )
    rows: list[list[object]] = [
        [domain_title(item["first"]), domain_title(item["second"]), item["questions"]]
        for item in agreement["disagreements"]
    ]
    print_table(console, ["imported", "nearest description", "questions"], rows)
