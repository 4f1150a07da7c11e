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
from ssh_mcp.settings.file import settings_file, unused_in_working_directory
from ssh_mcp.settings.model import Settings
from transports.api import AuthMethod
from transports.errors import AgentFingerprintNotFound, LocalError
from transports.openssh.local.control_dir import open_control_dir
from transports.openssh.login.agent import AgentKey, agent_keys, agent_socket, pinned_key
from transports.openssh.login.binaries import Binaries, probe

LAUNCHER_PATH = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
"""What macOS and most desktops give to a program started with a click."""

PASSWORD_LIMIT = 20.0
"""Seconds that SSH_SUDO_PASSWORD_CMD may take."""

_ENV = (
    "Put SSH_AUTH_SOCK into the env block of the client's configuration (`ssh-mcp client NAME` shows where), or set "
    "identity_agent in hosts.toml."
)
_LAUNCHER = f"Programs started from a desktop often lack it. {_ENV}"
_MAY_USE_AGENT = (AuthMethod.AUTO, AuthMethod.AGENT)


def settings_files() -> list[Finding]:
    """Which settings file counts, and what lies in the working directory without any effect."""
    file = settings_file(os.environ)
    used = ok(f"settings from {file}") if file else info("no settings file: settings come from the environment only")
    return [used, *unused_files()]


def unused_files() -> list[Finding]:
    """Files that earlier releases read from the working directory, and that other programs still do."""
    return [
        info(f"{file} is not used", "Nothing is read from the working directory. To use it, name it: " + how)
        for file in unused_in_working_directory(os.environ)
        for how in [f"SSH_HOSTS_FILE={file}" if file.suffix == ".toml" else f"--env-file {file} or SSH_ENV_FILE."]
    ]


async def openssh() -> tuple[Binaries | None, list[Finding]]:
    """The programs and their age."""
    try:
        binaries = await probe()
    except LocalError as error:
        return None, [fail(error.what, error.remedy)]
    findings = [ok(f"{binaries.version_text} at {binaries.ssh}")]
    for name in ("sftp", "ssh-keygen", "ssh-add"):
        try:
            binaries.path(name)
        except LocalError as error:
            findings.append(fail(error.what, error.remedy))
    for have, what in (
        (binaries.log_verbose, "errors are read from a fuller log (LogVerbose, 8.5)"),
        (binaries.askpass_require, "askpass needs no display (SSH_ASKPASS_REQUIRE, 8.4)"),
    ):
        if not have:
            findings.append(info(f"this ssh is older than the release in which {what}"))
    return binaries, findings


def environment(binaries: Binaries | None, policies: list[HostPolicy], settings: Settings | None) -> list[Finding]:
    """What a desktop launcher leaves out: found missing here, or here but not there."""
    findings = []
    directories = [d for d in os.environ.get("PATH", "").split(os.pathsep) if d]
    if os.name == "posix" and len(directories) <= len(LAUNCHER_PATH) and set(directories) <= set(LAUNCHER_PATH):
        findings.append(
            warn(
                f"PATH is short, as a desktop launcher leaves it: {os.pathsep.join(directories) or '(empty)'}",
                "Password commands and docker contexts may not be found; set PATH in the client's env block.",
            )
        )
    elif os.name == "posix" and binaries and os.path.dirname(binaries.ssh) not in LAUNCHER_PATH:  # noqa: PTH120
        findings.append(
            warn(
                f"ssh is at {binaries.ssh}, where the short PATH of a client started from the desktop does not lead",
                "Set PATH in the client's env block, or another ssh (or none) is used there.",
            )
        )
    else:
        findings.append(ok(f"PATH has {len(directories)} directories"))
    if not os.environ.get("HOME"):
        findings.append(warn("HOME is not set", "ssh falls back to the password database; set HOME in the env block."))
    if settings is None or settings.ssh_config_file is None:
        findings += _other_home()
    if _using_environment(policies) and os.environ.get("SSH_AUTH_SOCK"):
        findings.append(
            info("SSH_AUTH_SOCK is set in this terminal; a client started from the desktop may lack it", _ENV)
        )
    return findings


def _other_home() -> list[Finding]:
    """The home directory of ssh is the password database's, whatever HOME says (ssh(1), FILES)."""
    home = os.environ.get("HOME")
    if os.name != "posix" or not home:
        return []
    import pwd

    try:
        real = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return [warn(f"uid {os.getuid()} is not in the password database", "ssh refuses to run; add the account.")]
    if os.path.realpath(home) == os.path.realpath(real):
        return []
    return [
        warn(
            f"HOME is {home}, but ssh reads {real}/.ssh: names and keys of {home}/.ssh/config are not found",
            f"Set SSH_CONFIG_FILE={home}/.ssh/config and SSH_KNOWN_HOSTS={home}/.ssh/known_hosts, or correct HOME.",
        )
    ]


def _using_environment(policies: list[HostPolicy]) -> bool:
    """Whether a host may be logged in to with a key of the agent that SSH_AUTH_SOCK names."""
    return any(p.auth.identity_agent is None and p.auth.method in _MAY_USE_AGENT for p in policies)


async def agent(binaries: Binaries | None, policies: list[HostPolicy]) -> list[Finding]:
    """Is there an agent, does it hold keys, and does it hold the pinned ones."""
    if binaries is None or binaries.ssh_add is None:
        return []
    socket = os.environ.get("SSH_AUTH_SOCK")
    findings: list[Finding] = []
    if not socket and policies and not _using_environment(policies):
        findings.append(info("SSH_AUTH_SOCK is not set, and no host needs it"))
    elif not socket:
        findings.append(warn("SSH_AUTH_SOCK is not set: keys in an agent cannot be used", _LAUNCHER))
    else:
        findings.append(_held(socket, await agent_keys(binaries, socket)))
    findings.extend([await _pinned(binaries, p) for p in policies if p.auth.identity_fingerprint])
    return findings


def _held(socket: str, keys: tuple[AgentKey, ...] | None) -> Finding:
    if keys is None:
        return fail(f"no agent replies at {socket}", "Start ssh-agent, or correct SSH_AUTH_SOCK.")
    if not keys:
        return warn("the agent is empty", "Add a key: ssh-add ~/.ssh/id_ed25519")
    more = ", ..." if len(keys) > 5 else ""
    return ok(f"the agent's keys: {', '.join(k.comment or k.kind for k in keys[:5])}{more}")


async def _pinned(binaries: Binaries, policy: HostPolicy) -> Finding:
    try:
        key = await pinned_key(
            binaries, agent_socket(policy.auth.identity_agent), policy.auth.identity_fingerprint or ""
        )
    except AgentFingerprintNotFound as error:
        return fail(f"{policy.alias}: {error.what}", error.remedy)
    return ok(f"{policy.alias}: the pinned key is in the agent ({key.comment})")


def permissions(settings: Settings, policies: list[HostPolicy]) -> list[Finding]:
    """Files that ssh refuses, or that others could change."""
    if os.name != "posix":
        return []
    paths = [Path.home() / ".ssh", Path.home() / ".ssh" / "config"]
    keys = {p.auth.key for p in policies if p.auth.key}
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
    if status.st_uid == os.geteuid() and status.st_mode & 0o077:
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


def catalogue(settings: Settings) -> Finding:
    """How many tools a client will see."""
    from ssh_mcp.policy.tiers import enabled_groups, open_tiers
    from ssh_mcp.tools.catalogue import exists, read

    entries = read()
    visible = [entry for entry in entries if exists(entry, settings)]
    if not visible:
        return fail("no tool is open to clients", "Correct SSH_ENABLED_GROUPS, or leave it out for all groups.")
    tiers, groups = open_tiers(settings), enabled_groups(settings)
    return ok(f"{len(visible)} of {len(entries)} tools are open: tiers {', '.join(tiers)}; groups {', '.join(groups)}")


def allowances(settings: Settings, policies: list[HostPolicy]) -> list[Finding]:
    """Lists that are empty: one finding for all hosts that share it."""
    no_paths = [p.alias for p in policies if not p.paths.allow]
    no_programs = [p.alias for p in policies if not p.commands.allow and not p.commands.allow_any]
    findings: list[Finding] = []
    if no_paths:
        findings.append(
            warn(
                f"{_some(no_paths)}: path_allowlist is empty, so every file tool refuses",
                "Set path_allowlist in hosts.toml.",
            )
        )
    if settings.allow_dangerous_tools and no_programs:
        findings.append(
            warn(
                f"{_some(no_programs)}: no command is allowed, so the exec tools refuse everything",
                "Set command_allowlist in hosts.toml, or ALLOW_ANY_COMMAND=true for all.",
            )
        )
    return findings or ([ok("no allowlist is empty")] if policies else [])


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{', '.join(names[:8])}{more}"


async def password_command(settings: Settings) -> list[Finding]:
    """Whether SSH_SUDO_PASSWORD_CMD prints something; its output is not shown."""
    if not (settings.allow_sudo and settings.ssh_sudo_password_cmd):
        return []
    try:
        with anyio.fail_after(PASSWORD_LIMIT):
            done = await anyio.run_process(
                settings.ssh_sudo_password_cmd, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
    except TimeoutError:
        return [fail(f"SSH_SUDO_PASSWORD_CMD did not end within {PASSWORD_LIMIT:g} s", "Run it by hand to see why.")]
    if done.returncode == 0 and done.stdout.strip():
        return [ok("SSH_SUDO_PASSWORD_CMD prints a password")]
    return [fail(f"SSH_SUDO_PASSWORD_CMD gives no password (exit {done.returncode})", "Run it by hand to see why.")]
