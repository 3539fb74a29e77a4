r"""What is typed into the search box, as terms.

Words between blanks all have to be there. `"in quotes"` is a phrase, and so is what stands together without blanks:
`\frac{a}{b}` asks for the words frac, a and b one after the other, whatever signs stand between them. `wor*` finds
words that begin so, `-word` leaves out, `solution:word` looks in one field.
"""

import re
import unicodedata
from dataclasses import dataclass

from curation.errors import ConfigError
from s1web.pool.search.words import FIELDS, WORD

MAX_CHARACTERS = 1_000
MAX_TERMS = 64
MAX_PHRASE_WORDS = 64
# words that begin with one letter are a tenth of all words: that is no search
MIN_PREFIX = 2

# before a digit a minus is a sign, as in x = -1
_ITEM = re.compile(
    rf"(?P<minus>-(?=[^\W\d_]|[\"\\]))?(?:(?P<field>{'|'.join(FIELDS)}):\s*)?"
    r"(?:\"(?P<phrase>[^\"]*)(?:\"|$)(?P<star>\*)?|(?P<chunk>\S+))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Term:
    """Words that stand one after the other in one field.

    Attributes:
        words: as typed, letters and digits alone.
        is_prefix: the last word may go on.
        is_excluded: a question that has it is left out.
        fields: where it may stand.
    """

    words: tuple[str, ...]
    is_prefix: bool = False
    is_excluded: bool = False
    fields: tuple[str, ...] = FIELDS


def parse_query(text: str, fields: tuple[str, ...] = FIELDS) -> tuple[Term, ...]:
    """The terms of a query; none for one that is blank.

    Args:
        fields: where terms that name no field may stand.

    Raises:
        ConfigError: it is too long, or holds nothing to look for.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"the search has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed: give a part of it"
        )
    if not text.strip():
        return ()
    terms = [term for item in _ITEM.finditer(unicodedata.normalize("NFC", text)) if (term := _term(item, fields))]
    if not terms:
        raise ConfigError(f"the search {text.strip()[:40]!r} has no letter or digit; give words to look for")
    if len(terms) > MAX_TERMS:
        raise ConfigError(
            f"the search has {len(terms)} terms; at most {MAX_TERMS} are allowed: put words that stand together in "
            "quotes, or give fewer"
        )
    return tuple(dict.fromkeys(terms))


def _term(item: re.Match[str], fields: tuple[str, ...]) -> Term | None:
    text = item["phrase"] if item["phrase"] is not None else item["chunk"]
    words = tuple(WORD.findall(text))
    if not words:
        return None
    is_prefix = bool(item["star"]) or (item["chunk"] is not None and re.search(r"[^\W_]\*$", text) is not None)
    if is_prefix and len(words[-1]) < MIN_PREFIX:
        raise ConfigError(f"{words[-1]}* begins too many words; give at least {MIN_PREFIX} letters before the *")
    if len(words) > MAX_PHRASE_WORDS:
        raise ConfigError(
            f"a phrase of the search has {len(words)} words; at most {MAX_PHRASE_WORDS} are allowed: shorten it"
        )
    where = (item["field"].lower(),) if item["field"] else fields
    return Term(words, is_prefix, item["minus"] is not None, where)
