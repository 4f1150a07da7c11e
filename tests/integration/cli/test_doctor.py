"""``ssh-mcp doctor`` finds and explains each thing that would fail, on real servers, agents and files."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ssh_mcp.cli.commands import run
from tests.integration.conftest import SshdFactory, UserFactory
from tests.integration.surface_rig import environment, ssh_mcp
from tests.peers.accounts import make_chroot
from tests.peers.agent import Agent
from tests.peers.sshd import Sshd, keygen

TERMINAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Doctor:
    """Runs the command with a configuration of the test's own. ``said`` is one long line a finding."""

    directory: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    said: str = ""

    def hosts(self, text: str) -> None:
        (self.directory / "hosts.toml").write_text(text)

    def host(self, server: Sshd, name: str = "web", *, more: str = "", auth: str = "") -> None:
        """A hosts.toml with one host that every list allows."""
        self.hosts(self.entry(server, name, more=more, auth=auth))
        self.setting(ssh_known_hosts=server.known_hosts)

    def entry(self, server: Sshd, name: str = "web", *, more: str = "", auth: str = "", user: str = "") -> str:
        credentials = auth or f'method = "key"\nkey = "{server.key}"\nidentities_only = true'
        return (
            f'[hosts.{name}]\nhostname = "{server.address}"\nport = {server.port}\nuser = "{user or server.user}"\n'
            f'path_allowlist = ["/srv"]\ncommand_allowlist = ["uptime"]\n{more}\n[hosts.{name}.auth]\n{credentials}\n'
        )

    def setting(self, **values: object) -> None:
        for name, value in values.items():
            self.monkeypatch.setenv(name.upper(), str(value))

    def __call__(self, *names: str) -> int:
        status = run(["doctor", *names])
        out, err = self.capsys.readouterr()
        assert "Traceback" not in out + err
        self.said = out + err
        return status

    def line(self, part: str) -> str:
        """The one finding that holds ``part``, with its remedy."""
        lines = self.said.splitlines()
        at = [number for number, line in enumerate(lines) if part in line]
        assert len(at) == 1, (part, self.said)
        return self._with_remedy(lines, at[0])

    @staticmethod
    def _with_remedy(lines: list[str], at: int) -> str:
        remedy = lines[at + 1].strip() if at + 1 < len(lines) and lines[at + 1].startswith("       ") else ""
        return f"{lines[at].strip()} | {remedy}"


@pytest.fixture
def doctor(
    tmp_path: Path, control_dir: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Doctor:
    made = Doctor(tmp_path, capsys, monkeypatch)
    (tmp_path / "ssh_config").touch(mode=0o600)
    made.setting(
        path=TERMINAL_PATH,
        xdg_runtime_dir=control_dir,
        ssh_config_file=tmp_path / "ssh_config",
        ssh_hosts_file=tmp_path / "hosts.toml",
        ssh_redact_salt="a salt for the tests, long enough",
    )
    monkeypatch.chdir(tmp_path)
    return made


def test_a_host_where_all_is_well_has_nothing_to_fix(doctor: Doctor, sshd: Sshd, ssh_agent: Agent) -> None:
    ssh_agent.add_new(1)
    doctor.setting(ssh_auth_sock=ssh_agent.socket, ssh_audit_file=doctor.directory / "audit.jsonl")
    doctor.host(sshd)
    assert doctor() == 0, doctor.said
    assert "Nothing here would fail." in doctor.said
    assert "warn" not in doctor.said
    for part in ("OpenSSL", "1 host from", "tools are open", "the agent's keys: stray-0", "the audit file"):
        assert doctor.line(part).startswith("ok"), part
    for part in (
        f"logged in to {sshd.user}@127.0.0.1:{sshd.port} (",
        "commands run",
        "SFTP works",
        "several sessions share one connection",
    ):
        assert doctor.line(part).startswith("ok"), part
    assert "sudo" not in doctor.line("logged in")


def test_it_leaves_no_connection_and_no_audit_line_behind(doctor: Doctor, sshd: Sshd, control_dir: str) -> None:
    audit = doctor.directory / "audit.jsonl"
    doctor.setting(ssh_audit_file=audit)
    doctor.host(sshd)
    assert doctor() == 0, doctor.said
    assert not [path for path in Path(control_dir).rglob("*") if path.is_socket()]
    assert not audit.exists() or audit.read_text() == ""


def test_one_host_can_be_named_and_an_unknown_name_is_refused_in_its_section(doctor: Doctor, sshd: Sshd) -> None:
    doctor.host(sshd)
    assert doctor("web") == 0
    assert "Host web" in doctor.said
    assert doctor("nobody") == 1
    assert "nobody is not a known host" in doctor.line("nobody is not")


# -- this machine -----------------------------------------------------------------------------------------------------


def test_a_missing_ssh_is_said(doctor: Doctor) -> None:
    doctor.setting(path=doctor.directory)
    assert doctor() == 1
    assert "FAIL The OpenSSH program ssh was not found on PATH." in doctor.said
    assert "Install the OpenSSH client" in doctor.line("was not found")


def test_a_missing_companion_of_ssh_is_said(doctor: Doctor) -> None:
    for name in ("ssh", "ssh-keygen", "sftp"):
        (doctor.directory / name).symlink_to(shutil.which(name, path=TERMINAL_PATH) or "/")
    doctor.setting(path=doctor.directory)
    assert doctor() == 1
    assert "program ssh-add was not found" in doctor.line("FAIL")


@pytest.mark.parametrize(
    ("banner", "said"),
    [
        ("OpenSSH_7.4p1, OpenSSL 1.0.2k-fips", "is OpenSSH 7.4; 8.0 is the oldest that works here."),
        ("Dropbear v2022.83", "is not OpenSSH."),
    ],
)
def test_an_ssh_that_is_too_old_or_another_is_said(doctor: Doctor, banner: str, said: str) -> None:
    stub = doctor.directory / "ssh"
    stub.write_text(f"#!/bin/sh\necho '{banner}' >&2\n")
    stub.chmod(0o755)
    doctor.setting(path=f"{doctor.directory}:{TERMINAL_PATH}")
    assert doctor() == 1
    assert said in doctor.line("FAIL")
    assert "OpenSSH" in doctor.line("FAIL").partition("|")[2]


def test_the_environment_of_a_desktop_launcher_is_recognised(doctor: Doctor) -> None:
    doctor.setting(path="/usr/bin:/bin:/usr/sbin:/sbin")
    doctor()
    assert doctor.line("PATH is short").startswith("warn")
    assert "set PATH in the client's env block" in doctor.line("PATH is short")
    assert "env block" in doctor.line("SSH_AUTH_SOCK is not set")
    assert "identity_agent in hosts.toml" in doctor.line("SSH_AUTH_SOCK is not set")


def test_what_a_desktop_launcher_would_leave_out_is_said_while_it_is_still_there(
    doctor: Doctor, sshd: Sshd, ssh_agent: Agent
) -> None:
    for name in ("ssh", "ssh-keygen", "ssh-add", "sftp"):
        (doctor.directory / name).symlink_to(shutil.which(name, path=TERMINAL_PATH) or "/")
    doctor.setting(path=f"{doctor.directory}:{TERMINAL_PATH}", ssh_auth_sock=ssh_agent.socket)
    doctor.host(sshd, auth='method = "agent"')
    doctor()
    assert "short PATH of a client started from the desktop does not lead" in doctor.line("ssh is at")
    assert "a client started from the desktop may lack it" in doctor.line("SSH_AUTH_SOCK is set in this terminal")


def test_without_home_it_still_reports(doctor: Doctor) -> None:
    doctor.monkeypatch.delenv("HOME")
    doctor()
    assert "set HOME in the env block" in doctor.line("HOME is not set")


def test_no_agent_is_said(doctor: Doctor) -> None:
    doctor.setting(ssh_auth_sock=doctor.directory / "gone")
    assert doctor() == 1
    assert "no agent replies at" in doctor.line("FAIL")
    assert "Start ssh-agent" in doctor.line("FAIL")


def test_an_empty_agent_is_said(doctor: Doctor, ssh_agent: Agent) -> None:
    doctor.setting(ssh_auth_sock=ssh_agent.socket)
    doctor()
    assert "ssh-add ~/.ssh/id_ed25519" in doctor.line("the agent is empty")


def test_a_pinned_key_that_the_agent_does_not_hold_is_said_with_what_it_holds(
    doctor: Doctor, sshd: Sshd, ssh_agent: Agent
) -> None:
    (held,) = ssh_agent.add_new(1)
    doctor.setting(ssh_auth_sock=ssh_agent.socket)
    pinned = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
    doctor.host(sshd, auth=f'method = "agent"\nidentity_fingerprint = "{pinned}"')
    assert doctor() == 1
    said = [line for line in doctor.said.splitlines() if line.startswith("  FAIL web:")]
    assert len(said) == 1
    assert pinned in said[0]
    assert held.name.replace("stray", "stray-") in said[0]


def test_a_pinned_key_that_the_agent_holds_is_well(doctor: Doctor, sshd: Sshd, ssh_agent: Agent) -> None:
    from tests.peers.sshd import fingerprint

    ssh_agent.add(sshd.key)
    doctor.setting(ssh_auth_sock=ssh_agent.socket)
    public = sshd.key.with_name(sshd.key.name + ".pub")
    doctor.host(sshd, auth=f'method = "agent"\nidentity_fingerprint = "{fingerprint(public)}"')
    assert doctor() == 0, doctor.said
    assert "the pinned key is in the agent (lab-client)" in doctor.line("pinned key")


def test_permissions_that_ssh_refuses_are_said_with_the_command_that_fixes_them(doctor: Doctor, sshd: Sshd) -> None:
    home = Path(os.environ["HOME"])
    (home / ".ssh").mkdir()
    (home / ".ssh").chmod(0o777)
    (home / ".ssh" / "config").touch()
    (home / ".ssh" / "config").chmod(0o666)
    key = keygen(doctor.directory / "loose")
    key.chmod(0o644)
    doctor.host(sshd, auth=f'method = "key"\nkey = "{key}"')
    assert doctor() == 1
    assert f"chmod go-w {home}/.ssh" in doctor.line(f"{home}/.ssh can be changed by others")
    assert f"chmod go-w {home}/.ssh/config" in doctor.line("config can be changed")
    assert f"chmod 600 {key}" in doctor.line("is open to others")


def test_a_key_that_is_not_there_is_said(doctor: Doctor, sshd: Sshd) -> None:
    doctor.host(sshd, auth=f'method = "key"\nkey = "{doctor.directory}/none"')
    assert doctor() == 1
    assert "No such file or directory" in doctor.line(f"the key {doctor.directory}/none cannot be read")


def test_a_socket_directory_that_others_may_enter_is_said(doctor: Doctor, control_dir: str) -> None:
    doctor()
    (found,) = [line.rpartition(" ")[2] for line in doctor.said.splitlines() if "control sockets live in" in line]
    Path(found).chmod(0o777)
    assert doctor() == 1
    assert found in doctor.line("FAIL")
    Path(found).chmod(0o700)


def test_an_audit_file_that_cannot_be_written_is_said(doctor: Doctor) -> None:
    doctor.setting(ssh_audit_file=doctor.directory / "no" / "such" / "audit.jsonl")
    assert doctor() == 1
    assert "cannot be written" in doctor.line("FAIL")
    assert "low-access, dangerous and sudo tools are refused" in doctor.line("FAIL")


# -- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "hosts", "said"),
    [
        ({"ssh_idle_timeout": "soon"}, "", "SSH_IDLE_TIMEOUT=soon: must be a number of seconds"),
        ({}, "[hosts.web]\nhostnam = 'x'\n", "Did you mean hostname"),
        ({}, "[hosts.web\n", "hosts.toml"),
    ],
)
def test_a_configuration_that_stops_the_start_is_said_and_the_rest_is_still_looked_at(
    doctor: Doctor, settings: dict[str, str], hosts: str, said: str
) -> None:
    doctor.hosts(hosts)
    doctor.setting(**settings)
    assert doctor() == 1
    assert said.lower() in doctor.line("FAIL").lower()
    assert "The server does not start with it." in doctor.line("FAIL")
    assert "control sockets live in" in doctor.said


def test_a_misspelt_setting_and_no_hosts_are_said(doctor: Doctor) -> None:
    doctor.setting(ssh_enabled_group="host", ssh_hosts_file="")
    assert doctor() == 0
    assert "SSH_ENABLED_GROUPS" in doctor.line("SSH_ENABLED_GROUP is not a setting")
    assert "ssh-mcp init" in doctor.line("No host is known")


def test_groups_that_leave_no_tool_are_said(doctor: Doctor) -> None:
    doctor.setting(ssh_enabled_groups="sudo")
    assert doctor() == 1
    assert "SSH_ENABLED_GROUPS" in doctor.line("no tool is open")


def test_allowlists_that_permit_nothing_are_said(doctor: Doctor, sshd: Sshd) -> None:
    doctor.host(sshd)
    text = (doctor.directory / "hosts.toml").read_text()
    doctor.hosts(text.replace('path_allowlist = ["/srv"]\ncommand_allowlist = ["uptime"]\n', ""))
    doctor.setting(allow_dangerous_tools="true")
    assert doctor() == 0, doctor.said
    assert "Set path_allowlist in hosts.toml." in doctor.line("web: path_allowlist is empty")
    assert "ALLOW_ANY_COMMAND" in doctor.line("web: no command is allowed")


# -- hosts ------------------------------------------------------------------------------------------------------------


def test_an_unknown_host_key_is_said_with_its_fingerprint_and_how_to_pin_it(doctor: Doctor, sshd: Sshd) -> None:
    doctor.host(sshd)
    sshd.known_hosts.write_text("")
    assert doctor() == 1
    assert sshd.host_key_fingerprint in doctor.said
    assert "known_hosts" in doctor.said


def test_a_changed_host_key_is_said_with_both_fingerprints(doctor: Doctor, sshd: Sshd) -> None:
    doctor.host(sshd)
    other = keygen(doctor.directory / "other_key")
    kind, blob = other.with_name("other_key.pub").read_text().split()[:2]
    sshd.known_hosts.write_text(f"{sshd.known_hosts_name} {kind} {blob}\n")
    assert doctor() == 1
    assert sshd.host_key_fingerprint in doctor.said


def test_a_key_that_the_host_does_not_accept_is_said(doctor: Doctor, sshd: Sshd) -> None:
    doctor.host(sshd, auth=f'method = "key"\nkey = "{keygen(doctor.directory / "stranger")}"\nidentities_only = true')
    assert doctor() == 1
    assert "publickey" in doctor.line("FAIL")
    assert "ssh-mcp connect web" in doctor.line("cannot reply to prompts")


@pytest.fixture
def closed_port() -> Any:
    with socket.socket() as taken:  # bound and not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_unreachable_bastion_is_said_by_its_name(doctor: Doctor, sshd: Sshd, closed_port: int) -> None:
    doctor.host(sshd, more='proxy_jump = "bastion"')
    text = (doctor.directory / "hosts.toml").read_text()
    doctor.hosts(f'{text}\n[hosts.bastion]\nhostname = "127.0.0.1"\nport = {closed_port}\npath_allowlist = ["/x"]\n')
    assert doctor("web") == 1
    assert "bastion" in doctor.line("FAIL")
    assert "refused" in doctor.line("FAIL")


def test_a_host_that_refuses_connections_is_said(doctor: Doctor, closed_port: int) -> None:
    doctor.hosts(f'[hosts.web]\nhostname = "127.0.0.1"\nport = {closed_port}\npath_allowlist = ["/x"]\n')
    assert doctor() == 1
    assert "refused" in doctor.line("FAIL")


def test_a_chrooted_sftp_account_is_recognised_and_not_a_failure(doctor: Doctor, sshd_factory: SshdFactory) -> None:
    chroot = make_chroot()
    try:
        doctor.host(sshd_factory(chroot=chroot))
        assert doctor() == 0, doctor.said
        assert "File tools work" in doctor.line("the account may not run commands")
        assert "SFTP works; it starts in /" in doctor.line("SFTP works")
        assert "probably chrooted" in doctor.line("an SFTP-only account")
    finally:
        shutil.rmtree(chroot, ignore_errors=True)


def test_an_account_that_may_only_use_sftp_is_recognised(doctor: Doctor, sshd_factory: SshdFactory) -> None:
    doctor.host(sshd_factory(force_command="internal-sftp"))
    assert doctor() == 0, doctor.said
    assert "File tools work" in doctor.line("the account may not run commands")


def test_a_host_without_sftp_is_said(doctor: Doctor, sshd_factory: SshdFactory) -> None:
    doctor.host(sshd_factory(subsystem=None))
    assert doctor() == 1
    assert "SFTP" in doctor.line("FAIL")


def test_a_noisy_rc_file_is_said_with_what_it_prints(doctor: Doctor, sshd: Sshd, throwaway_users: UserFactory) -> None:
    account = throwaway_users("noisy", "/bin/bash")
    (account.home / ".bashrc").write_text("echo Welcome to the machine\n")
    doctor.hosts(doctor.entry(sshd, user=account.name))
    doctor.setting(ssh_known_hosts=sshd.known_hosts)
    doctor()
    assert "Welcome to the machine" in doctor.line("an rc file prints")
    assert "case $- in" in doctor.line("an rc file prints")


def test_max_sessions_one_is_said(doctor: Doctor, sshd_factory: SshdFactory) -> None:
    doctor.host(sshd_factory(max_sessions=1))
    doctor()
    assert "Raise MaxSessions" in doctor.line("few sessions per connection")


def test_aliases_of_one_hostname_do_not_count_as_a_lack_of_sessions(doctor: Doctor, sshd: Sshd) -> None:
    names = [f"web{number}" for number in range(4)]
    # Another keep-alive each: four configurations, four connections.
    doctor.hosts(
        "".join(
            doctor.entry(sshd, name, more=f"ssh_options = {{ RekeyLimit = '{number + 1}G' }}")
            for number, name in enumerate(names)
        )
    )
    doctor.setting(ssh_known_hosts=sshd.known_hosts)
    assert doctor() == 0, doctor.said
    assert "MaxSessions" not in doctor.said


def test_what_is_allowed_but_not_on_the_host_is_said(doctor: Doctor, sshd: Sshd) -> None:
    doctor.host(sshd)
    text = (doctor.directory / "hosts.toml").read_text()
    doctor.hosts(
        text.replace('["/srv"]', '["/tmp", "/srv/no-such"]').replace('["uptime"]', '["ls", "no-such-program"]')
    )
    doctor.setting(allow_dangerous_tools="true")
    assert doctor() == 0, doctor.said
    assert "Correct the entry" in doctor.line("path_allowlist permits what is not there: /srv/no-such")
    assert "Correct the entry" in doctor.line("permits programs that are not there: no-such-program")


def test_one_finding_that_many_hosts_share_is_said_once(doctor: Doctor) -> None:
    doctor.hosts("".join(f'[hosts.web{n}]\nhostname = "192.0.2.{n}"\n' for n in range(14)))
    doctor.setting(ssh_connect_timeout="1")
    doctor("web0")
    doctor()
    assert doctor.line("path_allowlist is empty").startswith("warn web0, web1, web2,")
    assert "and 6 more: path_allowlist" in doctor.said


def test_a_home_that_ssh_does_not_use_is_said(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONFIG_FILE")
    doctor.hosts("")
    doctor()
    assert "Set SSH_CONFIG_FILE=" in doctor.line("but ssh reads")


@pytest.mark.parametrize("columns", [50, 80])
def test_the_report_wraps_between_words(doctor: Doctor, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    doctor.hosts("[hosts.web]\nhostnam = 'x'\n")
    doctor()
    whole = doctor.said.split()
    monkeypatch.setenv("COLUMNS", str(columns))
    doctor()
    assert doctor.said.split() == whole
    assert all(len(line) <= columns or " " not in line.strip() or "/" in line for line in doctor.said.splitlines())


def test_an_account_without_sudo_rights_is_said(doctor: Doctor, sshd: Sshd, throwaway_users: UserFactory) -> None:
    account = throwaway_users("nosudo", "/bin/sh")
    doctor.hosts(doctor.entry(sshd, user=account.name))
    doctor.setting(ssh_known_hosts=sshd.known_hosts, allow_dangerous_tools="true", allow_sudo="true")
    assert doctor() == 1
    assert "sudo" in doctor.line("FAIL").lower()


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("echo hunter2", 0, "SSH_SUDO_PASSWORD_CMD prints a password"),
        ("exit 3", 1, "SSH_SUDO_PASSWORD_CMD gives no password"),
    ],
)
def test_the_sudo_password_command_is_tried_and_its_answer_not_shown(
    doctor: Doctor, command: str, status: int, said: str
) -> None:
    doctor.setting(allow_sudo="true", allow_dangerous_tools="true", ssh_sudo_password_cmd=command)
    assert doctor() == status, doctor.said
    assert said in doctor.said
    assert "hunter2" not in doctor.said


def test_text_of_a_host_cannot_write_to_the_terminal(doctor: Doctor, sshd: Sshd, throwaway_users: UserFactory) -> None:
    account = throwaway_users("escapes", "/bin/bash")
    (account.home / ".bashrc").write_text("printf '\\033]0;owned\\007[red]no[/red]\\n'\n")
    doctor.hosts(doctor.entry(sshd, user=account.name))
    doctor.setting(ssh_known_hosts=sshd.known_hosts)
    doctor()
    assert "\x1b" not in doctor.said
    assert "[red]no[/red]" in doctor.said


def test_the_installed_command_works_in_a_bare_environment(tmp_path: Path) -> None:
    done = ssh_mcp("doctor", env=environment(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "No host is known" in done.stdout


def test_an_empty_environment_is_no_reason_for_a_traceback(tmp_path: Path) -> None:
    env: dict[str, str] = {"HOME": str(tmp_path)}
    done = ssh_mcp("doctor", env=env)
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stdout + done.stderr
