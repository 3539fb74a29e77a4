"""Which of s1's sources a generated row is filed under; the texts themselves are all our own."""

import random
import re

from curation.demo.problem import Problem

AIME = "qq8933/AIME_1983_2024"
GPQA = "Idavidrein/gpqa"
MATH = "qfq/openaimath/"

PHYSICS = (
    ("GAIR/OlympicArena/Physics", 40),
    ("Hothan/OlympiadBench/Open-ended/Physics", 20),
    ("daman1209arora/jeebench/phy", 22),
    (GPQA, 18),
)
CHEMISTRY = (
    ("GAIR/OlympicArena/Chemistry", 45),
    ("daman1209arora/jeebench/chem", 22),
    ("OpenDFM/SciEval/chemistry", 13),
    (GPQA, 20),
)
EVERYWHERE = (
    ("AI-MO/NuminaMath-CoT/aops_forum", 34),
    ("AI-MO/NuminaMath-CoT/olympiads", 22),
    ("KbsdJames/Omni-MATH", 9),
    ("GAIR/OlympicArena/Math", 4),
    ("Hothan/OlympiadBench/Open-ended/Math", 3),
    ("baber/agieval/aqua_rat", 4),
)


def choose_source(rng: random.Random, problem: Problem, cot_type: str, subject: str) -> str:
    """Draw a source that could hold such a problem, in about s1's proportions."""
    if cot_type == "crossword":
        return "0xharib/xword1"
    if cot_type == "science":
        options = list(CHEMISTRY if problem.domain in ("92", "98") else PHYSICS)
    else:
        options = list(EVERYWHERE)
        whole = re.fullmatch(r"\d{1,3}", problem.answer) is not None
        options.append((f"TIGER-Lab/TheoremQA/{'float' if '/' in problem.answer else 'integer'}", 4))
        if subject:
            options.append((MATH + subject, 24))
        if whole:  # an AIME answer is an integer from 0 to 999
            options.append((AIME, 6))
        if problem.domain in ("60", "62"):
            options.append(("qfq/stats_qual", 10))
        if problem.domain in ("60", "91"):
            options.append(("qfq/quant", 4))
    names, weights = zip(*options, strict=True)
    ticket = rng.randrange(sum(weights))
    for name, weight in zip(names, weights, strict=True):
        if ticket < weight:
            return str(name)
        ticket -= weight
    raise AssertionError("the ticket is below the sum of the weights")
