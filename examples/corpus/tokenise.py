"""Tokenises Python files: `tokenise.py SOURCE... TARGET...` writes what the lines and tokens of each source are to its target, a count a line.

lines code 210        lines of each sort: code, comment, docstring, blank
token NAME 1380       tokens of each type
name self 312         how often an identifier occurs
"""

import io
import keyword
import sys
import tokenize

SKIPPED = (tokenize.ENCODING, tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


def measure(source: bytes) -> dict[tuple[str, str], int]:
    """Counts of a source; a file that is no Python, as some tests of the library are, counts as far as it can be read."""
    counts: dict[tuple[str, str], int] = {}
    sort_of_line: dict[int, str] = {}
    fresh = True  # at the start of a logical line, where a string alone is a docstring

    def count(kind: str, name: str, by: int = 1) -> None:
        counts[kind, name] = counts.get((kind, name), 0) + by

    try:
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            if token.type in SKIPPED:
                fresh = fresh or token.type == tokenize.NEWLINE
                continue
            count("token", tokenize.tok_name[token.type])
            if token.type == tokenize.COMMENT:
                sort_of_line.setdefault(token.start[0], "comment")
                continue
            sort = "docstring" if token.type == tokenize.STRING and fresh else "code"
            fresh = False
            for line in range(token.start[0], token.end[0] + 1):
                sort_of_line[line] = sort
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                count("name", token.string)
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        count("token", "ERROR")
    total = len(source.splitlines())
    for sort in ("code", "comment", "docstring"):
        count("lines", sort, sum(1 for line, found in sort_of_line.items() if found == sort and line <= total))
    count("lines", "blank", total - sum(1 for line in sort_of_line if line <= total))
    return counts


def main() -> None:
    paths = sys.argv[1:]
    half = len(paths) // 2
    for source, target in zip(paths[:half], paths[half:], strict=True):
        with open(source, "rb") as file:
            counts = measure(file.read())
        with open(target, "w", encoding="utf-8") as file:
            file.writelines(f"{kind}\t{name}\t{number}\n" for (kind, name), number in sorted(counts.items()))


if __name__ == "__main__":
    main()
