"""Command lines for ssh, ssh-keygen and ssh-add. Pure.

Every name goes through ``check_name`` and is placed after ``--``: a host called ``-oProxyCommand=…`` would otherwise be
an option, and that option is code execution on this machine. Failures are ``ValueError`` with a sentence for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from transports.names import login_name_problem

_FORBIDDEN_IN_NAMES: Final = frozenset("/@\\'\"`$&;|<>(){}*?!#~^=,")

NEVER_LOG_IN: Final = (
    ("ProxyCommand", "false"),
    ("ControlMaster", "no"),
    ("BatchMode", "yes"),
    ("StrictHostKeyChecking", "yes"),
    ("PreferredAuthentications", "none"),
    ("IdentityAgent", "none"),
)
"""For clients of a control socket. Where the master refuses them ssh would quietly log in afresh: its connection is
replaced by ``false``, and it is left without any credential."""


def check_name(name: str) -> str:
    """A host name, address or ssh_config alias, unchanged; IPv6 without brackets. Raises ValueError."""
    if not name:
        raise ValueError("the host name is empty")
    if name.startswith("-"):
        raise ValueError(f"the host name {name!r} begins with '-' and would be an option of ssh")
    if any(c.isspace() or not c.isprintable() for c in name):
        raise ValueError(f"the host name {name!r} holds whitespace or control characters")
    if bad := sorted(set(name) & _FORBIDDEN_IN_NAMES):
        raise ValueError(f"the host name {name!r} holds {' '.join(bad)}")
    return name


def check_user(user: str) -> str:
    """A login name, unchanged."""
    if (problem := login_name_problem(user)) is not None:
        raise ValueError(f"the user name {user!r} {problem}")
    return user


def check_port(port: int) -> int:
    """A TCP port, unchanged."""
    if not 1 <= port <= 65535:
        raise ValueError(f"port {port} is not between 1 and 65535")
    return port


def known_hosts_name(host: str, port: int) -> str:
    """How known_hosts calls a host: bare on port 22, ``[host]:port`` otherwise (sshd(8), SSH_KNOWN_HOSTS FORMAT)."""
    return host if port == 22 else f"[{host.strip('[]')}]:{port}"


def options(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """``-o key=value`` for each pair."""
    return [word for key, value in pairs for word in ("-o", f"{key}={value}")]


def _request(subsystem: str | None, command: str | None) -> tuple[list[str], list[str]]:
    """Flags before, and words after, the destination."""
    if subsystem is not None:
        return ["-s"], [subsystem]
    return [], [] if command is None else [command]


def ssh_argv(
    ssh: str,
    config: str,
    name: str,
    *,
    extra: Sequence[str] = (),
    subsystem: str | None = None,
    command: str | None = None,
    tty: bool = False,
) -> list[str]:
    """One ssh that reads ``config`` (a path) and nothing else; ``tty``: with a pseudo-terminal."""
    flags, words = _request(subsystem, command)
    terminal = options((("RequestTTY", "force"),)) if tty else []
    return [ssh, "-F", config, *terminal, *extra, *flags, "--", check_name(name), *words]


def mux_argv(
    ssh: str,
    control_path: str,
    name: str,
    *,
    subsystem: str | None = None,
    command: str | None = None,
    tty: bool = False,
) -> list[str]:
    """One session over a live control socket; exits 255 at once where there is none. ``tty``: a pseudo-terminal."""
    flags, words = _request(subsystem, command)
    quiet = options(
        (*NEVER_LOG_IN, ("LogLevel", "ERROR"), ("RequestTTY", "force" if tty else "no"), ("EscapeChar", "none"))
    )
    return [ssh, "-F", "none", "-S", control_path, *quiet, *flags, "--", check_name(name), *words]


def mux_shell(ssh: str, control_path: str) -> list[str]:
    """The same without destination and command, which another program appends: whatever name it gives, the session
    goes over the socket or nowhere.
    """
    quiet = options((*NEVER_LOG_IN, ("LogLevel", "ERROR"), ("RequestTTY", "no"), ("EscapeChar", "none")))
    return [ssh, "-F", "none", "-S", control_path, *quiet]


def stdio_forward_argv(ssh: str, control_path: str, name: str) -> list[str]:
    """What joins a jump host's master to the next hop: for a ProxyCommand, hence the ``%`` tokens of ssh_config(5)."""
    quiet = options((*NEVER_LOG_IN, ("LogLevel", "ERROR")))
    return [ssh, "-F", "none", "-S", control_path, *quiet, "-W", "[%h]:%p", "--", check_name(name)]


def find_host_argv(ssh_keygen: str, known_hosts: str, name: str) -> list[str]:
    """Print the fingerprints of a known_hosts name, hashed entries included."""
    return [ssh_keygen, "-l", "-E", "sha256", "-F", name, "-f", known_hosts]


def list_agent_argv(ssh_add: str, *, public: bool) -> list[str]:
    """Fingerprints (``public`` False) or whole public keys of the agent in SSH_AUTH_SOCK, in the same order."""
    return [ssh_add, "-L"] if public else [ssh_add, "-l", "-E", "sha256"]
