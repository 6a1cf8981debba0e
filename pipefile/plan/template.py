"""Placeholders: text such as `cc -c {src} -o {dst}` in pieces, and what becomes of it.

Only `{` + name + `}` and `{name[0]}` are placeholders; names begin with a letter or `_`. `{{` and `}}` stand for braces, and everything else passes
through: `${HOME}`, `{a,b}`, `awk '{print $1}'`, `find -exec rm {}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pipefile.model.stage import Field, Template
from pipefile.plan import shelltext

Lookup = Callable[[Field], "str | list[str]"]
"""Gives the value of a placeholder: one text, or a list. Paths come with `./` before a leading dash; nothing is quoted."""

_TOKEN = re.compile(r"\$\{[^{}]*\}|\{\{|\}\}|\{([^\W\d][\w-]*(?:\.[\w-]+)*)(?:\[([0-9]{1,9})\])?\}")
_RISKY = re.compile(r"['\"`\\]|<<|\$\{")  # without one of these, a placeholder stands in a plain word
_SAFE_VALUE = re.compile(r"[A-Za-z0-9_./:,+@%-]+")  # a `=` is quoted, so that no value becomes an assignment
_DIRECT = re.compile(r"[A-Za-z0-9_./=:,+@% \t-]*")
_REDIRECTED = re.compile(r"[A-Za-z0-9_./=:,+@%<> \t-]*")
_FIRST_WORD = re.compile(r"[ \t]*([A-Za-z0-9_./=:,+@%-]+)(?=[ \t]|$)")

# fmt: off
BUILTINS = frozenset(
    [
        ".", ":", "[", "[[", "alias", "bg", "bind", "break", "builtin", "caller", "case", "cd", "chdir", "command",
        "compgen", "complete", "compopt", "continue", "coproc", "declare", "dirs", "disown", "do", "done", "echo", "elif",
        "else", "enable", "esac", "eval", "exec", "exit", "export", "false", "fc", "fg", "fi", "for", "function", "getopts",
        "hash", "help", "history", "if", "in", "jobs", "kill", "let", "local", "logout", "mapfile", "popd", "printf",
        "pushd", "pwd", "read", "readarray", "readonly", "return", "select", "set", "shift", "shopt", "source", "suspend",
        "test", "then", "time", "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "until",
        "wait", "while",
    ]
)
# fmt: on
"""Builtins and keywords of the common POSIX shells: a shell has to run these."""


class PlaceholderError(ValueError):
    """A placeholder where its value cannot stand. The text says where: "inside quotes".

    Args:
        field: Which one.
        number: Its position among the placeholders of the text, from 0.
        reason: "inside quotes", "inside backquotes", "in a here-document", "after a backslash", "a list inside a longer argument".
    """

    def __init__(self, field: Field, number: int, reason: str) -> None:
        super().__init__(f"`{field}` stands {reason}")
        self.field = field
        self.number = number
        self.reason = reason


def parse(text: str) -> Template:
    """Text in pieces: literal text, braces undoubled, and fields. `()` for an empty text."""
    if "{" not in text and "}" not in text:
        return (text,) if text else ()
    pieces: list[str | Field] = []
    literal = ""
    at = 0
    for token in _TOKEN.finditer(text):
        literal += text[at : token.start()]
        at = token.end()
        name, index = token.groups()
        if name is None:
            whole = token[0]
            literal += whole if whole[0] == "$" else whole[0]
            continue
        if literal:
            pieces.append(literal)
            literal = ""
        pieces.append(Field(name, None if index is None else int(index)))
    literal += text[at:]
    if literal:
        pieces.append(literal)
    return tuple(pieces)


def parse_shell(text: str) -> Template:
    """As `parse`, for a text that a shell will read.

    Raises:
        PlaceholderError: A placeholder stands where the quotes around its value would not be quotes.
    """
    template = parse(text)
    if len(template) > 1 and _RISKY.search(text):
        reading = shelltext.read(marked(template))
        if reading.misplaced >= 0:
            raise PlaceholderError(fields(template)[reading.misplaced], reading.misplaced, reading.reason)
    return template


def fields(template: Template) -> tuple[Field, ...]:
    """The placeholders in order, repetitions too."""
    return tuple(piece for piece in template if not isinstance(piece, str))


def marked(template: Template) -> str:
    """The text with a NUL for each placeholder, as shelltext reads it."""
    if len(template) == 1 and isinstance(template[0], str):
        return template[0]
    return "".join(piece if isinstance(piece, str) else shelltext.PLACEHOLDER for piece in template)


def written(pieces: Iterable[str | Field]) -> str:
    """Pieces as a text that `parse` makes them of."""
    parts = []
    for piece in pieces:
        parts.append(piece.replace("{", "{{").replace("}", "}}") if isinstance(piece, str) else str(piece))
    return "".join(parts)


def joined(pieces: Iterable[str | Field]) -> Template:
    """Pieces as a template: neighbouring literals become one, empty ones go."""
    out: list[str | Field] = []
    for piece in pieces:
        if isinstance(piece, str) and out and isinstance(out[-1], str):
            out[-1] += piece
        elif piece != "":
            out.append(piece)
    return tuple(out)


def quote(value: str) -> str:
    """One word for a POSIX shell, whatever it holds (but NUL, which no argument can hold)."""
    if _SAFE_VALUE.fullmatch(value):
        return value
    return "'" + value.replace("'", "'\"'\"'") + "'"


def quoted(value: str | list[str], before: str = "") -> str:
    """A value as words for a POSIX shell.

    Args:
        value: One text, or a list that becomes several words.
        before: The literal text that follows; digits right before `>` would name a descriptor.
    """
    text = quote(value) if isinstance(value, str) else " ".join([quote(item) for item in value])
    if before and before[0] in "<>" and text[-1:].isdigit():
        return text + "''"
    return text


def render_shell(template: Template, lookup: Lookup) -> str:
    """The text for the shell, every value quoted, lists as several words."""
    parts = []
    for index, piece in enumerate(template):
        if isinstance(piece, str):
            parts.append(piece)
        else:
            following = template[index + 1] if index + 1 < len(template) else ""
            parts.append(quoted(lookup(piece), following if isinstance(following, str) else ""))
    return "".join(parts)


def render_argv(argv: tuple[Template, ...], lookup: Lookup) -> tuple[str, ...]:
    """Arguments for a program, without a shell. An element that is exactly one placeholder becomes as many arguments as its list is long.

    Raises:
        PlaceholderError: A list stands inside a longer element.
    """
    words: list[str] = []
    for template in argv:
        if len(template) == 1:
            piece = template[0]
            if isinstance(piece, str):
                words.append(piece)
                continue
            value = lookup(piece)
            if isinstance(value, str):
                words.append(value)
            else:
                words += value
            continue
        text = ""
        for piece in template:
            if isinstance(piece, str):
                text += piece
                continue
            value = lookup(piece)
            if not isinstance(value, str):
                raise PlaceholderError(piece, fields(template).index(piece), "as a list inside a longer argument")
            text += value
        words.append(text)
    return tuple(words)


def split_words(template: Template) -> tuple[Template, ...] | None:
    """The words of a text that needs no shell, as far as its literal pieces tell; None where a shell has to read it.

    The first word is not judged yet, since a placeholder may be part of it: `fill_words` does that.
    """
    for piece in template:
        if isinstance(piece, str) and not _DIRECT.fullmatch(piece):
            return None
    words: list[Template] = []
    word: list[str | Field] = []
    for piece in template:
        if not isinstance(piece, str):
            word.append(piece)
            continue
        first, *others = piece.replace("\t", " ").split(" ")
        if first:
            word.append(first)
        for text in others:
            if word:
                words.append(tuple(word))
            word = [text] if text else []
    if word:
        words.append(tuple(word))
    return tuple(words)


def fill_words(words: tuple[Template, ...], lookup: Lookup, on_path: Callable[[str], str | None]) -> tuple[str, ...] | None:
    """The argv that a shell would have made of *words*; None where the first word is not a program on PATH."""
    out: list[str] = []
    for template in words:
        if len(template) == 1 and isinstance(template[0], str):
            out.append(template[0])
        else:
            out += _expanded(template, lookup)
    if not out or "=" in out[0] or out[0] in BUILTINS or on_path(out[0]) is None:
        return None
    return tuple(out)


def redirected_program(template: Template) -> str:
    """The program of a text that is one plain command with redirections to and from files: `sort {src} > {dst}`; "" for any other text.

    Such a text needs a shell, but not a process besides it: after `exec ` the shell becomes the program. That it is a program, and not a builtin,
    is the caller's to check.
    """
    for piece in template:
        if isinstance(piece, str) and not _REDIRECTED.fullmatch(piece):
            return ""
    first = template[0] if template else ""
    if not isinstance(first, str):
        return ""
    match = _FIRST_WORD.match(first)
    if match is None or (match.end() == len(first) and len(template) > 1):  # a placeholder goes on with the word
        return ""
    word = match[1]
    return "" if "=" in word or word in BUILTINS else word


def direct_words(template: Template, lookup: Lookup, on_path: Callable[[str], str | None]) -> tuple[str, ...] | None:
    """The argv with which a `run` string runs without a shell, by 2-format's rule; None where it needs one.

    Args:
        template: The command. That its shell is the default one is the caller's to check.
        lookup: Values of placeholders, unquoted.
        on_path: Finds a program on the stage's PATH (or a path with `/` itself); None where there is none.
    """
    words = split_words(template)
    return None if words is None else fill_words(words, lookup, on_path)


def _expanded(template: Template, lookup: Lookup) -> list[str]:
    """The words that one word with placeholders becomes, as in a shell: `-I{dirs}` with two folders is `-Ia b`."""
    out: list[str] = []
    current: str | None = None
    for piece in template:
        value = piece if isinstance(piece, str) else lookup(piece)
        if isinstance(value, str):
            current = value if current is None else current + value
        elif value:
            out.append(value[0] if current is None else current + value[0])
            out += value[1:]
            current = out.pop()
    if current is not None:
        out.append(current)
    return out
