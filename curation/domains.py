"""Domains: two-digit classes of the Mathematics Subject Classification, widened by science fields (s1 §2.2)."""

import re
import tomllib
from functools import cache
from importlib import resources

# part of the key of a stored domain: bump when the prompt's text changes
DOMAIN_PROMPT_VERSION = "domain-1"

# not the end of a longer number, a decimal or a name
_LAST_CODE = re.compile(r"(?<![\w.,])(\d\d)\W*$")


@cache
def domain_names() -> dict[str, str]:
    """Two-digit code -> name of the 65 domains, sorted by code."""
    table = tomllib.loads((resources.files("curation") / "data" / "msc2020.toml").read_text(encoding="utf-8"))
    return dict(sorted(table["domains"].items()))


def domain_title(domain: str) -> str:
    """The domain as a person reads it: "11 Number theory"; a label that is not a code stands for itself."""
    name = domain_names().get(domain)
    return f"{domain} {name}" if name else domain


def domain_prompt(question: str) -> str:
    """What the classifier reads: the list of domains and the question, with the order to end on a code."""
    template = (resources.files("curation") / "prompts" / "domain.txt").read_text(encoding="utf-8")
    listing = "\n".join(f"{code} {name}" for code, name in domain_names().items())
    head, middle, tail = re.split(r"\$\$(?:domains|question)\$\$", template)
    return head + listing + middle + question + tail


def parse_domain(reply: str) -> str | None:
    """The two-digit code that ends the reply, or None where none of the 65 does (not classified)."""
    match = _LAST_CODE.search(reply.rstrip())
    return match[1] if match and match[1] in domain_names() else None
