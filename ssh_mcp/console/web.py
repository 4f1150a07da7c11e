"""The console in a browser: Textual's web server on loopback, behind a token that opens it once.

The address that is printed holds the token; the first visit trades it for a cookie and the token is void. Every request
must name this server as its host (a page elsewhere whose name was made to resolve to loopback does not), and the
WebSocket must come from a page of ours. The page loads nothing from elsewhere.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web
from textual_serve.server import Server

COOKIE: Final = "ssh_mcp_console"
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebConsole(Server):
    """One console process per browser tab."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen()  # before the address is printed, so that it can be opened at once
        port = self.socket.getsockname()[1]
        self.own = f"127.0.0.1:{port}"
        self.token: str | None = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)
        super().__init__(
            shlex.join([sys.executable, "-m", "ssh_mcp", "console"]),
            host="127.0.0.1",
            port=port,
            title="ssh-mcp console",
            templates_path=Path(__file__).parent / "templates",
        )

    @property
    def address(self) -> str:
        """Where to go, once."""
        return f"http://{self.own}/?token={self.token}"

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()

        @web.middleware
        async def guarded(request: web.Request, handler: _Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        app.middlewares.append(guarded)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Nothing to print: the caller has."""

    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.host != self.own or request.headers.get("Origin") not in (None, f"http://{self.own}"):
            raise web.HTTPForbidden(text="This is not the address of the console.")
        given = request.query.get("token", "")
        if self.token is not None and request.path == "/" and hmac.compare_digest(given.encode(), self.token.encode()):
            self.token = None
            response = web.HTTPSeeOther("/")
            response.set_cookie(COOKIE, self._cookie, httponly=True, samesite="Strict")
            raise response
        if not hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self._cookie.encode()):
            raise web.HTTPForbidden(text="Open the address that ssh-mcp console --web printed; it works once.")
        response_ = await handler(request)
        if not response_.prepared:
            response_.headers["Content-Security-Policy"] = _POLICY.format(host=self.own)
            response_.headers["Referrer-Policy"] = "no-referrer"
            response_.headers["Cache-Control"] = "no-store"
        return response_


def serve(port: int) -> int:
    """Serve until Ctrl+C. Raises OSError where the port is taken."""
    logging.getLogger("aiohttp.access").setLevel(logging.ERROR)
    server = WebConsole(port)
    sys.stdout.write(f"Open this address within this browser only; it works once:\n{server.address}\n")
    sys.stdout.flush()
    web.run_app(server._make_app(), sock=server.socket, print=None)  # noqa: SLF001 - textual-serve's only way in
    return 0
