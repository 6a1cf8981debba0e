"""Did you mean: the known name nearest to one that is not known."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MANY = 2000  # names above which a rough look comes before the exact one, which takes some 10 us a name
_NUMBER = re.compile(r"\d+")


def nearest(word: str, names: Iterable[str]) -> str:
    """The name most like *word*; "" where none is like enough to be meant. Names that differ in numbers alone are different things, not slips."""
    from difflib import get_close_matches

    known = [name for name in names if name != word]
    if len(known) > _MANY:
        known = [name for name in known if abs(len(name) - len(word)) <= 2 and (name[:2] == word[:2] or name[-3:] == word[-3:])]
    bare = _NUMBER.sub("0", word)
    known = [name for name in known if _NUMBER.sub("0", name) != bare][:_MANY]
    found = get_close_matches(word, known, n=1, cutoff=0.7)
    return found[0] if found else ""
