"""Messages between the builder, the processes that fork workers (zygotes), and the workers.

Each message is a tuple of what `marshal` knows, in one packet of a SOCK_SEQPACKET pair; descriptors travel beside it. A packet begins with one byte:

    S   the marshalled tuple follows
    L   the tuple is in a memory file, whose descriptor is the last one of the packet: for what is too large for a socket

From the builder to a zygote: ("preload", environment, modules, judged), then ("fork", worker) with the worker's socket; ("close",) at an orderly end.
From a zygote: ("ready", modules, judgements), ("forked", worker, pid), ("unforked", worker, reason),
("ended", worker, wait status, CPU seconds, peak KiB).
From the builder to a worker: ("task", stays, survey, name, environment, folder, temporary folder, audited, call), with the pipe that is printed to.
From a worker: ("born", pid) at first, ("done", error, exit status, names of the exception, stays, CPU seconds, peak KiB, surveyed modules).

Both ends are of one build on one machine, so the format has no version.
"""

from __future__ import annotations

import _socket
import marshal
import os
import sys
from collections.abc import Sequence
from typing import Any

from pipefile.model.fileref import FileRef
from pipefile.model.ports import BatchCall, CallContext, FunctionCall, Return, StoredValue
from pipefile.model.stage import Call

PACKET = 64 << 10  # bytes; an empty socket takes three of these
_FDS = 4
_INT = 4  # bytes of a C int, as descriptors are sent

Socket = _socket.socket


def pair() -> tuple[Socket, Socket]:
    """Two connected ends, which programs do not inherit, above the standard streams."""
    one, other = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    return _raised(one), _raised(other)


def _raised(sock: Socket) -> Socket:
    if sock.fileno() > 2:
        return sock
    import fcntl

    number = fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
    sock.close()
    return _socket.socket(fileno=number)


def send(sock: Socket, message: tuple[Any, ...], fds: Sequence[int] = ()) -> None:
    """Send one message.

    Raises:
        ValueError: Something in it cannot be sent.
        OSError: There is nobody at the other end, or, where the socket does not block, no room.
    """
    data = b"S" + marshal.dumps(message)
    if len(data) <= PACKET:
        _send(sock, data, fds)
        return
    memory = os.memfd_create("pipefile message", os.MFD_CLOEXEC)
    try:
        left = memoryview(data)[1:]
        while left:
            left = left[os.write(memory, left) :]
        _send(sock, b"L", (*fds, memory))
    finally:
        os.close(memory)


def _send(sock: Socket, data: bytes, fds: Sequence[int]) -> None:
    if not fds:
        sock.sendmsg([data], [], _socket.MSG_NOSIGNAL)
        return
    packed = b"".join([fd.to_bytes(_INT, sys.byteorder) for fd in fds])
    sock.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)], _socket.MSG_NOSIGNAL)


def receive(sock: Socket) -> tuple[tuple[Any, ...], list[int]] | None:
    """The next message and its descriptors, which programs do not inherit; None where the other end is closed.

    Raises:
        BlockingIOError: There is none, and the socket does not block.
        ValueError, EOFError, TypeError: It is no message of ours.
    """
    try:
        data, extra, _, _ = sock.recvmsg(PACKET, _socket.CMSG_SPACE(_FDS * _INT), _socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return None
    fds: list[int] = []
    for _level, kind, packed in extra:
        if kind == _socket.SCM_RIGHTS:
            fds += [int.from_bytes(packed[at : at + _INT], sys.byteorder) for at in range(0, len(packed) - _INT + 1, _INT)]
    if not data:
        return None
    if data[:1] == b"L":
        memory = fds.pop()
        try:
            size = os.fstat(memory).st_size
            body = b""
            while len(body) < size:
                body += os.pread(memory, size - len(body), len(body))
        finally:
            os.close(memory)
    else:
        body = data[1:]
    message = marshal.loads(body)
    if type(message) is not tuple:
        raise ValueError("not a message")
    return message, fds


# --- calls


def pack(call: FunctionCall) -> tuple[object, ...]:
    """A call as part of a message."""
    context, setup = call.context, call.setup
    return (
        (call.call.module, call.call.function),
        {name: _packed(value) for name, value in call.arguments.items()},
        tuple([tuple(each) for each in call.returns]),
        (context.attempt, context.artifacts, dict(context.params)),
        None if setup is None else (setup.module, setup.function),
        call.value_limit,
        dict(call.item),
        None if call.batch is None else (tuple([tuple([tuple(each) for each in item]) for item in call.batch.returns]), *call.batch[1:]),
    )


def unpack(packed: tuple[Any, ...]) -> FunctionCall:
    call, arguments, returns, context, setup, limit, item, batch = packed
    return FunctionCall(
        Call(*call),
        {name: _unpacked(value) for name, value in arguments.items()},
        tuple([Return(*each) for each in returns]),
        CallContext(*context),
        None if setup is None else Call(*setup),
        limit,
        item,
        None if batch is None else BatchCall(tuple([tuple([Return(*each) for each in item]) for item in batch[0]]), *batch[1:]),
    )


def _packed(value: object) -> object:
    """Files and stored values as tuples, which plain values never are."""
    if isinstance(value, FileRef):
        return ("file", value.path, value.digest, value.size)
    if isinstance(value, StoredValue):
        return ("value", *value)
    if type(value) is list:
        return [_packed(each) for each in value]
    return value


def _unpacked(value: Any) -> Any:
    if type(value) is tuple:
        return FileRef(*value[1:]) if value[0] == "file" else StoredValue(*value[1:])
    if type(value) is list:
        return [_unpacked(each) for each in value]
    return value
