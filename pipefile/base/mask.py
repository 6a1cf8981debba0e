"""Values that nobody may read: wherever one of them stands in a text, `***` takes its place.

A value is found as it is, in the forms in which programs print it (escaped as in JSON, as Python shows it, as in a URL, as errors show it), and, if
it has several lines, line by line. Whatever else is made of it (a digest, base64) is not found. What is shorter than LEAST characters is not masked:
it would hide half of every log, and could be guessed anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pipefile.base.paths import show

LEAST = 4
"""Characters of a value that is masked."""

MASKED = "***"

_NOTHING = "(?!)"  # a pattern that nothing matches

_LEAST_LINE = 8  # characters of one line of a value; `-----BEGIN` and the like are no secret, but nobody misses them


class Mask:
    """Masks values in texts.

    Args:
        values: The values; those that are too short are left out.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values if len(value) >= LEAST for form in _forms(value) if len(form) >= LEAST}
        ordered = sorted(forms, key=lambda form: (-len(form), form))  # where one begins with another, the longer one
        self._text = re.compile("|".join(map(re.escape, ordered)) or _NOTHING)
        encoded = [form.encode("utf-8", "surrogateescape") for form in ordered]
        self._bytes = re.compile(b"|".join(map(re.escape, encoded)) or _NOTHING.encode())
        self.longest = max(map(len, encoded), default=0)

    def __bool__(self) -> bool:
        return self.longest > 0

    def text(self, text: str) -> str:
        """A text without them."""
        return self._text.sub(MASKED, text)

    def anything(self, value: Any) -> Any:
        """Texts, bytes, and lists, tuples and tables of such, without them; all else as it is."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self._bytes.sub(MASKED.encode(), value)
        if isinstance(value, dict):
            return {self.anything(key): self.anything(inner) for key, inner in value.items()}
        if isinstance(value, tuple):
            found = [self.anything(inner) for inner in value]
            return type(value)(*found) if hasattr(value, "_fields") else tuple(found)
        return [self.anything(inner) for inner in value] if isinstance(value, list) else value

    def stream(self) -> MaskedStream:
        """Masks what comes in pieces."""
        return MaskedStream(self._bytes, self.longest)


class MaskedStream:
    """Masks bytes that come in pieces, wherever these are cut.

    Args:
        pattern: What is masked.
        longest: Bytes of the longest match.
    """

    def __init__(self, pattern: re.Pattern[bytes], longest: int) -> None:
        self._pattern = pattern
        self._longest = longest
        self._kept = b""

    def feed(self, data: bytes) -> bytes:
        """What can be told of by now: all but what may be the beginning of a value."""
        return self._masked(self._kept + data, max(0, len(self._kept) + len(data) - self._longest + 1))

    def end(self) -> bytes:
        """The rest."""
        return self._masked(self._kept, len(self._kept))

    def _masked(self, data: bytes, limit: int) -> bytes:
        """The part before *limit*, and all of a value that begins there; what follows is kept."""
        found = []
        done = 0
        for match in self._pattern.finditer(data):
            if match.start() >= limit:
                break
            found += [data[done : match.start()], MASKED.encode()]
            done = match.end()
        limit = max(limit, done)
        found.append(data[done:limit])
        self._kept = data[limit:]
        return b"".join(found)


def _forms(value: str) -> set[str]:
    import json
    from urllib.parse import quote

    found = {value, value.strip()}
    if "\n" in value:
        found |= {line.strip() for line in value.splitlines() if len(line.strip()) >= _LEAST_LINE}
    for form in list(found):
        found |= {json.dumps(form)[1:-1], json.dumps(form, ensure_ascii=False)[1:-1], repr(form)[1:-1], show(form)}
        found |= {quote(form, safe=safe, errors="surrogateescape") for safe in ("", "/")}
    return found
