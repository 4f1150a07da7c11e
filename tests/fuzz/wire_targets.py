"""What a hostile or broken peer can send: the mux and SFTP protocols, ssh's log, the command frame."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ssh_mcp.facts import batch
from ssh_mcp.remote.files.sync.tar_codec import Member, TarError, TarReader
from ssh_mcp.server.operator import messages
from tests.fuzz.engine import Broken, Target, pieces
from tests.unit.remote.test_sync_tar import FILES, archive, made
from tests.unit.transports.test_openssh_logs import WEB
from tests.unit.transports.test_sftp_codec import REPLIES, REQUESTS
from transports.errors import ConnectError, LocalError, ProtocolError
from transports.mux import messages as mux
from transports.mux.codec import CLOSED, MuxClientCodec, MuxServerCodec
from transports.openssh.login.failures import login_error
from transports.openssh.login.log import read as read_log
from transports.openssh.shell.frame import FrameDecoder
from transports.sftp.codec import DataPart, ReplyReader, RequestReader, encode

DATA = Path(__file__).resolve().parent.parent / "data"
WORDS = [struct.pack(">I", n) for n in (0, 1, 2, 3, 4, 5, 0xFF, 0x10000, 0x40000, 0x40001, 0x7FFFFFFF, 0xFFFFFFFF)]
NONCE = "0123456789abcdef"


def _events(run: Callable[[Iterable[bytes]], list[Any]], data: bytes, rng: random.Random) -> None:
    """However the stream is cut, the same comes out: the same events, and the same refusal behind them."""
    whole, cut = run([data]), run(pieces(data, rng))
    if whole != cut:
        raise Broken(f"in one piece {whole!r:.300}, in pieces {cut!r:.300}")


def _mux(make: Callable[[], MuxClientCodec | MuxServerCodec]) -> Callable[[Iterable[bytes]], list[Any]]:
    def run(stream: Iterable[bytes]) -> list[Any]:
        codec = make()
        found: list[Any] = []
        try:
            for piece in stream:
                codec.receive_data(piece)
                while (event := codec.next_event()) is not None:
                    found.append(event)
            codec.receive_eof()
            while (event := codec.next_event()) is not None:
                found.append(event)
                if event is CLOSED:
                    break
        except ProtocolError as error:
            found.append(str(error))
        return found

    return run


def _client() -> MuxClientCodec:
    codec = MuxClientCodec()
    codec.send(mux.Hello())
    codec.send(mux.NewSession(codec.next_request_id(), b"true"))
    codec.send(mux.AliveCheck(codec.next_request_id()))
    return codec


_HELLO = mux.encode(mux.Hello())
_FROM_MASTER = [
    _HELLO + mux.encode(mux.SessionOpened(0, 7)) + mux.encode(mux.Alive(1, 4711)) + mux.encode(mux.Exit(7, 3)),
    _HELLO + mux.encode(mux.Failure(0, "Session open refused by peer")) + mux.encode(mux.PermissionDenied(1, "no")),
    _HELLO + mux.encode(mux.SessionOpened(0, 7)) + mux.encode(mux.TtyAllocFail(7)),
]
_FROM_CLIENT = [
    _HELLO + mux.encode(mux.NewSession(0, b"echo x")) + mux.encode(mux.AliveCheck(1)),
    _HELLO + mux.encode(mux.Terminate(0)) + mux.encode(mux.StopListening(1)),
]


def _sftp(make: Callable[[], ReplyReader | RequestReader]) -> Callable[[Iterable[bytes]], list[Any]]:
    def run(stream: Iterable[bytes]) -> list[Any]:
        reader = make()
        found: list[Any] = []
        data: dict[tuple[int, int], bytes] = {}
        try:
            for piece in stream:
                for event in reader.feed(memoryview(piece)):  # type: ignore[arg-type]
                    if isinstance(event, DataPart):
                        key = (len(found), event.request_id)
                        data[key] = data.get(key, b"") + bytes(event.view)
                    else:
                        found.append((event, sorted(data.items())))
                        data = {}
        except ProtocolError as error:
            found.append(str(error))
        return [*found, sorted(data.items())]

    return run


def _log(text: str, _rng: random.Random) -> None:
    half = len(text) // 2
    report = read_log(text[:half] if half % 2 else text, text[half:] if half % 3 else "")
    for attempt in (WEB, replace(WEB, proxied="bastion", proxy_text=text[:200]), replace(WEB, gave_up=True)):
        error = login_error(report, attempt)
        if not isinstance(error, ConnectError | LocalError):
            raise Broken(f"{error!r} is no login error")
        said = str(error)
        if any(not c.isprintable() for c in said) or len(said) > 6000:
            raise Broken(f"not fit to be read: {said!r:.500}")


def _frame(data: bytes, rng: random.Random) -> None:
    def run(stream: Iterable[bytes]) -> list[Any]:
        decoder = FrameDecoder(NONCE)
        out = b"".join([decoder.feed(piece) for piece in stream]) + decoder.finish()
        return [out, decoder.processes, decoder.status]

    _events(run, data, rng)
    out, processes, status = run([data])
    if status is not None and (processes is None or not 0 <= status <= 255):
        raise Broken(f"status {status} of {processes}")
    if processes is None and out:
        raise Broken("output before the first mark")
    if status is not None and re.search(rb"%b:\d{1,3}\n" % NONCE.encode(), out):
        raise Broken("a mark came through")


def _batch(data: bytes, rng: random.Random) -> None:
    replies = batch.split(data, data[rng.randrange(len(data) + 1) :], 4, NONCE)
    if len(replies) != 4:
        raise Broken(f"{len(replies)} replies")
    for answer in replies:
        answer.text, answer.error_text  # noqa: B018 - decoding must not raise


def _operator(data: bytes, _rng: random.Random) -> None:
    """The runtime socket: one line either is a message or is refused with one sentence."""
    for decode in (messages.decode_request, messages.decode_reply):
        try:
            message = decode(data)
        except ValueError as error:
            if "\n" in str(error):
                raise Broken(str(error)) from None
            continue
        again = decode(messages.encode(message))
        if again != message:
            raise Broken(f"{message} came back as {again}")


_OPERATOR = [
    messages.encode(m)
    for m in (
        messages.StatusRequest(),
        messages.DecideRequest(id="k7x2q9", yes=True, minutes=5),
        messages.RevokeRequest(id="k7x2q9"),
        messages.ErrorReply(error="failed", text="x"),
        messages.LineReply(line="{}", lost=1),
        messages.DecidedReply(yes=True, runs=False, grant="g", summary="s"),
    )
]
_N = NONCE.encode()
_STREAMS = [
    b"motd\n%b 100 101\nhello\n%b:0\n" % (_N, _N),
    b"%b 1 2\n%b:143\nlate child\n" % (_N, _N),
    b"%b 1 2\nhalf %b" % (_N, _N[:7]),
    b"noise without end " * 200,
]
_ANSWERS = [b"a\n\n%b 0 0\nb\n\n%b 1 1\nc\n\n%b 2 127\nd\n\n%b 3 0\n" % ((_N,) * 4)]
_LOGS = [p.read_text() for p in sorted((DATA / "ssh_logs").glob("*.log"))]


# --- the tar stream of a directory --------------------------------------------------------------------------------

_WANTED = {path: len(content) for path, content in FILES.items()}
_TARS = [archive(FILES.items()), *(made(FILES, form) for form in ("gnu", "pax"))]
_TYPES = b"0123457LKxgS\0"


def _untar(stream: Iterable[bytes]) -> list[Any]:
    reader = TarReader(_WANTED)
    found: list[Any] = []
    try:
        for piece in stream:
            for event in reader.receive(piece):
                if isinstance(event, Member):
                    found.append([event, b""])
                else:
                    found[-1][1] += event
    except TarError as error:
        found.append(str(error))
    return found


def _tar(data: bytes, rng: random.Random) -> None:
    """Only files that were asked for come out, each once, none with more bytes than it may have."""
    if rng.random() < 0.7:  # nothing comes behind the checksum otherwise
        data = b"".join(_with_checksum(data[i : i + 512], rng) for i in range(0, len(data), 512))
    _events(_untar, data, rng)
    members = [f for f in _untar([data]) if not isinstance(f, str)]
    paths = [m.path for m, _ in members]
    if len(set(paths)) != len(paths) or any(len(c) > _WANTED[m.path] for m, c in members):
        raise Broken(f"{members!r:.300}")


def _with_checksum(block: bytes, rng: random.Random) -> bytes:
    if block[257:262] != b"ustar" or len(block) < 512:
        return block
    if rng.random() < 0.1:
        block = block[:156] + bytes([rng.choice(_TYPES)]) + block[157:]
    blank = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(blank) + block[156:]


TARGETS: list[Target[Any]] = [
    Target("sync_tar", _TARS, _tar, [b"../x\0", b"/etc/x\0", b"d/-rf", b"\x80\0\0", b"99 path=", b"ustar", bytes(512)]),
    Target("mux_from_master", _FROM_MASTER, lambda d, r: _events(_mux(_client), d, r), [*WORDS, *_FROM_MASTER]),
    Target("mux_from_client", _FROM_CLIENT, lambda d, r: _events(_mux(MuxServerCodec), d, r), [*WORDS, *_FROM_CLIENT]),
    Target(
        "sftp_replies",
        [b"".join(map(encode, REPLIES)), *map(encode, REPLIES)],
        lambda d, r: _events(_sftp(ReplyReader), d, r),
        [*WORDS, *map(encode, REPLIES)],
        2,
    ),
    Target(
        "sftp_requests",
        [b"".join(map(encode, REQUESTS)), *map(encode, REQUESTS)],
        lambda d, r: _events(_sftp(RequestReader), d, r),
        [*WORDS, *map(encode, REQUESTS)],
    ),
    Target("ssh_log", _LOGS, _log, sorted({line + "\n" for text in _LOGS for line in text.splitlines()}), 2),
    Target("frame", _STREAMS, _frame, [_N, _N + b" 1 2\n", _N + b":0\n", _N + b":999\n", b":", b"\n", b" "]),
    Target(
        "operator", _OPERATOR, _operator, [b'"request":"decide"', b"null", b"true", b"-1", b"1e9", b"\xff", b"{", b"}"]
    ),
    Target("batch", _ANSWERS, _batch, [b"\n" + _N, b" 1 0\n", b" 99999 1\n", b"\xff", b"\n"]),
]
