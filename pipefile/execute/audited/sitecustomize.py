"""Imported by a Python program that a stage starts, before all of the program's own code. Any version of Python can read it.

It begins to watch, and makes itself invisible: the program finds the search path and the environment that it would have without it, and the
`sitecustomize` that it has of its own, if it has one. The variables stay in the environment that programs inherit which it starts itself.
"""

import os
import sys


def _begin(here):
    told = os.environ.get("PIPEFILE_AUDIT", "")
    sys.path[:] = [place for place in sys.path if place != here]
    sys.path_importer_cache.pop(here, None)
    data = getattr(os.environ, "_data", None)  # as os.environ keeps it: to change that alone leaves what is inherited as it is
    if not told or type(data) is not dict:
        return
    others = os.environ.get("PYTHONPATH", "").partition(os.pathsep)[2]
    del data[os.environ.encodekey("PIPEFILE_AUDIT")]
    if told[0] == "u":  # it was unset before
        data.pop(os.environ.encodekey("PYTHONPATH"), None)
    else:
        data[os.environ.encodekey("PYTHONPATH")] = os.environ.encodevalue(others)
    if hasattr(sys, "addaudithook"):
        size, _, file = told[1:].partition(":")
        sys.path.insert(0, here)
        try:
            import _pipefile_audit
        finally:
            sys.path.remove(here)
            sys.path_importer_cache.pop(here, None)
        del sys.modules["_pipefile_audit"]
        sys.addaudithook(_pipefile_audit.Watch(file[: int(size)], file).hook)


_begin(os.path.dirname(__file__))
del sys.modules["sitecustomize"]
import sitecustomize  # noqa: E402, F401  # the program's own; where there is none, this is the error that Python passes over
