"""Doctor's look at this machine: OpenSSH, the environment, the agent, permissions, sockets, the audit file."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio

from ssh_mcp.audit.sinks import Audit
from ssh_mcp.cli.findings import Finding, fail, info, ok, warn
from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.inventory.resolve import Inventory
from ssh_mcp.settings import Settings
from transports.errors import AgentFingerprintNotFound, LocalError
from transports.openssh.agent import agent_keys, agent_socket, pinned_key
from transports.openssh.binaries import Binaries, probe
from transports.openssh.control_dir import open_control_dir

_LAUNCHER = (
    "Programs started from a desktop often lack it: put SSH_AUTH_SOCK into the env block of the client's configuration "
    "(`ssh-mcp client NAME` shows where), or set identity_agent in hosts.toml."
)


async def openssh() -> tuple[Binaries | None, list[Finding]]:
    """The programs and their age."""
    try:
        binaries = await probe()
    except LocalError as error:
        return None, [fail(error.what, error.remedy)]
    findings = [ok(f"{binaries.version_text} at {binaries.ssh}")]
    for name in ("sftp", "ssh-keygen", "ssh-add"):
        try:
            binaries.path(name)  # type: ignore[arg-type]
        except LocalError as error:
            findings.append(fail(error.what, error.remedy))
    for have, what in (
        (binaries.log_verbose, "errors are read from a fuller log (LogVerbose, 8.5)"),
        (binaries.askpass_require, "askpass needs no display (SSH_ASKPASS_REQUIRE, 8.4)"),
    ):
        if not have:
            findings.append(info(f"this ssh is older than the release in which {what}"))
    return binaries, findings


def environment() -> list[Finding]:
    """What a desktop launcher leaves out."""
    findings = []
    directories = [d for d in os.environ.get("PATH", "").split(os.pathsep) if d]
    if len(directories) < 3 or "/usr/bin" not in directories:
        findings.append(
            warn(
                f"PATH is short: {os.pathsep.join(directories) or '(empty)'}",
                "Desktop launchers strip it. Password commands and docker contexts may not be found; set PATH in the "
                "client's env block.",
            )
        )
    else:
        findings.append(ok(f"PATH has {len(directories)} directories"))
    if not os.environ.get("HOME"):
        findings.append(warn("HOME is not set", "ssh falls back to the password database; set HOME in the env block."))
    return findings


async def agent(binaries: Binaries | None, inventory: Inventory | None) -> list[Finding]:
    """Is there an agent, does it hold keys, and does it hold the pinned ones."""
    if binaries is None:
        return []
    socket = os.environ.get("SSH_AUTH_SOCK")
    findings: list[Finding] = []
    if not socket:
        findings.append(warn("SSH_AUTH_SOCK is not set: keys in an agent cannot be used", _LAUNCHER))
    else:
        keys = await agent_keys(binaries, socket)
        if keys is None:
            findings.append(fail(f"no agent answers at {socket}", "Start ssh-agent, or correct SSH_AUTH_SOCK."))
        elif not keys:
            findings.append(warn("the agent is empty", "Add a key: ssh-add ~/.ssh/id_ed25519"))
        else:
            findings.append(ok(f"the agent holds {len(keys)} keys: {', '.join(k.comment or k.kind for k in keys[:5])}"))
    policies = inventory.hosts.values() if inventory else ()
    findings.extend([await _pinned(binaries, p) for p in policies if p.auth.identity_fingerprint])
    return findings


async def _pinned(binaries: Binaries, policy: HostPolicy) -> Finding:
    try:
        key = await pinned_key(
            binaries, agent_socket(policy.auth.identity_agent), policy.auth.identity_fingerprint or ""
        )
    except AgentFingerprintNotFound as error:
        return fail(f"{policy.alias}: {error.what}", error.remedy)
    return ok(f"{policy.alias}: the pinned key is in the agent ({key.comment})")


def permissions(settings: Settings, inventory: Inventory | None) -> list[Finding]:
    """Files that ssh refuses, or that others could change."""
    paths = [Path.home() / ".ssh", Path.home() / ".ssh" / "config"]
    keys = {p.auth.key for p in (inventory.hosts.values() if inventory else ()) if p.auth.key}
    if settings.ssh_default_key:
        keys.add(settings.ssh_default_key)
    findings = [f for path in paths if (f := _writable_by_others(path))]
    for name in sorted(keys):
        findings += _key(Path(name))
    return findings or [ok("permissions of ~/.ssh and of the configured keys are right")]


def _writable_by_others(path: Path) -> Finding | None:
    try:
        status = path.stat()
    except OSError:
        return None
    if status.st_mode & 0o022:
        return fail(f"{path} can be changed by others ({stat.filemode(status.st_mode)})", f"chmod go-w {path}")
    return None


def _key(path: Path) -> Iterator[Finding]:
    try:
        status = path.stat()
    except OSError as error:
        yield fail(f"the key {path} cannot be read: {error.strerror}", "Correct key in hosts.toml or SSH_DEFAULT_KEY.")
        return
    if status.st_mode & 0o077:
        yield fail(f"the key {path} is open to others, so ssh will not use it", f"chmod 600 {path}")


def sockets() -> list[Finding]:
    """The directory of the control sockets."""
    try:
        directory = open_control_dir(None)
    except LocalError as error:
        return [fail(error.what, error.remedy)]
    return [ok(f"control sockets live in {directory.path}")]


def audit(settings: Settings) -> list[Finding]:
    """Whether the audit can be written: without it nothing beyond the read tier runs."""
    if not settings.ssh_audit_file:
        return [info("no SSH_AUDIT_FILE: audit lines go to the log only")]
    sink = Audit(Path(settings.ssh_audit_file))
    try:
        if sink.writable():
            return [ok(f"the audit file {settings.ssh_audit_file} can be written")]
        return [
            fail(
                f"the audit file {settings.ssh_audit_file} cannot be written: {sink.problem}",
                "Until it can, low-access, dangerous and sudo tools are refused.",
            )
        ]
    finally:
        sink.close()


def allowances(settings: Settings, inventory: Inventory) -> list[Finding]:
    """Lists that permit nothing (or everything)."""
    findings: list[Finding] = []
    for policy in inventory.listed():
        if not policy.paths.allow:
            findings.append(
                warn(f"{policy.alias}: path_allowlist is empty, so every file tool refuses", "Set path_allowlist.")
            )
        if settings.allow_dangerous_tools and not policy.commands.allow and not policy.commands.allow_any:
            findings.append(
                warn(
                    f"{policy.alias}: no command is allowed, so the exec tools refuse everything",
                    "Set command_allowlist, or ALLOW_ANY_COMMAND=true for all.",
                )
            )
    return findings or [ok("every host's allowlists permit something")]


async def password_command(settings: Settings) -> list[Finding]:
    """Whether SSH_SUDO_PASSWORD_CMD answers; its answer is not shown."""
    if not (settings.allow_sudo and settings.ssh_sudo_password_cmd):
        return []
    done = await anyio.run_process(
        ["/bin/sh", "-c", settings.ssh_sudo_password_cmd],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode == 0 and done.stdout.strip():
        return [ok("SSH_SUDO_PASSWORD_CMD answers")]
    return [fail(f"SSH_SUDO_PASSWORD_CMD gives no password (exit {done.returncode})", "Run it by hand to see why.")]
