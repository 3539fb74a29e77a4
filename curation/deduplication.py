"""Repeated questions: exact ones share a hash and are merged on import; near ones are found here by MinHash."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from datasketch import MinHash, MinHashLSH

from curation.hashing import digest64
from curation.text import bare_tokens

NUM_PERMUTATIONS = 128
SHINGLE_TOKENS = 3
# candidates are looked for somewhat below the threshold, as MinHash estimates; each is then compared exactly
CANDIDATE_SLACK = 0.1
_SEED = 1


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """`dropped` repeats `kept` but for wording: places in the sequence compared, and their exact similarity."""

    dropped: int
    kept: int
    similarity: float


def find_near_duplicates(questions: Sequence[str], *, threshold: float = 0.85) -> list[NearDuplicate]:
    """Near-duplicate questions, the earlier in the sequence kept.

    Two questions are near duplicates where the Jaccard similarity of their sets of three-token shingles is at
    least `threshold` and they hold the same numbers in the same order: mathematics with other numbers is another
    question. Spacing, punctuation, case and LaTeX's own signs are ignored; operators are not. A question is
    compared with kept ones only, so that a chain of small changes does not swallow what differs from its start.
    Deterministic. MinHash proposes the pairs, so of those just at the threshold it may miss a few (in the tests up
    to 3% of the pairs that a comparison of all with all finds); what it finds is exact.

    Raises:
        ValueError: the threshold is not above 0.5 and at most 1.
    """
    if not 0.5 < threshold <= 1:
        raise ValueError(f"threshold={threshold}; a similarity above 0.5 and at most 1 is allowed")
    lsh = MinHashLSH(threshold=max(0.5, threshold - CANDIDATE_SLACK), num_perm=NUM_PERMUTATIONS)
    kept_shingles: dict[int, frozenset[int]] = {}
    first_of_kind: dict[int, int] = {}
    found: list[NearDuplicate] = []
    for place, question in enumerate(questions):
        tokens = bare_tokens(question)
        numbers = digest64(*(token for token in tokens if token[0].isdigit()))
        same_tokens = first_of_kind.setdefault(digest64(*tokens), place)
        if same_tokens != place:
            found.append(NearDuplicate(place, same_tokens, 1.0))
            continue
        # the numbers go into every shingle, so that only questions with the same ones can collide
        shingles = frozenset(_shingles(tokens, numbers))
        sketch = MinHash(num_perm=NUM_PERMUTATIONS, seed=_SEED)
        sketch.update_batch([shingle.to_bytes(8, "big", signed=True) for shingle in shingles])
        best = max(
            ((_jaccard(shingles, kept_shingles[other]), -other) for other in lsh.query(sketch)),
            default=(0.0, 0),
        )
        if best[0] >= threshold:
            found.append(NearDuplicate(place, -best[1], best[0]))
            # a later exact repeat of this wording is a duplicate of what stands for it
            first_of_kind[digest64(*tokens)] = -best[1]
        else:
            lsh.insert(place, sketch)
            kept_shingles[place] = shingles
    return found


def _shingles(tokens: Sequence[str], numbers: int) -> Iterable[int]:
    for start in range(max(1, len(tokens) - SHINGLE_TOKENS + 1)):
        yield digest64(str(numbers), *tokens[start : start + SHINGLE_TOKENS])


def _jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    return len(a & b) / len(a | b)
