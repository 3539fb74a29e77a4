"""What a word is to the text index: a run of letters and digits, whatever its case and accents."""

import re
import unicodedata

FIELDS = ("question", "solution", "trace")
WORD = re.compile(r"[^\W_]+")


class _Folding(dict[int, str]):
    """Character -> its lower-case letter without accents; filled as characters come."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        bare = unicodedata.normalize("NFD", character)[0].lower()
        # one for one, so that a place in the folded text is the same place in the text
        self[code] = folded = bare if len(bare) == 1 else character
        return folded


_FOLDING = _Folding()


def fold(text: str) -> str:
    """The text in lower case and without accents, as long as before."""
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def words(text: str) -> list[str]:
    """The text's words in order, folded."""
    return WORD.findall(fold(text if text.isascii() else unicodedata.normalize("NFC", text)))
