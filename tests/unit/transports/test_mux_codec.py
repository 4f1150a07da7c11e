"""The multiplexing codec: each message whole, byte by byte and with data behind it; a pair; garbage."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import ProtocolError
from transports.mux.codec import CLOSED, MuxClientCodec, MuxServerCodec
from transports.mux.messages import (
    MUX_C_NEW_SESSION,
    MUX_FWD_LOCAL,
    MUX_FWD_REMOTE,
    PACKET_MAX,
    Alive,
    AliveCheck,
    CloseForward,
    Exit,
    Failure,
    Forwarding,
    FromClient,
    FromMaster,
    Hello,
    NewSession,
    NewStdioForward,
    Ok,
    OpenForward,
    PermissionDenied,
    RemotePort,
    Request,
    SessionOpened,
    StopListening,
    Terminate,
    TtyAllocFail,
    decode_from_client,
    decode_from_master,
    encode,
)
from transports.wire import Writer

FROM_CLIENT: list[FromClient] = [
    Hello(),
    Hello(4, ((b"info", b"0"), (b"x", b""))),
    NewSession(0, b""),
    NewSession(7, "echo \u00e9\n'\"\\".encode(), environment=(b"LANG=C", b"LC_ALL=C")),
    NewSession(8, b"sftp", subsystem=True),
    NewSession(9, b"top", tty=True, x11=True, agent=True, escape_char=126, terminal=b"xterm"),
    AliveCheck(1),
    Terminate(2),
    StopListening(0xFFFFFFFF),
    OpenForward(3, Forwarding(MUX_FWD_REMOTE, b"127.0.0.1", 0, b"localhost", 5432)),
    CloseForward(4, Forwarding(MUX_FWD_LOCAL, b"", 8080, b"db.internal", 0xFFFFFFFE)),
    NewStdioForward(5, b"2001:db8::1", 443),
]
FROM_MASTER: list[FromMaster] = [
    Hello(),
    Hello(4, ((b"info", b"0"),)),
    Ok(1),
    PermissionDenied(2, "Permission denied"),
    Failure(3, "Session open refused by peer"),
    SessionOpened(4, 2),
    Exit(2, 255),
    TtyAllocFail(2),
    Alive(5, 4242),
    RemotePort(6, 40001),
]


@pytest.mark.parametrize("message", FROM_CLIENT, ids=repr)
def test_what_a_client_encodes_a_master_decodes(message: FromClient) -> None:
    assert decode_from_client(encode(message)[4:]) == message


@pytest.mark.parametrize("message", FROM_MASTER, ids=repr)
def test_what_a_master_encodes_a_client_decodes(message: FromMaster) -> None:
    assert decode_from_master(encode(message)[4:]) == message


def test_the_bytes_of_new_session_are_those_of_the_document() -> None:
    body = b"\x10\0\0\x02\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\x04sftp"
    assert encode(NewSession(5, b"sftp", subsystem=True)) == len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("message", FROM_CLIENT, ids=repr)
def test_a_client_message_cut_short_or_followed_by_more_is_refused(message: FromClient) -> None:
    _refuses_cuts(message, decode_from_client)


@pytest.mark.parametrize("message", FROM_MASTER, ids=repr)
def test_a_master_message_cut_short_or_followed_by_more_is_refused(message: FromMaster) -> None:
    _refuses_cuts(message, decode_from_master)


def _refuses_cuts(message: FromClient | FromMaster, decode: Callable[[bytes], FromClient | FromMaster]) -> None:
    body = encode(message)[4:]
    for cut in range(len(body)):
        try:
            shorter = decode(body[:cut])
        except ProtocolError:
            continue
        # Open-ended lists (extensions, environment) may end earlier: that is another, valid message.
        assert isinstance(shorter, Hello | NewSession)
        assert shorter != message
    with pytest.raises(ProtocolError):
        decode(body + b"\0")


def test_an_unknown_type_is_refused() -> None:
    for decode in (decode_from_client, decode_from_master):
        with pytest.raises(ProtocolError, match="0x12345678"):
            decode(b"\x12\x34\x56\x78\0\0\0\0")


def test_a_nul_in_a_command_never_leaves_us_and_is_refused_from_others() -> None:
    with pytest.raises(ValueError, match="NUL"):
        encode(NewSession(1, b"a\0b"))
    body = Writer().u32(MUX_C_NEW_SESSION).u32(1).string(b"")
    for value in (0, 0, 0, 0, 0xFFFFFFFF):
        body.u32(value)
    with pytest.raises(ProtocolError, match="NUL"):
        decode_from_client(bytes(body.string(b"").string(b"a\0b")))


def test_a_packet_over_the_limit_is_neither_sent_nor_waited_for() -> None:
    with pytest.raises(ValueError, match="262144"):
        encode(NewSession(1, b"x" * PACKET_MAX))
    codec = MuxClientCodec()
    codec.receive_data((PACKET_MAX + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolError):
        codec.next_event()


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_packet_too_small_for_its_type_is_refused(length: int) -> None:
    codec = MuxServerCodec()
    codec.receive_data(length.to_bytes(4, "big"))
    with pytest.raises(ProtocolError):
        codec.next_event()


# --- conversations --------------------------------------------------------------------------------------------------


def _greeted() -> tuple[MuxClientCodec, MuxServerCodec]:
    client, server = MuxClientCodec(), MuxServerCodec()
    server.receive_data(client.send(Hello()))
    client.receive_data(server.send(Hello()))
    assert server.next_event() == Hello()
    assert client.next_event() == Hello()
    return client, server


def test_a_session_from_greeting_to_exit() -> None:
    client, server = _greeted()
    asked = NewSession(client.next_request_id(), b"true")
    server.receive_data(client.send(asked))
    assert server.next_event() == asked
    client.receive_data(server.send(SessionOpened(asked.request_id, 3)) + server.send(Exit(3, 7)))
    assert client.next_event() == SessionOpened(asked.request_id, 3)
    assert client.next_event() == Exit(3, 7)
    assert client.next_event() is None
    client.receive_eof()
    assert client.next_event() is CLOSED


@pytest.mark.parametrize(
    ("request_type", "answer"),
    [(AliveCheck, Alive(0, 99)), (Terminate, Ok(0)), (StopListening, Ok(0)), (AliveCheck, Failure(0, "no"))],
)
def test_each_request_gets_its_own_kind_of_answer(request_type: Callable[[int], Request], answer: FromMaster) -> None:
    client, server = _greeted()
    server.receive_data(client.send(request_type(client.next_request_id())))
    assert server.next_event() == request_type(0)
    client.receive_data(server.send(answer))
    assert client.next_event() == answer


def test_a_conversation_fed_byte_by_byte_gives_the_same_events() -> None:
    client, server = _greeted()
    asked = NewSession(client.next_request_id(), b"true")
    stream = client.send(asked)
    events: list[object] = []
    for i in range(len(stream)):
        assert server.bytes_wanted > 0
        server.receive_data(stream[i : i + 1])
        events.append(server.next_event())
    assert [e for e in events if e is not None] == [asked]
    assert events[-1] == asked


def test_bytes_wanted_never_reads_past_the_packet_so_that_descriptors_stay_in_the_socket() -> None:
    client, server = _greeted()
    stream = client.send(NewSession(0, b"true")) + b"\0\0\0"
    pos = 0
    while (event := server.next_event()) is None:
        wanted = server.bytes_wanted
        server.receive_data(stream[pos : pos + wanted])
        pos += wanted
    assert event == NewSession(0, b"true")
    assert stream[pos:] == b"\0\0\0"


def _client_hears(*packets: bytes, asked: Request | None = None) -> MuxClientCodec:
    client = MuxClientCodec()
    client.send(Hello())
    if asked is not None:
        client.send(asked)
    client.receive_data(b"".join(packets))
    return client


@pytest.mark.parametrize(
    ("packets", "asked"),
    [
        ([encode(Ok(0))], None),  # before its greeting
        ([encode(Hello(5))], None),  # another version
        ([encode(Hello()), encode(Hello())], None),
        ([encode(Hello()), encode(Alive(1, 5))], AliveCheck(0)),  # an id that nobody used
        ([encode(Hello()), encode(Alive(0, 5)), encode(Alive(0, 5))], AliveCheck(0)),  # twice
        ([encode(Hello()), encode(Ok(0))], AliveCheck(0)),  # the wrong kind
        ([encode(Hello()), encode(Exit(1, 0))], NewSession(0, b"x")),  # before it opened
        ([encode(Hello()), encode(SessionOpened(0, 1)), encode(Exit(2, 0))], NewSession(0, b"x")),
        ([encode(Hello()), encode(SessionOpened(0, 1)), encode(Exit(1, 0)), encode(Exit(1, 0))], NewSession(0, b"x")),
        ([encode(Hello()), encode(SessionOpened(0, 1)), encode(TtyAllocFail(2))], NewSession(0, b"x")),
        ([encode(Hello()), encode(AliveCheck(0))], None),  # a client's message
    ],
)
def test_a_master_that_breaks_the_rules_is_a_protocol_error(packets: list[bytes], asked: Request | None) -> None:
    client = _client_hears(*packets, asked=asked)
    for _ in packets[:-1]:
        client.next_event()
    with pytest.raises(ProtocolError):
        client.next_event()


def test_an_end_inside_a_packet_is_a_protocol_error() -> None:
    client = _client_hears(encode(Hello())[:-1])
    client.receive_eof()
    with pytest.raises(ProtocolError):
        client.next_event()


def test_nothing_comes_behind_the_end() -> None:
    client = _client_hears(encode(Hello()))
    client.receive_eof()
    with pytest.raises(ProtocolError):
        client.receive_data(b"x")


def test_our_own_misuse_is_a_value_error_and_not_the_peers_fault() -> None:
    client = MuxClientCodec()
    with pytest.raises(ValueError, match="HELLO"):
        client.send(AliveCheck(0))
    client.send(Hello())
    with pytest.raises(ValueError, match="once"):
        client.send(Hello())
    client.send(NewSession(0, b"x"))
    with pytest.raises(ValueError, match="outstanding"):
        client.send(AliveCheck(0))
    with pytest.raises(ValueError, match="one session"):
        client.send(NewSession(1, b"x"))


def test_the_masters_half_refuses_replies_that_nobody_requested() -> None:
    _, server = _greeted()
    for message in (Ok(0), Exit(1, 0), TtyAllocFail(1), Hello()):
        with pytest.raises(ValueError):
            server.send(message)


def test_a_client_that_breaks_the_rules_is_a_protocol_error() -> None:
    server = MuxServerCodec()
    server.receive_data(encode(AliveCheck(0)))
    with pytest.raises(ProtocolError, match="greet"):
        server.next_event()
    _, server = _greeted()
    server.receive_data(encode(AliveCheck(0)) * 2)
    server.next_event()
    with pytest.raises(ProtocolError, match="twice"):
        server.next_event()


_PIECES = st.one_of(
    st.binary(max_size=64),
    st.sampled_from([encode(m) for m in (*FROM_CLIENT, *FROM_MASTER)]),
    st.binary(min_size=4, max_size=40).map(lambda body: len(body).to_bytes(4, "big") + body),
)


@given(st.lists(_PIECES, max_size=8), st.sampled_from([MuxClientCodec, MuxServerCodec]))
def test_garbage_is_parsed_or_refused_and_never_anything_else(
    pieces: list[bytes], half: type[MuxClientCodec | MuxServerCodec]
) -> None:
    codec = half()
    codec.send(Hello())
    try:
        for piece in pieces:
            codec.receive_data(piece)
            while codec.next_event() is not None:
                pass
        codec.receive_eof()
        while codec.next_event() not in (None, CLOSED):
            pass
    except ProtocolError:
        pass
