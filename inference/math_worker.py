"""The process that runs math-verify: `python -I math_worker.py SECONDS MEMORY_BYTES`, one JSON line in, one out.

Answers are hostile input: sympy computes whatever an answer says, in C where no Python signal is heard
(huggingface/Math-Verify issue 65: a tower of powers runs for ever). So this process may die at any time, by the
kernel's hand, and nothing is lost with it. It can write no file and has none of its parent's environment.
"""

import json
import os
import re
import sys
from typing import Any


def compare(reference: str, answer: str) -> str:
    """right, wrong, or unreadable where either is no mathematics."""
    if not (is_balanced(reference) and is_balanced(answer)):
        # "6}\\boxed{5" would bring a box of its own, and be read as 5
        return "unreadable"
    from math_verify import LatexExtractionConfig, parse, verify

    # LaTeX alone: the plain-expression parser of sympy calls eval
    config = [LatexExtractionConfig(boxed_match_priority=0)]
    options: dict[str, Any] = {"extraction_config": config, "fallback_mode": "no_fallback", "parsing_timeout": None}
    wanted = parse(f"\\boxed{{{reference}}}", **options)
    given = parse(f"\\boxed{{{answer}}}", **options)
    if not wanted or not given:
        return "unreadable"
    # intervals and inequalities may stand for each other
    is_equal = verify(wanted, given, timeout_seconds=None, allow_set_relation_comp=True, raise_on_error=True)
    return "right" if is_equal else "wrong"


def is_balanced(text: str) -> bool:
    """Whether no brace closes what the text did not open, and none stays open."""
    depth = 0
    for brace in re.findall(r"\\.|[{}]", text, re.DOTALL):
        depth += (brace == "{") - (brace == "}")
        if depth < 0:
            return False
    return depth == 0


def limit(memory_bytes: int) -> None:
    """No files, no core dump, and an end to memory that grows faster than the parent can look."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def main() -> None:
    import logging
    import signal

    seconds, memory_bytes = float(sys.argv[1]), int(sys.argv[2])
    # answers go where nothing that a library prints can
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    logging.disable(logging.CRITICAL)
    compare("1", "1")
    limit(memory_bytes)
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        reference, answer = json.loads(line)
        # the process's own time, so that a busy machine grades as an idle one; without a handler the kernel ends it
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            reply = compare(reference, answer)
        except MemoryError:
            reply = "memory"
        except RecursionError:
            reply = "unreadable"
        except Exception:
            reply = "unreadable"
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(reply, file=replies, flush=True)


if __name__ == "__main__":
    main()
