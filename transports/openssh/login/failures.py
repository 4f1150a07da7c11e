"""A login that failed, as an error with a remedy. Pure: a log's facts and what we asked for in, an error out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from transports.errors import (
    AuthenticationFailed,
    ConnectError,
    HostKeyMismatch,
    LocalError,
    UnknownHost,
    Unreachable,
)
from transports.openssh.login.argv import known_hosts_name
from transports.openssh.login.askpass import NOTHING_REPORTED, HelperReport
from transports.openssh.login.key_files import KeyFault
from transports.openssh.login.log import LogReport, Verdict, clean

_OURS: Final = {
    "key exchange method": "kexalgorithms",
    "cipher": "ciphers",
    "mac": "macs",
    "host key type": "hostkeyalgorithms",
    "compression method": "compression",
}
_OPTION: Final = {
    "kexalgorithms": "KexAlgorithms",
    "ciphers": "Ciphers",
    "macs": "MACs",
    "hostkeyalgorithms": "HostKeyAlgorithms",
    "compression": "Compression",
}
_LISTED: Final = 6


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was asked for: the host by the caller's name and as ssh resolved it.

    ``settings`` are the effective algorithm lists by lower-case keyword; ``known_hosts`` the file to pin a key in;
    ``expected`` the fingerprint known until now. ``proxied`` is the jump host's name, or "" for an operator's
    ProxyCommand; ``proxy_text`` what it said on stderr or in the jump host's log. ``seconds`` is the time
    limit and ``gave_up`` that it was ours that ended the attempt. ``askpass`` is what the helper reports;
    ``key_fault`` a key file that ssh could not load; ``expired`` the end of validity of a certificate that was offered.
    """

    name: str
    hostname: str
    port: int
    user: str
    known_hosts: str = "~/.ssh/known_hosts"
    host_key_alias: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    expected: str | None = None
    proxied: str | None = None
    proxy_text: str = ""
    seconds: float = 10.0
    gave_up: bool = False
    askpass: HelperReport = NOTHING_REPORTED
    key_fault: KeyFault | None = None
    expired: str = ""

    @property
    def where(self) -> str:
        address = known_hosts_name(self.hostname, self.port)
        return self.name if self.name == address else f"{self.name} ({address})"

    @property
    def pin_name(self) -> str:
        return self.host_key_alias or known_hosts_name(self.hostname, self.port)


def login_error(report: LogReport, attempt: Attempt) -> ConnectError | LocalError:
    """The error of a failed attempt: the most specific fact of the log wins."""
    for read_cause in (_configuration, _host_key, _algorithms, _reach, _authentication, _proxy, _broken):
        if (error := read_cause(report, attempt)) is not None:
            return error
    said = f" ssh said: {report.errors[-1]}." if report.errors else ""
    return ConnectError(
        f"The login to {attempt.where} failed.{said}", f"Try `ssh-mcp doctor {attempt.name}`.", sent=False
    )


def with_hop(error: ConnectError, hop: str) -> ConnectError:
    """The same failure as a failure of the jump host ``hop``; the innermost name is kept."""
    if error.hop is not None:
        return error
    return type(error)(f"The jump host {hop} failed. {error.what}", error.remedy, sent=False, hop=hop)


# --- host keys ------------------------------------------------------------------------------------------------------


def _host_key(report: LogReport, attempt: Attempt) -> ConnectError | None:
    if report.verdict is Verdict.UNKNOWN:
        return unknown_host(report, attempt)
    if report.verdict in {Verdict.CHANGED, Verdict.REVOKED}:
        return mismatch(report, attempt)
    return None


def _live(report: LogReport) -> str:
    fingerprint = report.login.host_key_fingerprint or "a key whose fingerprint ssh did not print"
    return f"{report.key_type} {fingerprint}" if report.key_type else fingerprint


def _pinning(report: LogReport, third: str) -> str:
    kind = (report.key_type or "ssh-ed25519").split("-cert-")[0].removeprefix("ssh-")
    kind = "ecdsa" if kind.startswith("ecdsa") else kind
    return (
        f"To pin the key: (1) read the fingerprint on the host itself or ask its operator"
        f" (ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub); (2) compare it with the one above;"
        f" (3) only if they are equal, a person {third}."
    )


def unknown_host(report: LogReport, attempt: Attempt) -> UnknownHost:
    """No known_hosts entry: fingerprint of what the host offers, and how a person pins it."""
    because = f" (its certificate does not count: {report.certificate_problem})" if report.certificate_problem else ""
    return UnknownHost(
        f"The host key of {attempt.where} is not known: it offers {_live(report)}{because}.",
        _pinning(report, f"adds the key for {attempt.pin_name} to {attempt.known_hosts}"),
        sent=False,
    )


def mismatch(report: LogReport, attempt: Attempt) -> HostKeyMismatch:
    """Another key than the known one: both fingerprints, and how a person replaces it."""
    if report.verdict is Verdict.REVOKED:
        return HostKeyMismatch(
            f"The host key of {attempt.where} is marked as revoked: {_live(report)}.",
            "Do not use this host until its operator has given it a new key.",
            sent=False,
        )
    known = attempt.expected or "another key"
    place = f" ({report.offending})" if report.offending else ""
    return HostKeyMismatch(
        f"The host key of {attempt.where} is not the known one: known is {known}{place}, it offers {_live(report)};"
        " someone may be in between, or the host was reinstalled.",
        _pinning(report, f"replaces the entry for {attempt.pin_name} in {report.offending or attempt.known_hosts}"),
        sent=False,
    )


# --- before a login -------------------------------------------------------------------------------------------------


def _configuration(report: LogReport, attempt: Attempt) -> ConnectError | LocalError | None:
    if report.loop:
        return ConnectError(
            f"The jump hosts of {attempt.where} lead back to it.", "Fix ProxyJump in your ssh_config.", sent=False
        )
    if report.configuration is None:
        return None
    if report.configuration.startswith("Bad owner or permissions on "):
        path = report.configuration.removeprefix("Bad owner or permissions on ")
        return LocalError(
            f"ssh refuses the file {path}: others may write to it or own it.",
            f"Run `chmod go-w {path}` and make sure that it is yours.",
            sent=False,
        )
    return LocalError(f"ssh cannot read its configuration: {report.configuration}.", "Correct that line.", sent=False)


def _algorithms(report: LogReport, attempt: Attempt) -> ConnectError | None:
    if report.no_match is None:
        return None
    kind, theirs = report.no_match
    keyword = _OURS.get(kind.lower(), "")
    ours = dict(attempt.settings).get(keyword, "")
    option = _OPTION.get(keyword, kind)
    wanted = next((name for name in theirs.split(",") if not name.startswith(("kex-strict", "ext-info"))), theirs)
    return ConnectError(
        f"No common {kind} with {attempt.where}: it offers {theirs}; we accept {ours or 'none of these'}.",
        f'If the host cannot be updated, put `ssh_options = {{ {option} = "+{wanted}" }}` into its hosts.toml entry.',
        sent=False,
    )


def _reach(report: LogReport, attempt: Attempt) -> ConnectError | None:
    if report.unresolved is not None:
        return Unreachable(
            f"The name {attempt.hostname} of {attempt.name} cannot be resolved.",
            "Check the hostname in hosts.toml or ssh_config, and DNS or VPN.",
            sent=False,
        )
    if report.connect is not None:
        return _no_tcp(report.connect, attempt)
    if report.timed_out or (attempt.gave_up and report.login.server_version is None):
        return Unreachable(
            f"{attempt.where} did not reply as an ssh server within {attempt.seconds:g} s.",
            "Check that sshd listens on that port and that nothing in between blocks the connection.",
            sent=False,
        )
    return None


def _no_tcp(reason: str, attempt: Attempt) -> ConnectError:
    low = reason.lower()
    if "refused" in low:
        what, remedy = "refused the connection", "Check that sshd runs there and that the port is right."
    elif "timed out" in low:
        what, remedy = f"did not reply within {attempt.seconds:g} s", "Check address, firewall and VPN."
    elif "unreachable" in low or "no route" in low:
        what, remedy = f"is unreachable ({clean(reason)})", "Check the network, VPN or jump host."
    else:
        what, remedy = f"could not be connected to: {clean(reason)}", "Check address, port and network."
    return Unreachable(f"{attempt.where} {what}.", remedy, sent=False)


# --- authentication -------------------------------------------------------------------------------------------------


def _authentication(report: LogReport, attempt: Attempt) -> ConnectError | None:
    if not report.denied and not report.too_many:
        return None
    if report.partial is not None:
        return _second_factor(report, attempt)
    offered = report.offered[-_LISTED:]
    keys = f"keys offered: {'; '.join(offered)}" if offered else "no key was offered"
    tried = ", ".join(report.tried) or "nothing we may use"
    accepts = f", the server accepts {', '.join(report.methods)}" if report.methods else ""
    why, remedy = _reason(report, attempt)
    return AuthenticationFailed(
        f"{attempt.user}@{attempt.where} accepted none of our credentials (tried {tried}{accepts}; {keys}){why}.",
        remedy,
        sent=False,
    )


def _second_factor(report: LogReport, attempt: Attempt) -> AuthenticationFailed:
    """Partial success (RFC 4252, section 5.1): the credential is right, and the host wants another one besides."""
    accepted = {"publickey": "the key", "password": "the password"}.get(report.partial or "", "the first credential")
    said = f" ({attempt.askpass.clause})" if attempt.askpass.clause else ""
    wanted = " or ".join(report.methods) or "another method"
    return AuthenticationFailed(
        f"{attempt.user}@{attempt.where} accepted {accepted} and wants a second factor: {wanted}{said}.",
        _by_hand(attempt),
        sent=False,
    )


def _by_hand(attempt: Attempt) -> str:
    return f"Run `ssh-mcp connect {attempt.name}` in a terminal and answer the prompt; later calls use that connection."


def _reason(report: LogReport, attempt: Attempt) -> tuple[str, str]:
    """What is special about a refusal, and the remedy for it."""
    if attempt.askpass.unexpected:
        return f"; {attempt.askpass.clause}", _by_hand(attempt)
    if attempt.askpass.clause:
        return f"; {attempt.askpass.clause}", "Check the command and what it prints: its first line is the secret."
    if report.too_many:
        return "; too many keys were offered", "Pin the right one with identity_fingerprint, or set identities_only."
    if attempt.expired:
        return f"; the certificate ran out at {attempt.expired}", "Get a new certificate for the key."
    if (found := _key_problem(report, attempt)) is not None:
        return found
    if report.accepted_key is not None and not report.authenticated:
        remedy = "Load the key into the agent, set passphrase_cmd, or log in once by `ssh-mcp connect`."
        return "; the server would take the key, but it could not be used: it wants a passphrase or a touch", remedy
    if {"password", "keyboard-interactive"} & set(report.methods) and "publickey" not in report.methods:
        return "", f"The host wants a password: set password_cmd, or log in by `ssh-mcp connect {attempt.name}`."
    return "", "Check user and key; the public key must be in the account's authorized_keys."


def _key_problem(report: LogReport, attempt: Attempt) -> tuple[str, str] | None:
    """What kept the client from using a key."""
    problem = report.key_problem or ""
    path, _, _ = problem.rpartition(": ")
    if attempt.key_fault is not None:
        return f"; the key file {attempt.key_fault.path} {attempt.key_fault.what}", attempt.key_fault.remedy
    if "bad permissions" in problem:
        return f"; ssh ignores {path} because others may read it", f"Run `chmod 600 {path}`."
    if report.signing_problem is not None:
        return f"; signing failed for {report.signing_problem}", "Unlock the agent or confirm the key, then try again."
    if "incorrect passphrase" in problem:
        return "; the passphrase is wrong", "Check passphrase_cmd: its first line of output is the passphrase."
    if "no such file" in problem.lower():
        return f"; there is not a key file {path}", "Check `key` in the host's auth table."
    return None


# --- the route, and the rest ------------------------------------------------------------------------------------------


def _proxy(report: LogReport, attempt: Attempt) -> ConnectError | None:
    if attempt.proxied is None or report.login.server_version is not None:
        return None
    text = clean(attempt.proxy_text)
    if not attempt.proxied:
        said = f": {text}" if text else ""
        return ConnectError(
            f"The ProxyCommand for {attempt.where} ended before an ssh server replied{said}.",
            "Run that command by hand and fix it in your ssh_config.",
            sent=False,
        )
    hop = attempt.proxied
    if "prohibited" in text.lower():
        return ConnectError(
            f"The jump host {hop} does not allow forwarding to {attempt.where} ({text}).",
            "Its sshd needs AllowTcpForwarding, and PermitOpen for this target.",
            sent=False,
            hop=hop,
        )
    if text:
        seen = _no_tcp(text.rpartition("connect failed: ")[2], replace(attempt, proxied=None))
        return Unreachable(f"Seen from the jump host {hop}, {seen.what}", seen.remedy, sent=False)
    return ConnectError(
        f"The jump host {hop} could not open a connection to {attempt.where}.",
        "Check that the target runs, and that the jump host may forward to it.",
        sent=False,
    )


def _broken(report: LogReport, attempt: Attempt) -> ConnectError | None:
    if attempt.gave_up:
        return ConnectError(
            f"The login to {attempt.where} was not finished in time.",
            "If a key wants a touch or a person must answer a prompt, use `ssh-mcp connect`.",
            sent=False,
        )
    if report.ended is None and report.server_text is None:
        return None
    said = f' ("{report.server_text}")' if report.server_text else ""
    return ConnectError(
        f"{attempt.where} ended the connection before the login{said}: {report.ended or 'disconnected'}.",
        "If it limits new connections (MaxStartups, PerSourcePenalties, fail2ban), wait before trying again.",
        sent=False,
    )
