"""Builds, and builds again whenever something has changed, until a person or a signal ends it.

One thread, one loop. It waits for events of folders, for the end of the build that runs, for signals and for keys; what follows from them, rounds.py
says. Builds run in processes of their own (host.py).
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from pipefile.base.dataclass import dataclass, field
from pipefile.base.paths import show
from pipefile.engine.fastlane import Seen
from pipefile.engine.interrupt import Interrupts
from pipefile.store.free import NAME as LOCK
from pipefile.store.free import is_free
from pipefile.watch import words
from pipefile.watch.chain import Chain
from pipefile.watch.folders import Queue
from pipefile.watch.git import GitLock
from pipefile.watch.hints import Hints
from pipefile.watch.host import Host
from pipefile.watch.keys import Keys
from pipefile.watch.known import Known
from pipefile.watch.mounts import Mounts
from pipefile.watch.rounds import OnBusy, Rounds
from pipefile.watch.sight import Sight

_LISTEN = 0.1  # seconds between two looks at the queue of events while a build runs: what it writes shall not wake us each time
IDLE = 30.0  # seconds at least between two looks at everything while nothing happens
_POLL = 0.5  # the same where no event tells of changes
_SHARE, _POLL_SHARE = 200.0, 20.0  # looking takes at most one of so many seconds
_RETURN = 0.2  # seconds between two looks for a root that is gone
_PATIENCE = (1.6, 0.3)  # seconds for a build to end its stages when we are to end, then for it to end them at once
_TICK = 20_000_000  # ns: stamps of files may lag behind the clock by so much


@dataclass(frozen=True, slots=True)
class Begin:
    """What a build is told that a watch begins.

    Args:
        look: As for engine/build.py; None for one look at everything.
        standing: Failures that earlier rounds have shown, and that nothing has mended since, by edge.
        first: It is the first one.
    """

    look: Callable[[], Seen | None] | None
    standing: Mapping[str, Any]
    first: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """What a watch works with.

    Args:
        root: Absolute path of the project's root, where the process stands.
        pipefile: The Pipefile, from there.
        request: Targets, as the index has them.
        environ: The environment of the builds.
        say: Prints a line.
        complain: Prints a warning or error.
        build: Runs one build, in a process of its own, and tells how it went: see `Ended`.
        on_busy: As for Rounds.
        quiet: As for Rounds.
        make: As for Folders.
        mounts: As for Folders.
        idle: Seconds between two looks at everything, at least.
    """

    root: str
    pipefile: str
    request: str
    environ: Mapping[str, str]
    say: Callable[[str], None]
    complain: Callable[[str], None]
    build: Callable[[Begin, Interrupts], Mapping[str, Any]]
    on_busy: OnBusy = "queue"
    quiet: float = 0.05
    make: Callable[[], Queue] | None = None
    mounts: Mounts = field(default_factory=Mounts)
    idle: float = IDLE


class Watcher:
    """
    Args:
        setup: What it works with.
        interrupts: Entered; what ends the watch.
        keys: Entered.
    """

    def __init__(self, setup: Setup, interrupts: Interrupts, keys: Keys) -> None:
        self._setup = setup
        self._say = setup.say
        self._interrupts = interrupts
        self._keys = keys
        keys.stopping = lambda: self._hand_on(signal.SIGTSTP)
        keys.going_on = lambda: self._hand_on(signal.SIGCONT)
        self._known = Known(setup.root, setup.pipefile, setup.request, setup.environ)
        self._sight = Sight(self._known, setup.make, setup.mounts)
        self._rounds = Rounds(setup.on_busy, setup.quiet)
        self._chain = Chain()
        self._git = GitLock(setup.root)
        self._host: Host | None = None
        self._hints = Hints()
        self._during = Hints()  # what was heard while the build runs
        self._last = Hints()  # the same of the last one
        self._later = Hints()  # and since its end
        self._standing: Mapping[str, Any] = {}
        self._began = 0.0
        self._began_at = 0
        self._told = ""
        self._first = True
        self._whole = True  # the last build was not interrupted
        self._quit = False
        self._refused = 0  # exit status, if the command line asks for what there is not
        self._next_look = 0.0
        self._cost = 0.0  # seconds of the last look around
        self._ready: set[int] = set()
        self._root = self._identity()

    def run(self) -> int:
        """Watch until the end. Returns the exit status."""
        self._rounds.asked()
        self._begin(None)
        try:
            while not self._quit and not self._interrupts.number:
                self._wait()
                self._step()
        finally:
            self._end()
        return 128 + self._interrupts.number if self._interrupts.number else self._refused

    def _hand_on(self, number: int) -> None:
        if self._host is not None:
            self._host.signal(number)

    # -- waiting

    def _wait(self) -> None:
        now = time.monotonic()
        poll = select.poll()
        poll.register(self._interrupts.fileno(), select.POLLIN)
        events = self._sight.folders.fileno()
        seconds = []
        if self._host is not None:
            poll.register(self._host.fileno(), select.POLLIN)
            if events >= 0:
                seconds.append(_LISTEN)
        elif events >= 0:
            poll.register(events, select.POLLIN)
        if self._keys.fileno() >= 0:
            poll.register(self._keys.fileno(), select.POLLIN)
        patience = self._rounds.patience(now, self._git.is_held())
        if patience is not None:
            seconds.append(patience)
        if self._host is None or self._setup.on_busy == "restart":
            seconds.append(max(0.0, self._next_look - now))
        self._ready = {fd for fd, _ in poll.poll(min(seconds) * 1000 + 1 if seconds else None)}

    def _step(self) -> None:
        if self._keys.fileno() in self._ready:
            self._press(self._keys.read())
        if self._interrupts.number or self._quit:
            return
        ended = self._host is not None and self._host.fileno() in self._ready
        self._listen()
        if ended:
            self._finish()
            if self._refused:
                return
        now = time.monotonic()
        if now >= self._next_look and (self._host is None or self._setup.on_busy == "restart"):
            self._look_around()
        patience = self._rounds.patience(now, self._git.is_held())
        if patience is not None and patience <= 0:
            self._judge()

    def _press(self, keys: str) -> None:
        for key in keys:
            if key in "qQ":
                self._quit = True
            elif key in "rR":
                self._chain.clear()
                order = self._rounds.asked()
                if order == "build":
                    self._begin(None)
                elif order and self._host is not None:
                    self._host.signal(signal.SIGINT)

    def _listen(self) -> None:
        heard = self._sight.hear()
        if not heard:
            return
        hints = self._sight.hints(heard)
        if heard.lost:
            self._setup.complain("warning: more has happened than the system could tell of: everything is looked at")
        if heard.trees or heard.lost:
            hints.add(self._sight.renew())
        self._take(hints)

    def _take(self, hints: Hints) -> None:
        if not hints or not self._known.concern(hints):
            return
        for each in (self._during,) if self._host is not None else (self._hints, self._later):
            each.add(hints)
        self._rounds.heard(time.monotonic())

    # -- looking

    def _look_around(self) -> None:
        """Look at what no event tells of; at everything now and then, since events are hints alone."""
        if self._host is None and self._identity() != self._root:
            self._await_root()
            return
        started = time.monotonic()
        polled = bool(self._sight.folders.polled)
        hints = self._sight.silent() if self._sight.folders.by_events and polled else Hints(everything=True)
        if polled:
            hints.add(self._sight.renew())
        if self._known.changed(hints, sources_only=self._host is not None):
            self._take(hints)
        self._cost = time.monotonic() - started
        self._schedule_look()

    def _schedule_look(self) -> None:
        least, share = (_POLL, _POLL_SHARE) if self._sight.folders.polled else (self._setup.idle, _SHARE)
        self._next_look = time.monotonic() + max(least, share * self._cost)

    def _judge(self) -> None:
        """What was heard has settled: has anything really changed?"""
        if self._host is None and self._identity() != self._root:
            self._await_root()
            return
        if self._host is not None:  # "restart"
            changed = self._known.changed(self._during, sources_only=True)
            if self._rounds.looked(bool(changed) and not self._chain.is_long) == "interrupt":
                self._host.signal(signal.SIGINT)
            return
        self._known.load()
        started = time.monotonic()
        changed = self._known.changed(self._hints)
        if self._hints.everything:
            self._cost = time.monotonic() - started
            self._schedule_look()
        if changed and self._is_somebody_elses(changed):
            self._rounds.heard(time.monotonic())
            return
        self._hints = Hints()
        if self._rounds.looked(bool(changed)):
            self._begin_for(changed)

    def _begin_for(self, changed: list[str]) -> None:
        """Build for what has changed, unless builds do nothing but cause each other."""
        last, later, behind = self._last, self._later, self._known.behind
        during = bool(changed) and all((path in behind or last.cover(path)) and not later.cover(path) for path in changed)
        if not self._chain.is_loop(changed, during, self._whole):
            self._begin(changed)
            return
        self._rounds.called_off()
        self._known.trying(changed)
        self._say(words.started(changed))
        self._setup.complain(words.loop(self._chain.suspects(), changed, self._chain.length))
        self._say(words.finished(1, 0, 0, 0.0))
        self._chain.clear()

    def _is_somebody_elses(self, changed: list[str]) -> bool:
        """Whether all that has changed are outputs, while another build is at work: it will tell what they are."""
        return self._known.are_outputs(changed) and not is_free(f"{self._setup.root}/{LOCK}")

    # -- builds

    def _begin(self, changed: list[str] | None) -> None:
        self._say(words.started(changed))
        self._began, self._began_at = time.monotonic(), time.time_ns() - _TICK
        self._known.trying(changed or ())
        seen = self._known.seen() if changed else None
        begin = Begin(None if seen is None else lambda: seen, self._standing, self._first)
        self._host = Host(lambda interrupts: self._setup.build(begin, interrupts))

    def _finish(self) -> None:
        assert self._host is not None
        found, killed = self._host.take()
        self._listen()  # what it did last is heard only now
        self._take_silent()
        self._host = None
        seconds = time.monotonic() - self._began
        if killed:
            self._setup.complain(f"error: the build was killed by {signal.Signals(killed).name}")
        ended = found if isinstance(found, dict) else {}
        if not self._first:
            self._tell(ended, seconds)
        self._refused = ended.get("refused", 0)
        if self._refused:
            self._tell(ended, seconds)
            self._quit = True
            return
        self._standing = ended.get("standing", self._standing)
        self._settle(ended)
        if self._first:
            self._first = False
            self._tell_watched()
            self._tell(ended, seconds)
        self._tell_watched()
        if self._rounds.ended():  # somebody has asked for another one meanwhile
            changed = self._known.changed(self._hints)
            self._hints = Hints()
            self._begin_for(changed)

    def _tell(self, ended: Mapping[str, Any], seconds: float) -> None:
        self._say(words.finished(ended.get("failed", 1), ended.get("ok", 0), ended.get("skipped", 0), seconds))

    def _settle(self, ended: Mapping[str, Any]) -> None:
        """Take what the build has left as known, and watch what it has found to matter."""
        known = self._known
        known.mending = frozenset(ended.get("mending", [known.pipefile])) if not ended.get("graph", False) else None
        if ended.get("store"):
            known.store = ended["store"]
        known.load()
        known.settle(self._during, self._began_at)
        known.behind = set(ended.get("behind", ()))
        self._chain.ran(ended.get("ran", ()))
        self._whole = not ended.get("interrupted", False)
        self._last, self._later, self._during = self._during, Hints(), Hints()
        hints = self._sight.place()
        if not hints.everything:
            known.doubt(hints.folders, self._began_at)
        hints.add(self._last)
        self._hints = hints
        if hints or known.behind:
            self._rounds.heard(time.monotonic())
        self._schedule_look()

    def _take_silent(self) -> None:
        """Where no event tells of changes, anything may have happened during the build."""
        folders = self._sight.folders
        if self._first or not folders.by_events:
            self._during.everything = True
        elif folders.polled:
            self._during.add(self._sight.silent())

    def _tell_watched(self) -> None:
        folders = self._sight.folders
        if folders.limit is not None:
            self._setup.complain("warning: " + words.no_more(folders.limit, folders.count()))
            folders.limit = None
        if folders.fault:
            self._setup.complain(f"warning: changes cannot be watched: {folders.fault}; files are polled instead")
            folders.fault = ""
        how = f"{folders.by_events} {len(folders.polled) > 0}"
        if how != self._told:
            self._told = how
            self._say(words.watching(self._known.memory.count(), folders.count(), folders.by_events, len(folders.polled)))

    # -- the root

    def _identity(self) -> tuple[int, int] | None:
        try:
            seen = os.stat(self._setup.root)
        except OSError:
            return None
        return (seen.st_dev, seen.st_ino)

    def _await_root(self) -> None:
        """The root is gone, or another folder by now: wait until there is a Pipefile in its place, then build that."""
        root = self._setup.root
        there = os.path.isfile(f"{root}/{self._setup.pipefile}")
        if not there:
            self._setup.complain(f"warning: `{show(root)}` is gone: waiting for it to come back")
        self._sight.lost_root()
        poll = select.poll()
        poll.register(self._interrupts.fileno(), select.POLLIN)
        if self._keys.fileno() >= 0:
            poll.register(self._keys.fileno(), select.POLLIN)
        while not os.path.isfile(f"{root}/{self._setup.pipefile}"):
            if poll.poll(_RETURN * 1000) and (self._interrupts.number or "q" in self._keys.read().lower()):
                self._quit = True
                return
        os.chdir(root)
        self._root = self._identity()
        self._git = GitLock(root)
        self._known.forget()
        self._hints, self._during = Hints(), Hints()
        self._rounds.looked(False)
        if not there:
            self._say(f"pipefile: `{show(root)}` is back")
        self._chain.clear()
        self._rounds.asked()
        self._begin(None)

    # -- the end

    def _end(self) -> None:
        """End the build that still runs, as Ctrl-C ends one, and wait for that."""
        host, self._host = self._host, None
        if host is not None:
            number = self._interrupts.number or signal.SIGINT
            poll = select.poll()
            poll.register(host.fileno(), select.POLLIN)
            host.signal(number)
            if not poll.poll(_PATIENCE[0] * 1000):
                host.signal(number)
                if not poll.poll(_PATIENCE[1] * 1000):
                    host.signal(signal.SIGKILL)
            found, _ = host.take()
            self._tell(found if isinstance(found, dict) else {"failed": 0}, time.monotonic() - self._began)
        self._sight.folders.close()
        self._known.close()
