"""One command on many hosts: each decided on by its own policy, none stopping another, honest when cancelled."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest

from ssh_mcp.remote.exec import broadcast as broadcast_module
from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.peers.sshd import Sshd


async def test_each_host_has_its_own_result(mcp_server: McpServerFactory, sshd_factory: SshdFactory) -> None:
    first, second, gone = sshd_factory(), sshd_factory(), sshd_factory()
    gone.stop()
    hosts: dict[str, Sshd | Host] = {
        "good": first,
        "other": second,
        "strict": Host(first, lines=['command_allowlist = ["id"]']),
        "windows": Host(first, lines=['platform = "windows"']),
        "down": gone,
    }
    async with mcp_server(hosts) as server:
        names = ["good", "strict", "other", "down", "windows", "nowhere", "good"]
        done = await server.call("ssh_broadcast", hosts=names, command="echo $SSH_CONNECTION | cut -d' ' -f4")
        assert done["results"]["good"]["stdout"] == f"{first.port}\n"
        assert done["results"]["other"]["stdout"] == f"{second.port}\n"
        assert done["succeeded"] == ["good", "other"]
        assert done["failed"] == ["strict", "down", "windows", "nowhere"]
        starts = {name: text.split(":")[0] for name, text in done["errors"].items()}
        assert starts == {
            "strict": "CommandNotAllowed",
            "down": "ConnectError",
            "windows": "PlatformNotSupported",
            "nowhere": "HostNotAllowed",
        }
        assert done["command"].startswith("echo")
        line = server.audit()[-1]
        assert (line["host"], line["exit_code"], line["result"]) == ("?", 0, "ok")
        assert line["hosts"] == list(dict.fromkeys(names))


async def test_a_non_zero_exit_is_a_result_and_a_failure(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"a": sshd, "b": sshd}) as server:
        done = await server.call("ssh_broadcast", hosts=["a", "b"], command="exit 3")
        assert (done["succeeded"], done["failed"], done["errors"]) == ([], ["a", "b"], {})
        assert done["results"]["a"]["exit_code"] == 3
        assert server.audit()[-1]["exit_code"] == 3


async def test_a_bug_on_one_host_stops_nobody(
    mcp_server: McpServerFactory, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ssh_mcp.remote.exec.commands import Commands

    run = Commands.run_permitted

    async def broken(self: Commands, permitted: object, **more: object) -> object:
        if self._host.alias == "a":
            raise ZeroDivisionError("s3cret")
        return await run(self, permitted, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Commands, "run_permitted", broken)
    async with mcp_server({"a": sshd, "b": sshd}) as server:
        done = await server.call("ssh_broadcast", hosts=["a", "b"], command="id")
        assert done["succeeded"] == ["b"]
        assert done["errors"]["a"].startswith("RemoteError: ")
        assert "s3cret" not in str(done)


async def test_no_more_than_the_limit_run_at_once(
    mcp_server: McpServerFactory, sshd: Sshd, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast_module, "AT_ONCE", 2)
    names = [f"h{i}" for i in range(6)]
    most = 0
    async with mcp_server(dict.fromkeys(names, sshd)) as server, anyio.create_task_group() as tasks:

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, len(await anyio.to_thread.run_sync(trace.processes)))
                await anyio.sleep(0.02)

        tasks.start_soon(watch)
        done = await server.call(
            "ssh_broadcast", hosts=names, command=f"sh -c 'sleep 0.7; : {trace.number}'", timeout=30
        )
        tasks.cancel_scope.cancel()
    assert done["succeeded"] == names
    assert most == 2


async def test_a_timeout_ends_the_command_on_every_host(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, trace: Trace
) -> None:
    hosts = {"a": sshd_factory(), "b": sshd_factory()}
    async with mcp_server(hosts) as server:
        done = await server.call("ssh_broadcast", hosts=["a", "b"], command=f"{trace.sleep} | {trace.sleep}", timeout=2)
        assert done["failed"] == ["a", "b"]
        assert all(result["timed_out"] for result in done["results"].values())
        await anyio.to_thread.run_sync(trace.wait_gone)
        assert server.audit()[-1]["exit_code"] == -1


async def test_a_cancelled_broadcast_ends_what_runs_and_says_what_never_started(
    mcp_server: McpServerFactory,
    sshd_factory: SshdFactory,
    trace: Trace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(broadcast_module, "AT_ONCE", 2)
    first, second = sshd_factory(), sshd_factory()
    names = ["a", "b", "c", "d", "e"]
    hosts = {name: (first, second)[i % 2] for i, name in enumerate(names)}
    async with mcp_server(hosts) as server:
        arguments = {"hosts": names, "command": f"{trace.sleep} & {trace.sleep}", "timeout": 100}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: server.client.call_tool("ssh_broadcast", arguments))
            await anyio.to_thread.run_sync(trace.wait_for, 4)
            tasks.cancel_scope.cancel()
        await anyio.to_thread.run_sync(trace.wait_gone)
        with anyio.fail_after(20):
            while "broadcast cancelled" not in caplog.text:
                await anyio.sleep(0.05)
    said = next(r.getMessage() for r in caplog.records if "broadcast cancelled" in r.getMessage())
    assert "0 finished, 2 ended while running, 3 never started (c, d, e)" in said


async def test_arguments_out_of_range_are_refused_before_anything_runs(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    async with mcp_server({"a": sshd}) as server:
        text = await server.refused("ssh_broadcast", hosts=["a"], command="id", timeout=0)
        assert text.startswith("InvalidArgument: ")
        assert (await server.refused("ssh_broadcast", hosts=[], command="id")).startswith("InvalidArgument: ")
    assert sshd.logins() == 0


async def test_each_hosts_output_is_masked_by_its_own_policy(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    secret = "hunter2hunter2hunter2"
    hosts: dict[str, Sshd | Host] = {"shown": Host(sshd, lines=["redact_output = false"]), "masked": sshd}
    async with mcp_server(hosts) as server:
        done = await server.call("ssh_broadcast", hosts=["shown", "masked"], command=f"echo DB_PASSWORD={secret}")
        assert secret not in done["results"]["masked"]["stdout"]


async def test_each_hosts_part_is_guarded_once_and_by_its_own_policy(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    hosts: dict[str, Sshd | Host] = {
        "masked": sshd,
        "open": Host(sshd, lines=["redact_output = false"]),
        "hinted": Host(sshd, lines=["redact_hint_chars = 2"]),
        "own": Host(sshd, lines=['redact_keys_add = ["zebra"]']),
        "auth-token": Host(sshd, lines=['command_allowlist = ["id"]']),
    }
    command = "echo password=hunter2-x9z zebra=stripes1"
    async with mcp_server(hosts) as server:
        for names in (["masked", "open", "hinted", "own", "auth-token"], ["own", "hinted", "open", "masked"]):
            done = await server.call("ssh_broadcast", hosts=names, command=command)
            seen = {name: result["stdout"] for name, result in done["results"].items()}
            for name in ("masked", "open", "hinted", "own"):
                alone = await server.call("ssh_exec_run", host=name, command=command)
                assert seen[name] == alone["stdout"]
            assert seen["open"] == "password=hunter2-x9z zebra=stripes1\n"
            assert "hunter2" not in seen["masked"] + seen["hinted"] + seen["own"]
            assert "stripes" not in seen["own"]
        refusal = (await server.call("ssh_broadcast", hosts=["auth-token", "own"], command=command))["errors"]
        assert refusal["auth-token"].startswith("CommandNotAllowed: "), "a host's name is not the name of a secret"
