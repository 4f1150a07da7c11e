"""The one way into a tool: every registered tool goes through validation, resolution, tier, audit and guard."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from fastmcp import Client
from pydantic import Field

from ssh_mcp.errors import PathNotAllowed
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.base import Ours, Raw, Warned
from ssh_mcp.server.app import App, build
from ssh_mcp.settings.model import Settings
from ssh_mcp.tools import catalogue
from ssh_mcp.tools.catalogue import Entry
from ssh_mcp.tools.registered import RegisteredTool
from ssh_mcp.tools.runner import ToolFailed, nearest_tool
from ssh_mcp.tools.spec import REGISTRY, ToolSpec, tool
from transports.api import Effective, SessionStatus

SECRET = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"


class NoTransport:
    """Stands where OpenSSH would: the runner itself opens no connection."""

    def connection(self, destination: object) -> object:
        return object()

    async def effective(self, destination: Any) -> Effective:
        return Effective(hostname=destination.hostname or destination.name, user="u", port=22)

    def sessions(self) -> tuple[SessionStatus, ...]:
        return ()

    async def aclose(self) -> None:
        return


class Probe(Warned):
    host: Ours
    text: str
    ours: Ours
    raw: Raw


@pytest.fixture
def registered() -> Iterator[None]:
    before = dict(REGISTRY)
    yield
    for name in set(REGISTRY) - set(before):
        del REGISTRY[name]


@pytest.fixture
def app(tmp_path: Path) -> App:
    hosts = tmp_path / "hosts.toml"
    hosts.write_text('[hosts.web]\nhostname = "web.example"\n[hosts.bad]\nhostname = "bad.example"\n')
    settings = Settings(
        ssh_hosts_file=str(hosts),
        ssh_hosts_blocklist=("bad.example",),
        ssh_audit_file=str(tmp_path / "audit.jsonl"),
        ssh_host_notes_dir=str(tmp_path / "notes"),
        allow_low_access_tools=True,
        allow_dangerous_tools=True,
        allow_sudo=True,
    )
    return build(settings, transport=lambda _settings: NoTransport())  # type: ignore[arg-type, return-value]


def entry_for(spec: ToolSpec) -> Entry:
    return Entry(spec.name, "none", spec.group, spec.tier, spec.description, {}, {}, {})


def audit_lines(app: App) -> list[dict[str, Any]]:
    file = app.audit.file
    assert file is not None
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_every_listed_tool_is_only_a_way_to_the_runner(app: App) -> None:
    tools = anyio.run(app.server.list_tools)
    assert len(tools) == len(catalogue.read())
    for each in tools:
        assert type(each) is RegisteredTool
        assert each._runner.fleet is app.fleet
        assert not hasattr(each, "fn")


async def test_host_output_is_guarded_and_ours_and_raw_are_left_alone(app: App, registered: None) -> None:
    @tool(group="host", tier=Tier.READ)
    async def probe_tool(host: RemoteHost) -> Probe:
        """Probe."""
        return Probe(host=host.name, text=f"\x1b[31mtoken={SECRET}\x1b[0m", ours="fine", raw=f"token={SECRET}\n")

    result = await app.runner.run(entry_for(REGISTRY["probe_tool"]), {"host": "web"})
    assert isinstance(result, Probe)
    assert SECRET not in result.text
    assert "\x1b" not in result.text
    assert result.raw == f"token={SECRET}\n"


async def test_each_call_leaves_one_audit_line_with_host_and_outcome(app: App, registered: None) -> None:
    @tool(group="host", tier=Tier.DANGEROUS)
    async def failing_tool(host: RemoteHost, call: Call, path: str) -> Probe:
        """Probe."""
        call.note_path(path)
        raise PathNotAllowed("/x is outside.", "Stay inside.")

    with pytest.raises(ToolFailed, match=r"^PathNotAllowed: /x is outside. Stay inside.$"):
        await app.runner.run(entry_for(REGISTRY["failing_tool"]), {"host": "web", "path": "/x"})
    (line,) = audit_lines(app)
    assert (line["tool"], line["tier"], line["host"]) == ("failing_tool", "dangerous", "web.example")
    assert (line["alias"], line["user"], line["port"]) == ("web", "u", 22)
    assert line["identity"] == "local"
    assert (line["result"], line["error"]) == ("error", "PathNotAllowed")
    assert line["path_hash"].startswith("sha256:")
    assert "/x" not in json.dumps(line)


@pytest.mark.parametrize(("name", "error"), [("bad", "HostBlocked"), ("nowhere", "HostNotAllowed")])
async def test_a_refused_host_never_reaches_the_function(app: App, registered: None, name: str, error: str) -> None:
    reached = []

    @tool(group="host", tier=Tier.READ)
    async def host_tool(host: RemoteHost) -> Probe:
        """Probe."""
        reached.append(host)
        raise AssertionError

    with pytest.raises(ToolFailed, match=f"^{error}: "):
        await app.runner.run(entry_for(REGISTRY["host_tool"]), {"host": name})
    assert not reached
    assert audit_lines(app)[0]["error"] == error


async def test_wrong_arguments_are_refused_without_their_values(app: App, registered: None) -> None:
    @tool(group="host", tier=Tier.READ)
    async def number_tool(number: int) -> Probe:
        """Probe."""
        raise AssertionError(number)

    for arguments in ({"number": SECRET}, {"number": 1, "other": SECRET}, {}):
        with pytest.raises(ToolFailed, match=r"^InvalidArgument: ") as caught:
            await app.runner.run(entry_for(REGISTRY["number_tool"]), arguments)
        assert SECRET not in str(caught.value)


async def test_true_and_false_are_no_numbers_though_digits_in_text_are(app: App, registered: None) -> None:
    """pydantic reads true as 1: ``mode: true`` made files of mode 0001."""

    @tool(group="host", tier=Tier.READ)
    async def mode_tool(
        mode: int | str = 420, top: Annotated[int, Field(ge=1)] = 20, timeout: int | None = None, *, force: bool = False
    ) -> Probe:
        """Probe."""
        return Probe(host="web", text=f"{mode} {top} {timeout} {force}", ours="", raw="")

    entry = entry_for(REGISTRY["mode_tool"])
    for name in ("mode", "top", "timeout"):
        with pytest.raises(ToolFailed, match=rf"^InvalidArgument: .*{name}.*not true or false"):
            await app.runner.run(entry, {name: True})
    result = await app.runner.run(entry, {"mode": "0600", "top": "5", "timeout": None, "force": True})
    assert result.text == "0600 5 None True"  # type: ignore[attr-defined]


async def test_a_fan_out_with_wrong_arguments_is_audited_as_one(app: App) -> None:
    entry = next(e for e in catalogue.read() if e.name == "ssh_broadcast")
    for arguments, hosts in (
        ({"hosts": ["web", "a b", "web"], "command": 5}, ["web"]),
        ({"hosts": "web", "command": "id"}, None),
        ({}, None),
    ):
        with pytest.raises(ToolFailed, match=r"^InvalidArgument: "):
            await app.runner.run(entry, arguments)
        line = audit_lines(app)[-1]
        assert (line["host"], line.get("hosts"), line["error"]) == ("?", hosts, "InvalidArgument")


async def test_without_a_writable_audit_only_read_tools_run(app: App, registered: None, tmp_path: Path) -> None:
    reached = []

    async def body() -> Probe:
        """Probe."""
        reached.append(1)
        return Probe(host="h", text="", ours="", raw="")

    for tier, name in ((Tier.READ, "reading"), (Tier.SUDO, "rooting")):
        body.__name__ = name
        tool(group="host", tier=tier)(body)
        REGISTRY[name] = REGISTRY.pop(name)
    file = app.audit.file
    assert file is not None
    app.audit.close()
    for leftover in tmp_path.glob("audit.jsonl*"):
        leftover.unlink()
    file.mkdir()
    await app.runner.run(entry_for(REGISTRY["reading"]), {})
    with pytest.raises(ToolFailed, match=r"^AuditUnavailable: "):
        await app.runner.run(entry_for(REGISTRY["rooting"]), {})
    assert reached == [1]


async def test_an_unforeseen_failure_gives_the_client_no_detail(
    app: App, registered: None, caplog: pytest.LogCaptureFixture
) -> None:
    @tool(group="host", tier=Tier.READ)
    async def broken_tool() -> Probe:
        """Probe."""
        raise KeyError(SECRET)

    with caplog.at_level(logging.ERROR), pytest.raises(ToolFailed, match=r"^RemoteError: broken_tool failed") as caught:
        await app.runner.run(entry_for(REGISTRY["broken_tool"]), {})
    assert SECRET not in str(caught.value)
    assert audit_lines(app)[0]["error"] == "KeyError"


async def test_a_cancelled_call_is_audited_as_such(app: App, registered: None) -> None:
    @tool(group="host", tier=Tier.READ)
    async def endless_tool() -> Probe:
        """Probe."""
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.move_on_after(0.05):
        await app.runner.run(entry_for(REGISTRY["endless_tool"]), {})
    (line,) = audit_lines(app)
    assert line["result"] == "error"


@pytest.mark.parametrize("closed", [{"allow_dangerous_tools": False}, {"ssh_enabled_groups": ("host",)}])
async def test_a_closed_tool_is_neither_listed_nor_callable(app: App, closed: dict[str, Any], tmp_path: Path) -> None:
    from dataclasses import replace

    settings = replace(app.settings, ssh_audit_file=None, **closed)
    other = build(settings, transport=lambda _settings: NoTransport())  # type: ignore[arg-type, return-value]
    async with Client(other.server) as client:
        names = {t.name for t in await client.list_tools()}
        assert "ssh_exec_run" not in names
        assert "ssh_host_list" in names
        result = await client.call_tool("ssh_exec_run", {"host": "web", "command": "id"}, raise_on_error=False)
        assert result.is_error


def test_a_tool_without_docstring_result_or_decided_destruction_cannot_be_registered() -> None:
    async def no_doc() -> Probe:
        raise AssertionError

    async def no_result() -> dict[str, str]:
        """Doc."""
        raise AssertionError

    async def undecided() -> Probe:
        """Doc."""
        raise AssertionError

    with pytest.raises(TypeError, match="docstring"):
        tool(group="host", tier=Tier.READ)(no_doc)
    with pytest.raises(TypeError, match="Result"):
        tool(group="host", tier=Tier.READ)(no_result)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="deletes"):
        tool(group="host", tier=Tier.LOW_ACCESS)(undecided)


def test_an_allowlist_entry_that_can_never_match_is_said_at_start(tmp_path: Path) -> None:
    from ssh_mcp.inventory.resolve import load_inventory

    hosts = tmp_path / "hosts.toml"
    hosts.write_text('[hosts.web]\nhostname = "web.example"\ncommand_allowlist = ["ls", "bin/ls"]\n')
    _, warnings = load_inventory(Settings(ssh_hosts_file=str(hosts), allow_dangerous_tools=True))
    assert any('"bin/ls" is a relative path' in line for line in warnings), warnings


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "a\ud800b"},
        {"text": "\udcff"},
        {"texts": ["fine", "\udfff"]},
        {"table": {"a": ["\ud801"]}},
        {"\ud800": 1},
    ],
)
async def test_half_a_character_is_a_wrong_argument_whatever_the_tool(
    app: App, registered: None, arguments: dict[str, Any]
) -> None:
    @tool(group="host", tier=Tier.READ)
    async def texts_tool(text: str = "", texts: list[str] | None = None, table: dict[str, Any] | None = None) -> Probe:
        """Probe."""
        raise AssertionError

    with pytest.raises(ToolFailed, match=r"^InvalidArgument: .*\. .*\.$") as caught:
        await app.runner.run(entry_for(REGISTRY["texts_tool"]), arguments)
    assert str(caught.value).encode()


@pytest.mark.parametrize("name", ["a\nb", "x" * 100_000, "\x1b[31m"])
async def test_the_name_of_an_unknown_argument_is_shown_on_one_line(app: App, registered: None, name: str) -> None:
    @tool(group="host", tier=Tier.READ)
    async def plain_tool() -> Probe:
        """Probe."""
        raise AssertionError

    with pytest.raises(ToolFailed, match=r"^InvalidArgument: plain_tool got wrong arguments: ") as caught:
        await app.runner.run(entry_for(REGISTRY["plain_tool"]), {name: 1})
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith("It takes no arguments.")
    assert len(str(caught.value)) < 300


async def test_a_wrong_name_is_refused_with_the_names_and_a_wrong_value_is_not(app: App, registered: None) -> None:
    @tool(group="host", tier=Tier.READ)
    async def two_arguments_tool(path: str, depth: int = 1) -> Probe:
        """Probe."""
        raise AssertionError

    entry = entry_for(REGISTRY["two_arguments_tool"])
    with pytest.raises(ToolFailed, match=r"It takes path, depth\.$"):
        await app.runner.run(entry, {"file": "x"})
    with pytest.raises(ToolFailed, match=r"The tool's schema says what it takes\.$"):
        await app.runner.run(entry, {"path": "x", "depth": "deep"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ssh_exec_broadcast", "ssh_broadcast"),
        ("exec_run", "ssh_exec_run"),
        ("SSH_Grep", "ssh_grep"),
        ("ssh_write", None),  # only the prefix is like ssh_grep
        ("x" * 250, None),
    ],
)
def test_a_tools_name_is_guessed_without_the_prefix_that_all_have(name: str, meant: str | None) -> None:
    assert nearest_tool(name, ["ssh_broadcast", "ssh_exec_run", "ssh_grep"]) == meant
