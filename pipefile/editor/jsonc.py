"""JSON as editors have it, with comments and commas at the end: read with places, and changed as text, so that all else stays as it was written."""

from __future__ import annotations

import json
import re
from typing import Any

from pipefile.base.dataclass import dataclass, field
from pipefile.base.errors import PipefileSyntaxError
from pipefile.load.faults import at_offset

_DEPTH = 100
_SKIP = re.compile(r"(?:[ \t\r\n\ufeff]++|//[^\n]*+|/\*.*?\*/)*+", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\.)*+"')
_WORD = re.compile(r"[-+.\w]+")


@dataclass
class Node:
    """A value in its text.

    Args:
        value: What it is, as `json` would have it.
        start, stop: Where it stands.
        elements: What is in it: nodes of an array, or of an object by name (the last one of a name, as editors have it).
        last: Where the last element ends, without a comma; -1 if there is none.
        comma: A comma stands behind the last element.
    """

    value: Any
    start: int
    stop: int
    elements: list[Node] = field(default_factory=list)
    named: dict[str, Node] = field(default_factory=dict)
    last: int = -1
    comma: bool = False


class Document:
    """A file's text.

    Args:
        text: All of it.
        path: What it is called in errors.

    Raises:
        PipefileSyntaxError: It is no such JSON; with the place.
    """

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.newline = "\r\n" if "\r\n" in text else "\n"
        indented = re.search(r"^(\t|  +)\S", text, re.MULTILINE)
        self.unit = indented[1] if indented else "  "
        self._edits: list[tuple[int, int, str]] = []
        at = self._skip(0)
        self.root: Node | None = None
        if at < len(text):
            self.root = self._value(at, 0)
            at = self._skip(self.root.stop)
            if at < len(text):
                raise self.fault("nothing more was expected", at)

    def fault(self, message: str, at: int) -> PipefileSyntaxError:
        return at_offset(message, self.path, self.text, at, at + 1)

    # --- reading

    def _skip(self, at: int) -> int:
        skipped = _SKIP.match(self.text, at)
        at = skipped.end() if skipped else at
        if self.text.startswith("/*", at):
            raise self.fault("a comment does not end", at)
        return at

    def _value(self, at: int, depth: int) -> Node:
        char = self.text[at : at + 1]
        if depth > _DEPTH:
            raise self.fault("nested too deeply", at)
        if char in ("{", "["):
            return self._container(at, depth)
        match = _STRING.match(self.text, at) if char == '"' else _WORD.match(self.text, at)
        if match is None:
            raise self.fault("a string does not end in its line" if char == '"' else "a value was expected", at)
        try:
            return Node(json.loads(match[0]), at, match.end())
        except ValueError:
            raise self.fault(f"`{match[0][:40]}` is no value", at) from None

    def _container(self, start: int, depth: int) -> Node:
        text = self.text
        is_object = text[start] == "{"
        closing = "}" if is_object else "]"
        node = Node({} if is_object else [], start, start)
        at = self._skip(start + 1)
        while text[at : at + 1] != closing:
            if node.last >= 0 and not node.comma:
                raise self.fault(f"`,` or `{closing}` was expected", at)
            name = ""
            if is_object:
                key = self._value(at, depth + 1)
                if type(key.value) is not str:
                    raise self.fault("a name in double quotes was expected", at)
                name = key.value
                at = self._skip(key.stop)
                if text[at : at + 1] != ":":
                    raise self.fault("`:` was expected", at)
                at = self._skip(at + 1)
            element = self._value(at, depth + 1)
            node.elements.append(element)
            if is_object:
                node.named[name] = element
                node.value[name] = element.value
            else:
                node.value.append(element.value)
            node.last = element.stop
            at = self._skip(element.stop)
            node.comma = text[at : at + 1] == ","
            if node.comma:
                at = self._skip(at + 1)
        node.stop = at + 1
        return node

    # --- changing

    def extend(self, container: Node, values: list[tuple[str | None, Any]]) -> None:
        """Put values at the end of an array or, with their names, of an object: behind all comments that stand there. Once for each container."""
        indent = self._indent(container.start) + self.unit
        texts = [self._text(name, value, indent) for name, value in values]
        closing = container.stop - 1
        before = self.text[:closing].rstrip(" \t\r\n")
        comma = "," if container.last >= 0 and not container.comma else ""
        if comma and container.last < len(before):  # a comment stands between
            self._edits.append((container.last, container.last, comma))
            comma = ""
        end = "," if container.comma else ""
        joined = f",{self.newline}{indent}".join(texts)
        space = self.text[len(before) : closing]
        closed = space if "\n" in space else self.newline + self._indent(container.start)
        self._edits.append((len(before), closing, f"{comma}{self.newline}{indent}{joined}{end}{closed}"))

    def replace(self, node: Node, value: Any) -> None:
        """Put another value in the place of one."""
        self._edits.append((node.start, node.stop, self._text(None, value, self._indent(node.start))))

    def changed(self) -> str:
        """The text with all changes in it."""
        text = self.text
        for start, stop, new in sorted(self._edits, reverse=True):
            text = text[:start] + new + text[stop:]
        return text

    def _indent(self, at: int) -> str:
        """The blanks at the beginning of the line in which *at* is."""
        begin = self.text.rfind("\n", 0, at) + 1
        line = self.text[begin:at]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _text(self, name: str | None, value: Any, indent: str) -> str:
        text = dumped(value, self.unit).replace("\n", self.newline + indent)
        return text if name is None else f"{json.dumps(name)}: {text}"


def dumped(value: Any, unit: str = "  ") -> str:
    """A value as a person would write it: what is short stands in one line."""
    return _dumped(value, unit, "")


def _dumped(value: Any, unit: str, indent: str) -> str:
    whole = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(whole) + len(indent) <= 100:
        return f"{{ {whole[1:-1]} }}" if isinstance(value, dict) and value else whole
    inner = indent + unit
    if isinstance(value, dict):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {_dumped(each, unit, inner)}" for name, each in value.items()]
    else:
        parts = [_dumped(each, unit, inner) for each in value]
    ends = "{}" if isinstance(value, dict) else "[]"
    joined = f",\n{inner}".join(parts)
    return f"{ends[0]}\n{inner}{joined}\n{indent}{ends[1]}"
