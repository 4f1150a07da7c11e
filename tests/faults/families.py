"""One row a tool family: how to call it, and what must hold afterwards however the call ended."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from tests.integration.mcp_server import McpServer

OLD = b"old line\nneedle\nlast\n" + b"o" * 3000 + b"\n"
NEW = b"".join(b"%06d new content\n" % i for i in range(12_000))
"""216 kB: some SFTP packets in each direction, so that a fault has a middle to strike."""
BULK = b"".join(b"%015d\n" % i for i in range(131_072))
"""2 MiB over local_path: the windowed streams."""


@dataclass
class Trial:
    """One call's own names: a directory on the hosts (they are this machine) and a number in every argument list."""

    host: str
    peer: str
    directory: Path
    local: Path
    echo: int = 0
    """A port of loopback that sends back what it gets."""
    number: str = field(default_factory=lambda: uuid.uuid4().hex[:16])

    @property
    def target(self) -> Path:
        return self.directory / "target"

    def prepare(self) -> None:
        self.directory.mkdir()
        self.target.write_bytes(OLD)
        (self.directory / "source").write_bytes(NEW)


@dataclass(frozen=True)
class Outcome:
    """``result`` or ``error`` ("" for a call that was cancelled)."""

    result: dict[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True)
class Family:
    name: str
    call: Callable[[McpServer, Trial], Awaitable[dict[str, Any]]]
    check: Callable[[Trial, Outcome], None]
    tool: str
    onto_peer: bool = False
    """The file is written on the other host."""


class Failed(Exception):
    """A tool call that returned an error; ``str()`` is its text."""


async def call(server: McpServer, tool: str, **arguments: Any) -> dict[str, Any]:
    done = await server.client.call_tool(tool, arguments, raise_on_error=False)
    if done.is_error:
        raise Failed("".join(getattr(block, "text", "") for block in done.content))
    assert isinstance(done.structured_content, dict)
    return done.structured_content


def _row(tool: str, **arguments: Any) -> Callable[[McpServer, Trial], Awaitable[dict[str, Any]]]:
    """A call whose text arguments may hold {host}, {peer}, {dir}, {number}, {local}."""

    async def run(server: McpServer, t: Trial) -> dict[str, Any]:
        names = {"host": t.host, "peer": t.peer, "dir": str(t.directory), "number": t.number, "local": str(t.local)}

        def fill(value: Any) -> Any:
            if isinstance(value, str):
                for name, text in names.items():
                    value = value.replace("{" + name + "}", text)
            return [fill(v) for v in value] if isinstance(value, list) else value

        return await call(server, tool, **{k: fill(v) for k, v in arguments.items()})

    return run


async def _shell(server: McpServer, t: Trial) -> dict[str, Any]:
    opened = await call(server, "ssh_shell_open", host=t.host)
    try:
        await call(server, "ssh_shell_exec", session_id=opened["session_id"], command=f"X={t.number}; cd /")
        done = await call(server, "ssh_shell_exec", session_id=opened["session_id"], command='echo "$X $PWD"')
    finally:
        with anyio.CancelScope(shield=True):  # a cancelled command leaves its shell open, as it should
            await call(server, "ssh_shell_close", session_id=opened["session_id"])
    return done


async def _job(server: McpServer, t: Trial) -> dict[str, Any]:
    """A short job from its start to its removal. What a fault leaves is not in the way of the next."""
    command = f"sh -c 'echo begun; sleep 0.1; echo ended' {t.number}"
    job = await call(server, "ssh_job_start", host=t.host, command=command, name=t.number, wait=10)
    job = await call(server, "ssh_job_status", host=t.host, job_id=job["job_id"], wait=10)
    read = await call(server, "ssh_job_output", host=t.host, job_id=job["job_id"])
    await call(server, "ssh_job_cancel", host=t.host, job_id=job["job_id"], remove=True)
    return {**job, "read": read["text"]}


async def _cancelled_job(server: McpServer, t: Trial) -> dict[str, Any]:
    """A job without end, and its end. What a fault keeps from being cancelled ends at its timeout."""
    command = f"sh -c 'sleep 3600; true' {t.number}"
    job = await call(server, "ssh_job_start", host=t.host, command=command, name=t.number, wait=0, timeout=5)
    return await call(server, "ssh_job_cancel", host=t.host, job_id=job["job_id"], remove=True)


async def _forward(server: McpServer, t: Trial) -> dict[str, Any]:
    """A forward, something carried through it and back, and its close. What is cut off is an error of the call."""
    opened = await call(server, "ssh_forward_open", host=t.host, target=f"127.0.0.1:{t.echo}", ttl=60)
    try:
        got = b""
        port = int(opened["listen"].rpartition(":")[2])
        with suppress(OSError, anyio.BrokenResourceError, anyio.EndOfStream):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(NEW)
                while len(got) < len(NEW):
                    got += await stream.receive()
    finally:
        with anyio.CancelScope(shield=True):
            closed = await call(server, "ssh_forward_close", forward_id=opened["forward_id"])
    assert NEW.startswith(got), "the forward carried something else"
    if got != NEW:
        raise Failed(f"MasterLost: {len(got)} bytes came back.")
    return closed


def make_trees(local: Path) -> None:
    """What is synchronised: some files for rsync, and very many small ones for a tar stream."""
    for name, count, content in (("tree", 20, NEW[:20_000]), ("many", 520, NEW[:200])):
        for i in range(count):
            path = local / name / f"d{i % 5}" / f"f{i}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content + str(i).encode())


async def _terminal(server: McpServer, t: Trial) -> dict[str, Any]:
    """A terminal from its opening to its end. One that ends too early is a failure, as what it says."""
    command = f"sh -c 'echo ready; read -r x; echo got $x; read -r x' {t.number}"
    seen = await call(server, "ssh_terminal_open", host=t.host, command=command)
    try:
        send = {"terminal_id": seen["terminal_id"], "text": "some\n", "wait_for": "got some", "timeout": 15}
        seen = seen if seen["ended"] else await call(server, "ssh_terminal_send", **send)
    finally:
        with anyio.CancelScope(shield=True):
            await call(server, "ssh_terminal_close", terminal_id=seen["terminal_id"])
    if not seen["matched"]:
        raise Failed(f"MasterLost: {seen['output_warnings']} {seen['screen']}")
    return seen


# --- checks ---------------------------------------------------------------------------------------------------------


def _nothing(_t: Trial, _o: Outcome) -> None:
    return


def _stdout(expected: str) -> Callable[[Trial, Outcome], None]:
    def check(t: Trial, o: Outcome) -> None:
        if o.result is not None:
            wanted = expected.replace("{number}", t.number)
            found, code = o.result["stdout"], o.result["exit_code"]
            shown = f"exit {code}, {len(found)} long, {found[:80]!r}"
            if code in (-1, 137):  # the fault killed the command itself, and so it is told
                assert wanted.startswith(found), shown
            else:
                assert (code, found) == (0, wanted), shown

    return check


def _job_done(_t: Trial, o: Outcome) -> None:
    if o.result is not None:
        job = o.result
        assert (job["state"], job["exit_code"], job["stdout"], job["read"]) == (
            "exited", 0, "begun\nended\n", "begun\nended\n",
        )  # fmt: skip


def _job_cancelled(_t: Trial, o: Outcome) -> None:
    if o.result is not None:
        assert o.result["state"] == "cancelled"


def _typed(_t: Trial, o: Outcome) -> None:
    if o.result is not None:
        assert o.result["screen"] == "ready\nsome\ngot some"


def _old_or(new: bytes) -> Callable[[Trial, Outcome], None]:
    def check(t: Trial, o: Outcome) -> None:
        found = t.target.read_bytes()
        assert found in (OLD, new), f"half-written: {len(found)} bytes {found[:60]!r}"
        if o.result is not None:
            assert found == new, "it said that it wrote"

    return check


def _deployed(t: Trial, o: Outcome) -> None:
    _old_or(NEW)(t, o)
    backups = list(t.directory.glob("target.bak-*"))
    assert all(b.read_bytes() == OLD for b in backups), "a backup that is not the old file"
    if o.result is not None:
        assert len(backups) == 1


def _downloaded(t: Trial, o: Outcome) -> None:
    if o.result is not None:
        assert o.result["content_text"].encode() == NEW


def _local_copy(t: Trial, o: Outcome) -> None:
    copy = t.local / f"got-{t.number}"
    if o.result is not None:
        assert copy.read_bytes() == BULK
    elif copy.exists():
        assert copy.read_bytes() == BULK, "half a file stands where the whole one should"
    left = [p.name for p in t.local.iterdir() if p.name not in {"bulk", copy.name} and t.number in p.name]
    assert not left, left


_RSYNC_TEMPORARY = re.compile(r"\.f\d+\.\w{6}")
"""Where rsync writes a file until it is whole, such as ``.f12.Qx3bZa``: there as long as rsync runs."""


def _synced(name: str, *, down: bool) -> Callable[[Trial, Outcome], None]:
    def check(t: Trial, o: Outcome) -> None:
        source, target = t.local / name, t.local / f"got-{t.number}" if down else t.directory / "tree"
        wanted = {str(p.relative_to(source)): p.read_bytes() for p in source.rglob("*") if p.is_file()}
        found = {
            str(p.relative_to(target)): p.read_bytes()
            for p in target.rglob("*")
            if p.is_file() and ".ssh-mcp-" not in str(p) and not _RSYNC_TEMPORARY.fullmatch(p.name)
        }
        strange = [p for p, content in found.items() if wanted.get(p) != content]
        assert not strange, f"half a file, or another one: {strange}"
        if o.result is not None:
            assert found == wanted
            assert not list(target.rglob(".ssh-mcp*"))

    return check


def _listed(t: Trial, o: Outcome) -> None:
    if o.result is not None:
        assert {e["name"] for e in o.result["entries"]} >= {"target", "source"}


def _broadcast(t: Trial, o: Outcome) -> None:
    if o.result is not None:
        assert t.peer in o.result["succeeded"], "one host's failure stopped another's"
        assert set(o.result["succeeded"]) | set(o.result["failed"]) == {t.host, t.peer}


EDITED = OLD.replace(b"needle", b"thread")
_BODY = "x" * 30_000 + "\n"
_WORK = "sh -c 'head -c 30000 /dev/zero | tr \"\\0\" x; echo; sleep 0.1' {number}"

FAMILIES: list[Family] = [
    Family("exec", _row("ssh_exec_run", host="{host}", command=_WORK), _stdout(_BODY), "ssh_exec_run"),
    Family("script", _row("ssh_exec_script", host="{host}", script=_WORK + "\n"), _stdout(_BODY), "ssh_exec_script"),
    Family(
        "streaming",
        _row("ssh_exec_run_streaming", host="{host}", command=_WORK),
        _stdout(_BODY),
        "ssh_exec_run_streaming",
    ),
    Family("job", _job, _job_done, "ssh_job_start"),
    Family("job cancelled", _cancelled_job, _job_cancelled, "ssh_job_cancel"),
    Family("shell", _shell, _stdout("{number} /\n"), "ssh_shell_open"),
    Family("terminal", _terminal, _typed, "ssh_terminal_open"),
    Family("stat", _row("ssh_sftp_stat", host="{host}", path="{dir}/target"), _nothing, "ssh_sftp_stat"),
    Family("list", _row("ssh_sftp_list", host="{host}", path="{dir}"), _listed, "ssh_sftp_list"),
    Family("download", _row("ssh_sftp_download", host="{host}", path="{dir}/source"), _downloaded, "ssh_sftp_download"),
    Family(
        "download to a file",
        _row("ssh_sftp_download", host="{host}", path="{local}/bulk", local_path="{local}/got-{number}"),
        _local_copy,
        "ssh_sftp_download",
    ),
    Family(
        "upload",
        _row("ssh_upload", host="{host}", path="{dir}/target", content_text=NEW.decode()),
        _old_or(NEW),
        "ssh_upload",
    ),
    Family(
        "upload of a file",
        _row("ssh_upload", host="{host}", path="{dir}/target", local_path="{local}/bulk"),
        _old_or(BULK),
        "ssh_upload",
    ),
    Family(
        "edit",
        _row("ssh_edit", host="{host}", path="{dir}/target", old_string="needle", new_string="thread"),
        _old_or(EDITED),
        "ssh_edit",
    ),
    Family(
        "deploy",
        _row("ssh_deploy", host="{host}", path="{dir}/target", content_text=NEW.decode()),
        _deployed,
        "ssh_deploy",
    ),
    Family(
        "transfer to",
        _row(
            "ssh_transfer",
            src_host="{peer}",
            src_path="{local}/bulk",
            dst_host="{host}",
            dst_path="{dir}/target",
            overwrite=True,
        ),
        _old_or(BULK),
        "ssh_transfer",
    ),
    Family(
        "transfer from",
        _row(
            "ssh_transfer",
            src_host="{host}",
            src_path="{local}/bulk",
            dst_host="{peer}",
            dst_path="{dir}/target",
            overwrite=True,
        ),
        _old_or(BULK),
        "ssh_transfer",
        onto_peer=True,
    ),
    *(
        Family(
            f"sync {direction}{way}",
            _row("ssh_sync", host="{host}", remote_path=remote, local_path=local, direction=direction),
            _synced(name, down=direction == "down"),
            "ssh_sync",
        )
        for name, way in (("tree", ""), ("many", " as a stream"))
        for direction, remote, local in (
            ("up", "{dir}/tree", f"{{local}}/{name}"),
            ("down", f"{{local}}/{name}", "{local}/got-{number}"),
        )
    ),
    Family("forward", _forward, _nothing, "ssh_forward_open"),
    Family("host_info", _row("ssh_host_info", host="{host}"), _nothing, "ssh_host_info"),
    Family("broadcast", _row("ssh_broadcast", hosts=["{host}", "{peer}"], command=_WORK), _broadcast, "ssh_broadcast"),
    Family("sudo", _row("ssh_sudo_exec", host="{host}", command=_WORK), _stdout(_BODY), "ssh_sudo_exec"),
    Family(
        "sudo write",
        _row("ssh_sudo_write", host="{host}", path="{dir}/target", content_text=NEW.decode()),
        _old_or(NEW),
        "ssh_sudo_write",
    ),
]
BY_NAME = {family.name: family for family in FAMILIES}
LONG = Family(
    "a command without end",
    _row("ssh_exec_run", host="{host}", command="sleep 3600 {number}0"),
    _nothing,
    "ssh_exec_run",
)


def pick(rng: random.Random, names: set[str]) -> Family:
    """A family whose tool this server has."""
    return rng.choice([f for f in FAMILIES if f.tool in names])
