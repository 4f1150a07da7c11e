"""Asking the client's user in both eras: a pushed form until 2025-11-25, an input-required result since 2026-07-28."""

from __future__ import annotations

from typing import Any, Final

import mcp_types
from fastmcp.server.context import Context
from fastmcp.tools.base import InputRequiredToolResult
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ssh_mcp.approval.channels import QuestionForClient, Reply, Returned

KEY: Final = "approve"
"""The form's name among the input requests, and its one field."""

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        KEY: {
            "type": "boolean",
            "title": "Run it",
            "description": "Yes runs exactly this call, once. No runs nothing.",
        }
    },
    "required": [KEY],
}


class McpClient:
    """The client of the request under way (``approval.channels.ClientChannel``)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def can_ask(self) -> bool:
        """Whether it declared forms; ``elicitation: {}`` means them too, ``url`` alone does not."""
        capabilities = self._context.session.client_capabilities
        declared = capabilities.elicitation if capabilities is not None else None
        return declared is not None and (declared.form is not None or declared.url is None)

    @property
    def by_result(self) -> bool:
        """Whether questions are results: the newer era, and every background task."""
        return self._context.is_background_task or self._context.session.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def returned(self) -> Returned | None:
        """The state that the server sealed (and FastMCP has opened), with the form's reply beside it."""
        state = self._context.request_state
        if state is None:
            return None
        given = (self._context.input_responses or {}).get(KEY)
        return Returned(state, _reply(given) if isinstance(given, mcp_types.ElicitResult) else None)

    async def ask(self, text: str) -> Reply:
        """Push the form. A client that cannot show it after all is not a reply of its user."""
        try:
            result = await self._context.session.elicit_form(text, SCHEMA, self._context.request_id)
        except MCPError:
            return Reply.FAILED
        return _reply(result)


def as_result(question: QuestionForClient) -> InputRequiredToolResult:
    """The question as the call's result."""
    form = mcp_types.ElicitRequest(
        params=mcp_types.ElicitRequestFormParams(message=question.text, requested_schema=SCHEMA)
    )
    return InputRequiredToolResult(
        mcp_types.InputRequiredResult(input_requests={KEY: form}, request_state=question.state)
    )


def _reply(result: mcp_types.ElicitResult) -> Reply:
    """A yes is a submitted form whose box is ticked; a form that was submitted without is a no."""
    match result.action:
        case "accept":
            ticked = [value for value in (result.content or {}).values() if isinstance(value, bool)]
            return Reply.YES if ticked and all(ticked) else Reply.NO
        case "decline":
            return Reply.NO
        case _:
            return Reply.DISMISSED
