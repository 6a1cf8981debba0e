"""Placeholders: which text counts as one, and what values become."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipefile.model.stage import Field
from pipefile.plan.template import (
    PlaceholderError,
    direct_words,
    fields,
    parse,
    parse_shell,
    quote,
    redirected_program,
    render_argv,
    render_shell,
    split_words,
)

SRC = Field("src")


def lookup(values):
    return lambda field: values[field.name] if field.index is None else values[field.name][field.index]


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("cc {src} -o {dst[1]}", ("cc ", SRC, " -o ", Field("dst", 1))),
        ("{global.k}{params.k.sub}{inputs.file}", (Field("global.k"), Field("params.k.sub"), Field("inputs.file"))),
        ("{my-name} {_x} {größe}", (Field("my-name"), " ", Field("_x"), " ", Field("größe"))),
        ("awk '{print $1}' ${HOME} {a,b} {} {1} x{2,3} { x }", ("awk '{print $1}' ${HOME} {a,b} {} {1} x{2,3} { x }",)),
        ("{{x}} {{x} }} {{ }}", ("{x} {x} } { }",)),
        ("{{{src}}}", ("{", SRC, "}")),
        ("${A:-${B}} ${{x}}", ("${A:-${B}} ${x}",)),
        ("${A:-{src}}", ("${A:-", SRC, "}")),
        ("{x[}{x[a]}{x[-1]}{.x}{x.}{x..y}{x y}", ("{x[}{x[a]}{x[-1]}{.x}{x.}{x..y}{x y}",)),
    ],
)
def test_parse(text, template):
    """Only `{` + name + `}` and `{name[0]}` are placeholders; `{{` and `}}` are braces."""
    assert parse(text) == template


@given(st.text(alphabet="{}ab.$[0]' ", max_size=20))
def test_doubled_braces_are_text(text):
    """Any text is written with doubled braces; only a `$` before a brace keeps it as it is."""
    text = text.replace("$", "")
    assert "".join(parse(text.replace("{", "{{").replace("}", "}}"))) == text


def test_fields():
    """In order, repetitions too."""
    assert fields(parse("{b} {a[0]} {b}")) == (Field("b"), Field("a", 0), Field("b"))


@pytest.mark.parametrize(
    ("text", "reason", "number"),
    [
        ("cat '{src}'", "inside quotes", 0),
        ('cat "{src}"', "inside quotes", 0),
        ('cat {src} "x{src}"', "inside quotes", 1),
        ("cat `basename {src}`", "inside backquotes", 0),
        ("cat \\{src}", "after a backslash", 0),
        ('cat "\\{src}"', "after a backslash", 0),
        ("cat <<EOF\n{src}\nEOF\n", "in a here-document", 0),
        ("cat <<-'E' {src}\n\t{src}\n\tE\n", "in a here-document", 1),
        ('echo "${A:-{src}}"', "inside quotes", 0),
        ("echo \"${A:-'{src}'}\"", "inside quotes", 0),
        ("echo \"$(cat '{src}')\"", "inside quotes", 0),
        ("# it's\ncat '{src}'", "inside quotes", 0),
    ],
)
def test_places_where_quoting_fails(text, reason, number):
    """A value is quoted, so it cannot stand where quotes would not be quotes."""
    with pytest.raises(PlaceholderError) as caught:
        parse_shell(text)
    assert (caught.value.field, caught.value.reason, caught.value.number) == (SRC, reason, number)
    assert str(caught.value) == f"`{{src}}` stands {reason}"


@pytest.mark.parametrize(
    "text",
    [
        "cat 'a'{src}\"b\"",
        'echo "$(basename {src})"',
        "echo ${A:-{src}}",
        "cat <<EOF {src}\nbody\nEOF\ncat {src}",
        "# don't\ncat {src}",
        "echo a#'b' {src}",
        "echo $((1<<3)) {src}",
        "echo \\' {src} \\\\{src}",
        'echo "a\\"b" {src} \'"\' {src}',
        "(cd 'x'; cat {src}) | awk '{print $2}' {src}",
        'echo "`date`" {src}',
        "cat <<< 'x' {src}",
    ],
)
def test_places_where_quoting_holds(text):
    """The author's own quotes elsewhere disturb nothing."""
    assert SRC in parse_shell(text)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=20))
def test_a_shell_reads_back_what_was_quoted(values):
    """Whatever is in a value, a real shell makes one word of it."""
    text = render_shell(parse("printf '%s\\0' {src}"), lookup({"src": values}))
    printed = subprocess.run(["sh", "-c", text], check=True, capture_output=True).stdout
    assert printed.decode().split("\0")[:-1] == values


def test_bytes_that_are_no_text_survive():
    """Surrogate escapes reach the shell as the bytes that they stand for."""
    name = b"a\xff\n'b".decode("utf-8", "surrogateescape")
    printed = subprocess.run(["sh", "-c", b"printf %s " + quote(name).encode("utf-8", "surrogateescape")], check=True, capture_output=True).stdout
    assert printed == b"a\xff\n'b"


def test_render_shell():
    """Plain values stay readable, others are quoted, lists are words, an empty list is none."""
    template = parse("cc {src} -o {dst} {flags} {none}>{log}")
    values = {"src": ["a.c", "b c.c"], "dst": "", "flags": "-DX=1", "none": [], "log": "$x"}
    assert render_shell(template, lookup(values)) == "cc a.c 'b c.c' -o '' '-DX=1' >'$x'"


def test_a_number_before_a_redirection_is_no_descriptor():
    """`echo {n}>x` with n = 2 must not redirect standard error."""
    text = render_shell(parse("echo {n}>&1"), lookup({"n": "2"}))
    assert subprocess.run(["sh", "-c", text], check=True, capture_output=True, text=True).stdout == "2\n"


def test_render_argv():
    """An element that is exactly a list becomes several arguments; nothing is quoted."""
    argv = tuple(parse(text) for text in ["x", "{list}", "-o{one}", "{one}", "{list[1]}", "{none}"])
    values = {"list": ["a b", "c"], "one": "$y", "none": []}
    assert render_argv(argv, lookup(values)) == ("x", "a b", "c", "-o$y", "$y", "c")
    assert render_argv((("",),), lookup({})) == ("",)


def test_render_argv_refuses_a_list_inside_an_argument():
    """There is no telling where the rest of the argument belongs."""
    with pytest.raises(PlaceholderError) as caught:
        render_argv((parse("-I{list}"),), lookup({"list": ["a"]}))
    assert str(caught.value) == "`{list}` stands as a list inside a longer argument"


def direct(text, values=None, programs=("cc", "./t")):
    return direct_words(parse(text), lookup(values or {}), lambda name: name if name in programs else None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cc -c\tsrc/a.c  -o=x,y@1%+", ("cc", "-c", "src/a.c", "-o=x,y@1%+")),
        ("cc {src} -o {dst}", ("cc", "a b.c", "c", "-o", "$x")),
        ("cc -I{src} {src}x {empty}", ("cc", "-Ia b.c", "c", "a b.c", "cx", "")),
        ("cc {none} -I{none}", ("cc", "-I")),
        ("./t --x={dst}", ("./t", "--x=$x")),
        ("{prog} x", ("cc", "x")),
    ],
)
def test_direct_words(text, words):
    """The argv that a shell would have made."""
    assert direct(text, {"src": ["a b.c", "c"], "dst": "$x", "none": [], "empty": "", "prog": "cc"}) == words


@pytest.mark.parametrize(
    "text",
    ["cc 'x'", "cc $x", "cc x\ncc y", "cc *.c", "cc x > y", "A=b cc", "{eq} x", "echo x", "test -f x", ". x", "other x", "cc ~", "cc {{", ""],
)
def test_commands_that_need_a_shell(text):
    """Quoting, expansions, operators, assignments, builtins, programs not on PATH."""
    assert direct(text, {"eq": "a=b", "none": []}) is None


def test_the_split_can_be_kept():
    """What does not depend on the edge is computed once: words as templates."""
    assert split_words(parse("cc -I{src} x")) == (("cc",), ("-I", SRC), ("x",))
    assert split_words(parse("cc 'x'")) is None


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("sort {src} > {dst}", "sort"),
        ("  ./tool.sh < {src} >> log.txt", "./tool.sh"),
        ("gzip -9 2> errors.txt", "gzip"),
        ("sort {src}", "sort"),
        ("sort<{src}", ""),  # rare enough
        ("echo a > {dst}", ""),
        ("A=b sort > {dst}", ""),
        ("{src} > {dst}", ""),
        ("so{src} > {dst}", ""),
        ("> {dst}", ""),
        ("sort {src} | uniq > {dst}", ""),
        ("sort {src} > {dst}; true", ""),
        ("sort {src} > {dst} &", ""),
        ("sort {src} 2>&1", ""),
        ("sort $FILE > {dst}", ""),
        ("sort 'a b' > {dst}", ""),
        ("sort a\nsort b", ""),
        ("", ""),
    ],
)
def test_the_program_that_a_shell_can_become(text: str, program: str) -> None:
    assert redirected_program(parse_shell(text)) == program
