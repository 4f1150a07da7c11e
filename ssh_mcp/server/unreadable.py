"""Replies to requests that are not JSON-RPC: the SDK drops what it cannot parse, and its sender would wait for ever.

Python's JSON writers send half a surrogate pair as it is, pydantic's reader takes none, and nesting beyond its limit
neither. What shows an id and a method gets JSON-RPC's "Parse error" or "Invalid Request" (JSON-RPC 2.0,
section 5.1); what shows none is nobody's question, and is logged.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import ErrorData, JSONRPCError
from pydantic import ValidationError

if TYPE_CHECKING:
    import contextvars
    from types import TracebackType

logger = logging.getLogger("ssh_mcp")

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
_LOOKED_AT: Final = 4096
"""Characters in which the id of a text that is not JSON is searched, from its beginning and in front of ``params``."""
_ID = re.compile(r'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{0,256}")\s*[,}]')
_METHOD = re.compile(r'"method"\s*:')


def reply_to(error: Exception) -> JSONRPCError | None:
    """What to say to a message that could not be parsed; None where nobody can be reached."""
    if not isinstance(error, ValidationError):
        return None
    for complaint in error.errors(include_url=False, include_context=False):
        given = complaint["input"]
        if complaint["type"] == "json_invalid" and isinstance(given, str):
            asked = _id_of_text(given)
            return asked and _refusal(asked[0], PARSE_ERROR, "The message is not valid JSON")
        if isinstance(given, dict) and "method" in given and _is_id(given.get("id")):
            return _refusal(given["id"], INVALID_REQUEST, "The message is not a valid request")
    return None


def _refusal(request_id: str | int, code: int, what: str) -> JSONRPCError:
    message = f"{what}, and nothing was done. Send it again without half surrogate pairs and very deep nesting."
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message))


def _id_of_text(text: str) -> tuple[str | int] | None:
    """The id of a request, found by a more lenient parser or else in what precedes its parameters."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        head = text[:_LOOKED_AT].partition('"params"')[0]
        found = _ID.search(head)
        return (json.loads(found[1]),) if found and _METHOD.search(head) else None
    if isinstance(message, dict) and "method" in message and _is_id(message.get("id")):
        return (message["id"],)
    return None


def _is_id(value: object) -> bool:
    """Whether a reply can carry it: text that UTF-8 can, or a number."""
    if isinstance(value, str):
        return not re.search("[\ud800-\udfff]", value)
    return isinstance(value, int) and not isinstance(value, bool)


@asynccontextmanager
async def with_replies(streams: AbstractAsyncContextManager[tuple[Any, Any]]) -> AsyncIterator[tuple[Any, Any]]:
    """The SDK's pair of streams, which replies to unreadable messages on the way."""
    async with streams as (reading, writing):
        yield _Answered(reading, writing), writing


class _Answered:
    """A read stream of the SDK (its ``ReadStream``) that passes everything on."""

    def __init__(self, reading: Any, writing: Any) -> None:
        self._reading = reading
        self._writing = writing

    @property
    def last_context(self) -> contextvars.Context | None:
        """The context that the last message was sent in."""
        found: contextvars.Context | None = self._reading.last_context
        return found

    async def receive(self) -> Any:
        item = await self._reading.receive()
        if isinstance(item, Exception):
            reply = reply_to(item)
            if reply is None:
                logger.warning("a message that is not JSON-RPC was dropped")
            else:
                try:
                    await self._writing.send(SessionMessage(reply))
                except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                    logger.debug("an unreadable message came while the server was ending")
        return item

    def close(self) -> None:
        self._reading.close()

    async def aclose(self) -> None:
        await self._reading.aclose()

    def __aiter__(self) -> _Answered:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
