"""FastMCP's view of a tool: an entry of the catalogue whose only way to run is the runner."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

import mcp_types
from fastmcp.exceptions import ToolError
from fastmcp.server.context import Context
from fastmcp.server.dependencies import get_access_token, get_context
from fastmcp.tools.base import Tool, ToolResult
from fastmcp.utilities.tasks import TaskConfig
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import PrivateAttr

from ssh_mcp.approval.channels import ClientChannel, NoClient, QuestionForClient
from ssh_mcp.inventory.roles import claims_of
from ssh_mcp.remote.call import ProgressSender, no_progress
from ssh_mcp.remote.caller import LOCAL, NO_SESSION, Caller
from ssh_mcp.results.base import Result
from ssh_mcp.tools.catalogue import Entry, lean
from ssh_mcp.tools.elicitation import McpClient, as_result
from ssh_mcp.tools.runner import Runner, ToolFailed
from ssh_mcp.tools.text_form import text_form

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken

HINT_DEFAULTS = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}
"""What a hint is where a server does not say (MCP 2025-11-25, ToolAnnotations)."""

ONLY_FOR_WRITERS = frozenset({"destructiveHint", "idempotentHint"})
"""Hints that mean nothing beside readOnlyHint (the same)."""

CLIENT_MAX = 120
"""Characters of a client's own name that are kept."""


class RegisteredTool(Tool):
    """Holds no function: what it does is decided by the registry, through the runner."""

    _entry: Entry = PrivateAttr()
    _runner: Runner = PrivateAttr()

    @classmethod
    def of(cls, entry: Entry, runner: Runner, *, small: bool = False) -> Self:
        """Wrap one entry. ``small`` lists it in half the bytes: without result schema, limits, empty defaults
        and hints that are the protocol's defaults.

        Arguments are validated and results are structured all the same.
        """
        made = cls(
            name=entry.name,
            description=entry.description,
            parameters=lean(entry.input_schema) if small else entry.input_schema,
            output_schema=None if small else entry.output_schema,
            annotations=mcp_types.ToolAnnotations.model_validate(
                _saying_something(entry.annotations) if small else entry.annotations
            ),
            tags={entry.group, entry.tier.value},
            task_config=TaskConfig(mode="forbidden"),
        )
        made._entry = entry
        made._runner = runner
        return made

    def to_mcp_tool(self, **overrides: Any) -> mcp_types.Tool:
        """As listed: without the title that FastMCP makes of the name and the tags it puts beside it, 8 kB in all."""
        return super().to_mcp_tool(**overrides).model_copy(update={"title": None, "meta": None})

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Run through the runner. Raises ToolError with the client's sentence."""
        try:
            result = await self._runner.run(self._entry, arguments, self._progress(), self._caller(), self._client())
        except QuestionForClient as question:
            return as_result(question)
        except ToolFailed as failed:
            # The audit has the failure; FastMCP's log would only say once more that there was one.
            raise ToolError(str(failed), log_level=logging.DEBUG) from None
        return as_tool_result(result)

    def _caller(self) -> Caller:
        """Who calls."""
        return caller()

    def _client(self) -> ClientChannel:
        """How its user can be asked."""
        return client_channel()

    def _progress(self) -> ProgressSender:
        """Where this call's progress goes."""
        return _progress_sender()


def as_tool_result(result: Result) -> ToolResult:
    """Structured content, and the same as text without what says nothing, for clients that read only text.

    Made without validation: it is plain JSON already, and FastMCP would turn a thousand rows into themselves.
    """
    structured = result.model_dump(mode="json")
    text = mcp_types.TextContent(type="text", text=text_form(result))
    return ToolResult.model_construct(content=[text], structured_content=structured, meta=None, is_error=False)


def client_channel() -> ClientChannel:
    """How the client of the request under way can ask its user."""
    try:
        context: Context = get_context()
        context.session  # noqa: B018 - raises where there is none
    except RuntimeError:
        return NoClient()
    return McpClient(context)


def caller() -> Caller:
    """Who sent the request under way. The client's own words about itself are for the audit alone."""
    try:
        context: Context = get_context()
        session = context.session
    except RuntimeError:
        return Caller()
    known = session.client_params
    client = f"{known.client_info.name} {known.client_info.version}"[:CLIENT_MAX] if known is not None else None
    if context.transport not in {"sse", "streamable-http"}:
        return Caller(client=client)
    identity, claims = identified(get_access_token())
    # requests of the 2026-07-28 protocol have no session
    modern = session.protocol_version in MODERN_PROTOCOL_VERSIONS
    return Caller(identity, client, NO_SESSION if modern else context.session_id, claims)


def identified(token: AccessToken | None) -> tuple[str, tuple[str, ...]]:
    """Identity and claims of a token that was verified; None: the local user, whose name no token can take."""
    if token is None:
        return LOCAL, ()
    subject = token.subject or token.client_id
    return f"token:{subject}" if subject == LOCAL else subject, claims_of(getattr(token, "claims", {}))


def _progress_sender() -> ProgressSender:
    try:
        context: Context = get_context()
    except RuntimeError:
        return no_progress
    request = context.request_context
    if request is None or (request.meta or {}).get("progressToken") is None:
        # FastMCP would look for a background task instead, and load docket to look: 0.4 s in the middle of a call.
        return no_progress

    async def send(done: float, total: float | None, message: str | None) -> None:
        await context.report_progress(done, total, message)

    return send


def _saying_something(hints: dict[str, bool]) -> dict[str, bool]:
    """Those that are not the protocol's defaults, or without a meaning."""
    read_only = hints.get("readOnlyHint", False)
    return {
        name: value
        for name, value in hints.items()
        if HINT_DEFAULTS[name] is not value and not (read_only and name in ONLY_FOR_WRITERS)
    }
