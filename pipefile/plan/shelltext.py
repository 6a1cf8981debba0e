"""Shell quoting, as far as it decides which words of a command are plain text, and where a quoted value may stand.

This reads commands, it does not run them: what the POSIX grammar leaves to the moment of execution (expansions, globs) only marks a word
as not literal. Placeholders are NUL characters in the text, which no command can hold.
"""

from __future__ import annotations

import re

from pipefile.base.dataclass import dataclass, field

PLACEHOLDER = "\0"

_EASY = re.compile(r"[\w \t./,:+@%^=\0-]*")  # no quoting, no operator: words are what stands between blanks
_PLAIN = re.compile(r"""[^\s'"`$\\<>|&;()#*?\[~{}\0]+""")
_IN_DOUBLE = re.compile(r"""[^"\\$`\0]+""")
_IN_BRACE = re.compile(r"""[^'"\\$`}\0]+""")
_NAME = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])?")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_BACKQUOTED = re.compile(r"`(?:[^`\\]|\\.)*`?", re.DOTALL)
_ESCAPED = re.compile(r"\\([`$\\])")
_OPERATOR = re.compile(r"&>>?|<<<|<<-?|<>|[<>]&|>>|>\||[<>]|[;&|]+|\n")
_BEFORE_COMMANDS = frozenset(["if", "then", "else", "elif", "do", "while", "until", "!", "time", "{", "}"])


@dataclass(slots=True)
class Reading:
    """What a command's text holds.

    Args:
        words: Literal words in order, without command names that are looked up on PATH; options and repetitions are among them.
        misplaced: Number of the first placeholder, from 0, that stands where a quoted value would be wrong; -1 for none.
        reason: Where that one stands: "inside quotes", "inside backquotes", "in a here-document", "after a backslash".
    """

    words: list[str] = field(default_factory=list)
    misplaced: int = -1
    reason: str = ""


def read(text: str) -> Reading:
    """Read a command for a POSIX shell."""
    if _EASY.fullmatch(text):
        return Reading(_easy_words(text))
    reader = _Reader(text)
    reader.run()
    return reader.reading


def _easy_words(text: str) -> list[str]:
    words = text.replace("\t", " ").split(" ")
    found: list[str] = []
    at_start = True
    for word in words:
        if not word:
            continue
        if at_start:
            if _ASSIGNMENT.match(word):
                continue
            at_start = word in _BEFORE_COMMANDS
            if "/" not in word:
                continue
        if PLACEHOLDER not in word:
            found.append(word)
    return found


@dataclass(slots=True)
class _Word:
    """The word being read, and what is expected of it."""

    parts: list[str] = field(default_factory=list)
    started: bool = False
    literal: bool = True
    quoted: bool = False
    assignment: bool = False
    role: str = ""  # "target" of >, "source" after <, "delimiter" of a here-document, with "-" behind it for <<-
    at_start: bool = True  # it would be the name of a command


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.reading = Reading()
        self._word = _Word()
        self._seen = 0  # placeholders so far
        self._open: list[tuple[str, _Word]] = []  # contexts: ( $( " ${ and the word that each began in
        self._documents: list[tuple[str, bool]] = []  # here-documents whose bodies begin after this line

    def run(self) -> None:
        text, at, end = self.text, 0, len(self.text)
        while at < end:
            context = self._open[-1][0] if self._open else ""
            if context == '"':
                at = self._double(at)
            elif context == "${":
                at = self._brace(at)
            else:
                at = self._command(at, text[at])
        self._end_word()

    def _command(self, at: int, char: str) -> int:
        text = self.text
        if plain := _PLAIN.match(text, at):
            word = self._word
            if not word.started and word.at_start and not word.role and _ASSIGNMENT.match(plain[0]):
                word.assignment = True
            self._add(plain[0])
            return plain.end()
        if char in " \t":
            self._end_word()
            return at + 1
        if char == "'":
            return self._single(at)
        if char in '"$`\\\0':
            return self._special(at, char)
        if char == "(":
            self._end_word()
            self._push("(", _Word())
            return at + 1
        if char == ")":
            self._end_word()
            if self._open:
                self._pop()
            else:
                self._word = _Word()
            return at + 1
        if char == "#" and not self._word.started:
            stop = text.find("\n", at)
            stop = len(text) if stop < 0 else stop
            self._seen += text.count(PLACEHOLDER, at, stop)
            return stop
        if operator := _OPERATOR.match(text, at):
            return self._operator(operator[0], operator.end())
        # globs, braces, tildes: the shell decides what the word becomes; a `#` inside a word, or other white space, is text
        self._add(char, literal=char == "#" or (char == "~" and self._word.started))
        return at + 1

    def _operator(self, operator: str, after: int) -> int:
        word = self._word
        if operator[0] in "<>" and word.started and not word.quoted and "".join(word.parts).isdigit():
            self._word = _Word(at_start=word.at_start)  # the number of a descriptor
        self._end_word()
        if operator == "\n":
            self._word = _Word()
            return self._bodies(after) if self._documents else after
        if operator in ("<<", "<<-"):
            self._word.role = "delimiter" + operator[2:]
        elif operator == "<":
            self._word.role = "source"
        elif ">" in operator or "<" in operator:
            self._word.role = "target"
        else:
            self._word = _Word()
        return after

    def _special(self, at: int, char: str) -> int:
        """What has the same meaning inside double quotes and outside."""
        text = self.text
        if char == '"':
            self._word.started = self._word.quoted = True
            self._push('"', self._word)
            return at + 1
        if char == "\0":
            if any(context == '"' for context, _ in self._quoting()):
                self._misplace("inside quotes")
            self._seen += 1
            self._add("", literal=False)
            return at + 1
        if char == "\\":
            after = text[at + 1 : at + 2]
            if after == "\0":
                self._misplace("after a backslash")
                return at + 1
            if after != "\n":
                self._add(after, quoted=True)
            return at + 2
        self._add("", literal=False)
        if char == "`":
            return self._backquoted(at)
        if text.startswith("$((", at):
            return self._arithmetic(at)
        if text.startswith("$(", at):
            self._push("$(", _Word())
            return at + 2
        if text.startswith("${", at):
            self._push("${", self._word)
            return at + 2
        name = _NAME.match(text, at)
        return name.end() if name else at + 1

    def _double(self, at: int) -> int:
        text = self.text
        if run := _IN_DOUBLE.match(text, at):
            self._add(run[0])
            return run.end()
        char = text[at]
        if char == '"':
            self._open.pop()
            return at + 1
        if char == "\\" and text[at + 1 : at + 2] not in ("\0", "\n", '"', "\\", "$", "`"):
            self._add(char)
            return at + 1
        return self._special(at, char)

    def _brace(self, at: int) -> int:
        text = self.text
        if run := _IN_BRACE.match(text, at):
            return run.end()
        char = text[at]
        if char == "}":
            self._open.pop()
            return at + 1
        if char == "'":
            # inside double quotes a single quote in ${...} is text, and a quoted value would bring its quotes along
            return at + 1 if self._inside_double() else self._single(at)
        return self._special(at, char)

    def _single(self, at: int) -> int:
        stop = self.text.find("'", at + 1)
        stop = len(self.text) if stop < 0 else stop
        inside = self.text.count(PLACEHOLDER, at, stop)
        if inside:
            self._misplace("inside quotes")
            self._seen += inside
        self._add(self.text[at + 1 : stop], literal=not inside, quoted=True)
        return stop + 1

    def _arithmetic(self, at: int) -> int:
        depth, here = 0, at + 1
        while here < len(self.text):
            depth += {"(": 1, ")": -1}.get(self.text[here], 0)
            here += 1
            if depth == 0:
                break
        self._seen += self.text.count(PLACEHOLDER, at, here)
        return here

    def _backquoted(self, at: int) -> int:
        match = _BACKQUOTED.match(self.text, at)
        stop = match.end() if match else len(self.text)
        if inside := self.text.count(PLACEHOLDER, at, stop):
            self._misplace("inside backquotes")
            self._seen += inside
        else:
            self.reading.words += read(_ESCAPED.sub(r"\1", self.text[at + 1 : stop]).removesuffix("`")).words
        return stop

    def _bodies(self, at: int) -> int:
        text = self.text
        for delimiter, strip in self._documents:
            while at < len(text):
                stop = text.find("\n", at)
                stop = len(text) if stop < 0 else stop
                line = text[at:stop]
                if inside := line.count(PLACEHOLDER):
                    self._misplace("in a here-document")
                    self._seen += inside
                at = stop + 1
                if (line.lstrip("\t") if strip else line) == delimiter:
                    break
        self._documents = []
        return at

    def _quoting(self) -> list[tuple[str, _Word]]:
        """The contexts up to the innermost command substitution, where quoting begins anew."""
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index][0] in ("(", "$("):
                return self._open[index + 1 :]
        return self._open

    def _inside_double(self) -> bool:
        return any(context == '"' for context, _ in self._quoting())

    def _push(self, context: str, word: _Word) -> None:
        self._open.append((context, self._word))
        self._word = word

    def _pop(self) -> None:
        _, self._word = self._open.pop()

    def _add(self, text: str, literal: bool = True, quoted: bool = False) -> None:
        word = self._word
        word.parts.append(text)
        word.started = True
        word.literal = word.literal and literal
        word.quoted = word.quoted or quoted

    def _misplace(self, reason: str) -> None:
        if self.reading.misplaced < 0:
            self.reading.misplaced, self.reading.reason = self._seen, reason

    def _end_word(self) -> None:
        word = self._word
        if not word.started:
            return
        text = "".join(word.parts)
        at_start = word.at_start
        if word.role.startswith("delimiter"):
            self._documents.append((text, word.role.endswith("-")))
        elif word.role == "source":
            if word.literal:
                self.reading.words.append(text)
        elif not word.role and not (word.assignment and at_start):
            if word.literal and ("/" in text or not at_start):
                self.reading.words.append(text)
            at_start = at_start and not word.quoted and text in _BEFORE_COMMANDS
        self._word = _Word(at_start=at_start)
