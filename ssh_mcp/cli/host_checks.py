"""Doctor's look at one host: login, SFTP, commands, rc noise, sessions, sudo."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import anyio

from ssh_mcp.cli.findings import Finding, fail, info, ok, warn
from ssh_mcp.errors import Refusal, SudoFailed
from ssh_mcp.remote.host import RemoteHost, connection_of
from ssh_mcp.tokens import arg, command
from transports.errors import (
    AuthenticationFailed,
    RemoteError,
    SessionRefused,
    SFTPSubsystemUnavailable,
    TransportError,
)

LIMIT = 20.0
"""Seconds for each question to a host."""

ENTRIES = 50
"""Entries of an allowlist that are looked up on a host."""


async def host_findings(host: RemoteHost) -> list[Finding]:
    """Everything about one host; stops at the login where there is none."""
    found: list[Finding] = []
    try:
        login = await connection_of(host).login()
    except AuthenticationFailed as error:
        by_hand = f"Where a person must answer (an OTP, a touch, a passphrase): ssh-mcp connect {host.alias}"
        return [fail(error.what, error.remedy), info("the server itself cannot reply to prompts", by_hand)]
    except TransportError as error:
        return [fail(error.what, error.remedy)]
    details = ", ".join(d for d in (login.server_version, login.auth_method) if d) or "over a live connection"
    found.append(ok(f"logged in to {await _where(host)} ({details})"))
    runs = False
    async for finding, works in _commands(host):
        found.append(finding)
        runs = runs or works
    found += await _sftp(host, runs)
    found += await _allowed_but_missing(host, runs)
    if runs and not host.policy.windows:
        found += await _noise(host)
        found += await _sessions(host)
        if host.settings.allow_sudo:
            found += await _sudo(host)
    return found


async def _where(host: RemoteHost) -> str:
    """``user@hostname:port`` and the jump hosts, as ssh resolved them."""
    fleet = host.call.fleet
    effective = await fleet.effective(host.policy)
    name = f"[{effective.hostname}]" if ":" in effective.hostname else effective.hostname
    via = f" via {', '.join(effective.jump)}" if effective.jump else ""
    return f"{effective.user}@{name}:{effective.port}{via}"


async def _commands(host: RemoteHost) -> AsyncIterator[tuple[Finding, bool]]:
    if host.policy.windows:
        yield info("a Windows host: file tools only"), False
        return
    try:
        done = await connection_of(host).run(command("command -v sh").wire(), timeout=LIMIT, idempotent=True)
    except (SessionRefused, RemoteError) as error:
        yield warn(f"the account may not run commands: {error.what}", "File tools work, the others refuse."), False
        return
    except TransportError as error:
        yield fail(error.what, error.remedy), False
        return
    if done.exit_code == 0:
        yield ok("commands run"), True
    else:
        yield fail(f"a trivial command ended with {done.exit_code}", "Log in by hand and look at the shell."), False


async def _sftp(host: RemoteHost, runs: bool) -> list[Finding]:
    try:
        files = await connection_of(host).files()
        home = await files.realpath(".")
    except SFTPSubsystemUnavailable as error:
        return [fail(error.what, error.remedy)]
    except TransportError as error:
        return [fail(f"SFTP: {error.what}", error.remedy)]
    found = [ok(f"SFTP works; it starts in {home}")]
    if not runs:
        found.append(info("an SFTP-only account, probably chrooted: paths are in SFTP's view"))
        return found
    if "posix-rename@openssh.com" not in files.extensions:
        found.append(warn("the SFTP server has no posix-rename, so writes cannot replace a file", "Update the server."))
    done = await connection_of(host).run(command("pwd -P").wire(), timeout=LIMIT, idempotent=True)
    shell = done.stdout.decode("utf-8", "replace").strip()
    if shell and shell != home:
        found.append(
            info(
                f"the shell starts in {shell}, SFTP in {home}: a chroot or a different home; file tools use SFTP's view"
            )
        )
    return found


async def _allowed_but_missing(host: RemoteHost, runs: bool) -> list[Finding]:
    """Entries of the allowlists that permit nothing, since the host has no such directory or program."""
    paths = [path for path in host.policy.paths.allow if path not in ("*", "/")][:ENTRIES]
    programs = [entry.split()[0] for entry in host.policy.commands.allow if entry.strip() and entry != "*"][:ENTRIES]
    found = []
    try:
        absent = [path for path in paths if not await _exists(host, path)]
        if absent:
            what = f"path_allowlist permits what is not there: {', '.join(absent)}"
            found.append(warn(what, "Correct the entry, or ignore this where the directory is still to come."))
        if runs and programs and not host.policy.windows and host.settings.allow_dangerous_tools:
            look = 'for p; do command -v "$p" >/dev/null 2>&1 || printf "%s\\n" "$p"; done'
            line = command("sh -c", arg(look), "sh", *(arg(each) for each in dict.fromkeys(programs)))
            done = await connection_of(host).run(line.wire(), timeout=LIMIT, idempotent=True)
            if lacking := done.stdout.decode("utf-8", "replace").split():
                what = f"command_allowlist permits programs that are not there: {', '.join(lacking)}"
                found.append(warn(what, "Correct the entry, or install the program."))
    except TransportError:
        return found  # what is wrong with the connection is said by the checks above
    return found


async def _exists(host: RemoteHost, path: str) -> bool:
    try:
        return await (await connection_of(host).files()).lookup(path) is not None
    except SFTPSubsystemUnavailable:
        return True  # nobody can say


async def _noise(host: RemoteHost) -> list[Finding]:
    """What the login shell's rc files print by themselves."""
    mark = secrets.token_hex(8)
    done = await connection_of(host).run(command("echo", mark).wire(), timeout=LIMIT, framed=False, idempotent=True)
    before = done.stdout.decode("utf-8", "replace").partition(mark)[0].strip()
    noise = before or done.stderr.decode("utf-8", "replace").strip()
    if not noise:
        return []
    return [
        warn(
            f"an rc file prints on non-interactive logins: {noise[:120]!r}",
            "Our commands tolerate it, but sftp and scp do not: guard it with `case $- in *i*)`.",
        )
    ]


async def _sessions(host: RemoteHost) -> list[Finding]:
    """Whether the host takes a second session on one connection; without multiplexing there is none to take."""
    if host.settings.ssh_transport == "direct":
        return []
    before = _masters(host)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(_quiet_run, host, "sleep 0.3")
    more = _masters(host) - before
    if more > 0:
        return [
            warn(
                f"the host allows few sessions per connection (MaxSessions): three calls took {more} more connections",
                "Raise MaxSessions in its sshd_config; until then calls wait or open further connections.",
            )
        ]
    return [ok("several sessions share one connection")]


async def _quiet_run(host: RemoteHost, text: str) -> None:
    try:
        await connection_of(host).run(command(text).wire(), timeout=LIMIT)
    except TransportError:
        return


def _masters(host: RemoteHost) -> int:
    """Connections to this hostname. Aliases that share it are examined one after the other, so only ours come up."""
    statuses = host.call.fleet.sessions()
    names = {host.hostname, host.policy.hostname, host.policy.ssh_name}
    return sum(1 for s in statuses if s.host in names)


async def _sudo(host: RemoteHost) -> list[Finding]:
    try:
        done = await host.sudo.run(command("id", "-u"), timeout=LIMIT)
    except SudoFailed as error:
        return [fail(error.what, error.remedy)]
    except (Refusal, TransportError) as error:
        return [fail(f"sudo: {error}", "")]
    if done.stdout.strip() == b"0":
        return [ok(f"{await host.sudo.program()} works")]
    return [fail("sudo ran, but not as root", "Look at the host's sudoers (runas).")]
