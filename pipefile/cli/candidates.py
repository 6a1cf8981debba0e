"""What may follow in a command line (editor/shells.py has the shells' side of it). Here are stages, files and runs, without click, whose import takes
as long as all the rest; cli/complete.py has commands and options.

Asked as `completion --for SHELL ...`: by bash with the line up to the cursor, and the characters at which it breaks words; by zsh and fish with the
words, of which the last one is completed. Answered with a line for each: the word, a tab, what it means. Whatever goes wrong, nothing is answered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from pipefile.base.commands import COMMANDS
from pipefile.base.dataclass import dataclass, field

_QUOTED = " \t\n\\'\"`$&|;<>()*?[]{}!#~"


def answer(words: Sequence[str]) -> int:
    """Print what may follow. The exit status is 0 whatever happens: a person is typing."""
    try:
        lines = _bash(*words[1:3]) if words[0] == "bash" else [f"{word}\t{text}" for word, text in complete(words[1:])]
        data = "".join([f"{line}\n" for line in lines if "\n" not in line]).encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(1, data) :]
    except (Exception, SystemExit):
        pass
    return 0


def complete(words: Sequence[str]) -> list[tuple[str, str]]:
    """What the last of *words* may become, and what each means.

    Args:
        words: The words of the line from the program's name on, without quotes.
    """
    *before, word = words[1:] or [""]
    plain = len(words) > 1 and not any(each.startswith("-") for each in before) and not word.startswith("-")
    if plain and not before:
        return [*commands_of(word), *targets_of(Place(), word)]
    if plain and (before[0] == "build" or before[0] not in COMMANDS):
        return targets_of(Place(), word)
    from pipefile.cli.complete import complete as by_options

    return by_options(words)


def commands_of(word: str) -> list[tuple[str, str]]:
    return [(name, text) for name, text in COMMANDS.items() if name.startswith(word)]


@dataclass
class Place:
    """Which project a command line is about, as its options say.

    Args:
        directories: Values of `-C`, in order.
        file: Value of `--file`; "" for none.
    """

    directories: list[str] = field(default_factory=list)
    file: str = ""


def here_of(place: Place) -> str:
    here = os.getcwd()
    for directory in place.directories:
        here = os.path.normpath(os.path.join(here, directory))
    return here


def project_of(place: Place) -> tuple[str, str]:
    """Root and Pipefile of the project that the line is about."""
    from pipefile.engine.fastlane import PIPEFILE, root_above

    if place.file:
        root, file = os.path.split(os.path.normpath(os.path.join(here_of(place), place.file)))
        return root, file
    root = root_above(here_of(place)) or ""
    return root, PIPEFILE


def stages_of(place: Place, word: str) -> Iterable[str]:
    from pipefile.editor.names import names

    return _edges(names(*project_of(place)).stages, word)


def profiles_of(place: Place) -> Iterable[str]:
    from pipefile.editor.names import names

    return names(*project_of(place)).profiles


def _edges(stages: Iterable[str], word: str) -> Iterable[str]:
    """Stages; instances once their stage is written out, a segment of their paths at a time."""
    from pipefile.editor.names import below

    stage, at, rest = word.partition("@")
    if not at:
        return dict.fromkeys(name for each in stages if (name := each.partition("@")[0]).startswith(word))
    folder = rest[: rest.rfind("/") + 1]
    start = f"{stage}@"
    instances = [each[len(start) :] for each in stages if each.startswith(start)]
    return [f"{start}{folder}{name}" for name in below(instances, folder, rest[len(folder) :])]


def targets_of(place: Place, word: str) -> list[tuple[str, str]]:
    """Stages, aliases, and outputs by their paths from where the user stands, one segment at a time."""
    from pipefile.editor.names import below, names

    root, file = project_of(place)
    known = names(root, file)
    found = [(name, "alias") for name in known.aliases if name.startswith(word)]
    found += [(name, "stage") for name in _edges(known.stages, word)]
    folder, slash, begun = word.rpartition("/")
    there = os.path.normpath(os.path.join(here_of(place), folder or ("/" if slash else ".")))
    base = root.rstrip("/") + "/"
    if there == root or there.startswith(base):
        inside = f"{there[len(base) :]}/" if there != root else ""
        found += [(f"{folder}{slash}{name}", "") for name in below(known.outputs, inside, begun)]
    return list(dict(reversed(found)).items())[::-1]


def files_in(here: str, word: str, folders: bool) -> list[tuple[str, str]]:
    folder, slash, begun = word.rpartition("/")
    found = []
    with os.scandir(os.path.join(here, folder + slash)) as entries:
        for entry in entries:
            if entry.name.startswith(begun) and (begun or entry.name[0] != "."):
                directory = entry.is_dir()
                if directory or not folders:
                    found.append((f"{folder}{slash}{entry.name}{'/' * directory}", ""))
    return sorted(found)


# --- bash


def _bash(line: str, breaks: str) -> Iterator[str]:
    """Words alone, of each what bash replaces: the part behind the last character at which it breaks words."""
    words, quote, begun = split(line)
    word = words[-1]
    cut = 0 if quote else max([begun.rfind(char) for char in breaks if char not in " \t\n\"'\\"], default=-1) + 1
    for found, _ in complete(words):
        # Within quotes bash replaces all behind the quote, and the breaking characters have no meaning.
        shown = found if quote else _escaped(found)
        start = _escaped(word)[:cut] if not quote else ""
        if shown.startswith(start):
            yield shown[len(start) :]


def split(line: str) -> tuple[list[str], str, str]:
    """The words of a command line that may end anywhere, without quotes; the quote that is open at its end, and the last word as it was typed."""
    words: list[str] = []
    text, raw, quote = "", "", ""
    inside = False
    at = 0
    while at < len(line):
        char = line[at]
        at += 1
        if not quote and char in " \t\n":
            if inside:
                words.append(text)
            text, raw, inside = "", "", False
            continue
        raw += char
        inside = True
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == "\\" and quote != "'" and at < len(line):
            text += line[at]
            raw += line[at]
            at += 1
        else:
            text += char
    return [*words, text], quote, raw


def _escaped(word: str) -> str:
    return "".join([f"\\{char}" if char in _QUOTED else char for char in word])
