"""One login: start ssh by a plan, read its log, and turn a failure into an error with its cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import anyio

from transports.api import HostKeyCheck, LoginInfo
from transports.errors import AuthenticationFailed, ConnectError, LocalError
from transports.mux.client import terminate
from transports.openssh.local.launch import Outcome, environment, read_text, run_ssh, size_of, truncate
from transports.openssh.login import askpass
from transports.openssh.login.agent import agent_keys, agent_socket, list_certificates
from transports.openssh.login.argv import ssh_argv, stdio_forward_argv
from transports.openssh.login.config import Login, via_lines
from transports.openssh.login.failures import login_error
from transports.openssh.login.host_keys import ASK_NOTHING, known_fingerprint, look
from transports.openssh.login.key_files import FILE_MAX, KeyFault, certificate_ends, certificate_paths, key_fault
from transports.openssh.login.log import LogReport, Verdict, read
from transports.openssh.login.plan import LoginPlan

_AUTHENTICATION_SECONDS: Final = 30.0
_HELPER_SECONDS: Final = 60.0
"""Time for authentication after the connection time, and in addition where a passphrase or password command runs."""


@dataclass(frozen=True, slots=True)
class JumpRoute:
    """The route through a jump host: its master's control socket, or (``command``) a ProxyCommand that logs in."""

    name: str
    control_path: str = ""
    command: str | None = None

    @property
    def log(self) -> str:
        """The master's log; the only place with the reason why a channel to a target could not be opened."""
        return self.control_path + ".log"

    def proxy(self, ssh: str) -> str:
        """The ProxyCommand. A master opens a channel to the target (NEW_STDIO_FWD): no login."""
        return self.command or via_lines(stdio_forward_argv(ssh, self.control_path, self.name))


def _through(login: Login, plan: LoginPlan, route: JumpRoute | None) -> Login:
    return login if route is None else replace(login, proxy=route.proxy(plan.context.binaries.ssh))


@contextmanager
def _helper(plan: LoginPlan, login: Login) -> Iterator[askpass.Askpass | None]:
    if not login.askpass:
        yield None
        return
    made = askpass.make(plan.prompts(), plan.context.binaries, plan.context.directory.path)
    try:
        yield made
    finally:
        askpass.dispose(made)


async def start_master(
    plan: LoginPlan, control_path: str, route: JumpRoute | None, *, by_hand: float | None = None
) -> LoginInfo:
    """Log in and leave a master behind that listens at ``control_path``; the caller holds its turn.

    ``by_hand``: a person replies at the terminal, and the master lasts that many idle seconds. Raises ConnectError and
    its kin. The master's log stays at ``control_path.log`` and holds only what happens after the login.
    """
    login = replace(_through(await plan.login(), plan, route), control_path=control_path)
    if by_hand is not None:
        login = replace(login, askpass=False, interactive=True, persist=by_hand)
    log = control_path + ".log"
    log_size_before = size_of(route.log) if route is not None else 0
    with _helper(plan, login) as helper:
        outcome = await _run(plan, login, log, helper)
        asked = helper.outcome() if helper is not None else askpass.NOTHING_REPORTED
    report = read(outcome.log, outcome.said)
    if outcome.code == 0:
        truncate(log)
        if (error := _other_key(plan, report)) is not None:
            await terminate(control_path)
            raise error
        return report.login
    truncate(log)
    hop_log = read_text(route.log, log_size_before) if route is not None else ""
    raise await explain(plan, route, report, gave_up=outcome.code is None, asked=asked, hop_log=hop_log)


async def _run(plan: LoginPlan, login: Login, log: str, helper: askpass.Askpass | None) -> Outcome:
    config, binaries = plan.context.config, plan.context.binaries
    seconds: float | None = config.connect_timeout + _AUTHENTICATION_SECONDS
    if login.askpass:
        seconds = config.connect_timeout + _AUTHENTICATION_SECONDS + _HELPER_SECONDS
    if login.interactive:
        seconds = None
    env = environment(helper.environment if helper is not None else ())
    async with plan.fragment(login) as path:
        argv = ssh_argv(binaries.ssh, path, plan.destination.name, extra=("-E", log, "-f", "-N"))
        return await run_ssh(argv, log, env, seconds=seconds, terminal=login.interactive)


def _other_key(plan: LoginPlan, report: LogReport) -> AuthenticationFailed | None:
    """A pinned key means this key: ssh_config may name further IdentityFiles, which nothing can switch off."""
    pinned = plan.destination.auth.identity_fingerprint
    if pinned is None or report.accepted_key in {None, pinned}:
        return None
    return AuthenticationFailed(
        f"{plan.destination.name} did not accept the pinned key {pinned} but another one, {report.accepted_key}.",
        "Add the pinned key to the account's authorized_keys, or take IdentityFile for this host out of ssh_config.",
        sent=False,
    )


# --- why it failed ---------------------------------------------------------------------------------------------------


async def explain(
    plan: LoginPlan,
    route: JumpRoute | None,
    report: LogReport,
    *,
    gave_up: bool,
    asked: askpass.HelperReport = askpass.NOTHING_REPORTED,
    hop_log: str = "",
) -> ConnectError | LocalError:
    """The error behind a failed login; asks known_hosts, or the host again, for what the log left out."""
    attempt = replace(plan.attempt(), gave_up=gave_up, askpass=asked)
    if report.verdict is Verdict.CHANGED:
        attempt = replace(attempt, expected=await _expected(plan, report))
    if report.verdict in {Verdict.CHANGED, Verdict.UNKNOWN} and report.login.host_key_fingerprint is None:
        report = (await _look(plan, route))[0]  # before 8.5 only "-v" prints the fingerprint
    if report.denied:
        attempt = replace(attempt, key_fault=await _key_fault(report), expired=await _expired(plan, report))
    if route is not None:
        attempt = replace(attempt, proxied=route.name, proxy_text=_channel_failure(hop_log))
    elif plan.resolved.one("proxycommand") is not None:
        attempt = replace(attempt, proxied="", proxy_text=await _proxy_said(plan, report))
    return login_error(report, attempt)


_MALFORMED: Final = ("error in libcrypto", "invalid format", "unsupported")
"""ssh's words (ssherr.c) for a key file that it read and could not parse."""


async def _key_fault(report: LogReport) -> KeyFault | None:
    path, _, reason = (report.key_problem or "").rpartition(": ")
    if not reason.startswith(_MALFORMED):
        return None
    try:
        async with await anyio.open_file(path, "rb") as file:
            return key_fault(path, await file.read(FILE_MAX))
    except OSError:
        return None


async def _expired(plan: LoginPlan, report: LogReport) -> str:
    """When the certificates that the host refused ran out; "" where one is still valid or none was offered.

    The host keeps the reason to itself, so ssh-keygen reads them: from files, or from the agent.
    """
    offered = [words for line in report.offered if len(words := line.split()) > 2 and "-CERT" in words[-2]]
    if not offered or plan.context.binaries.ssh_keygen is None or report.accepted_key is not None:
        return ""
    texts = [read_text(path) for words in offered for path in certificate_paths(" ".join(words[:-2]))]
    if not any(texts):
        keys = await agent_keys(plan.context.binaries, agent_socket(plan.resolved.one("identityagent"))) or ()
        shown = {words[-1] for words in offered}
        texts = [key.public for key in keys if key.certificate and key.fingerprint in shown]
    listing = await list_certificates(plan.context.binaries.ssh_keygen, "\n".join(texts))
    ends = certificate_ends(listing)
    return max(ends).isoformat(" ") if ends and max(ends) < datetime.now() else ""  # noqa: DTZ005 - as ssh-keygen


def _channel_failure(hop_log: str) -> str:
    """The reason in a jump host's log, where all channels that failed meanwhile failed for the same one."""
    reasons = {line.partition(": open failed: ")[2].strip() for line in hop_log.splitlines() if "open failed: " in line}
    return reasons.pop() if len(reasons) == 1 else ""


async def _proxy_said(plan: LoginPlan, report: LogReport) -> str:
    """What an operator's ProxyCommand writes to stderr: a master sends that nowhere, so it is run once more."""
    if report.login.server_version is not None:
        return ""
    again, _ = await _look(plan, None)
    own = ("Connection closed", "Connection reset", "kex_exchange", "ssh_exchange", "OpenSSH_", "Pseudo-terminal")
    words = [line for line in again.errors if not line.startswith(own)]
    return words[-1] if words else ""


async def _expected(plan: LoginPlan, report: LogReport) -> str | None:
    offending = report.offending.rpartition(":")[0] if report.offending else None
    files = (offending,) if offending else plan.resolved.known_hosts_files()
    return await known_fingerprint(plan.context.binaries, files, plan.known_hosts_name(), report.key_type)


# --- looking without logging in --------------------------------------------------------------------------------------


async def _look(plan: LoginPlan, route: JumpRoute | None) -> tuple[LogReport, bool]:
    login = _through(Login(verbose=False), plan, route)
    async with plan.fragment(login, ASK_NOTHING) as path:
        argv = ssh_argv(plan.context.binaries.ssh, path, plan.destination.name, extra=("-v", "-N"))
        return await look(argv, environment(), plan.context.config.connect_timeout + _AUTHENTICATION_SECONDS)


async def look_at_host_key(plan: LoginPlan, route: JumpRoute | None) -> HostKeyCheck:
    """The live key against the known one, without a login. A failure to reach the host is in ``error``."""
    log_size_before = size_of(route.log) if route is not None else 0
    report, late = await _look(plan, route)
    live = report.login.host_key_fingerprint
    if live is None:
        hop_log = read_text(route.log, log_size_before) if route is not None else ""
        error = await explain(plan, route, report, gave_up=late, hop_log=hop_log)
        return HostKeyCheck(None, None, matches=False, error=f"{error.public_name}: {error}")
    if report.verdict is Verdict.KNOWN:
        return HostKeyCheck(live, live, matches=True)
    expected = None
    if report.verdict is not Verdict.UNKNOWN:
        expected = await _expected(plan, report)
    attempt = replace(plan.attempt(), expected=expected)
    error = login_error(report, attempt)
    return HostKeyCheck(expected, live, matches=False, error=f"{error.public_name}: {error}")
