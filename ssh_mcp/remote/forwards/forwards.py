"""The forwards of this server: opened on permission, listed, and ended by close, time, quiet or the server's own end.

Local and dynamic forwards listen on a socket of ours: bound before its port is returned, held by no other process.
Closing it refuses at once, also when this process is killed. Remote ones are the host's to listen on.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import InvalidArgument, Refusal
from ssh_mcp.policy.forwards import Kind, PermittedTarget, permit, require_dynamic
from ssh_mcp.remote.admission import handle
from ssh_mcp.remote.confirming import tool_matches
from ssh_mcp.remote.forwards import socks
from ssh_mcp.remote.forwards.streams import LOOPBACK, Acceptor, Target, listen
from ssh_mcp.remote.host import connection_of
from ssh_mcp.results.forwards import ForwardClosed, ForwardEntry, ForwardList, ForwardOpened
from transports.errors import SessionRefused, TransportError

if TYPE_CHECKING:
    from ssh_mcp.remote.caller import Caller
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Connection, ForwardedStream, RemoteListener

MAX_FORWARDS: Final = 32
"""Open forwards of a server."""
TTL_MAX: Final = 7 * 86_400
"""Seconds: the longest life of a forward."""
_TEND_EVERY: Final = 1.0
"""Seconds between two looks for what has expired."""
_SOCKS_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 10.0


@dataclass(slots=True)
class Forward:
    """One open forward. Times are of ``time.monotonic``."""

    id: str
    kind: Kind
    alias: str
    target: str
    identity: str
    expires_at: float
    idle_limit: int
    acceptor: Acceptor | None = None
    listener: RemoteListener | None = None

    @property
    def listen(self) -> str:
        """Where it listens: on this machine, or for a remote one on the host."""
        port = self.acceptor.port if self.acceptor is not None else self.listener.port if self.listener else 0
        return f"{LOOPBACK}:{port}"

    @property
    def expires(self) -> str:
        """UTC."""
        left = self.expires_at - time.monotonic()
        return datetime.fromtimestamp(time.time() + left, UTC).isoformat()[:19] + "Z"

    @property
    def connections(self) -> int | None:
        """How many it carries now; None for a remote one, whose host does not say."""
        return None if self.acceptor is None else self.acceptor.connections

    @property
    def idle_seconds(self) -> float | None:
        """Since it last carried anything; None where that is not known."""
        return None if self.acceptor is None else round(self.acceptor.idle_seconds, 1)

    @property
    def over(self) -> bool:
        """Whether its time is up, or it has been quiet for as long as was asked for."""
        quiet = self.acceptor is not None and self.idle_limit and self.acceptor.idle_seconds >= self.idle_limit
        return time.monotonic() >= self.expires_at or bool(quiet)

    async def aclose(self) -> bool:
        """Stop listening; False where the host goes on accepting."""
        if self.acceptor is not None:
            await self.acceptor.aclose()
        if self.listener is None:
            return True
        with suppress(TransportError), anyio.move_on_after(_CLOSE_SECONDS):
            return await self.listener.close()
        return False


class Forwards:
    """One per server."""

    def __init__(self) -> None:
        self._open: dict[str, Forward] = {}
        self._ending: set[asyncio.Task[bool]] = set()
        self._tending: asyncio.Task[None] | None = None

    def all(self) -> tuple[Forward, ...]:
        """Every open forward, for the operator."""
        return tuple(self._open.values())

    async def open(
        self, host: RemoteHost, target: str, kind: Kind, *, ttl: int, listen_port: int | None, idle: int
    ) -> ForwardOpened:
        """Listen, and say where. Raises InvalidArgument, ForwardNotAllowed, HostBlocked, SessionRefused."""
        _check(ttl, listen_port, idle)
        if len(self._open) >= MAX_FORWARDS:
            raise InvalidArgument(f"{MAX_FORWARDS} forwards are open.", "Close one with ssh_forward_close.")
        permitted = _permitted(host, target, kind)
        host.call.note_command(f"forward {kind} {permitted or ''}".rstrip())
        await host.call.confirm(tool_matches(host.call), f"forward {kind} {permitted or 'SOCKS'}")
        forward = Forward(
            id=handle(f"f-{secrets.token_hex(4)}", host.settings.mcp_instance),
            kind=kind,
            alias=host.alias,
            target=str(permitted) if permitted is not None else "",
            identity=host.call.caller.identity,
            expires_at=time.monotonic() + ttl,
            idle_limit=idle,
        )
        if kind == "remote" and permitted is not None:
            forward.listener = await connection_of(host).listen_on_host(
                listen_port or 0, permitted.host, permitted.port
            )
        else:
            forward.acceptor = await _accepting(host, permitted, listen_port)
        self._open[forward.id] = forward
        if self._tending is None:
            self._tending = asyncio.get_running_loop().create_task(self._tend())
        return ForwardOpened(
            forward_id=forward.id,
            kind=kind,
            listen=forward.listen,
            target=forward.target,
            host=host.name,
            expires=forward.expires,
        )

    def list(self, caller: Caller) -> ForwardList:
        """The caller's own forwards."""
        return ForwardList(
            forwards=[
                ForwardEntry(
                    forward_id=f.id,
                    kind=f.kind,
                    listen=f.listen,
                    target=f.target,
                    host=f.alias,
                    expires=f.expires,
                    connections=f.connections,
                    idle_seconds=f.idle_seconds,
                )
                for f in self._open.values()
                if f.identity == caller.identity
            ]
        )

    async def close(self, forward_id: str, caller: Caller) -> ForwardClosed:
        """End one. Raises InvalidArgument for an id that is not the caller's."""
        forward = self._open.get(forward_id)
        if forward is None or forward.identity != caller.identity:
            raise InvalidArgument(f"There is no forward {forward_id[:40]!r}.", "ssh_forward_list shows those open.")
        del self._open[forward_id]
        closed = await forward.aclose()
        if not closed:
            self._open[forward_id] = forward
            raise SessionRefused(
                f"{forward.alias} still accepts connections at {forward.listen}.",
                "End the connection with ssh-mcp disconnect, which takes the port with it.",
                sent=True,
            )
        return ForwardClosed(closed=True)

    async def _tend(self) -> None:
        while True:
            await anyio.sleep(_TEND_EVERY)
            for forward in [f for f in self._open.values() if f.over]:
                del self._open[forward.id]
                ending = asyncio.get_running_loop().create_task(forward.aclose())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)

    async def aclose(self) -> None:
        """End all. Bounded."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait((self._tending,))
        forwards, self._open = list(self._open.values()), {}
        await asyncio.gather(*(f.aclose() for f in forwards), *self._ending, return_exceptions=True)


def _check(ttl: int, listen_port: int | None, idle: int) -> None:
    if not 1 <= ttl <= TTL_MAX or not 0 <= idle <= TTL_MAX:
        raise InvalidArgument(f"ttl {ttl} or idle {idle} is out of range.", f"Seconds, at most {TTL_MAX}.")
    if listen_port is not None and not 1024 <= listen_port <= 65535:
        raise InvalidArgument(f"listen_port {listen_port} is out of range.", "Give 1024 to 65535, or leave it out.")


def _permitted(host: RemoteHost, target: str, kind: Kind) -> PermittedTarget | None:
    policy = host.policy.forwards
    if kind != "dynamic":
        return permit(target, policy, kind, host.call.fleet.inventory.blocked)
    require_dynamic(policy)
    if target:
        raise InvalidArgument("A dynamic forward has no target.", 'Give target="".')
    return None


async def _accepting(host: RemoteHost, permitted: PermittedTarget | None, port: int | None) -> Acceptor:
    """A local listener; for one target, once the target was seen to accept connections."""
    connection = connection_of(host)
    if permitted is None:
        await connection.login()
        target = _dynamic(host)
    else:
        await _reach(connection, permitted)
        target = _fixed(connection, permitted)
    try:
        sock = listen(port)
    except OSError as error:
        raise InvalidArgument(
            f"127.0.0.1:{port} cannot be listened on: {error.strerror or error}.", "Leave listen_port out."
        ) from None
    return Acceptor(sock, target)


async def _reach(connection: Connection, permitted: PermittedTarget) -> None:
    """Connect once, so that what cannot be reached is said now and not at the first use."""
    ours, far = socket.socketpair()
    with ours, far:
        stream = await connection.connect_through(permitted.host, permitted.port, (far.fileno(), far.fileno()))
        stream.close()


def _fixed(connection: Connection, permitted: PermittedTarget) -> Target:
    async def connect(_conn: socket.socket, fds: tuple[int, int]) -> ForwardedStream:
        return await connection.connect_through(permitted.host, permitted.port, fds)

    return connect


def _dynamic(host: RemoteHost) -> Target:
    """SOCKS: each connection names its target, and each target is decided on."""
    connection, policy, blocked = connection_of(host), host.policy.forwards, host.call.fleet.inventory.blocked

    async def connect(conn: socket.socket, fds: tuple[int, int]) -> ForwardedStream:
        with anyio.fail_after(_SOCKS_SECONDS):
            asked = await _socks_request(conn)
        loop = asyncio.get_running_loop()
        name = f"[{asked.host}]" if ":" in asked.host else asked.host
        try:
            permitted = permit(f"{name}:{asked.port}", policy, "dynamic", blocked)
            stream = await connection.connect_through(permitted.host, permitted.port, fds)
        except (Refusal, TransportError) as error:
            with contextlib.suppress(OSError):
                await loop.sock_sendall(conn, asked.refused)
            raise ConnectionRefusedError(str(error)) from None
        await loop.sock_sendall(conn, asked.granted)
        return stream

    return connect


async def _socks_request(conn: socket.socket) -> socks.Request:
    """Raises OSError for what is no CONNECT. Bytes behind the request stay in the socket: they are the target's."""
    loop = asyncio.get_running_loop()
    data = b""
    try:
        while (greeting := socks.greeting(data)) is None:
            data += await _some(loop, conn)
        if greeting:
            await loop.sock_sendall(conn, greeting)
        data = data[socks.greeting_length(data) :]
        while (asked := socks.request(data)) is None:
            data += await _some(loop, conn)
    except socks.SocksError as error:
        with contextlib.suppress(OSError):
            await loop.sock_sendall(conn, error.reply)
        raise ConnectionRefusedError(str(error)) from None
    return asked


async def _some(loop: asyncio.AbstractEventLoop, conn: socket.socket) -> bytes:
    """One byte: whatever follows the request must stay in the socket."""
    data = await loop.sock_recv(conn, 1)
    if not data:
        raise ConnectionResetError
    return data
