"""Whether decoded bytes look like what people write, so that Cyrillic or Japanese is not mistaken for odd French.

Nearly any bytes are text in a one-byte encoding, so that they can be decoded says little. But in a wrong one words come
out that no language has: of accents almost alone (`Ïðèâåò`), of two alphabets (`cafй`), with capitals within (`ŒvŽZ`).
charset-normalizer read 9 of 10 short samples right and one wrong: good for a proposal. Here the contract proposes, and
this only says no.
"""

import re

#: Characters looked at, from the first that is not ASCII on.
ENOUGH = 2**20
#: Words with a letter that is not ASCII.
_WORDS = re.compile(r"[^\W\d_]*[^\x00-\x7f\W\d_][^\W\d_]*")
_CAPITAL_WITHIN = re.compile("[a-z\u00df-\u00ff][\u00c0-\u00de\u0152\u0160\u017d\u0178]|\u0192")


def is_plausible(text: str) -> bool:
    """Whether at least half of the words with letters beyond ASCII are of a form that some language writes."""
    first = re.search(r"[^\x00-\x7f]", text)
    start = max(0, first.start() - 100) if first else len(text)
    words = set(_WORDS.findall(text[start : start + ENOUGH]))
    return 2 * sum(map(_is_odd, words)) <= len(words)


def _is_odd(word: str) -> bool:
    plain = sum(letter < "\x80" for letter in word)
    latin = sum("\x80" <= letter < "\u0250" or "\u1e00" <= letter < "\u1f00" for letter in word)
    other = len(word) - plain - latin
    mixes = other > 0 and plain + latin > 0
    return mixes or (latin > 1 and latin > 2 * plain) or bool(_CAPITAL_WITHIN.search(word))
