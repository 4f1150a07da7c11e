"""The ssh_config fragment that every ssh of ours reads (``-F``). Pure: settings in, text out.

ssh keeps the *first* value that it meets for a keyword (ssh_config(5)). So the order is: what must not vary, then what
hosts.toml says of the host, then the operator's own ssh_config by ``Include``, and last what only fills gaps
(``SSH_DEFAULT_USER``). A fragment is made for one host, and so it needs no ``Host`` line before the includes.

Nothing can be smuggled in: a value with a line end, a control character or a double quote raises ``ValueError``; what
ssh would expand (``%``, ``${``) is escaped or refused. ``ssh_options`` are vetted in ``options``.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from transports.api import Auth, AuthMethod, Destination, TransportConfig
from transports.openssh.login.argv import check_name, check_port, check_user
from transports.openssh.login.binaries import Binaries
from transports.openssh.login.options import REFUSED_OPTIONS, TWO_WORDS, check_option

__all__ = ["REFUSED_OPTIONS", "Login", "base_lines", "check_option", "launch_lines", "render", "via_lines"]

Line = tuple[str, str]
"""Keyword and value, the value as plain text before quoting."""

NO_FILE: Final = "/dev/null"
KEEPALIVES_MISSED: Final = 3
_LOG_SOURCES: Final = "kex.c:kex_exchange_identification*:*,sshconnect.c:*:*,sshconnect2.c:*:*"
_LOG_END: Final = "clientloop.c:server_alive_check*:*"
_FAST_CIPHERS: Final = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com")
_FAST_KEX: Final = ("mlkem768x25519-sha256",)
_AUTHENTICATIONS: Final = "gssapi-with-mic,hostbased,publickey,keyboard-interactive,password"
"""ssh's default order (ssh_config(5), PreferredAuthentications)."""
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+^.,:/@_*!?%-[]~\\")

_OPTIONAL_INVARIANTS: Final = (
    ("GSSAPIDelegateCredentials", "no"),
    ("SessionType", "default"),
    ("StdinNull", "no"),
    ("ForkAfterAuthentication", "no"),
    ("EnableEscapeCommandline", "no"),
)
"""Not in every build: set where ``ssh -G`` shows that this one has them."""

_INVARIANTS: Final = (
    ("StrictHostKeyChecking", "yes"),
    ("UpdateHostKeys", "no"),
    ("NoHostAuthenticationForLocalhost", "no"),
    ("ForwardAgent", "no"),
    ("ForwardX11", "no"),
    ("ForwardX11Trusted", "no"),
    ("Tunnel", "no"),
    ("ClearAllForwardings", "yes"),
    ("PermitLocalCommand", "no"),
    ("RemoteCommand", "none"),
    ("RequestTTY", "no"),
    ("EscapeChar", "none"),
    ("VisualHostKey", "no"),
    ("FingerprintHash", "sha256"),
    ("ConnectionAttempts", "1"),
)


@dataclass(frozen=True, slots=True)
class Login:
    """What one launch adds to the base: ``control_path`` None is an unmultiplexed ssh.

    ``askpass``: a helper replies to a prompt. ``interactive``: a person sits at the terminal (``ssh-mcp connect``).
    ``identity`` replaces the host's key (the public half of a pinned one, or SSH_DEFAULT_KEY). ``persist`` is in
    seconds. ``verbose``: ssh's log is read (``-E``), so have it log the login.
    """

    control_path: str | None = None
    persist: float = 300.0
    askpass: bool = False
    interactive: bool = False
    verbose: bool = True
    ciphers: tuple[str, ...] = ()
    key_exchanges: tuple[str, ...] = ()
    identity: str | None = None
    proxy: str | None = None


def quote(value: str) -> str:
    """One value as ssh_config reads it back. Raises ValueError for what no quoting can carry in every version."""
    if not value or not value.isprintable() or '"' in value:
        raise ValueError(f"{value[:60]!r} cannot be written into an ssh_config")
    if value.endswith("\\") or "\\\\" in value or "\\'" in value:
        raise ValueError(f"{value[:60]!r} holds a backslash that ssh would read as an escape")
    return value if set(value) <= _PLAIN else f'"{value}"'


def escape(value: str) -> str:
    """A path or name with ssh's expansions taken out of it: ``%`` doubled, ``${`` refused (nothing escapes it)."""
    if "${" in value:
        raise ValueError(f"{value[:60]!r} holds '${{', which ssh would expand")
    return value.replace("%", "%%")


def render(lines: Iterable[Line], includes: Sequence[str] = (), fallbacks: Iterable[Line] = ()) -> str:
    """The fragment's text. ``includes`` are absolute paths of ssh_config files. Raises ValueError, see ``quote``."""
    text = [f"{keyword} {value if _verbatim(keyword) else quote(value)}" for keyword, value in lines]
    text += [f"Include {_include(path)}" for path in includes]
    gap = [f"{keyword} {quote(value)}" for keyword, value in fallbacks]
    return "\n".join([*text, *(["Host *", *gap] if gap else []), ""])


def _verbatim(keyword: str) -> bool:
    """ProxyCommand's value is the rest of the line, built by ``via_lines``; two-word options were vetted."""
    return keyword == "ProxyCommand" or keyword.lower() in TWO_WORDS


def _include(path: str) -> str:
    if not path.startswith(("/", "~")) and path[1:3] not in {":/", ":\\"}:
        raise ValueError(f"the ssh_config path {path!r} is not absolute")
    if any(c in path for c in "*?[]{}%$\\'"):  # Include globs, and from 9.9 expands
        raise ValueError(f"the ssh_config path {path!r} holds characters that Include would expand")
    return quote(path)


def base_lines(destination: Destination, config: TransportConfig, binaries: Binaries) -> list[Line]:
    """What holds for every ssh to this host: the invariants, known hosts, then hosts.toml's own settings.

    This is what ``ssh -G`` is asked about; a launch puts ``launch_lines`` before it. Raises ValueError for a value
    that may not be in an ssh_config.
    """
    optional = [line for line in _OPTIONAL_INVARIANTS if line[0].lower() in binaries.keywords]
    alive = [] if _sets(destination, "serveraliveinterval") else [_keepalive(config)]
    count = [] if _sets(destination, "serveralivecountmax") else [("ServerAliveCountMax", str(KEEPALIVES_MISSED))]
    return [
        *_INVARIANTS,
        *optional,
        ("ConnectTimeout", str(max(1, math.ceil(config.connect_timeout)))),
        *alive,
        *count,
        *_known_hosts_lines(config, binaries),
        *_host_lines(destination, binaries),
        *_auth_lines(destination),
        *_option_lines(destination, binaries),
    ]


def _sets(destination: Destination, keyword: str) -> bool:
    return any(key.lower() == keyword for key, _ in destination.options)


def _keepalive(config: TransportConfig) -> Line:
    return "ServerAliveInterval", str(max(0, math.ceil(config.keepalive_interval)))


def _known_hosts_lines(config: TransportConfig, binaries: Binaries) -> list[Line]:
    if config.known_hosts_file is None:
        return []
    lines = [("UserKnownHostsFile", escape(config.known_hosts_file)), ("GlobalKnownHostsFile", NO_FILE)]
    if binaries.known_hosts_command:
        lines.append(("KnownHostsCommand", "none"))
    return [*lines, ("VerifyHostKeyDNS", "no")]


def user_value(name: str, binaries: Binaries) -> str:
    """A login name as User takes it. ``%`` is literal up to 9.9; from 10.0 it begins a token (release notes of 10.0).

    Raises ValueError.
    """
    check_user(name)
    return escape(name) if binaries.expands_user else name


def _host_lines(destination: Destination, binaries: Binaries) -> list[Line]:
    check_name(destination.name)
    lines: list[Line] = []
    if destination.hostname is not None:
        lines.append(("HostName", escape(check_name(destination.hostname))))
    if destination.user is not None:
        lines.append(("User", user_value(destination.user, binaries)))
    if destination.port is not None:
        lines.append(("Port", str(check_port(destination.port))))
    if destination.jump:
        lines.append(("ProxyCommand", "none"))  # keeps the operator's ProxyJump out; the launch sets the real one
    return lines


def _auth_lines(destination: Destination) -> list[Line]:
    """Credentials by reference; a pinned key's file is written by the launch.

    What hosts.toml asks for is not undone by PubkeyAuthentication or PreferredAuthentications in ssh_config.
    """
    auth = destination.auth
    lines: list[Line] = []
    by_key = auth.method in {AuthMethod.KEY, AuthMethod.AGENT} or bool(auth.key or auth.identity_fingerprint)
    chosen = by_key or auth.method is AuthMethod.PASSWORD or auth.password_cmd is not None
    if chosen and not _sets(destination, "preferredauthentications"):
        lines.append(("PreferredAuthentications", _AUTHENTICATIONS))
    if auth.identity_agent is not None:
        lines.append(("IdentityAgent", _agent(auth.identity_agent)))
    if auth.key is not None and auth.method is not AuthMethod.PASSWORD and auth.identity_fingerprint is None:
        lines.append(("IdentityFile", escape(auth.key)))
    only = auth.identities_only
    if only is None and (auth.identity_fingerprint is not None or auth.method is AuthMethod.KEY):
        only = True
    if only is not None:
        lines.append(("IdentitiesOnly", "yes" if only else "no"))
    if auth.method is AuthMethod.PASSWORD:
        lines.append(("PubkeyAuthentication", "no"))
    elif by_key:
        lines.append(("PubkeyAuthentication", "yes"))
    return lines


def _agent(value: str) -> str:
    """IdentityAgent keeps its own words (``none``, ``SSH_AUTH_SOCK``, ``$NAME``); a path is escaped."""
    own_word = value in {"none", "SSH_AUTH_SOCK"} or (value[:1] == "$" and value[1:].isidentifier())
    return value if own_word else escape(value)


def _option_lines(destination: Destination, binaries: Binaries) -> list[Line]:
    lines: list[Line] = []
    for keyword, value in destination.options:
        check_option(keyword, value)
        if keyword.lower() == "pubkeyacceptedalgorithms" and binaries.version < (8, 5):
            keyword = "PubkeyAcceptedKeyTypes"  # its name before 8.5; the new versions know both  # noqa: PLW2901
        lines.append((keyword, value))
    return lines


def launch_lines(login: Login, auth: Auth, binaries: Binaries) -> list[Line]:
    """What one launch sets before the base lines: batch mode, multiplexing, log, key, ciphers and the route."""
    lines = _prompt_lines(login, auth)
    if login.control_path is None:
        lines += [("ControlMaster", "no"), ("ControlPath", "none"), ("ControlPersist", "no")]
    else:
        lines += [
            ("ControlMaster", "yes"),
            ("ControlPath", escape(login.control_path)),
            ("ControlPersist", str(max(1, math.ceil(login.persist)))),  # 0 would mean for ever
        ]
    lines.append(("LogLevel", _log_level(login, binaries)))
    if login.verbose and binaries.log_verbose:
        lines.append(("LogVerbose", _LOG_SOURCES))
    elif binaries.log_verbose:  # else a session's own ssh would say nothing of why it ends
        lines.append(("LogVerbose", _LOG_END))
    if login.identity is not None:
        lines.append(("IdentityFile", escape(login.identity)))
    if login.ciphers:
        lines.append(("Ciphers", ",".join(login.ciphers)))
    if login.key_exchanges:
        lines.append(("KexAlgorithms", ",".join(login.key_exchanges)))
    if login.proxy is not None:
        lines += [("ProxyCommand", login.proxy), ("ProxyUseFdpass", "no")]
    return lines


def _log_level(login: Login, binaries: Binaries) -> str:
    if not login.verbose:
        return "ERROR"
    # Method, key and server version are debug lines; before 8.5 they cannot be had for single source files.
    return "VERBOSE" if binaries.log_verbose else "DEBUG1"


def _prompt_lines(login: Login, auth: Auth) -> list[Line]:
    """BatchMode also forbids askpass, so a host with a secret command runs without it, with one prompt and only the
    kinds of authentication that the secret is for.
    """
    if login.interactive:
        return [("BatchMode", "no"), ("NumberOfPasswordPrompts", "3")]
    unattended = ("AddKeysToAgent", "no")  # a passphrase from a command opens this login, not everybody's agent
    if not login.askpass:
        return [("BatchMode", "yes"), unattended]
    password = "yes" if auth.password_cmd is not None else "no"
    return [
        ("BatchMode", "no"),
        unattended,
        ("NumberOfPasswordPrompts", "1"),
        ("PasswordAuthentication", password),
        ("KbdInteractiveAuthentication", password),
    ]


def via_lines(argv: Sequence[str]) -> str:
    """A ProxyCommand out of an argv: every word quoted for the shell, ``%`` kept literal except in ``[%h]:%p``.

    Raises ValueError where a word holds a control character, which could end the line.
    """
    words = []
    for word in argv:
        if not word.isprintable():
            raise ValueError(f"{word[:60]!r} cannot be part of a ProxyCommand")
        words.append(shlex.quote(word if word == "[%h]:%p" else word.replace("%", "%%")))
    return " ".join(words)  # ssh puts "exec" before it


def prefer_aes(effective: str, binaries: Binaries) -> tuple[str, ...]:
    """Cipher list with AES-GCM first, see ``_reordered``.

    Measured with 9.2 on a processor with AES instructions: 1.4 to 1.7 times chacha20-poly1305's speed.
    """
    return _reordered(effective, binaries.default_ciphers, _FAST_CIPHERS)


def prefer_mlkem(effective: str, binaries: Binaries) -> tuple[str, ...]:
    """Key exchanges with mlkem768x25519-sha256 first, see ``_reordered``.

    9.9 has it behind sntrup761, which is post-quantum too and takes several times as long; from 10.0 it is first.
    """
    return _reordered(effective, binaries.default_kex, _FAST_KEX)


def _reordered(effective: str, default: tuple[str, ...], preferred: tuple[str, ...]) -> tuple[str, ...]:
    """``effective`` (the host's list by ``ssh -G``) with ``preferred`` first: the same algorithms in another order.

    Empty where somebody chose a list or nothing is to be moved. An explicit list, because ``^`` came only with 8.1.
    """
    names = tuple(effective.split(","))
    first = tuple(name for name in preferred if name in names)
    moved = first + tuple(name for name in names if name not in first)
    return moved if names == default and moved != names else ()
