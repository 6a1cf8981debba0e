"""The position scanner finds the keys that tomli finds, where they stand."""

import string

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from pipefile.base.disk import OsDisk
from pipefile.base.locations import Position
from pipefile.load.locate import make_locator
from pipefile.load.scanner import positions, spans


def key_paths(value, path=()):
    """Every key path of a parsed document."""
    found = set()
    todo = [(value, path)]
    while todo:
        item, at = todo.pop()
        if at:
            found.add(at)
        if isinstance(item, dict):
            todo += [(inner, (*at, key)) for key, inner in item.items()]
        elif isinstance(item, list):
            todo += [(inner, (*at, index)) for index, inner in enumerate(item)]
    return found


TEXT = st.text(alphabet=st.sampled_from("ab .#=[]{},'\"\\\n\té€\U0001f600"), max_size=8)


def basic(text):
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(char, char) for char in text) + '"'


def multiline(text):
    return '"""\n' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'


LITERAL = TEXT.map(lambda text: text.replace("'", "").replace("\n", ""))
BARE = st.text(alphabet=string.ascii_letters[:8] + "0-_", min_size=1, max_size=3)
PART = st.one_of(BARE, BARE, TEXT.map(basic), LITERAL.map(lambda text: f"'{text}'"))
KEY = st.lists(PART, min_size=1, max_size=3).flatmap(lambda parts: st.sampled_from([".", " . "]).map(lambda dot: dot.join(parts)))
GAP = st.sampled_from(["", " ", "\n", " # note ]}\n", "\r\n  "])
SCALAR = st.one_of(
    st.sampled_from(["1", "-0x1f", "1_000", "1.5e3", "inf", "-nan", "true", "false", "1979-05-27 07:32:00", "1979-05-27T07:32:00Z", "07:32:00"]),
    TEXT.map(basic),
    TEXT.map(multiline),
    LITERAL.map(lambda text: f"'{text}'"),
    TEXT.map(lambda text: "'''" + text.replace("'", "") + "'''"),
    st.sampled_from(['"""a""b"""', '""""quoted"""""', "''''it''s'''", '""', "''", '"""\\\n  x"""']),
)


def array(elements):
    return st.tuples(st.lists(st.tuples(GAP, elements, GAP), max_size=3), st.booleans()).map(
        lambda drawn: "[" + ",".join("".join(part) for part in drawn[0]) + (",]" if drawn[1] and drawn[0] else "]")
    )


def inline_table(elements):
    pair = st.tuples(st.sampled_from(["", " "]), KEY, st.sampled_from(["=", " = "]), elements).map("".join)
    return st.lists(pair, max_size=3).map(lambda pairs: "{" + ",".join(pairs) + "}")


VALUE = st.recursive(SCALAR, lambda inner: st.one_of(array(inner), inline_table(inner)), max_leaves=6)
STATEMENT = st.one_of(
    st.tuples(KEY, st.sampled_from(["=", " = ", "  =\t"]), VALUE).map("".join),
    KEY.map(lambda key: f"[{key}]"),
    KEY.map(lambda key: f"[ {key} ] # table"),
    KEY.map(lambda key: f"[[{key}]]"),
    st.just("# comment = [x]"),
)


def parses(text):
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:
        return False
    return True


@st.composite
def documents(draw):
    text = ""
    for statement in draw(st.lists(STATEMENT, max_size=10)):
        longer = text + statement + draw(st.sampled_from(["\n", "\r\n", "\n\n"]))
        if parses(longer):
            text = longer
    return text


@settings(max_examples=300, deadline=None)
@given(documents())
def test_finds_the_key_paths_that_tomli_finds(text):
    """Random documents: the set of key paths is that of tomli's parse, and each key stands where the scanner says."""
    found = spans(text)
    assert set(found) == key_paths(tomli.loads(text))
    for path, (start, stop) in found.items():
        if isinstance(path[-1], str):
            assert tomli.loads(text[start:stop] + " = 1") == {path[-1]: 1}


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="a1.=[]{},'\"\\\n #\t-", max_size=40))
def test_text_that_is_no_toml_raises_nothing(text):
    """What tomli refuses is scanned as far as it goes."""
    positions(text)


def test_positions_of_every_form():
    """Headers, dotted and quoted keys, list elements, inline tables, arrays of tables: line, column, source and width."""
    text = '[stage.a]\ninputs = ["x", "y"]\n"odd key".sub = { b = 1 }\n[[rows]]\n[[rows]]\nn = """\n[no]\n"""\n'
    found = positions(text)
    assert found[("stage",)] == Position(1, 2, "[stage.a]", 5)
    assert found[("stage", "a")] == Position(1, 8, "[stage.a]", 1)
    assert found[("stage", "a", "inputs")] == Position(2, 1, 'inputs = ["x", "y"]', 6)
    assert found[("stage", "a", "inputs", 1)] == Position(2, 16, 'inputs = ["x", "y"]', 3)
    assert found[("stage", "a", "odd key", "sub", "b")] == Position(3, 19, '"odd key".sub = { b = 1 }', 1)
    assert found[("rows", 1)] == Position(5, 3, "[[rows]]", 4)
    assert found[("rows", 1, "n")] == Position(6, 1, 'n = """', 1)


@pytest.mark.parametrize("text", ["\ufeff[a]\r\nb = 1\r\n", "[a]\r\nb = 1\r\n", "\ufeff[a]\nb = 1"])
def test_bom_and_crlf_move_nothing(text):
    """Columns and source lines are those that an editor shows."""
    assert positions(text) == {("a",): Position(1, 2, "[a]", 1), ("a", "b"): Position(2, 1, "b = 1", 1)}


def test_source_lines_are_safe_to_print():
    """Control and bidirectional characters become one harmless character each, very long lines are cut."""
    assert positions("\ta = '\u202e\x1b'")[("a",)] == Position(1, 2, " a = '\ufffd\ufffd'", 1)
    cut = positions("a = '" + "x" * 10_000 + "'")[("a",)]
    assert cut == Position(1, 1, "a = '" + "x" * 194 + "…", 1)


def test_locator_falls_back_to_the_nearest_parent(tmp_path):
    """A path that is not written out has the position of what is; unknown files and keys have none."""
    (tmp_path / "Pipefile.toml").write_text("[stage.a]\nrun = 'x'\n")
    locate = make_locator(OsDisk(str(tmp_path)))
    assert locate("Pipefile.toml", ("stage", "a", "outputs", 3)) == Position(1, 8, "[stage.a]", 1)
    assert locate("Pipefile.toml", ("alias",)) is None
    assert locate("absent.toml", ("stage",)) is None


def test_deep_nesting_is_linear_and_bounded():
    """A hundred thousand levels neither overflow nor take long; what is too deep has its parent's position."""
    found = positions("a = " + "[" * 100_000 + "]" * 100_000)
    assert len(found) == 100
