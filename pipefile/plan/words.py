"""Which files a command names literally."""

from __future__ import annotations

import re

from pipefile.model.stage import Command
from pipefile.plan import shelltext
from pipefile.plan.template import marked

_PROGRAM = r"(?:[\w.+-]*/)*python[0-9.]*"
_OPTIONS = r"-[bBdEIOqsSuv]+"
_RUNS = re.compile(
    rf"(?:^|[;&|(\n])\s*"
    r"(?:[A-Za-z_]\w*=[\w./:,+@%-]*[ \t]+)*(?:(?:exec|time)[ \t]+)?"
    rf"{_PROGRAM}[ \t]+(?:{_OPTIONS}[ \t]+)*([\w./+@%-]+\.py)(?=[\s;&|)<>]|$)"
)


def python_scripts(command: Command) -> list[str]:
    """Words that a command runs as scripts of Python and names nowhere else, so that nobody but Python reads them."""
    if command.argv:
        words = [template[0] if len(template) == 1 and isinstance(template[0], str) else "" for template in command.argv]
        rest = words[1:]
        while rest and re.fullmatch(_OPTIONS, rest[0]):
            del rest[0]
        found = rest[:1] if re.fullmatch(_PROGRAM, words[0]) and rest[:1] != [""] else []
        return [word for word in found if sum(word in each for each in words) == 1]
    text = marked(command.template)
    return [word for word in _RUNS.findall(text) if text.count(word) == 1]


def literal_words(command: Command) -> tuple[str, ...]:
    """Words of `run` that may name files, as written, in order, each once.

    By shell quoting, in every command of a pipeline, subshells and command substitutions too: arguments, `<` sources, and programs
    named with a `/`. Not targets of `>`, options, assignments, comments, here-documents, nor words with variables, globs or placeholders.
    """
    if command.argv:
        words = [template[0] for template in command.argv if len(template) == 1 and isinstance(template[0], str)]
        first = command.argv[0]
        if words and len(first) == 1 and words[0] is first[0] and "/" not in words[0]:
            del words[0]  # it is looked up on PATH
    else:
        words = shelltext.read(marked(command.template)).words
    return tuple(dict.fromkeys([word for word in words if word and word[0] != "-"]))
