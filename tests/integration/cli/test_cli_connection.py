"""``connect``, ``disconnect``, ``agent`` and ``init`` against real servers: what a person does by hand."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest

from ssh_mcp.inventory.destination import to_destination, transport_config
from ssh_mcp.inventory.resolve import load_inventory
from ssh_mcp.settings.model import load_settings
from tests.integration.mcp_server import McpServerFactory
from tests.integration.surface_rig import environment, ssh_mcp
from tests.peers.agent import Agent
from tests.peers.sshd import Sshd, fingerprint, keygen
from transports.openssh.transport import OpenSSHTransport


def hosts(path: Path, server: Sshd, *, key: Path | None = None, more: str = "") -> Path:
    file = path / "hosts.toml"
    file.write_text(
        f'[hosts.web]\nhostname = "{server.address}"\nport = {server.port}\nuser = "{server.user}"\n{more}\n'
        f'[hosts.web.auth]\nmethod = "key"\nkey = "{key or server.key}"\nidentities_only = true\n'
    )
    return file


@pytest.fixture
def env(tmp_path: Path, control_dir: str, sshd: Sshd) -> dict[str, str]:
    """A terminal's environment with one host."""
    (tmp_path / "ssh_config").touch(mode=0o600)
    return {
        **environment(tmp_path),
        "XDG_RUNTIME_DIR": control_dir,
        "SSH_HOSTS_FILE": str(hosts(tmp_path, sshd)),
        "SSH_KNOWN_HOSTS": str(sshd.known_hosts),
        "SSH_CONFIG_FILE": str(tmp_path / "ssh_config"),
    }


def test_a_connection_opened_by_hand_stays_and_is_closed_by_hand(env: dict[str, str], sshd: Sshd) -> None:
    done = ssh_mcp("connect", "web", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Connected to web (master ")
    assert "ends after 8 hours without use, or with `ssh-mcp disconnect web`" in done.stdout
    assert ssh_mcp("connect", "web", env=env).returncode == 0
    assert sshd.logins() == 1
    assert ssh_mcp("disconnect", "web", env=env).stdout == "web: 1 connection closed.\n"
    assert ssh_mcp("disconnect", "web", env=env).stdout == "web: none was open.\n"


async def test_the_server_uses_a_connection_opened_by_hand_and_leaves_it_alone(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    async with mcp_server({"web": sshd}, stdio=True) as server:
        assert ssh_mcp("connect", "web", "--hours", "1", env=server.env).returncode == 0
        assert (await server.call("ssh_host_ping", host="web"))["reachable"]
        env = server.env
    assert sshd.logins() == 1
    assert ssh_mcp("disconnect", "web", env=env).stdout == "web: 1 connection closed.\n"


def test_a_person_answers_what_ssh_asks(env: dict[str, str], sshd: Sshd, tmp_path: Path) -> None:
    """Here a passphrase; an OTP or a touch goes the same way."""
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    sshd.authorized_keys.write_text(key.with_name("locked.pub").read_text())
    hosts(tmp_path, sshd, key=key)
    status, said = at_a_terminal(["connect", "web"], env, {"passphrase": "open sesame\n"})
    assert status == 0, said
    assert "Connected to web" in said
    assert sshd.logins() == 1
    assert "open sesame" not in said
    assert ssh_mcp("disconnect", "web", env=env).returncode == 0


def test_a_person_has_three_tries(env: dict[str, str], sshd: Sshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    sshd.authorized_keys.write_text(key.with_name("locked.pub").read_text())
    hosts(tmp_path, sshd, key=key)
    (tmp_path / "ssh_config").write_text("NumberOfPasswordPrompts 1\n")
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "ssh_mcp", "connect", "web"], env)
    said, asked, typed = "", 0, ["wrong\n", "wrong too\n", "open sesame\n"]
    while True:
        try:
            said += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # the other side is closed
            break
        if said.count("passphrase for") > asked and typed:
            asked += 1
            os.write(terminal, typed.pop(0).encode())
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said
    assert "Connected to web" in said
    assert ssh_mcp("disconnect", "web", env=env).returncode == 0


def test_ctrl_c_at_a_question_is_status_130_and_leaves_nothing(
    env: dict[str, str], sshd: Sshd, tmp_path: Path, control_dir: str
) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    hosts(tmp_path, sshd, key=key)
    status, said = at_a_terminal(["connect", "web"], env, {"passphrase": "\x03"})
    assert status in (1, 130), said
    assert "Traceback" not in said
    assert not [path for path in Path(control_dir).rglob("*") if path.is_socket()]


def at_a_terminal(words: list[str], env: dict[str, str], answers: dict[str, str]) -> tuple[int, str]:
    """Run a command with a terminal of its own; each text of ``answers`` is typed once its key was printed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(env["HOME"])
        os.execve(sys.executable, [sys.executable, "-m", "ssh_mcp", *words], env)
    said = ""
    waiting = dict(answers)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            said += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # the other side is closed
            break
        for word in [word for word in waiting if word in said]:
            os.write(terminal, waiting.pop(word).encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["connect", "nobody"], 1, "ssh-mcp: HostNotAllowed: nobody is not a known host."),
        (["disconnect", "nobody"], 1, "ssh-mcp: HostNotAllowed: nobody is not a known host."),
        (["connect", "-oProxyCommand=touch /tmp/owned"], 64, ""),
        (["connect", "--", "-oProxyCommand=touch /tmp/owned"], 1, "ssh-mcp: HostNotAllowed"),
        (["connect", "web", "--hours", "0"], 1, "ssh-mcp: InvalidArgument: --hours is 0."),
        (["connect", "web", "--hours", "nan"], 1, "ssh-mcp: InvalidArgument: --hours is nan."),
        (["doctor", "-x"], 64, ""),
    ],
)
def test_what_cannot_be_is_one_line(words: list[str], status: int, said: str, env: dict[str, str]) -> None:
    done = ssh_mcp(*words, env=env)
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr + done.stdout
    assert not Path("/tmp/owned").exists()


def test_a_host_that_cannot_be_reached_is_one_line(env: dict[str, str], sshd: Sshd) -> None:
    sshd.known_hosts.write_text("")
    done = ssh_mcp("connect", "web", env=env)
    assert done.returncode == 1
    assert done.stderr.startswith("ssh-mcp: UnknownHost: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert sshd.host_key_fingerprint in done.stderr


def test_a_broken_configuration_is_status_2(env: dict[str, str]) -> None:
    done = ssh_mcp("connect", "web", env={**env, "SSH_IDLE_TIMEOUT": "soon"})
    assert done.returncode == 2
    assert done.stderr == "ssh-mcp: SSH_IDLE_TIMEOUT=soon: must be a number of seconds from 1 to 86400.\n"


# -- agent ------------------------------------------------------------------------------------------------------------


def test_the_agents_keys_are_listed_with_whole_fingerprints(env: dict[str, str], ssh_agent: Agent) -> None:
    keys = ssh_agent.add_new(2)
    done = ssh_mcp("agent", env={**env, "SSH_AUTH_SOCK": ssh_agent.socket, "COLUMNS": "40"})
    assert done.returncode == 0
    for number, key in enumerate(keys):
        assert f"{fingerprint(key.with_name(key.name + '.pub'))}  ED25519  stray-{number}" in done.stdout


def test_agents_that_hosts_toml_names_are_listed_too(
    env: dict[str, str], ssh_agent: Agent, sshd: Sshd, tmp_path: Path
) -> None:
    ssh_agent.add_new(1)
    with Path(env["SSH_HOSTS_FILE"]).open("a") as file:
        file.write(f'\n[hosts.db]\n[hosts.db.auth]\nmethod = "agent"\nidentity_agent = "{ssh_agent.socket}"\n')
    done = ssh_mcp("agent", env=env)
    assert done.returncode == 0
    assert "stray-0" in done.stdout
    both = ssh_mcp("agent", env={**env, "SSH_AUTH_SOCK": "/nonexistent"})
    assert both.returncode == 0
    assert "No agent replies at /nonexistent" in both.stdout
    assert f"Agent at {ssh_agent.socket}:" in both.stdout


@pytest.mark.parametrize(
    ("socket", "said"),
    [(None, "SSH_AUTH_SOCK is not set"), ("/nonexistent", "No agent replies at /nonexistent"), ("", "is not set")],
)
def test_no_agent_is_status_1_and_says_what_to_do(socket: str | None, said: str, env: dict[str, str]) -> None:
    done = ssh_mcp("agent", env=env if socket is None else {**env, "SSH_AUTH_SOCK": socket})
    assert done.returncode == 1
    assert said in done.stdout
    assert "ssh-agent" in done.stdout


def test_an_empty_agent_is_status_1(env: dict[str, str], ssh_agent: Agent) -> None:
    done = ssh_mcp("agent", env={**env, "SSH_AUTH_SOCK": ssh_agent.socket})
    assert done.returncode == 1
    assert "ssh-add" in done.stdout


# -- init -------------------------------------------------------------------------------------------------------------


async def test_hosts_that_init_wrote_lead_where_the_users_ssh_config_says(
    tmp_path: Path, control_dir: str, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host web\n  HostName {sshd.address}\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.key}\n"
        "Host inner\n  HostName 10.9.8.7\n  Port 2222\n  User deploy\n  ProxyJump web\n"
    )
    config.chmod(0o600)
    env = {
        **environment(tmp_path),
        "XDG_RUNTIME_DIR": control_dir,
        "SSH_CONFIG_FILE": str(config),
        "SSH_KNOWN_HOSTS": str(sshd.known_hosts),
    }
    assert ssh_mcp("init", "--all", "--config", str(config), env=env).returncode == 0
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings, _ = load_settings()
    inventory, _ = load_inventory(settings)
    transport = OpenSSHTransport(transport_config(settings))
    try:
        web = await transport.effective(to_destination(inventory.resolve("web"), settings))
        assert (web.hostname, web.port, web.user) == (sshd.address, sshd.port, sshd.user)
        inner = await transport.effective(to_destination(inventory.resolve("inner"), settings))
        assert (inner.hostname, inner.port, inner.user) == ("10.9.8.7", 2222, "deploy")
        assert inner.jump == (sshd.address,)
        done = await transport.connection(to_destination(inventory.resolve("web"), settings)).run("echo here")
        assert done.stdout == b"here\n"
    finally:
        await transport.aclose()


def test_init_asks_at_a_terminal(tmp_path: Path) -> None:
    env = environment(tmp_path)
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "config").write_text("Host web\nHost db\nHost nas\n")
    answers = {
        "Which hosts?": "1,nsa\n",
        "nsa: neither a number nor a name": "1,3\n",
        "Directories": "log\n",
        "log is a relative path": "/var/log, /srv\n",
        "Programs": "uptime df\n",
        "separate programs by commas": "uptime, df\n",
        "Tiers": "low\n",
        "low: the tiers are": "low-access\n",
    }
    status, said = at_a_terminal(["init"], env, answers)
    assert status == 0, said
    text = (tmp_path / ".config" / "ssh-mcp" / "hosts.toml").read_text()
    assert '[hosts."web"]' in text
    assert '[hosts."nas"]' in text
    assert '"db"' not in text
    assert 'path_allowlist = ["/var/log", "/srv"]\ncommand_allowlist = ["uptime", "df"]\n' in text
    settings = tmp_path / ".config" / "ssh-mcp" / "settings.env"
    assert settings.read_text() == "ALLOW_LOW_ACCESS_TOOLS=true\n"
    assert settings.stat().st_mode & 0o777 == 0o600
    assert "Next: `ssh-mcp doctor`" in said


def test_init_shows_where_each_host_leads(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host web\n  HostName 10.0.0.7\n  User deploy\n  Port 2222\nHost inner\n  ProxyJump web\n")
    output = tmp_path / "hosts.toml"
    words = ["init", "--config", str(config), "--output", str(output)]
    status, said = at_a_terminal(words, environment(tmp_path), {"Which hosts?": "\n"})
    assert status == 1, said
    assert "web  deploy@10.0.0.7:2222" in said
    assert "@inner:22 via web" in said
    assert not output.exists()


def test_init_works_without_an_ssh_config(tmp_path: Path) -> None:
    output = tmp_path / "hosts.toml"
    answers = {
        "ends the list.": "deploy@10.0.0.7:99999\n",
        "ports go from": "deploy@10.0.0.7:2222\n",
        "2222\r\nHost: ": "\n",
        "Directories": "\n",
        "Programs": "\n",
        "Tiers": "\n",
    }
    words = ["init", "--config", str(tmp_path / "none"), "--output", str(output)]
    status, said = at_a_terminal(words, environment(tmp_path), answers)
    assert status == 0, said
    assert '[hosts."10.0.0.7"]\nhostname = "10.0.0.7"\nuser = "deploy"\nport = 2222\n' in output.read_text()


# -- pipes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["--help", "doctor", "client zed", "agent"])
def test_a_reader_that_leaves_early_causes_no_traceback(words: str, env: dict[str, str]) -> None:
    import subprocess

    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -u -m ssh_mcp {words} | head -c 1 >/dev/null"],
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
