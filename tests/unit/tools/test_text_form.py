"""What of a result is text: everything that says something, and nothing else."""

from __future__ import annotations

import json

from ssh_mcp.results.exec import BroadcastResult, ExecResult
from ssh_mcp.results.fleet import FleetGroup, FleetResult
from ssh_mcp.results.host import DiskUsageEntry, HostDiskUsage
from ssh_mcp.tools.registered import as_tool_result
from ssh_mcp.tools.text_form import text_form


def test_defaults_empty_texts_and_counts_of_whole_texts_are_left_out() -> None:
    result = ExecResult(host="web", exit_code=0, stdout="ok\n", stdout_bytes=3, stdout_lines=1, duration_ms=12)
    assert json.loads(text_form(result)) == {"host": "web", "exit_code": 0, "stdout": "ok\n", "duration_ms": 12}
    made = as_tool_result(result)
    assert made.structured_content == result.model_dump(mode="json")


def test_counts_of_a_cut_text_remarks_and_hints_stay() -> None:
    result = ExecResult(
        host="web", exit_code=-1, stdout="x", stdout_bytes=9, stdout_lines=3, stdout_truncated=True, timed_out=True,
        hint="Wait longer.", output_id="ab", output_warnings=["odd"],
    )  # fmt: skip
    assert json.loads(text_form(result)) == {
        "output_warnings": ["odd"], "output_id": "ab", "host": "web", "exit_code": -1, "stdout": "x", "stdout_bytes": 9,
        "stdout_lines": 3, "stdout_truncated": True, "timed_out": True, "hint": "Wait longer.",
    }  # fmt: skip


def test_an_empty_list_says_that_there_is_nothing() -> None:
    assert json.loads(text_form(HostDiskUsage(host="web"))) == {"host": "web", "entries": []}
    row = DiskUsageEntry(
        filesystem="/dev/sda1", type="ext4", size="1G", used="0", available="1G", use_percent="0%", mount="/",
        size_bytes=1, used_bytes=0, available_bytes=1,
    )  # fmt: skip
    assert json.loads(text_form(HostDiskUsage(host="web", entries=[row])))["entries"][0]["used_bytes"] == 0


def test_the_hosts_of_a_broadcast_are_as_short() -> None:
    one = ExecResult(host="a", exit_code=0, stdout="x\n", stdout_bytes=2, stdout_lines=1)
    text = json.loads(text_form(BroadcastResult(command="c", results={"a": one}, succeeded=["a"])))
    assert text == {
        "command": "c",
        "results": {"a": {"host": "a", "exit_code": 0, "stdout": "x\n"}},
        "succeeded": ["a"],
        "failed": [],
    }


def test_the_results_of_a_fleets_groups_hold_no_nulls() -> None:
    one = ExecResult(host="a", exit_code=0, stdout="x\n")
    group = FleetGroup.of("a,b", 2, one, None)
    [shown] = json.loads(text_form(FleetResult(groups=[group], selected=2)))["groups"]
    assert None not in shown["result"].values()
    assert (shown["hosts"], shown["result"]["exit_code"]) == ("a,b", 0)
