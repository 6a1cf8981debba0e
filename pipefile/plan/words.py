"""Which files a command names literally."""

from __future__ import annotations

from pipefile.model.stage import Command
from pipefile.plan import shelltext
from pipefile.plan.template import marked


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
