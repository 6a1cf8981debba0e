"""Random modules and random edits, held against the truth: what the function really returns.

Whenever the result of a run changes, so must the code that plan/link.py finds; where only comments, formatting, docstrings or annotations are edited,
or a function that nobody calls, it must not. PIPEFILE_CODE_SEEDS is the number of seeds; the default takes some seconds.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import io
import os
import random
import re
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout

import pytest
from kit.sources import linked

SEEDS = int(os.environ.get("PIPEFILE_CODE_SEEDS", "24"))
FIRST = int(os.environ.get("PIPEFILE_CODE_FIRST", "0"))
EDITS = 25

MODULES = ("steps", "m1", "m2", "pkg", "pkg.a", "pkg.b")
PATHS = {"steps": "steps.py", "m1": "m1.py", "m2": "m2.py", "pkg": "pkg/__init__.py", "pkg.a": "pkg/a.py", "pkg.b": "pkg/b.py"}

Files = dict[str, list[str]]


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports modules from texts."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = {name: texts[path] for name, path in PATHS.items()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.texts:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=fullname == "pkg")

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self.texts[module.__name__], f"{module.__name__}.py", "exec"), module.__dict__)


def truth(texts: dict[str, str]) -> object:
    """What `steps.go()` really gives."""
    finder = Finder(texts)
    sys.meta_path.insert(0, finder)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.sub(r" at 0x[0-9a-f]+", "", repr(importlib.import_module("steps").go()))
    except Exception as error:
        return error
    finally:
        sys.meta_path.remove(finder)
        for name in PATHS:
            sys.modules.pop(name, None)


class Writer:
    """Makes up modules that use each other."""

    def __init__(self, chance: random.Random, dynamic: bool) -> None:
        self.chance = chance
        self.dynamic = dynamic
        self.files: Files = {}
        self.exports: dict[str, list[str]] = {}  # names of functions and constants, callable as `name` or readable
        self.usable: list[str] = []
        for name in reversed(MODULES):
            self.module(name)

    def text(self) -> dict[str, str]:
        return {path: "\n".join(chunks) + "\n" for path, chunks in self.files.items()}

    def number(self) -> str:
        return str(self.chance.randint(1, 99))

    def value(self) -> str:
        """An expression that gives a number."""
        pick = self.chance.random()
        if pick < 0.25 or not self.usable:
            return self.number()
        if pick < 0.5:
            return f"({self.value()} + {self.chance.choice(self.usable)})"
        return self.chance.choice(self.usable)

    def module(self, name: str) -> None:
        chance = self.chance
        chunks: list[str] = [f'"""Module {name}."""'] if chance.random() < 0.5 else []
        self.usable = []
        later = MODULES[MODULES.index(name) + 1 :]
        for other in later:
            if chance.random() < 0.7:
                chunks.append(self.imported(name, other))
        earlier = MODULES[1 : MODULES.index(name)]
        if earlier and chance.random() < 0.15:
            chunks.append(f"import {chance.choice(earlier)}")
        self.exports[name] = []
        for number in range(chance.randint(2, 5)):
            chunks.append(self.definition(name, number))
        if name == "steps":
            values = ", ".join([self.value() for _ in range(3)])
            late = self.late(later) if chance.random() < 0.4 else ""
            chunks.append(f"def go():\n    '''Go.'''\n{late}    return [{values}{', late' if late else ''}]")
        self.files[PATHS[name]] = chunks

    def late(self, later: Sequence[str]) -> str:
        other = self.chance.choice(later)
        exported = self.exports[other]
        if not exported:
            return ""
        chosen = self.chance.choice(exported)
        name, call = chosen.rstrip("()"), "()" if chosen.endswith("()") else ""
        return f"    from {other} import {name} as late_\n    late = late_{call}\n"

    def imported(self, name: str, other: str) -> str:
        exported = self.exports[other]
        style = self.chance.random()
        chosen = self.chance.choice(exported) if exported else ""
        bare, call = chosen.rstrip("()"), "()" if chosen.endswith("()") else ""
        if not chosen or "." in bare:
            style = 0.0
        relative = name.startswith("pkg") and other.startswith("pkg.")
        if style < 0.3:
            self.usable += [f"{other}.{each}" for each in exported]
            return f"import {other}"
        if style < 0.45:
            alias = other.replace(".", "_")
            self.usable += [f"{alias}.{each}" for each in exported]
            if relative:
                return f"from . import {other.partition('.')[2]} as {alias}"
            return f"import {other} as {alias}"
        if style < 0.8 or not self.dynamic:
            alias = f"{bare}_{other.replace('.', '_')}"
            self.usable.append(f"{alias}{call}")
            self.exports.setdefault(name, [])
            base = f".{other.partition('.')[2]}" if relative else other
            return f"from {base} import {bare} as {alias}"
        if style < 0.9:
            self.usable += exported
            return f"from {other} import *"
        alias = f"{bare}_{other.replace('.', '_')}"
        self.usable.append(f"{alias}{call}")
        return f"import {other}\n{alias} = getattr({other}, '{bare}')"

    def definition(self, module: str, number: int) -> str:
        chance = self.chance
        made = self.exports[module]
        tag = f"{module.replace('.', '')}{number}"
        kinds = ["function"] * 4 + ["constant"] * 3 + ["class", "list", "default", "conditional", "twice", "computed", "global", "decorated"]
        kinds += ["kept", "closure", "main"]
        if self.dynamic:
            kinds += ["globals", "patch", "eval", "subclasses"]
        kind = chance.choice(kinds)
        name = f"{kind[0]}{tag}"
        value = self.value()
        text, use = f"def {name}():\n    return {value}", f"{name}()"
        if kind == "constant":
            text, use = f"{name} = {self.number()}", name
        elif kind == "computed":
            text, use = f"{name} = {value} * 2", name
        elif kind == "class":
            text = f"class {name}:\n    '''A class.'''\n    size: int = {self.number()}\n\n"
            text += f"    def get(self) -> int:\n        return self.size + {value}"
            use = f"{name}().get()"
        elif kind == "list":
            text, use = f"{name} = [{self.number()}]\n{name}.append({value})", f"sum({name})"
        elif kind == "default":
            text = f"def {name}(x={value}, *, y: int = {self.number()}):\n    return x + y"
        elif kind == "conditional":
            text = f"if {value} > {self.number()}:\n    def {name}():\n        return {self.value()}\n"
            text += f"else:\n    {name} = lambda: {self.number()}"
        elif kind == "twice":
            text = f"def {name}():\n    return {value}\nold_{name} = {name}\ndef {name}():\n    return old_{name}() + {self.number()}"
        elif kind == "global":
            text = f"{name}_x = 0\ndef {name}():\n    global {name}_x\n    {name}_x = {value}\n    return {name}_x"
        elif kind == "decorated":
            text = f"def deco_{name}(fn):\n    def inner(*args):\n        return fn(*args) + {self.number()}\n    return inner\n"
            text += f"@deco_{name}\ndef {name}():\n    return {value}"
        elif kind == "kept":
            text = f"kept_{name} = []\ndef keep_{name}(fn):\n    kept_{name}.append(fn)\n    return fn\n"
            text += f"@keep_{name}\ndef one_{name}():\n    return {value}"
            use = f"sum([each() for each in kept_{name}])"
        elif kind == "closure":
            text = f"def {name}():\n    x = {value}\n    def inner(y=x):\n        return [x + z for z in [y, {self.number()}]]\n"
            text += "    return sum(inner())"
        elif kind == "main":
            text = f"if __name__ == '__main__':\n    print({value})\n{name} = {self.number()}"
            use = name
        elif kind == "globals":
            text = f"def {name}_x():\n    return {value}\ndef {name}():\n    return globals()['{name}' + '_x']()"
        elif kind == "eval":
            text = f"{name}_x = {self.number()}\ndef {name}():\n    return eval('{name}_x')"
        elif kind == "subclasses":
            text = f"class {name}:\n    pass\nclass One_{name}({name}):\n    size = {self.number()}"
            use = f"sum([each.size for each in {name}.__subclasses__()])"
        elif kind == "patch" and [each for each in self.usable if re.fullmatch(r"(m1|m2|pkg(\.[ab])?)\.f\w+\(\)", each)]:
            target = chance.choice([each for each in self.usable if re.fullmatch(r"(m1|m2|pkg(\.[ab])?)\.f\w+\(\)", each)])
            text = f"def {name}():\n    return {self.number()}\n{target[:-2]} = {name}"
        self.usable.append(use)
        if ("(" not in use.rstrip("()") and "." not in use) or re.fullmatch(r"\w+\(\)\.get\(\)", use):
            made.append(use)
        return text


def copied(files: Files) -> Files:
    return {path: list(chunks) for path, chunks in files.items()}


# --- edits that may change what is returned


def other_number(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    numbers = list(re.finditer(r"(?<![\w'.])\d+\b", files[path][number]))
    if numbers:
        match = chance.choice(numbers)
        text = files[path][number]
        files[path][number] = text[: match.start()] + str(chance.randint(100, 199)) + text[match.end() :]


def swapped(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    chunks = files[path]
    other = chance.randrange(len(chunks))
    chunks[number], chunks[other] = chunks[other], chunks[number]


def dropped(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    if len(files[path]) > 1:
        del files[path][number]


def doubled(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    text = re.sub(r"(?<![\w'.])\d+\b", lambda match: str(int(match[0]) + 1), files[path][number])
    files[path].insert(chance.randint(0, len(files[path])), text)


def line_gone(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    lines = files[path][number].split("\n")
    if len(lines) > 1:
        del lines[chance.randrange(len(lines))]
        files[path][number] = "\n".join(lines)


def renamed(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    names = re.findall(r"\b[a-z]+(?:m1|m2|pkg|pkga|pkgb|steps)\d\b", "\n".join(files[path]))
    here = re.findall(r"\b[a-z]+(?:m1|m2|pkg|pkga|pkgb|steps)\d\b", files[path][number])
    if names and here:
        files[path][number] = re.sub(rf"\b{chance.choice(here)}\b", chance.choice(names), files[path][number])


def shadowed(files: Files, chance: random.Random) -> None:
    """A name of the module is bound once more, perhaps a builtin's."""
    path, _ = somewhere(files, chance)
    names = re.findall(r"^(?:def|class) (\w+)|^(\w+) =", "\n".join(files[path]), re.MULTILINE)
    name = chance.choice([a or b for a, b in names] + ["sum", "len", "m1", "pkg"])
    text = chance.choice([f"def {name}(*a):\n    return 7", f"{name} = 7", f"from m2 import {name}", f"del {name}"])
    files[path].insert(chance.randint(0, len(files[path])), text)


def imported_more(files: Files, chance: random.Random) -> None:
    path, _ = somewhere(files, chance)
    files[path].insert(chance.randint(0, len(files[path])), f"import {chance.choice(MODULES[1:])}")


def somewhere(files: Files, chance: random.Random) -> tuple[str, int]:
    path = chance.choice([path for path, chunks in files.items() if chunks])
    return path, chance.randrange(len(files[path]))


# --- edits that change nothing


def commented(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    lines = files[path][number].split("\n")
    at = chance.randrange(len(lines))
    lines[at] += f"  # {chance.random()}"
    lines.insert(at, "# a line")
    files[path][number] = "\n".join(lines)


def formatted(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    try:
        files[path][number] = "\n\n" + ast.unparse(ast.parse(files[path][number]))
    except SyntaxError:
        pass


def documented(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    classes = re.findall(r"^class (\w+)", "\n".join(files[path]), re.MULTILINE)
    unsure = len(set(classes)) < len(classes)  # of a class that is there twice it is not known which one is the base of another
    if "@" in files[path][number] or "import *" in "".join(files[path]) or unsure:  # a decorator or a base class may read it, or something unknown
        return
    text = rf"\1:\n\2'''{chance.random()}'''\n\2"
    files[path][number] = re.sub(r"(    def .*|^def .*|^class .*):\n( +)", text, files[path][number], flags=re.MULTILINE)


def annotated(files: Files, chance: random.Random) -> None:
    path, number = somewhere(files, chance)
    text = files[path][number]
    word = chance.choice(["int", "str | None", "'list[int]'", "float"])
    if "@" not in text and "import *" not in "".join(files[path]):
        text = re.sub(r"^( *def \w+\(.*\)):", rf"\1 -> {word}:", re.sub(r"\) -> [^:]*:", "):", text), flags=re.MULTILINE)
        text = re.sub(r"^(\w+)(?:: [^=]*)? = ", rf"\1: {word} = " if chance.random() < 0.7 else r"\1 = ", text, flags=re.MULTILINE)
    files[path][number] = text


def neighbour(files: Files, chance: random.Random) -> None:
    path, _ = somewhere(files, chance)
    files[path].insert(chance.randint(0, len(files[path])), f"def nobody{chance.randint(0, 9**9)}(x=1):\n    return sum([x])")


MAYBE: list[Callable[[Files, random.Random], None]] = [
    other_number, other_number, other_number, swapped, swapped, dropped, doubled, line_gone, renamed, shadowed, imported_more,
]  # fmt: skip
NOTHING: list[Callable[[Files, random.Random], None]] = [commented, formatted, documented, annotated]


def texts_of(files: Files) -> dict[str, str]:
    return {path: "\n".join(chunks) + "\n" for path, chunks in files.items()}


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_code_against_the_truth(seed: int) -> None:
    chance = random.Random(seed)
    dynamic = seed % 3 == 0
    files = Writer(chance, dynamic).files
    told = []
    for _ in range(EDITS):
        edit = chance.choice(MAYBE + (NOTHING if dynamic else [*NOTHING, neighbour]))
        after = copied(files)
        edit(after, chance)
        before_texts, after_texts = texts_of(files), texts_of(after)
        told.append(edit.__name__)
        before, now = linked(before_texts), linked(after_texts)
        if edit in MAYBE:
            if _returned(before_texts) != _returned(after_texts):
                assert before != now, _difference(seed, told, before_texts, after_texts)
        elif _parses(before_texts):
            assert before == now, _difference(seed, told, before_texts, after_texts)
        if edit in NOTHING or chance.random() < 0.5 or isinstance(truth(after_texts), str):
            files = after


def _returned(texts: dict[str, str]) -> str:
    """What is returned; "" for any failure: a stage that fails has no record that could be believed."""
    found = truth(texts)
    return found if isinstance(found, str) else ""


def _parses(texts: dict[str, str]) -> bool:
    try:
        for text in texts.values():
            ast.parse(text)
    except SyntaxError:
        return False
    return True


def _difference(seed: int, told: list[str], before: dict[str, str], after: dict[str, str]) -> str:
    lines = [f"seed {seed}, after {told}", f"{truth(before)} -> {truth(after)}"]
    for path, text in before.items():
        lines += [f"--- {path}", text] if text == after[path] else [f"--- {path} before", text, f"--- {path} after", after[path]]
    return "\n".join(lines)


def test_the_modules_are_worth_it() -> None:
    """Most of what is made up runs, and many edits change what it returns: else the test above would show little."""
    good = changed = unseen = same = 0
    for seed in range(60):
        chance = random.Random(seed)
        files = Writer(chance, dynamic=False).files
        good += isinstance(truth(texts_of(files)), str)
        after = copied(files)
        other_number(after, chance)
        if _returned(texts_of(files)) != _returned(texts_of(after)):
            changed += 1
        elif files != after:
            same += 1
            unseen += linked(texts_of(files)) == linked(texts_of(after))
    assert good > 45
    assert changed > 8
    assert unseen * 3 > same
