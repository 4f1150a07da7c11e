"""ssh_exec_run_streaming: progress with guarded tails while the command runs."""

from __future__ import annotations

from typing import Any

from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd

KEY = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"


class Notes:
    """Progress notifications of one call."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float | None, str]] = []

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.seen.append((progress, total, message or ""))

    @property
    def text(self) -> str:
        return "".join(message for _, _, message in self.seen)


async def stream(server: McpServer, command: str, **more: Any) -> tuple[Notes, dict[str, Any]]:
    notes = Notes()
    arguments = {"host": "web", "command": command, **more}
    done = await server.client.call_tool("ssh_exec_run_streaming", arguments, progress_handler=notes)
    assert isinstance(done.structured_content, dict)
    return notes, done.structured_content


async def test_progress_carries_the_output_as_it_comes(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        notes, done = await stream(server, "for i in 1 2 3 4 5 6 7; do echo line $i; echo err $i >&2; sleep 0.5; done")
        whole = "".join(f"line {i}\n" for i in range(1, 8))
        assert (done["stdout"], done["exit_code"]) == (whole, 0)
        assert len(notes.seen) >= 3
        counts = [count for count, _, _ in notes.seen]
        assert counts == sorted(set(counts)), "progress only rises"
        assert counts[-1] <= done["stdout_bytes"] + done["stderr_bytes"]
        assert all(total is None for _, total, _ in notes.seen)
        assert "line 1\n" in notes.text, "what came before the first notification is in it"
        assert "line 5\n" in notes.text
        assert "err 3\n" in notes.text


async def test_a_short_command_sends_no_progress(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        notes, done = await stream(server, "echo a")
        assert (notes.seen, done["stdout"]) == ([], "a\n")


async def test_a_secret_split_over_two_chunks_is_masked_in_progress_and_result(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    async with mcp_server({"web": sshd}) as server:
        command = (
            f"sleep 1; printf 'token {KEY[:15]}'; sleep 0.7; printf '{KEY[15:]} end\\n'; sleep 0.7; "
            "for i in 1 2 3 4; do seq 1000; echo more; sleep 0.5; done"
        )
        notes, done = await stream(server, command)
        for text in (notes.text, done["stdout"]):
            assert KEY not in text
            assert KEY[15:] not in text
        assert "more" in notes.text


async def test_a_message_shows_only_the_tail_of_much_output(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        notes, done = await stream(
            server, "for i in 1 2 3 4 5; do head -c 2000000 /dev/zero | tr '\\0' x; echo; sleep 0.5; done"
        )
        assert done["stdout_bytes"] == 10_000_005
        assert notes.seen
        assert all(len(message) <= 2000 for _, _, message in notes.seen)


async def test_a_progress_bar_that_only_returns_the_carriage_is_seen(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        notes, done = await stream(server, "for i in 1 2 3 4 5 6; do printf '%s0 percent\r' $i; sleep 0.5; done")
        assert "30 percent" in notes.text
        assert "10 percent\r20 percent\r" in done["stdout"], "the result is as the host gave it"


async def test_a_refused_command_starts_nothing(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}, ssh_command_allowlist="id") as server:
        text = await server.refused("ssh_exec_run_streaming", host="web", command="id; uname")
        assert text.startswith("CommandNotAllowed: ")
