"""The control socket's client against a master of the test's own, which speaks through the codec's other half."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import psutil
import pytest

from transports.errors import MasterLost, ProtocolError, SessionRefused, TransportError
from transports.mux.client import MuxSession, NoSlot, alive_check, open_session, terminate
from transports.mux.codec import CLOSED, MuxServerCodec
from transports.mux.messages import (
    Alive,
    AliveCheck,
    Exit,
    Failure,
    FromClient,
    Hello,
    NewSession,
    Ok,
    PermissionDenied,
    SessionOpened,
    Terminate,
    encode,
)


class Peer:
    """One accepted control connection, seen from the master."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.codec = MuxServerCodec()

    async def next(self) -> FromClient | object:
        loop = asyncio.get_running_loop()
        while (event := self.codec.next_event()) is None:
            data = await loop.sock_recv(self.sock, self.codec.bytes_wanted)  # never more: the descriptors come behind
            self.codec.receive_data(data) if data else self.codec.receive_eof()
        return event

    async def greet(self) -> None:
        await self.send(self.codec.send(Hello()))
        assert await self.next() == Hello()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def descriptors(self) -> list[int]:
        """Three descriptors, each with a byte of its own, as mm_receive_fd takes them."""
        found: list[int] = []
        while len(found) < 3:
            try:
                data, fds, _, _ = socket.recv_fds(self.sock, 1, 1)
            except BlockingIOError:
                await asyncio.sleep(0.001)
                continue
            assert (data, len(fds)) == (b"\0", 1)
            found += fds
        return found


Script = Callable[[Peer], Awaitable[None]]


@pytest.fixture
def path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="smcp-m-", dir="/tmp") as name:
        yield str(Path(name) / "s")


@asynccontextmanager
async def master(path: str, script: Script) -> AsyncIterator[None]:
    """A listening master that plays ``script`` on every connection."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)

        async def one(sock: socket.socket) -> None:
            with sock:
                await script(Peer(sock))

        async with anyio.create_task_group() as tasks:

            async def accept() -> None:
                while True:
                    sock, _ = await loop.sock_accept(listener)
                    sock.setblocking(False)
                    tasks.start_soon(one, sock)

            tasks.start_soon(accept)
            yield
            tasks.cancel_scope.cancel()


# --- questions ------------------------------------------------------------------------------------------------------


async def test_an_alive_check_returns_the_pid(path: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        asked = await peer.next()
        assert isinstance(asked, AliveCheck)
        await peer.send(peer.codec.send(Alive(asked.request_id, 4242)))

    async with master(path, script):
        assert await alive_check(path) == 4242


async def test_an_alive_check_bears_a_greeting_with_extensions_and_one_byte_at_a_time(path: str) -> None:
    async def script(peer: Peer) -> None:
        for byte in encode(Hello(4, ((b"info", b"0"),))) + encode(Alive(0, 7)):
            await peer.send(bytes([byte]))
            await asyncio.sleep(0)
        await peer.next()
        await peer.next()

    async with master(path, script):
        assert await alive_check(path) == 7


async def _silent(_: Peer) -> None:
    await asyncio.sleep(60)


async def _garbage(peer: Peer) -> None:
    await peer.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    await asyncio.sleep(60)


async def _hangs_up(_: Peer) -> None:
    return


async def _other_version(peer: Peer) -> None:
    await peer.send(encode(Hello(3)))
    await asyncio.sleep(60)


async def _wrong_answer(peer: Peer) -> None:
    await peer.greet()
    await peer.send(encode(Ok(0)))
    await asyncio.sleep(60)


async def _refuses(peer: Peer) -> None:
    await peer.greet()
    await peer.send(encode(PermissionDenied(0, "no")))


@pytest.mark.parametrize("script", [_silent, _garbage, _hangs_up, _other_version, _wrong_answer, _refuses])
async def test_whoever_is_no_sane_master_is_none(path: str, script: Script) -> None:
    before = psutil.Process().num_fds()
    async with master(path, script):
        assert await alive_check(path, 0.2) is None
    assert psutil.Process().num_fds() == before


async def test_no_socket_a_file_and_too_long_a_path_are_none(path: str) -> None:
    assert await alive_check(path) is None
    Path(path).write_text("not a socket")
    assert await alive_check(path) is None
    assert await alive_check("/tmp/" + "x" * 200) is None


async def test_terminate_takes_the_end_of_the_connection_for_a_yes(path: str) -> None:
    seen: list[object] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        seen.append(await peer.next())

    async with master(path, script):
        await terminate(path)
    assert seen == [Terminate(0)]


# --- sessions -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def session(
    path: str, script: Script, command: bytes = b"true", **kw: bool
) -> AsyncIterator[tuple[MuxSession, int]]:
    """A session on a scripted master and the reading end of its stdout."""
    ends = [os.pipe() for _ in range(3)]
    (stdin_far, stdin), (stdout, stdout_far), (stderr, stderr_far) = ends
    async with master(path, script):
        try:
            try:
                made = await open_session(path, command, (stdin_far, stdout_far, stderr_far), **kw)
            finally:
                for fd in (stdin_far, stdout_far, stderr_far):
                    os.close(fd)
            try:
                yield made, stdout
            finally:
                made.close()
        finally:
            for fd in (stdin, stdout, stderr):
                os.close(fd)


async def test_a_session_passes_three_descriptors_and_reports_its_exit(path: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        asked = await peer.next()
        assert asked == NewSession(0, b"echo hi", subsystem=False)
        stdin, stdout, stderr = await peer.descriptors()
        await peer.send(peer.codec.send(SessionOpened(0, 5)))
        os.write(stdout, b"hi\n")
        await peer.send(peer.codec.send(Exit(5, 3)))
        for fd in (stdin, stdout, stderr):
            os.close(fd)

    before = psutil.Process().num_fds()
    async with session(path, script, b"echo hi") as (made, stdout):
        exits: list[int | None] = []
        made.on_exit = lambda: exits.append(made.exit_value)
        await made.opened
        assert await made.ended == 3
        assert exits == [3]
        assert os.read(stdout, 100) == b"hi\n"
        assert os.read(stdout, 100) == b""
    assert psutil.Process().num_fds() == before


async def _closes(peer: Peer) -> None:
    await peer.greet()
    await peer.next()
    for fd in await peer.descriptors():
        os.close(fd)


def _answers(answer: Failure | PermissionDenied | SessionOpened) -> Script:
    async def script(peer: Peer) -> None:
        await _closes(peer)
        await peer.send(peer.codec.send(answer))

    return script


async def test_an_end_without_an_exit_is_none(path: str) -> None:
    async with session(path, _answers(SessionOpened(0, 1))) as (made, _):
        await made.opened
        assert await made.ended is None


@pytest.mark.parametrize(
    ("script", "error", "text"),
    [
        (_answers(Failure(0, "Session open refused by peer")), NoSlot, "no further session"),
        (_answers(Failure(0, "master is shutting down")), SessionRefused, "shutting down"),
        (_answers(PermissionDenied(0, "Permission denied")), SessionRefused, "Permission denied"),
        (_closes, MasterLost, "gone"),
        (_garbage, ProtocolError, "announced"),
        (_other_version, ProtocolError, "version 3"),
    ],
)
async def test_a_session_that_does_not_open_says_why_and_that_nothing_was_sent(
    path: str, script: Script, error: type[TransportError], text: str
) -> None:
    async with session(path, script) as (made, _):
        with pytest.raises(error, match=text) as raised:
            await made.opened
        assert not raised.value.sent
        assert await made.ended is None


async def test_no_master_at_all_is_a_lost_one(path: str) -> None:
    with pytest.raises(MasterLost) as lost:
        await open_session(path, b"true", (0, 1, 2))
    assert not lost.value.sent


@pytest.mark.parametrize("command", [b"a\0b", b"x" * (300 * 1024)])
async def test_a_command_that_cannot_be_sent_closes_the_socket_before_the_master_waits_for_descriptors(
    path: str, command: bytes
) -> None:
    seen: list[object] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.next())

    before = psutil.Process().num_fds()
    async with master(path, script):
        with pytest.raises(ValueError):
            await open_session(path, command, (0, 1, 2))
        while not seen:
            await asyncio.sleep(0.001)
    assert seen == [CLOSED]
    assert psutil.Process().num_fds() == before


async def test_the_largest_command_and_its_descriptors_go_out_in_one_go(path: str) -> None:
    command = b"x" * (200 * 1024)
    got: list[object] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        got.append(await peer.next())
        for fd in await peer.descriptors():
            os.close(fd)
        await peer.send(peer.codec.send(SessionOpened(0, 1)))

    async with session(path, script, command, subsystem=True) as (made, _):
        await made.opened
    assert got == [NewSession(0, command, subsystem=True)]
