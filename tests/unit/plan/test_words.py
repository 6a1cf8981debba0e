"""Words of a command that may name files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipefile.model.stage import Command
from pipefile.plan import shelltext
from pipefile.plan.template import parse, parse_shell
from pipefile.plan.words import literal_words


def words(text):
    return literal_words(Command(text, parse_shell(text)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cc -c src/a.c x.h", ("src/a.c", "x.h")),
        ("./tool a && other b || bin/third c; d e & f g\nh i", ("./tool", "a", "b", "bin/third", "c", "e", "g", "i")),
        ("sort <in.txt >out.txt 2>err.txt >>log &>all 3<> rw", ("in.txt",)),
        ("sort < in.txt | uniq - 2>&1 | tee x >&2", ("in.txt", "x")),
        ("cmd 2 >x y5>z", ("2", "y5")),
        ("cat 'a b' \"c d\" e\\ f g'h'\"i\" ''", ("a b", "c d", "e f", "ghi")),
        ("cat $x a$y \"b$z\" '$c' *.c d? [ab] `e` ~/f g~ {h,i} \\*", ("$c", "g~", "*")),
        ("A=b C=$x D='e f' python script.py F=g", ("script.py", "F=g")),
        ("A=b python script.py", ("script.py",)),
        ("(cd dir; cat file) && { cat other; }", ("dir", "file", "other")),
        ("x=$(cat version) echo \"$(cat 'a b' | wc c)\" d", ("version", "a b", "c", "d")),
        ("echo `cat a | grep -f 'b c'` \"`sort <d`\" `cat \\`cat e\\` f` g", ("a", "b c", "d", "e", "f", "g")),
        ("echo `cat a", ("a",)),
        ("if cat a; then cat b; else ! cat c; fi; for f in d e; do cat $f; done", ("a", "b", "c", "f", "in", "d", "e")),
        ("cat a # b c\ncat d#e", ("a", "d#e")),
        ("cat <<EOF a\nb c\nEOF\ncat d", ("a", "d")),
        ("cat <<-'E' a <<F b\n\tx\n\tE\ny\nF\ncat c", ("a", "b", "c")),
        ("cat <<<word a", ("a",)),
        ("echo $((1<<3)) a", ("a",)),
        ("cat a \\\n  b\\\nc", ("a", "bc")),
        ("cat a a ./a", ("a", "./a")),
        ("diff <(sort a) b", ("a", "b")),
        ("cat {src} x{src} y", ("y",)),
        ("cat 'open", ("open",)),
        ("make", ()),
        ("bin/make", ("bin/make",)),
        ("'./my tool' -x --file=conf a", ("./my tool", "a")),
        ("cat größe.txt", ("größe.txt",)),
        ("", ()),
    ],
)
def test_words_of_a_text(text, found):
    """Arguments, `<` sources and programs by path, in every command; nothing that only the shell can tell."""
    assert words(text) == found


def test_words_of_an_argument_list():
    """Each literal element; a program without a slash is looked up on PATH."""
    argv = tuple(parse(text) for text in ["python", "script.py", "{src}", "a b", "-v", "x{src}", "*"])
    assert literal_words(Command(argv=argv)) == ("script.py", "a b", "*")
    assert literal_words(Command(argv=(("./tool",), ("x",)))) == ("./tool", "x")
    assert literal_words(Command(argv=(parse("{tool}"), ("x",)))) == ("x",)


@given(st.text(alphabet="ab/ \t\n'\"`$\\<>|&;(){}#*=~2\0", max_size=40))
def test_any_text_is_read(text):
    """However broken the quoting, reading ends, and each placeholder is counted at most once."""
    reading = shelltext.read(text)
    assert reading.misplaced < text.count("\0")


@given(st.lists(st.sampled_from(["a", "b/c", "-x", "D=e", "if", "\0", "x.c"]), max_size=8).map(" ".join))
def test_the_short_way_agrees_with_the_long_one(text):
    """Commands without quoting take a short cut; with a comment behind, they do not."""
    assert shelltext.read(text).words == shelltext.read(text + " # '").words
