"""Tools found by searching (SSH_ENABLE_BM25): a few are listed, the others a model finds and calls by two more.

FastMCP's transform does the work. What is ours: both tools carry explicit hints, definitions come without their result
schemas (half of their bytes), and what is not there is said in our words. A closed tool is not registered at all, so
that neither way leads to it.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from typing import Annotated, Any

import mcp_types
from fastmcp.exceptions import ToolError
from fastmcp.server.context import Context
from fastmcp.server.transforms.search.bm25 import BM25SearchTransform
from fastmcp.tools.base import Tool, ToolResult

from ssh_mcp.server.search_words import document, words
from ssh_mcp.skills.loader import Library, body_of

SEARCH = "search_tools"
CALL = "call_tool"


class ToolSearch(BM25SearchTransform):
    """BM25 over names, descriptions, parameters and skills of the registered tools (``search_words``)."""

    def __init__(
        self, library: Library, *, max_results: int, always_visible: Sequence[str], closed: Container[str] = ()
    ) -> None:
        self._closed = closed
        super().__init__(
            max_results=max_results,
            always_visible=list(always_visible),
            search_tool_name=SEARCH,
            call_tool_name=CALL,
            search_result_serializer=_definitions,
        )
        self._library = library
        self._indexed: tuple[str, ...] = ()

    async def _search(self, tools: Sequence[Tool], query: str) -> Sequence[Tool]:
        names = tuple(tool.name for tool in tools)
        if names != self._indexed:
            self._index.build([self._document(tool) for tool in tools])
            self._indexed = names
        found = self._index.query(" ".join(words(query)), self._max_results)
        return [tools[at] for at in found]

    def _document(self, tool: Tool) -> str:
        parameters = (tool.parameters or {}).get("properties", {})
        said = " ".join(
            f"{name} {about.get('description', '')}" for name, about in parameters.items() if name != "host"
        )
        skill = self._library.all.get(tool.name)
        try:
            text = "" if skill is None else body_of(skill.read().decode("utf-8", "replace"))
        except OSError:
            text = ""
        return document(tool.name, tool.description or "", said, text)

    def _make_search_tool(self) -> Tool:
        return _plain(super()._make_search_tool(), read_only=True)

    def _make_call_tool(self) -> Tool:
        transform, closed = self, self._closed

        async def call_tool(
            name: Annotated[str, "As search_tools returned it"],
            arguments: dict[str, Any] | None = None,
            ctx: Context = None,  # type: ignore[assignment]  # FastMCP fills it in
        ) -> ToolResult:
            """Call a tool that search_tools found, with the arguments that its inputSchema describes."""
            known = {tool.name for tool in await transform.get_tool_catalog(ctx)}
            if name in {SEARCH, CALL} or (name not in known and name not in closed):
                raise ToolError(
                    f"InvalidArgument: there is not a tool {name[:80]!r} to call. Search with {SEARCH}.",
                    log_level=logging.DEBUG,
                )
            return await ctx.fastmcp.call_tool(name, arguments)

        return _plain(Tool.from_function(fn=call_tool, name=CALL), read_only=False)


def _plain(tool: Tool, *, read_only: bool) -> Tool:
    """Explicit hints; ``call_tool`` has those of the most powerful tool it may reach."""
    hints = mcp_types.ToolAnnotations(
        read_only_hint=read_only, destructive_hint=not read_only, idempotent_hint=read_only, open_world_hint=True
    )
    return tool.model_copy(update={"annotations": hints})


def _definitions(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """As tools/list has them, without result schemas."""
    listed = [tool.to_mcp_tool().model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    return [{key: value for key, value in tool.items() if key != "outputSchema"} for tool in listed]
