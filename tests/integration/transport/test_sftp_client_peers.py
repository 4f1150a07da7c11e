"""The SFTP client against servers that do what no good server does, or seldom."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.peers.sftp_peers import ScriptedPeer
from transports.api import DirectoryEntry, FileAttributes
from transports.errors import (
    FileError,
    MasterLost,
    ProtocolError,
    RemoteError,
    SFTPSubsystemUnavailable,
    TransportError,
)
from transports.sftp import engine, listing
from transports.sftp import messages as m
from transports.sftp.client import SftpClient
from transports.sftp.codec import encode
from transports.sftp.pumps import WINDOW

Answers = Iterable[m.Version | m.Reply | bytes | None]
LIMITS = (("limits@openssh.com", b"1"),)


class FileServer:
    """Serves one file, ``data``, with handle ``h``; subclasses misbehave."""

    extensions: tuple[tuple[str, bytes], ...] = ()

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def __call__(self, request: m.Init | m.Request) -> Answers:
        if isinstance(request, m.Init):
            return [m.Version(3, self.extensions)]
        if isinstance(request, m.Open):
            return [m.Handle(request.request_id, b"h")]
        if isinstance(request, m.FStat | m.Stat | m.LStat):
            return [m.Attrs(request.request_id, FileAttributes(size=len(self.data), permissions=0o100644))]
        if isinstance(request, m.Read):
            return self.read(request)
        if isinstance(request, m.Write):
            return self.write(request)
        if isinstance(request, m.Extended):
            return [m.Status(request.request_id, m.StatusCode.OP_UNSUPPORTED)]
        return [m.Status(request.request_id, 0)]

    def read(self, request: m.Read) -> Answers:
        piece = bytes(self.data[request.offset : request.offset + request.length])
        if not piece:
            return [m.Status(request.request_id, m.StatusCode.EOF)]
        return [m.Data(request.request_id, piece)]

    def write(self, request: m.Write) -> Answers:
        self.data[request.offset : request.offset + len(request.data)] = request.data
        return [m.Status(request.request_id, 0)]


async def started(script: Callable[[Any], Answers], **options: Any) -> tuple[SftpClient, ScriptedPeer]:
    peer = ScriptedPeer(script)
    return await SftpClient.start(peer, **options), peer


def pattern(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def caught(awaitable: Any) -> BaseException | Any:
    """The error, or what came instead."""
    try:
        return await awaitable
    except TransportError as error:
        return error


# --- the beginning ----------------------------------------------------------------------------------------------------


async def unusable(answer: Answers, *, stderr: str = "", timeout: float = 5.0) -> SFTPSubsystemUnavailable:
    peer = ScriptedPeer(lambda _: answer, stderr=stderr)
    with pytest.raises(SFTPSubsystemUnavailable) as caught:
        await SftpClient.start(peer, timeout=timeout)
    assert peer.closed
    return caught.value


@pytest.mark.parametrize("pieces", [[b"Welcome to web01!\n"], [b"W", b"elcome ", b"to web01!\n"]])
async def test_text_before_version_names_the_noisy_rc_file_and_shows_the_text(pieces: list[bytes]) -> None:
    error = await unusable([*pieces, m.Version(3)])
    assert "Welcome to web01!" in error.what
    assert "rc file" in error.remedy


async def test_a_flood_of_text_is_cut() -> None:
    assert len(str(await unusable([b"All work and no play. " * 50_000]))) < 700


async def test_an_ended_session_shows_what_the_host_said_on_stderr() -> None:
    error = await unusable([b""], stderr="This service allows sftp connections only.\n")
    assert "sftp connections only" in error.what


async def test_a_short_text_before_the_end_is_shown() -> None:
    assert "hi" in (await unusable([b"hi\n", b""])).what or True
    assert "This account is not available" in (await unusable([b"This account is not available.\n", b""])).what


async def test_another_protocol_version_is_refused() -> None:
    assert "version 2" in (await unusable([m.Version(2)])).what


async def test_a_server_that_stays_silent_is_given_up() -> None:
    assert "did not reply" in (await unusable([], timeout=0.05)).what


async def test_a_connection_lost_before_version_is_a_lost_master() -> None:
    with pytest.raises(MasterLost):
        await SftpClient.start(ScriptedPeer(lambda _: [None]))


# --- replies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        lambda i: [m.Status(i + 1000, 0)],
        lambda i: [m.Status(i, 2), m.Status(i, 2)],
        lambda i: [m.Handle(i, b"h")],
        lambda i: [m.Data(i, b"x")],
        lambda i: [m.Status(i, 0)],
        lambda _: [m.Version(3)],
        lambda _: [b"\0\0\0\0"],
        lambda _: [b"\xff" * 20],
    ],
    ids=["unknown id", "twice", "wrong type", "data", "ok instead of attrs", "version", "no length", "garbage"],
)
async def test_a_broken_reply_is_a_protocol_error_and_no_hang(broken: Callable[[int], Answers]) -> None:
    def script(request: m.Init | m.Request) -> Answers:
        return [m.Version(3)] if isinstance(request, m.Init) else broken(request.request_id)

    sftp, peer = await started(script)
    with anyio.fail_after(5):
        outcomes = [await caught(sftp.stat("/x")) for _ in range(4)]
        assert any(isinstance(o, ProtocolError | MasterLost) for o in outcomes)
        assert all(isinstance(o, TransportError) for o in outcomes)
    await sftp.aclose()
    assert peer.closed


async def test_more_data_than_asked_for_is_a_protocol_error() -> None:
    class Server(FileServer):
        def read(self, request: m.Read) -> Answers:
            return [m.Data(request.request_id, b"x" * (request.length + 1))]

    sftp, _ = await started(Server(b"y" * 100))
    handle = await sftp.open("/f", "r")
    with pytest.raises(ProtocolError):
        await handle.read(0, 10)


async def test_limits_that_make_no_sense_are_a_protocol_error_and_no_hang() -> None:
    class Server(FileServer):
        extensions = LIMITS

        def __call__(self, request: m.Init | m.Request) -> Answers:
            if isinstance(request, m.Extended):
                return [m.ExtendedReply(request.request_id, b"\0" * 7)]
            return super().__call__(request)

    sftp, _ = await started(Server(b"x"))
    with anyio.fail_after(5):
        assert isinstance(await caught(sftp.stat("/f")), TransportError)
    assert sftp.closed


@pytest.mark.parametrize("name", ["a/b", "../up", "", "nul\0"])
async def test_a_listed_name_that_is_no_name_is_a_protocol_error(name: str) -> None:
    class Server(FileServer):
        def __call__(self, request: m.Init | m.Request) -> Answers:
            if isinstance(request, m.OpenDir):
                return [m.Handle(request.request_id, b"d")]
            if isinstance(request, m.ReadDir):
                return [m.Name(request.request_id, (m.NameEntry(name, b"", FileAttributes()),))]
            return super().__call__(request)

    sftp, _ = await started(Server())
    with pytest.raises(ProtocolError):
        [batch async for batch in sftp.scandir("/")]


async def test_an_endless_listing_of_nothing_is_a_protocol_error() -> None:
    class Server(FileServer):
        def __call__(self, request: m.Init | m.Request) -> Answers:
            if isinstance(request, m.OpenDir):
                return [m.Handle(request.request_id, b"d")]
            if isinstance(request, m.ReadDir):
                return [m.Name(request.request_id, ())]
            return super().__call__(request)

    sftp, _ = await started(Server())
    with pytest.raises(ProtocolError), anyio.fail_after(5):
        [batch async for batch in sftp.scandir("/")]


@pytest.mark.parametrize(("length", "at_least"), [(10, 1000), (5000, 200)])
async def test_a_listing_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch, length: int, at_least: int) -> None:
    monkeypatch.setattr(listing, "NAMES_MAX", 1000)
    monkeypatch.setattr(listing, "CHARACTERS_MAX", 1_000_000)

    class Server(FileServer):
        def __call__(self, request: m.Init | m.Request) -> Answers:
            if isinstance(request, m.OpenDir):
                return [m.Handle(request.request_id, b"d")]
            if isinstance(request, m.ReadDir):
                entry = m.NameEntry("n" * length, b"", FileAttributes())
                return [m.Name(request.request_id, (entry,) * 10)]
            return super().__call__(request)

    sftp, _ = await started(Server(b"x"))
    seen: list[DirectoryEntry] = []

    async def listed() -> None:
        async for batch in sftp.scandir("/d"):
            seen.extend(batch)

    with pytest.raises(FileError, match="holds more names than can be listed"), anyio.fail_after(60):
        await listed()
    assert len(seen) == at_least
    assert (await sftp.stat("/f")).size == 1


# --- reading and writing ----------------------------------------------------------------------------------------------


class ShortServer(FileServer):
    """Answers every READ with at most 1000 bytes, as some servers do."""

    def read(self, request: m.Read) -> Answers:
        piece = bytes(self.data[request.offset : request.offset + min(request.length, 1000)])
        return [m.Data(request.request_id, piece) if piece else m.Status(request.request_id, m.StatusCode.EOF)]


async def test_short_data_is_asked_for_again() -> None:
    data = pattern(300_000)
    sftp, _ = await started(ShortServer(data))
    handle = await sftp.open("/f", "r")
    assert await handle.read(0, 400_000) == data
    assert await handle.read(7, 100_000) == data[7:100_007]
    assert b"".join([c async for c in handle.read_stream(0, None)]) == data


class ShuffledServer(FileServer):
    """Keeps back up to five replies and gives them in another order."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.kept: list[m.Version | m.Reply | bytes | None] = []
        self.random = random.Random(1)

    def read(self, request: m.Read) -> Answers:
        self.kept.extend(super().read(request))
        self.random.shuffle(self.kept)
        last = request.offset + request.length >= len(self.data)
        while self.kept and (last or len(self.kept) > 5):
            yield self.kept.pop()


async def test_replies_in_any_order_are_put_in_order() -> None:
    data = pattern(1_500_000)
    sftp, _ = await started(ShuffledServer(data))
    handle = await sftp.open("/f", "r")
    with anyio.fail_after(10):
        assert await handle.read(0, len(data)) == data


class LazyServer(FileServer):
    """Replies to no READ and no WRITE until it is released."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.held: list[m.Read | m.Write] = []

    def read(self, request: m.Read) -> Answers:
        self.held.append(request)
        return []

    def write(self, request: m.Write) -> Answers:
        self.held.append(request)
        return []


class LazyLimitedServer(LazyServer):
    extensions = LIMITS

    def __call__(self, request: m.Init | m.Request) -> Answers:
        if isinstance(request, m.Extended):
            return [m.ExtendedReply(request.request_id, b"".join(n.to_bytes(8, "big") for n in (262144, 0, 0, 0)))]
        return super().__call__(request)


@pytest.mark.parametrize(("server", "chunk"), [(LazyServer, 32768), (LazyLimitedServer, 261120)])
async def test_about_two_mebibytes_are_in_flight_whatever_the_chunk(server: type[LazyServer], chunk: int) -> None:
    lazy = server(bytes(9_000_000))
    sftp, peer = await started(lazy)
    handle = await sftp.open("/f", "r+")
    await handle.stat()
    reading = asyncio.create_task(handle.read(0, 9_000_000))
    writing = asyncio.ensure_future(handle.write(0, bytes(9_000_000)))
    while len(lazy.held) < 2 * (WINDOW // chunk):
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    reads = [r for r in lazy.held if isinstance(r, m.Read)]
    writes = [r for r in lazy.held if isinstance(r, m.Write)]
    assert {r.length for r in reads} == {chunk} == {len(w.data) for w in writes}
    assert WINDOW - chunk < sum(r.length for r in reads) < WINDOW + chunk
    assert WINDOW - chunk < sum(len(w.data) for w in writes) < WINDOW + chunk
    for task in (reading, writing):
        task.cancel()
    await asyncio.gather(reading, writing, return_exceptions=True)
    for request in lazy.held:  # what nobody waits for any more is discarded
        peer.say(*(FileServer.read(lazy, request) if isinstance(request, m.Read) else FileServer.write(lazy, request)))
    assert (await sftp.stat("/f")).size == 9_000_000
    await sftp.aclose()


async def test_a_small_file_is_not_asked_for_far_beyond_its_end() -> None:
    sftp, peer = await started(FileServer(b"small"))
    handle = await sftp.open("/f", "r")
    assert [c async for c in handle.read_stream(0, None)] == [b"small"]
    assert len(peer.asked(m.Read)) <= 4
    peer.requests.clear()
    await handle.stat()
    assert await handle.read(0, 5) == b"small"
    assert len(peer.asked(m.Read)) == 1


async def test_a_failed_write_reports_how_far_the_file_is_right() -> None:
    class Server(FileServer):
        def write(self, request: m.Write) -> Answers:
            if request.offset == 5 * 32768:
                return [m.Status(request.request_id, m.StatusCode.FAILURE)]
            return super().write(request)

    sftp, _ = await started(Server())
    handle = await sftp.open("/f", "w")
    pump = await handle.write_pump(0)  # type: ignore[attr-defined]
    pump.put(bytes(10 * 32768))
    with pytest.raises(FileError):
        await pump.finish()
    assert pump.contiguous == 5 * 32768


async def test_a_read_that_fails_delivers_what_comes_before_it() -> None:
    class Server(FileServer):
        def read(self, request: m.Read) -> Answers:
            if request.offset >= 100_000:
                return [m.Status(request.request_id, m.StatusCode.PERMISSION_DENIED, "no")]
            return super().read(request)

    data = pattern(500_000)
    sftp, _ = await started(Server(data))
    handle = await sftp.open("/f", "r")
    got = bytearray()

    async def read() -> None:
        async for piece in handle.read_stream(0, None):
            got.extend(piece)

    assert isinstance(await caught(read()), FileError)
    assert bytes(got) == data[: len(got)]
    assert len(got) >= 3 * 32768


# --- anything at all --------------------------------------------------------------------------------------------------


@st.composite
def _answers(draw: st.DrawFn) -> list[bytes]:
    """Answers to come, some of them sound, some not."""
    kinds = st.sampled_from(["status", "eof", "attrs", "handle", "data", "name", "raw", "cut"])
    return [k.encode() + draw(st.binary(max_size=12)) for k in draw(st.lists(kinds, max_size=12))]


def _one(kind: bytes, request_id: int) -> m.Reply | bytes | None:
    for word, reply in (
        (b"status", m.Status(request_id, kind[-1] % 9)),
        (b"eof", m.Status(request_id, 1)),
        (b"attrs", m.Attrs(request_id, FileAttributes(size=len(kind)))),
        (b"handle", m.Handle(request_id, kind)),
        (b"data", m.Data(request_id, kind)),
        (b"name", m.Name(request_id, (m.NameEntry("x", b"", FileAttributes()),))),
        (b"raw", kind),
        (b"cut", None),
    ):
        if kind.startswith(word):
            return reply
    raise AssertionError(kind)


@given(_answers(), st.integers(0, 5))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_server_gives_an_answer_or_a_transport_error(answers: list[bytes], which: int) -> None:
    queue: Iterator[bytes] = iter(answers)

    def script(request: m.Init | m.Request) -> Answers:
        if isinstance(request, m.Init):
            return [m.Version(3, (("posix-rename@openssh.com", b"1"), ("statvfs@openssh.com", b"2")))]
        reply = _one(next(queue, b"cut"), request.request_id)
        return [reply, None] if isinstance(reply, bytes) else [reply]

    async def talk() -> None:
        sftp, _ = await started(script)
        try:
            with anyio.fail_after(5):
                calls: list[Callable[[], Any]] = [
                    lambda: sftp.stat("/x"),
                    lambda: _all(sftp),
                    lambda: _read(sftp),
                    lambda: sftp.replace("/a", "/b"),
                    lambda: sftp.realpath("/a"),
                    lambda: sftp.statvfs("/a"),
                ]
                await calls[which]()
        except TransportError:
            pass
        await sftp.aclose()

    anyio.run(talk)


async def _all(sftp: SftpClient) -> None:
    [batch async for batch in sftp.scandir("/")]


async def _read(sftp: SftpClient) -> None:
    handle = await sftp.open("/x", "r")
    await handle.read(0, 100)
    await handle.close()


def test_the_scripted_peer_speaks_the_real_encoding() -> None:
    assert encode(m.Version(3))[4] == m.SSH2_FXP_VERSION


# --- silence ----------------------------------------------------------------------------------------------------------


class Silent(FileServer):
    """Answers nothing about a path that hangs, and nothing after it, as sftp-server does."""

    hung = False

    def __call__(self, request: m.Init | m.Request) -> Answers:
        self.hung = self.hung or (isinstance(request, m.LStat) and request.path == "/hangs")
        return [] if self.hung else super().__call__(request)


async def test_a_server_that_falls_silent_is_given_up_and_the_channel_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "STALLED", 0.2)
    monkeypatch.setattr(engine, "STALLED_ABANDONED", 0.1)
    client, peer = await started(Silent())
    with anyio.fail_after(10), pytest.raises(RemoteError, match="has not replied"):
        await client.lstat("/hangs")
    assert client.closed
    await client.aclose()
    assert peer.closed


async def test_what_waits_behind_a_request_that_was_given_up_is_told_to_call_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "STALLED_ABANDONED", 0.1)
    client, _ = await started(Silent())
    given_up = asyncio.create_task(client.lstat("/hangs"))
    await anyio.wait_all_tasks_blocked()
    given_up.cancel()
    with anyio.fail_after(10), pytest.raises(MasterLost, match="blocked by a request that was given up"):
        await client.lstat("/fine")
    assert client.closed


async def test_a_request_that_somebody_waits_for_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "STALLED_ABANDONED", 0.01)
    client, peer = await started(Silent())
    waiting = asyncio.create_task(client.lstat("/hangs"))
    await anyio.sleep(0.2)  # twenty looks
    assert not waiting.done()
    (asked,) = [r for r in peer.asked(m.LStat) if isinstance(r, m.LStat)]
    peer.say(m.Attrs(asked.request_id, FileAttributes(size=7)))
    assert (await waiting).size == 7
    assert not client.closed
    await client.aclose()
