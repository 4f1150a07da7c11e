"""What results left out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.output import parse_part, read_output
from ssh_mcp.results.output import OutputText
from ssh_mcp.tools.spec import tool


@tool(group="host", tier=Tier.READ)
async def ssh_output_read(
    output_id: str,
    call: Call,
    *,
    stream: Annotated[str, Field(description="Or stderr, or a list's name")] = "stdout",
    first_lines: int | None = None,
    last_lines: int | None = None,
    offset: Annotated[int | None, Field(description="Byte")] = None,
    max_bytes: int | None = None,
    grep: Annotated[str | None, Field(description="Only lines that match, RE2")] = None,
    context: Annotated[int, Field(description="Lines around a match")] = 0,
    ignore_case: bool = False,
) -> OutputText:
    """Read or search what an earlier result left out (output_id), without running it again. Go on at next_offset."""
    call.fit_within(max_bytes)
    most = max_bytes or call.fleet.settings.ssh_result_max_bytes
    part = parse_part(first_lines, last_lines, offset, most, grep=grep, context=context, ignore_case=ignore_case)
    return await read_output(call, output_id, stream, part)
