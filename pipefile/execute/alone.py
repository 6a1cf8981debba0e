"""A function in a process of its own that nothing was forked for: what `pipefile audit` traces."""

from __future__ import annotations

import marshal
import os
import sys
from typing import Any

from pipefile.execute import wire
from pipefile.execute.call import call_function
from pipefile.execute.context import Context, remove_temporary_folder, temporary_folder
from pipefile.execute.modules import ProjectModules
from pipefile.execute.raised import Raised


def main(file: str) -> None:
    """Call the function that a file describes (execute/strace.py writes it), in the folder that this process stands in; the end of the process."""
    with open(file, "rb") as kept:
        name, packed = marshal.load(kept)
    os.unlink(file)
    call = wire.unpack(packed)
    modules = ProjectModules(os.getcwd())
    temporary = temporary_folder(os.environ)
    raised = Raised()
    with raised:
        modules.install()
        function = modules.function(call.call)

        def set_up() -> object:
            assert call.setup is not None
            setup: Any = modules.function(call.setup)
            return setup()

        call_function(function, call, lambda: Context(call.context, name, temporary), set_up)
    if raised.trace:
        print(raised.text(modules.owns_file), end="", file=sys.stderr)
    elif raised.error and raised.exit_status is None:
        print(raised.error, file=sys.stderr)
    remove_temporary_folder(temporary)
    sys.exit(raised.exit_status if raised.exit_status is not None else 1 if raised.error else 0)
