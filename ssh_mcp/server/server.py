"""FastMCP's server, without the store of session state that nothing here uses.

At each listing and each call FastMCP asks a key-value store whether the session switched components on or off. The
first question imports that store, whose package compiles a type check for each of its 220 functions while it is
imported: 0.3 s between the reply to ``initialize`` and the first to ``tools/list``, which is nearly all that a first
listing takes. Nothing of ours keeps session state, so the reply is "nothing is kept" until something is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastmcp import FastMCP
from fastmcp.exceptions import NotFoundError, ToolError
from mcp.shared.exceptions import MCPError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastmcp.tools.base import ToolResult
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext


CACHED = ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "server/discover")


class Server(FastMCP[None]):
    """FastMCP with its store of session state made when something is first kept in it.

    ``refuse_absent`` gets name and arguments of each call of a tool that is not there, and returns the sentence for the
    client where the tool is closed or misspelt, or None where FastMCP's own reply will do.
    """

    _keeps_state = False
    refuse_absent: Callable[[str, Mapping[str, Any]], str | None] | None = None

    async def call_tool(self, name: str, arguments: dict[str, Any] | None = None, **options: Any) -> ToolResult:
        """As FastMCP's. Raises NotFoundError for an unknown tool, ToolError for a closed or misspelt one."""
        try:
            return await super().call_tool(name, arguments, **options)
        except NotFoundError as error:
            # FastMCP calls itself once more below its middleware: the innermost call decides.
            if self.refuse_absent is not None and not hasattr(error, "noted"):
                error.noted = True  # type: ignore[attr-defined]
                sentence = self.refuse_absent(name, arguments or {})
                if sentence is not None:
                    raise ToolError(sentence, log_level=logging.DEBUG) from None
            raise

    def describe(self, title: str, *, cache_lists: int) -> None:
        """A title for people. Clients of the 2026-07-28 protocol may keep lists for ``cache_lists`` seconds (SEP-2549):
        they do not change while the server runs. FastMCP's own option covers resources too, which are live here.
        """
        from mcp.server.caching import CacheHint

        hint = CacheHint(ttl_ms=cache_lists * 1000, scope="private")
        self._mcp_server.title = title
        self._mcp_server.cache_hints.update(dict.fromkeys(CACHED, hint))

    def on_bad_state(self, note: Callable[[str, Mapping[str, Any]], None]) -> None:
        """Have ``note`` get name and arguments of each call whose request state FastMCP's seal rejects.

        The seal is checked before anything else sees the call, and the client gets a protocol error for it.
        """

        async def watch(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
            try:
                return await call_next(ctx)
            except MCPError as error:
                if error.data == {"reason": "invalid_request_state"} and ctx.method == "tools/call":
                    given = dict(ctx.params or {})
                    arguments = given.get("arguments")
                    note(str(given.get("name")), arguments if isinstance(arguments, dict) else {})
                raise

        self._mcp_server.middleware.insert(0, watch)

    @property
    def _state_store(self) -> Any:  # the real one's type would import what this class spares
        return super()._state_store if self._keeps_state else _NothingKept(self)


class _NothingKept:
    """Replaces the store while that would be empty."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def get(self, **asked: Any) -> Any:
        return await self._server._state_store.get(**asked) if self._server._keeps_state else None  # noqa: SLF001

    async def delete(self, **asked: Any) -> Any:
        return await self._server._state_store.delete(**asked) if self._server._keeps_state else False  # noqa: SLF001

    async def put(self, **kept: Any) -> Any:
        self._server._keeps_state = True  # noqa: SLF001
        return await self._server._state_store.put(**kept)  # noqa: SLF001
