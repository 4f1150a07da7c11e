"""ssh's log as typed errors, on logs that a real ssh wrote (tests/data/ssh_logs)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import AuthenticationFailed, ConnectError, HostKeyMismatch, LocalError, UnknownHost, Unreachable
from transports.openssh.login.askpass import HelperReport
from transports.openssh.login.failures import Attempt, login_error, with_hop
from transports.openssh.login.log import LogReport, Verdict, clean, clean_banner, read

LOGS = Path(__file__).resolve().parent.parent.parent / "data" / "ssh_logs"
TAG = re.compile(r"^((?:debug\d: )?)[\w.-]+\.c:\w+\(\):\d+ \(pid=\d+\): ", re.MULTILINE)
WEB = Attempt("web01", "10.0.0.1", 2222, "deploy", settings=(("ciphers", "aes256-ctr"), ("kexalgorithms", "ours-kex")))

CASES: dict[str, tuple[type[Exception], tuple[str, ...]]] = {
    "unknown_host": (UnknownHost, ("web01 ([10.0.0.1]:2222)", "ssh-ed25519 SHA256:7eRM", "(1)", "(2)", "(3)")),
    "unknown_host_quiet": (UnknownHost, ("fingerprint ssh did not print",)),
    "changed_key": (HostKeyMismatch, ("SHA256:known", "/home/op/bad:1", "it offers ssh-ed25519 SHA256:7eRM", "(3)")),
    "revoked_key": (HostKeyMismatch, ("marked as revoked", "SHA256:7eRM")),
    "certificate_for_other_name": (UnknownHost, ("name is not a listed principal",)),
    "no_common_kex": (ConnectError, ("key exchange method", "group14-sha1", "ours-kex", "KexAlgorithms =")),
    "no_common_cipher": (ConnectError, ("offers aes128-cbc", "we accept aes256-ctr", 'Ciphers = "+aes128-cbc"')),
    "no_common_host_key": (ConnectError, ("host key type", 'HostKeyAlgorithms = "+ssh-rsa"')),
    "wrong_key": (AuthenticationFailed, ("deploy@web01", "tried publickey", "/home/op/stray ED25519 SHA256:7cxM")),
    "no_such_key": (AuthenticationFailed, ("no key was offered",)),
    "key_too_open": (AuthenticationFailed, ("others may read it", "chmod 600 /home/op/open")),
    "passphrase_needed": (AuthenticationFailed, ("wants a passphrase or a touch", "passphrase_cmd")),
    "agent_refused": (AuthenticationFailed, ("signing failed", "agent refused operation")),
    "too_many_failures": (AuthenticationFailed, ("too many keys", "identity_fingerprint", "stray-0 ED25519")),
    "password_only": (AuthenticationFailed, ("the server accepts publickey, password",)),
    "refused": (Unreachable, ("refused the connection",)),
    "timed_out": (Unreachable, ("did not reply within 10 s",)),
    "silent": (Unreachable, ("did not reply as an ssh server",)),
    "unreachable": (Unreachable, ("Network is unreachable",)),
    "unresolvable": (Unreachable, ("cannot be resolved",)),
    "closed_at_once": (ConnectError, ("ended the connection before the login", "MaxStartups")),
    "reset": (ConnectError, ("ended the connection before the login",)),
    "proxy_failed": (ConnectError, ("The ProxyCommand for web01", "ended before")),
    "proxy_missing": (ConnectError, ("The ProxyCommand for web01", "ended before")),
}  # fmt: skip


def attempt_for(case: str) -> Attempt:
    if case.startswith("proxy"):
        return replace(WEB, proxied="")
    return replace(WEB, expected="SHA256:known") if case == "changed_key" else WEB


def log(case: str) -> str:
    return (LOGS / f"{case}.log").read_text()


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_failed_login_becomes_the_error_that_says_why(case: str) -> None:
    kind, words = CASES[case]
    error = login_error(read(log(case)), attempt_for(case))
    assert type(error) is kind
    for word in words:
        assert word in str(error)
    assert error.remedy
    assert "\n" not in str(error)


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_plain_v_log_of_older_versions_reads_the_same(case: str) -> None:
    tagged = login_error(read(log(case)), attempt_for(case))
    plain = login_error(read(TAG.sub(r"\1", log(case)).replace("\n", "\r\n")), attempt_for(case))
    assert str(plain) == str(tagged)


def test_every_log_on_file_has_a_case() -> None:
    assert {path.stem for path in LOGS.glob("*.log")} == {*CASES, "ok", "certificate_ok"}


@pytest.mark.parametrize("case", [c for c, (kind, _) in CASES.items() if kind in {UnknownHost, HostKeyMismatch}])
def test_a_host_key_error_never_offers_to_accept_the_key(case: str) -> None:
    text = str(login_error(read(log(case)), attempt_for(case))).lower()
    for word in ("accept", "stricthostkeychecking", "keyscan", "-r "):
        assert word not in text


def test_a_good_login_reports_version_key_method_and_banner() -> None:
    report = read(log("ok"), banner="\x1b[31mWelcome\x1b[0m\r\nto web01\n")
    assert report.authenticated
    assert report.login.server_version == "OpenSSH_9.2p1 Debian-2+deb12u10"
    assert report.login.host_key_fingerprint is not None
    assert report.login.host_key_fingerprint.startswith("SHA256:7eRM")
    assert report.login.auth_method == "publickey"
    assert report.login.banner == "[31mWelcome[0m\nto web01"
    assert report.verdict is Verdict.KNOWN
    assert report.accepted_key is not None


def test_a_host_certificate_counts_as_known() -> None:
    report = read(log("certificate_ok"))
    assert report.verdict is Verdict.KNOWN
    assert report.ca_fingerprint is not None


def test_a_jump_hosts_failure_names_the_innermost_hop() -> None:
    refused = login_error(read(log("refused")), WEB)
    assert isinstance(refused, ConnectError)
    error = with_hop(refused, "bastion")
    assert error.hop == "bastion"
    assert "The jump host bastion failed." in str(error)
    assert with_hop(error, "outer").hop == "bastion"


@pytest.mark.parametrize(
    ("said", "words", "hop"),
    [
        (
            "connect failed: Connection refused",
            "Seen from the jump host bastion, web01 ([10.0.0.1]:2222) refused",
            None,
        ),
        ("connect failed: No route to host", "is unreachable (No route to host)", None),
        ("administratively prohibited: open failed", "does not allow forwarding", "bastion"),
        ("", "could not open a connection to web01", None),
    ],
)
def test_a_target_that_the_jump_host_cannot_reach_is_distinguished(said: str, words: str, hop: str | None) -> None:
    report = read(log("proxy_failed"))
    error = login_error(report, replace(WEB, proxied="bastion", proxy_text=said))
    assert isinstance(error, ConnectError)
    assert words in str(error)
    assert error.hop == hop


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/home/op/.ssh/config: line 3: Bad configuration option: bogus", "Bad configuration option: bogus"),
        ("Bad owner or permissions on /home/op/.ssh/config", "chmod go-w /home/op/.ssh/config"),
    ],
)
def test_a_configuration_that_ssh_cannot_read_is_our_own_fault(line: str, words: str) -> None:
    error = login_error(read(line, configuration=True), WEB)
    assert isinstance(error, LocalError)
    assert words in str(error)


def test_the_askpass_helpers_account_is_part_of_the_error() -> None:
    report = HelperReport("the command for the password failed with exit code 3")
    error = login_error(read(log("wrong_key")), replace(WEB, askpass=report))
    assert "failed with exit code 3" in str(error)


def test_a_prompt_for_a_person_is_quoted_and_leads_to_connect() -> None:
    asked = HelperReport("ssh asked 'Verification code:', which no configured command is for", unexpected=True)
    error = login_error(read(log("wrong_key")), replace(WEB, askpass=asked))
    assert "'Verification code:'" in error.what
    assert "ssh-mcp connect web01" in error.remedy


@pytest.mark.parametrize(
    "line", ['Authenticated using "publickey" with partial success.', "Authenticated with partial success."]
)
def test_partial_success_is_an_accepted_credential_and_not_a_wrong_one(line: str) -> None:
    text = f"{line}\nAuthentications that can continue: keyboard-interactive\na@b: Permission denied (x)."
    error = login_error(read(text), WEB)
    assert "accepted the" in error.what
    assert "wants a second factor: keyboard-interactive" in error.what
    assert "none of our credentials" not in error.what
    assert "ssh-mcp connect web01" in error.remedy


def test_a_log_that_says_nothing_still_makes_an_error() -> None:
    assert "web01" in str(login_error(LogReport(), WEB))
    assert "in time" in str(login_error(read(log("ok")), replace(WEB, gave_up=True)))


@given(st.text(max_size=300))
def test_any_text_reads_without_an_exception_and_comes_out_printable(text: str) -> None:
    report = read(text + "\nReceived disconnect from 10.0.0.1 port 22:2: " + text, banner=text)
    for value in (*report.errors, report.server_text or "", clean(text)):
        assert value.isprintable() or value == ""
        assert len(value) <= 300
    assert "\x1b" not in (clean_banner(text) or "")
    assert str(login_error(report, WEB)).isprintable()
