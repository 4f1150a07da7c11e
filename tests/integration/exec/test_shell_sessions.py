"""Shell sessions on a real sshd, under each ``sh`` that hosts have: dash, bash, BusyBox ash."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from ssh_mcp.remote.exec import shells as shells_module
from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.peers import need
from tests.peers.accounts import peers_dir
from tests.peers.sshd import Sshd

SHELLS = {"dash": "/usr/bin/dash", "bash": "/usr/bin/bash", "busybox": "/usr/bin/busybox"}


class Session:
    """One open session."""

    def __init__(self, server: McpServer, opened: dict[str, Any]) -> None:
        self.server = server
        self.id = opened["session_id"]
        self.opened = opened

    async def __call__(self, command: str, **more: Any) -> dict[str, Any]:
        return await self.server.call("ssh_shell_exec", session_id=self.id, command=command, **more)

    async def cancel_once(self, trace: Trace, command: str) -> None:
        """Run a command and cancel the call when the trace's process is there."""
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: self(command, timeout=100))
                await anyio.to_thread.run_sync(trace.wait_for)
                tasks.cancel_scope.cancel()


Opener = Callable[..., AbstractAsyncContextManager[Session]]


@pytest.fixture(params=list(SHELLS))
def sh(request: pytest.FixtureRequest) -> str:
    """Directory in which ``sh`` is the shell of this run; sshd puts it into PATH first."""
    program = SHELLS[request.param]
    need(Path(program).exists(), f"{program} is not installed")
    place = peers_dir() / f"bin-{request.param}"
    with contextlib.suppress(FileExistsError):
        place.mkdir()
        (place / "sh").symlink_to(program)
    return str(place)


@pytest.fixture
def session(sh: str, mcp_server: McpServerFactory, sshd_factory: SshdFactory) -> Opener:
    """``async with session() as run: await run("cd /tmp")``."""

    @asynccontextmanager
    async def open_one(**settings: Any) -> AsyncIterator[Session]:
        sshd = sshd_factory(extra=[f"SetEnv PATH={sh}:/usr/local/bin:/usr/bin:/bin"])
        async with mcp_server({"web": sshd}, **settings) as server:
            yield Session(server, await server.call("ssh_shell_open", host="web"))

    return open_one


async def test_cwd_environment_functions_and_options_last(session: Opener, tmp_path: Path) -> None:
    async with session() as run:
        await run(f"cd {tmp_path}; export A='x y'; B=plain; f() {{ echo \"f:$1\"; }}; umask 027")
        done = await run('echo "$A|$B|$PWD|$(umask)"; f arg; sh -c \'echo "$A$B"\'')
        assert done["stdout"] == f"x y|plain|{tmp_path}|0027\nf:arg\nx y\n"
        assert done["cwd"] == str(tmp_path)
        assert (done["exit_code"], done["stderr"]) == (0, "")


EXACT: list[tuple[str, str, str | None, int | None]] = [
    ("true", "", "", 0),
    ("false", "", "", 1),
    ("echo a", "a\n", "", 0),
    ("printf a", "a", "", 0),
    ("printf '\\n'", "\n", "", 0),
    ("printf 'a\\n\\n'", "a\n\n", "", 0),
    ("echo e >&2; (exit 9)", "", "e\n", 9),
    ("sh -c 'kill -KILL $$'", "", None, 137),
    ("cat", "", "", 0),
    ("read -r x", "", "", 1),
    ("cat <<'E'\n$HOME 'a' \"b\" `c`\nE", "$HOME 'a' \"b\" `c`\n", "", 0),
    ("echo 'it'\"'\"'s' \\\\ é", "it's \\ é\n", "", 0),
    ("for i in 1 2; do\n echo $i\ndone # comment", "1\n2\n", "", 0),
    ("head -c 3000000 /dev/zero | tr '\\0' x | wc -c", "3000000\n", "", 0),
]


async def test_output_and_exit_codes_are_exact(session: Opener) -> None:
    async with session() as run:
        for command, stdout, stderr, exit_code in EXACT:
            done = await run(command)
            assert done["stdout"] == stdout, command
            assert stderr is None or done["stderr"] == stderr, command
            assert exit_code is None or done["exit_code"] == exit_code, command
            assert (await run("echo next"))["stdout"] == "next\n", command


async def test_what_goes_wrong_in_a_command_does_not_end_the_session(session: Opener) -> None:
    async with session() as run:
        await run("A=kept")
        for command in (
            "if then",
            "echo 'unterminated",
            "echo )",
            "cat <<E\nno end",
            "cd /nowhere",
            "}",
            "nope",
        ):
            await run(command)
            assert (await run("echo $A"))["stdout"] == "kept\n", command


async def test_megabytes_on_both_streams_are_capped_and_counted(session: Opener) -> None:
    async with session(ssh_stdout_cap_bytes=1000) as run:
        done = await run(
            "(head -c 20000000 /dev/zero | tr '\\0' a) & (head -c 3000000 /dev/zero | tr '\\0' b >&2); wait"
        )
        assert (done["stdout_bytes"], done["stderr_bytes"]) == (20_000_000, 3_000_000)
        assert set(done["stdout"].partition("[")[0]) == {"a", "\n"}
        assert done["stdout"].endswith("aaa")
        assert len(done["stdout"]) <= 1000
        assert 30_000 < len(done["stderr"]) <= 32 << 10


@pytest.mark.parametrize(
    "setting",
    ["IFS=x", "set -u", "set -f", "set -x", "unset PATH", "alias printf=false eval=false", "printf() { echo mine; }",
     "exec >/dev/null 2>&1", "exec </dev/null", "readonly LC_ALL=C"],
)  # fmt: skip
async def test_a_session_survives_what_a_command_sets(session: Opener, setting: str) -> None:
    async with session() as run:
        await run(setting)
        assert (await run(":"))["exit_code"] == 0
        done = await run("(exit 3)")
        assert done["exit_code"] == 3
        assert done["cwd"].startswith("/")


async def test_exit_ends_the_session_and_is_no_error(session: Opener) -> None:
    async with session() as run:
        done = await run("echo bye; exit 5")
        assert (done["stdout"], done["exit_code"]) == ("bye\n", 5)
        assert "has ended" in done["hint"]
        assert (await run.server.call("ssh_shell_list"))["count"] == 0
        text = await run.server.refused("ssh_shell_exec", session_id=run.id, command="true")
        assert text.startswith("InvalidArgument: ")


async def test_set_e_ends_the_session_as_it_ends_a_shell(session: Opener) -> None:
    async with session() as run:
        await run("set -e")
        done = await run("false")
        assert done["exit_code"] == 1
        assert "has ended" in done["hint"]


# --- timeouts and cancellations -------------------------------------------------------------------------------------

STUCK = {
    "a sleep": "{sleep}",
    "a list": "{sleep}; echo never; {sleep}",
    "a pipeline": "{sleep} | {sleep} | cat",
    "an and-list": "{sleep} && echo never || echo never",
    "a loop": "while :; do {sleep}; done",
    "nested loops": "for a in 1 2; do for b in 1 2; do {sleep}; done; done",
    "a function": "f() {{ {sleep}; echo never; {sleep}; }}; f; echo never; f",
    "children in the background": "{sleep} & {sleep} & wait; echo never",
    "a substitution": "x=$({sleep}; echo y); echo never",
    "a subshell": "( {sleep}; echo never ); echo never",
    "a process that ignores TERM and USR1": "sh -c 'trap \"\" TERM USR1 HUP INT; {sleep}; {sleep}'; echo never",
    "the timeout program": "timeout 900 {sleep}; echo never",
}


@pytest.mark.parametrize("name", list(STUCK))
async def test_a_timeout_ends_the_commands_children_and_the_session_lives(
    session: Opener, trace: Trace, name: str
) -> None:
    async with session() as run:
        await run("cd /tmp; A=kept; g() { echo fun; }")
        with anyio.fail_after(40):
            done = await run("echo begun; " + STUCK[name].format(sleep=trace.sleep), timeout=1)
        assert done["timed_out"]
        assert done["exit_code"] == -1
        assert done["stdout"] == "begun\n"
        await anyio.to_thread.run_sync(trace.wait_gone)
        again = await run("echo $A $PWD; g")
        assert again["stdout"] == "kept /tmp\nfun\n"
        assert again["cwd"] == "/tmp"


async def test_a_timeout_breaks_a_loop_of_builtins(session: Opener) -> None:
    async with session() as run:
        await run("A=kept")
        with anyio.fail_after(40):
            done = await run("i=0; while :; do i=$((i+1)); done", timeout=1)
        assert done["timed_out"]
        assert (await run('echo $A; [ "$i" -gt 0 ] && echo counted'))["stdout"] == "kept\ncounted\n"


@pytest.mark.parametrize("name", ["a sleep", "a loop", "a function", "a pipeline"])
async def test_a_cancelled_call_ends_the_commands_children_and_the_session_lives(
    session: Opener, trace: Trace, name: str
) -> None:
    async with session() as run:
        await run("A=kept")
        await run.cancel_once(trace, STUCK[name].format(sleep=trace.sleep))
        await anyio.to_thread.run_sync(trace.wait_gone)
        assert (await run("echo $A"))["stdout"] == "kept\n"


async def test_nothing_behind_a_timed_out_command_runs_later(session: Opener, trace: Trace, tmp_path: Path) -> None:
    async with session() as run:
        await run(f"{trace.sleep}; echo made > {tmp_path}/made", timeout=1)
        assert (await run("echo next"))["stdout"] == "next\n"
        assert not (tmp_path / "made").exists()


async def test_a_session_that_ignores_every_signal_is_given_up(session: Opener, trace: Trace) -> None:
    async with session() as run:
        with anyio.fail_after(60):
            done = await run("trap '' TERM; while :; do :; done", timeout=1)
        assert done["timed_out"]
        assert "had to be ended" in done["hint"]
        assert (await run.server.call("ssh_shell_list"))["count"] == 0


async def test_late_output_of_a_background_child_is_in_no_later_answer(session: Opener, trace: Trace) -> None:
    async with session() as run:
        await run("(sleep 0.3; echo late; echo late >&2) & echo begun")
        done = await run("sleep 1; wait; echo here")
        assert "here\n" in done["stdout"]
        done = await run("echo clean")
        assert (done["stdout"], done["stderr"]) == ("clean\n", "")


# --- many calls, limits, ends ---------------------------------------------------------------------------------------


async def test_calls_on_one_session_wait_for_each_other(session: Opener) -> None:
    async with session() as run:
        answers = []

        async def one(i: int) -> None:
            answers.append((await run(f"x=$((x+1)); sleep 0.05; echo {i}:$x"))["stdout"])

        async with anyio.create_task_group() as tasks:
            for i in range(8):
                tasks.start_soon(one, i)
        assert sorted(int(a.split(":")[1]) for a in answers) == list(range(1, 9))


async def test_a_waiting_call_that_is_cancelled_does_not_run(session: Opener, trace: Trace, tmp_path: Path) -> None:
    async with session() as run, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: run("sleep 1.5"))
        await anyio.sleep(0.2)
        with anyio.move_on_after(0.3):
            await run(f"echo > {tmp_path}/made")
        await run("echo next")
        assert not (tmp_path / "made").exists()


async def test_a_lost_connection_says_so_and_the_next_session_works(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        run = Session(server, await server.call("ssh_shell_open", host="web"))
        await run("A=1")
        sshd.kill_sessions()
        text = await server.refused("ssh_shell_exec", session_id=run.id, command="echo $A")
        assert text.startswith("MasterLost: "), text
        text = await server.refused("ssh_shell_exec", session_id=run.id, command="echo $A")
        assert text.startswith("InvalidArgument: ")
        again = Session(server, await server.call("ssh_shell_open", host="web"))
        assert (await again("echo $A-"))["stdout"] == "-\n"


async def test_a_connection_lost_under_a_running_command_says_so(
    mcp_server: McpServerFactory, sshd: Sshd, trace: Trace
) -> None:
    async with mcp_server({"web": sshd}) as server:
        run = Session(server, await server.call("ssh_shell_open", host="web"))
        texts = []
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                texts.append(await server.refused("ssh_shell_exec", session_id=run.id, command=trace.sleep))

            tasks.start_soon(call)
            await anyio.to_thread.run_sync(trace.wait_for)
            sshd.kill_sessions()
        assert texts[0].startswith("MasterLost: ")
        assert (await server.call("ssh_shell_list"))["count"] == 0


async def test_close_ends_what_runs_and_the_call_that_waits_for_it(
    mcp_server: McpServerFactory, sshd: Sshd, trace: Trace
) -> None:
    async with mcp_server({"web": sshd}) as server:
        run = Session(server, await server.call("ssh_shell_open", host="web"))
        await run(f"{trace.sleep} &")
        done: list[dict[str, Any]] = []
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:

                async def call() -> None:
                    done.append(await run(trace.sleep, timeout=100))

                tasks.start_soon(call)
                await anyio.to_thread.run_sync(trace.wait_for, 2)
                closed = await server.call("ssh_shell_close", session_id=run.id)
        assert closed == {"session_id": run.id, "closed": True}
        assert "was closed" in done[0]["hint"]
        await anyio.to_thread.run_sync(trace.wait_gone)
        assert (await server.call("ssh_shell_close", session_id=run.id))["closed"] is False
        assert server.audit()[-2]["tool"] == "ssh_shell_exec" or server.audit()[-3]["tool"] == "ssh_shell_exec"


async def test_the_end_of_the_server_ends_all_sessions(mcp_server: McpServerFactory, sshd: Sshd, trace: Trace) -> None:
    async with mcp_server({"web": sshd}) as server:
        run = Session(server, await server.call("ssh_shell_open", host="web"))
        await run(f"{trace.sleep} &")
        trace.wait_for()
    await anyio.to_thread.run_sync(trace.wait_gone)


async def test_sessions_are_limited_and_listed(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        ids = [(await server.call("ssh_shell_open", host="web"))["session_id"] for _ in range(4)]
        text = await server.refused("ssh_shell_open", host="web")
        assert text.startswith("InvalidArgument: 4 shell sessions are open")
        assert ids[0] in text
        listed = await server.call("ssh_shell_list")
        assert listed["count"] == 4
        assert [s["id"] for s in listed["sessions"]] == ids
        await server.call("ssh_shell_close", session_id=ids[0])
        await server.call("ssh_shell_open", host="web")


async def test_the_limit_holds_when_many_are_opened_at_once(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        opened = []

        async def one() -> None:
            done = await server.client.call_tool("ssh_shell_open", {"host": "web"}, raise_on_error=False)
            opened.append(not done.is_error)

        async with anyio.create_task_group() as tasks:
            for _ in range(7):
                tasks.start_soon(one)
        assert sorted(opened) == [False] * 3 + [True] * 4


async def test_a_forgotten_session_ends_by_itself(
    mcp_server: McpServerFactory, sshd: Sshd, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shells_module, "TEND_EVERY", 0.3)
    async with mcp_server({"web": sshd}) as server:
        run = Session(server, await server.call("ssh_shell_open", host="web"))
        await run(f"{trace.sleep} &")
        monkeypatch.setattr(shells_module, "IDLE_LIMIT", 0.0)
        await anyio.to_thread.run_sync(trace.wait_gone)


async def test_an_idle_session_is_closed(
    mcp_server: McpServerFactory, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mcp_server({"web": sshd}) as server:
        opened = await server.call("ssh_shell_open", host="web")
        assert (await server.call("ssh_shell_list"))["count"] == 1
        monkeypatch.setattr(shells_module, "IDLE_LIMIT", 0.0)
        assert (await server.call("ssh_shell_list"))["count"] == 0
        text = await server.refused("ssh_shell_exec", session_id=opened["session_id"], command="true")
        assert text.startswith("InvalidArgument: There is no shell session")


async def test_a_command_is_checked_in_the_sessions_directory(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / ".env").write_text("A=1\n")
    async with mcp_server({"web": Host(sshd, lines=['command_allowlist = ["grep"]'])}) as server:
        run = Session(server, await server.call("ssh_shell_open", host="web"))
        await run(f"cd {tmp_path}/app")
        text = await server.refused("ssh_shell_exec", session_id=run.id, command="grep A .env")
        assert f"{tmp_path}/app/.env" in text
        text = await server.refused("ssh_shell_exec", session_id=run.id, command="grep A x; rm x")
        assert text.startswith("CommandNotAllowed: "), text


async def test_sessions_can_be_switched_off(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}, allow_persistent_sessions=False) as server:
        names = {tool.name for tool in await server.client.list_tools()}
        assert {"ssh_shell_list", "ssh_shell_close"} <= names
        assert not {"ssh_shell_open", "ssh_shell_exec"} & names
    async with mcp_server({"web": Host(sshd, lines=["persistent_session = false"])}) as server:
        text = await server.refused("ssh_shell_open", host="web")
        assert "persistent_session" in text


async def test_a_host_without_mktemp_stat_or_grep_still_has_sessions(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, tmp_path: Path
) -> None:
    """Only what POSIX builds into the shell is needed for a session to answer."""
    place = peers_dir() / "bin-bare"
    place.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (place / "sh").symlink_to(shutil.which("dash") or "/bin/sh")
    sshd = sshd_factory(extra=[f"SetEnv PATH={place}"])
    async with mcp_server({"web": sshd}) as server:
        run = Session(server, await server.call("ssh_shell_open", host="web"))
        assert (await run("echo here"))["stdout"] == "here\n"


@pytest.mark.parametrize("transport", ["process", "direct"])
async def test_sessions_work_the_same_over_the_other_transports(
    mcp_server: McpServerFactory, sshd: Sshd, trace: Trace, transport: str
) -> None:
    async with mcp_server({"web": sshd}, ssh_transport=transport) as server:
        run = Session(server, await server.call("ssh_shell_open", host="web"))
        await run("cd /tmp; A=kept")
        assert (await run(f"{trace.sleep}; echo never", timeout=2))["timed_out"]
        await anyio.to_thread.run_sync(trace.wait_gone)
        assert (await run("echo $A $PWD"))["stdout"] == "kept /tmp\n"
        await run(f"{trace.sleep} &")
        await server.call("ssh_shell_close", session_id=run.id)
        await anyio.to_thread.run_sync(trace.wait_gone)
