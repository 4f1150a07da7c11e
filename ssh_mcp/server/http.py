"""HTTP transports: loopback is free, any other address needs a bearer token from a file.

Against DNS rebinding FastMCP's guard checks Host and Origin; on loopback it is strict. The token file is read again
when it changes, so that a token can be rotated without a restart.
"""

from __future__ import annotations

import hmac
import os
import socket
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ssh_mcp.errors import ConfigError
from ssh_mcp.settings.model import Settings, is_loopback

MIN_TOKEN_CHARS = 16


def http_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of FastMCP's ``run_http_async``. Raises ConfigError where the token file is unusable."""
    loopback = is_loopback(settings.mcp_http_host)
    options: dict[str, Any] = {
        "transport": "sse" if settings.mcp_transport == "sse" else "streamable-http",
        "host": settings.mcp_http_host,
        "port": settings.mcp_http_port,
        "host_origin_protection": True if loopback else "auto",
        "path": "/sse" if settings.mcp_transport == "sse" else "/mcp",
        # No log configuration of uvicorn's own: its lines go where ours go, to stderr.
        "uvicorn_config": {"lifespan": "on", "timeout_graceful_shutdown": 3, "access_log": False, "log_config": None},
    }
    if settings.mcp_http_token_file:
        token = TokenFile(Path(settings.mcp_http_token_file).expanduser())
        options["middleware"] = [Middleware(BearerGate, token=token)]
    elif not loopback:
        raise ConfigError(
            f"MCP_HTTP_HOST={settings.mcp_http_host} is reachable from other machines and MCP_HTTP_TOKEN_FILE is not "
            "set. Set it to a file that holds a random token, or use 127.0.0.1."
        )
    return options


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


class TokenFile:
    """The token in a file: first line, read anew when the file changed."""

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
            if os.name == "posix" and status.st_mode & 0o077:
                raise ConfigError(f"MCP_HTTP_TOKEN_FILE={self._path} can be read by others. Run chmod 600 on it.")
            token = self._path.read_text(encoding="utf-8").split("\n", 1)[0].strip()
            if len(token) < MIN_TOKEN_CHARS:
                raise ConfigError(
                    f"MCP_HTTP_TOKEN_FILE={self._path} holds a token of {len(token)} characters. "
                    f"Put at least {MIN_TOKEN_CHARS} random ones on its first line."
                )
        except (OSError, UnicodeDecodeError) as error:
            if self._token:
                return self._token
            raise ConfigError(f"MCP_HTTP_TOKEN_FILE={self._path} cannot be read: {error}.") from None
        except ConfigError:
            if self._token:
                return self._token
            raise
        self._stamp, self._token = (status.st_mtime_ns, status.st_ino), token.encode()
        return self._token


class BearerGate:
    """ASGI: lets a request through only with ``Authorization: Bearer <token>``, compared in constant time."""

    def __init__(self, app: ASGIApp, token: TokenFile) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it
            return
        if scope["type"] == "http" and not self._authorised(scope):
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
