"""HTTP transports: a bearer token on every request, from the operator's file or a fresh one of this server.

Other accounts of this machine reach loopback too, so that a server there makes a token of its own unless the operator
opens it with MCP_HTTP_LOCAL_OPEN. Against DNS rebinding FastMCP's guard checks Host and Origin; on loopback it is
strict. The operator's file is read again when it changes, so that a token can be rotated without a restart.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ssh_mcp.errors import ConfigError
from ssh_mcp.runtime import runtime_directory
from ssh_mcp.server.http_protocol import BACKLOG, GuardedProtocol
from ssh_mcp.settings.model import Settings, is_loopback
from ssh_mcp.settings.trusted import read_trusted

if TYPE_CHECKING:
    from fastmcp.server.auth import AuthProvider

MIN_TOKEN_CHARS = 16
HEALTH = "/healthz"
"""Says that the server serves, and nothing else: without a token, for load balancers and container engines."""


class Token(Protocol):
    """Where the token in force comes from."""

    def current(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class HttpPlan:
    """Keyword arguments of FastMCP's ``run_http_async``, and the token that must be written before the first client."""

    options: dict[str, Any]
    fresh: FreshToken | None = None
    auth: AuthProvider | None = None
    """Verifies tokens instead of the shared one."""


def http_plan(settings: Settings) -> HttpPlan:
    """How to serve HTTP. Raises ConfigError where the token file is unusable or missing beyond loopback."""
    loopback = is_loopback(settings.mcp_http_host)
    options: dict[str, Any] = {
        "transport": "sse" if settings.mcp_transport == "sse" else "streamable-http",
        "host": settings.mcp_http_host,
        "port": settings.mcp_http_port,
        "host_origin_protection": True if loopback else "auto",
        "path": "/sse" if settings.mcp_transport == "sse" else "/mcp",
        # No log configuration of uvicorn's own: its lines go where ours go, to stderr.
        "uvicorn_config": {
            "lifespan": "on",
            "timeout_graceful_shutdown": 3,
            "access_log": False,
            "log_config": None,
            "http": GuardedProtocol,
            "backlog": BACKLOG,
        },
    }
    if settings.mcp_auth != "bearer":
        from ssh_mcp.server.auth import provider

        return HttpPlan(options, auth=provider(settings))
    if settings.mcp_http_token_file:
        file = TokenFile(Path(settings.mcp_http_token_file).expanduser())
        return HttpPlan({**options, "middleware": [Middleware(BearerGate, token=file)]})
    if not loopback:
        raise ConfigError(
            f"MCP_HTTP_HOST={settings.mcp_http_host} is reachable from other machines and MCP_HTTP_TOKEN_FILE is not "
            "set. Set it to a file that holds a random token, or use 127.0.0.1."
        )
    if settings.mcp_http_local_open:
        return HttpPlan(options)
    fresh = FreshToken()
    return HttpPlan({**options, "middleware": [Middleware(BearerGate, token=fresh)]}, fresh)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, bound before anything else is set up. Raises ConfigError where that cannot be."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise ConfigError(
            f"MCP_HTTP_HOST={host}, MCP_HTTP_PORT={port}: cannot listen there: {reason}. Use another address or port."
        ) from None


async def health(_request: Request) -> JSONResponse:
    """The reply at ``/healthz``."""
    return JSONResponse({"status": "ok"})


class FreshToken:
    """A random token for the life of this server, in a file that only this user can read."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(32)
        self._path: Path | None = None

    def current(self) -> bytes:
        """The token in force."""
        return self._token.encode()

    def write(self, port: int) -> Path:
        """Write ``http-PORT.token`` (0600) to the runtime directory. Raises ConfigError where that cannot be."""
        path = fresh_token_file(port)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{self._token}\n")
            part.replace(path)
        except OSError as error:
            raise ConfigError(f"The token file {path} cannot be written: {error.strerror}.") from None
        self._path = path
        return path

    def remove(self) -> None:
        """Remove the file, unless another server on the same port has replaced it."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            if self._path.read_text(encoding="ascii").strip() == self._token:
                self._path.unlink()


def fresh_token_file(port: int) -> Path:
    """Where a server on loopback puts the token it made."""
    return runtime_directory() / f"http-{port}.token"


class TokenFile:
    """The token in a file: first line, read again when the file changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._token = b""
        self.current()

    def current(self) -> bytes:
        """The token now in force. Raises ConfigError at start; later a broken file keeps the old token in force."""
        try:
            status = self._path.stat()
            if self._stamp == (status.st_mtime_ns, status.st_ino):
                return self._token
            token = self._read()
        except (OSError, ConfigError) as error:
            if self._token:
                return self._token
            reason = str(error).removeprefix(f"{self._path}: ")
            raise ConfigError(f"MCP_HTTP_TOKEN_FILE={self._path}: {reason}") from None
        self._stamp, self._token = (status.st_mtime_ns, status.st_ino), token.encode()
        return self._token

    def _read(self) -> str:
        try:
            text = read_trusted(self._path, secret=True).decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigError("is not UTF-8 text. Write a random token into it.") from None
        token = text.split("\n", 1)[0].strip()
        if len(token) < MIN_TOKEN_CHARS:
            raise ConfigError(
                f"holds a token of {len(token)} characters. "
                f"Put at least {MIN_TOKEN_CHARS} random ones on its first line."
            )
        return token


class BearerGate:
    """ASGI: lets a request through only with ``Authorization: Bearer <token>``, compared in constant time."""

    def __init__(self, app: ASGIApp, token: Token) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it
            return
        if scope["type"] == "http" and scope["path"] != HEALTH and not self._authorised(scope):
            refusal = JSONResponse(
                {"error": "unauthorized"}, status_code=401, headers={"WWW-Authenticate": 'Bearer realm="ssh-mcp"'}
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _authorised(self, scope: Scope) -> bool:
        values = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        if len(values) != 1:
            return False
        scheme, _, given = values[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token.current())
