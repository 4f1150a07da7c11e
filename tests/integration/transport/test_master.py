"""Masters against real sshds: launch, adoption, idle end, last one out, faults."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import psutil
import pytest

from tests.integration.conftest import SshdFactory, masters_of
from tests.peers import need
from tests.peers.sshd import LEGACY_CLIENT_OPTIONS, Sshd, alive, wait_until
from transports.api import Destination, TransportConfig
from transports.errors import AuthenticationFailed, ConnectError, LocalError
from transports.mux.client import alive_check
from transports.openssh.login.binaries import probe
from transports.openssh.login.effective import Evaluator
from transports.openssh.masters.master import MasterHandle, MasterLauncher

ROOT = Path(__file__).resolve().parents[3]

CHILD = """
import anyio, sys
from transports.api import Auth, AuthMethod, Destination, TransportConfig
from transports.openssh.masters.master import MasterLauncher
async def main(host, port, user, key, known_hosts, config, control, idle):
    launcher = MasterLauncher(TransportConfig(ssh_config_file=config, known_hosts_file=known_hosts, control_dir=control,
                                              idle_timeout=float(idle)))
    host = Destination(host, port=int(port), user=user, auth=Auth(method=AuthMethod.KEY, key=key))
    sys.stdin.readline()
    handle = await launcher.ensure(host)
    print(handle.pid, int(handle.adopted), flush=True)
    if sys.stdin.readline():
        await launcher.release()
        print("released", flush=True)
anyio.run(main, *sys.argv[1:])
"""


class Child:
    """A second server process."""

    def __init__(self, server: Sshd, control_dir: str, idle: float = 60) -> None:
        config = server.transport_config()
        arguments = [server.address, str(server.port), server.user, str(server.key), str(config.known_hosts_file),
                     str(config.ssh_config_file), control_dir, str(idle)]  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answer(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
async def launcher(sshd: Sshd, control_dir: str) -> AsyncIterator[MasterLauncher]:
    made = MasterLauncher(sshd.transport_config(control_dir=control_dir))
    yield made
    await made.release()


def session(launcher: MasterLauncher, handle: MasterHandle, command: str) -> subprocess.CompletedProcess[str]:
    argv = launcher.mux_argv(handle.control_path, handle.destination, subsystem=None, command=command)
    return subprocess.run(argv, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20)


async def test_a_master_comes_up_reports_its_login_and_carries_sessions(launcher: MasterLauncher, sshd: Sshd) -> None:
    handle = await launcher.ensure(sshd.destination())
    assert await alive_check(handle.control_path) == handle.pid
    assert handle.login.host_key_fingerprint == sshd.host_key_fingerprint
    assert handle.login.auth_method == "publickey"
    assert handle.login.server_version is not None
    assert not handle.adopted
    assert session(launcher, handle, "echo through").stdout == "through\n"
    assert sshd.logins() == 1


async def test_the_log_of_a_master_does_not_grow_with_its_sessions(launcher: MasterLauncher, sshd: Sshd) -> None:
    handle = await launcher.ensure(sshd.destination())
    log = Path(handle.control_path + ".log")
    for _ in range(5):
        assert session(launcher, handle, "exit 3").returncode == 3
    if (await probe()).log_verbose:
        assert log.read_text() == ""
    # An older ssh tells of every session what it tells of the login: emptied now and then.
    with log.open("a") as appended:
        appended.write("debug1: multiplexing control connection\n")
    for _ in range(1000):
        await launcher.ensure(sshd.destination())
    assert log.read_text() == ""


async def test_relative_settings_hold_whatever_the_directory(
    sshd: Sshd, control_dir: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(sshd.directory)
    config = sshd.transport_config(control_dir=control_dir, known_hosts_file="known_hosts")
    launcher = MasterLauncher(config)
    monkeypatch.chdir(tmp_path)
    assert (await launcher.verify_host_key(sshd.destination())).matches


async def test_the_banner_is_part_of_the_login(sshd_factory: SshdFactory, control_dir: str, tmp_path: Path) -> None:
    (tmp_path / "banner").write_text("No trespassing\n")
    server = sshd_factory(extra=[f"Banner {tmp_path}/banner"])
    launcher = MasterLauncher(server.transport_config(control_dir=control_dir))
    assert (await launcher.ensure(server.destination())).login.banner == "No trespassing"
    await launcher.release()


async def test_a_hundred_callers_cause_one_login(launcher: MasterLauncher, sshd: Sshd) -> None:
    pids: set[int] = set()

    async def call() -> None:
        pids.add((await launcher.ensure(sshd.destination())).pid)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(call)
    assert len(pids) == 1
    assert sshd.logins() == 1


async def test_a_warm_ensure_starts_no_process_and_opens_no_connection(
    launcher: MasterLauncher, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await launcher.ensure(sshd.destination())

    async def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"started {args}")

    with monkeypatch.context() as patch:
        patch.setattr(anyio, "open_process", forbidden)
        patch.setattr(anyio, "run_process", forbidden)
        patch.setattr(subprocess, "Popen", forbidden)
        patch.setattr(socket, "socket", forbidden)
        assert await launcher.ensure(sshd.destination()) is first


async def test_further_masters_are_connections_of_their_own(launcher: MasterLauncher, sshd: Sshd) -> None:
    handles = [await launcher.ensure(sshd.destination(), index) for index in range(3)]
    assert len({handle.pid for handle in handles}) == 3
    assert sshd.logins() == 3


async def test_a_second_process_adopts_the_master_and_knows_its_login(
    launcher: MasterLauncher, sshd: Sshd, control_dir: str
) -> None:
    ours = await launcher.ensure(sshd.destination())
    second = MasterLauncher(sshd.transport_config(control_dir=control_dir))
    theirs = await second.ensure(sshd.destination())
    assert theirs.adopted
    assert (theirs.pid, theirs.login) == (ours.pid, ours.login)
    await second.release()
    assert await alive_check(ours.control_path) == ours.pid, "the master was ended although we still use it"
    assert sshd.logins() == 1


async def test_the_last_one_out_ends_the_master_and_leaves_nothing(sshd: Sshd, control_dir: str) -> None:
    launchers = [MasterLauncher(sshd.transport_config(control_dir=control_dir)) for _ in range(2)]
    pids = {(await launcher.ensure(sshd.destination())).pid for launcher in launchers}
    assert len(pids) == 1
    await launchers[0].release()
    assert all(map(psutil.pid_exists, pids))
    await launchers[1].release()
    assert masters_of(control_dir) == []
    assert list(Path(control_dir).iterdir()) == []


async def test_a_master_opened_by_hand_is_left_alone(sshd: Sshd, control_dir: str) -> None:
    config = sshd.transport_config(control_dir=control_dir)
    terminal, server = MasterLauncher(config), MasterLauncher(config)
    hand = await terminal.connect(sshd.destination(), persist=60)
    await terminal.release()
    assert (await server.ensure(sshd.destination())).pid == hand.pid
    await server.release()
    assert await alive_check(hand.control_path) == hand.pid
    assert await terminal.disconnect(sshd.destination()) == 1
    assert await alive_check(hand.control_path) is None
    await server.ensure(sshd.destination())
    await server.release()
    assert masters_of(control_dir) == [], "the mark of the old master outlived it"


async def test_two_processes_that_race_log_in_once(sshd: Sshd, control_dir: str) -> None:
    children = [Child(sshd, control_dir) for _ in range(2)]
    try:
        for child in children:
            child.go()
        answers = [child.answer() for child in children]
        assert len({pid for pid, _ in answers}) == 1
        assert sorted(adopted for _, adopted in answers) == ["0", "1"]
        assert sshd.logins() == 1
        children[0].go()
        assert children[0].answer() == ["released"]
        assert psutil.pid_exists(int(answers[0][0]))
        children[1].go()
        assert children[1].answer() == ["released"]
        assert masters_of(control_dir) == []
    finally:
        for child in children:
            child.end()


async def test_after_kill_9_of_our_process_the_master_ends_by_itself(sshd: Sshd, control_dir: str) -> None:
    child = Child(sshd, control_dir, idle=1)
    child.go()
    pid = int(child.answer()[0])
    master = psutil.Process(pid)
    child.end()
    assert alive(master)
    wait_until(lambda: not alive(master), "the idle end of a master that nobody uses")


async def test_a_killed_master_is_noticed_and_replaced(launcher: MasterLauncher, sshd: Sshd) -> None:
    first = await launcher.ensure(sshd.destination())
    os.kill(first.pid, signal.SIGKILL)
    process = psutil.Process(first.pid) if psutil.pid_exists(first.pid) else None
    wait_until(lambda: process is None or not alive(process), "the master's end")
    second = await launcher.ensure(sshd.destination())
    assert second.pid != first.pid
    assert session(launcher, second, "echo again").stdout == "again\n"


async def test_a_lost_connection_ends_the_master_and_the_next_call_logs_in_again(
    launcher: MasterLauncher, sshd: Sshd
) -> None:
    first = await launcher.ensure(sshd.destination())
    sshd.kill_sessions()
    wait_until(lambda: not os.path.exists(first.control_path), "the master's end")
    assert (await launcher.ensure(sshd.destination())).pid != first.pid
    assert sshd.logins() == 2


async def test_a_stale_socket_does_not_stand_in_the_way(launcher: MasterLauncher, sshd: Sshd) -> None:
    first = await launcher.ensure(sshd.destination())
    await launcher.stop(first)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(first.control_path)
    second = await launcher.ensure(sshd.destination())
    assert not second.adopted
    assert await alive_check(second.control_path) == second.pid


async def test_stop_ends_a_master_that_no_longer_replies(launcher: MasterLauncher, sshd: Sshd) -> None:
    handle = await launcher.ensure(sshd.destination())
    master = psutil.Process(handle.pid)
    master.suspend()
    await launcher.stop(handle)
    assert not alive(master)
    assert (await launcher.ensure(sshd.destination())).pid != handle.pid


async def test_a_changed_configuration_gets_a_master_of_its_own(sshd: Sshd, control_dir: str, tmp_path: Path) -> None:
    config_file = tmp_path / "ssh_config"
    config_file.write_text("")
    config_file.chmod(0o600)
    config = sshd.transport_config(control_dir=control_dir, ssh_config_file=str(config_file))
    launcher = MasterLauncher(config)
    first = await launcher.ensure(sshd.destination())
    assert await launcher.ensure(sshd.destination()) is first
    config_file.write_text("Ciphers aes256-ctr\n")
    second = await launcher.ensure(sshd.destination())
    assert second.control_path != first.control_path
    await launcher.release()
    assert masters_of(control_dir) == []


async def test_hosts_reached_by_other_credentials_have_other_sockets(sshd: Sshd, control_dir: str) -> None:
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir))
    plain = sshd.destination()
    other = replace(plain, auth=replace(plain.auth, identities_only=False))
    assert (await launcher.ensure(plain)).control_path != (await launcher.ensure(other)).control_path
    await launcher.release()


async def test_a_cancelled_login_leaves_no_process_and_the_next_one_works(
    sshd: Sshd, control_dir: str, tmp_path: Path
) -> None:
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(5)
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir))
    slow = replace(sshd.destination(), port=silent.getsockname()[1])
    with silent, anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(launcher.ensure, slow)
            accepted, _ = await anyio.to_thread.run_sync(silent.accept)
            assert masters_of(control_dir) != []
            scope.cancel()
    accepted.close()
    assert masters_of(control_dir) == []
    assert (await launcher.ensure(sshd.destination())).pid
    await launcher.release()


async def test_a_host_that_accepts_and_stays_silent_times_out(sshd: Sshd, control_dir: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir, connect_timeout=1.0))
        with pytest.raises(ConnectError, match="did not reply as an ssh server within 1 s"):
            await launcher.ensure(replace(sshd.destination(), port=silent.getsockname()[1]))
    assert masters_of(control_dir) == []


async def test_a_failure_leaves_nothing_in_the_directory(sshd: Sshd, control_dir: str) -> None:
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir))
    stranger = replace(sshd.destination(), user="nobody-here")
    with pytest.raises(AuthenticationFailed):
        await launcher.ensure(stranger)
    assert list(Path(control_dir).iterdir()) == []
    await launcher.release()


async def test_an_unsafe_socket_directory_stops_everything(sshd: Sshd, control_dir: str) -> None:
    os.chmod(control_dir, 0o755)
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir))
    with pytest.raises(LocalError, match="mode 0755"):
        await launcher.ensure(sshd.destination())
    os.chmod(control_dir, 0o700)
    need(os.geteuid() == 0, "giving a directory away needs root")
    os.chown(control_dir, 12345, 12345)
    with pytest.raises(LocalError, match="belongs to user 12345"):
        await launcher.ensure(sshd.destination())
    assert sshd.logins() == 0


async def test_the_longest_allowed_socket_path_works(sshd: Sshd, control_dir: str) -> None:
    deep = f"{control_dir}/{'x' * (90 - 17 - len(control_dir) - 1)}"
    launcher = MasterLauncher(sshd.transport_config(control_dir=deep))
    handle = await launcher.ensure(sshd.destination())
    assert len(handle.control_path) == 90
    await launcher.release()
    with pytest.raises(LocalError, match="too long"):
        await MasterLauncher(sshd.transport_config(control_dir=deep + "x")).ensure(sshd.destination())


# --- configuration ----------------------------------------------------------------------------------------------------


async def test_a_legacy_server_is_reached_by_ssh_options(sshd_factory: SshdFactory, control_dir: str) -> None:
    server = sshd_factory(legacy=True)
    launcher = MasterLauncher(server.transport_config(control_dir=control_dir))
    with pytest.raises(ConnectError, match=r"No common key exchange method .* diffie-hellman-group14-sha1"):
        await launcher.ensure(server.destination())
    handle = await launcher.ensure(server.destination(options=LEGACY_CLIENT_OPTIONS))
    assert session(launcher, handle, "echo old").stdout == "old\n"
    await launcher.release()


async def test_a_legacy_server_is_reached_by_the_operators_ssh_config_alone(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path
) -> None:
    server = sshd_factory(legacy=True)
    config_file = tmp_path / "ssh_config"
    settings = "".join(f"  {key} {value}\n" for key, value in LEGACY_CLIENT_OPTIONS)
    config_file.write_text(
        f"Host oldbox\n  HostName {server.address}\n  Port {server.port}\n  User {server.user}\n"
        f"  IdentityFile {server.key}\n{settings}"
    )
    config_file.chmod(0o600)
    launcher = MasterLauncher(server.transport_config(control_dir=control_dir, ssh_config_file=str(config_file)))
    handle = await launcher.ensure(Destination("oldbox"))
    assert session(launcher, handle, "echo old").stdout == "old\n"
    await launcher.release()


async def test_defaults_fill_only_what_nobody_said(sshd: Sshd, control_dir: str) -> None:
    config = sshd.transport_config(control_dir=control_dir, default_user=sshd.user, default_key=str(sshd.key))
    launcher = MasterLauncher(config)
    handle = await launcher.ensure(Destination(sshd.address, port=sshd.port))
    assert handle.login.auth_method == "publickey"
    await launcher.release()


async def test_aes_is_used_where_nobody_chose_a_cipher(sshd_factory: SshdFactory, control_dir: str) -> None:
    need(" aes" in Path("/proc/cpuinfo").read_text(), "this processor has no AES instructions")
    server = sshd_factory(extra=["LogLevel DEBUG1"])
    launcher = MasterLauncher(server.transport_config(control_dir=control_dir))
    await launcher.ensure(server.destination())
    assert "cipher: aes256-gcm@openssh.com" in server.log_text()
    await launcher.release()


async def test_a_configuration_that_ssh_cannot_read_is_said_with_its_line(
    sshd: Sshd, control_dir: str, tmp_path: Path
) -> None:
    config_file = tmp_path / "ssh_config"
    config_file.write_text("Bogus yes\n")
    config_file.chmod(0o600)
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir, ssh_config_file=str(config_file)))
    with pytest.raises(LocalError, match="line 1: Bad configuration option: bogus"):
        await launcher.ensure(sshd.destination())
    config_file.write_text("")
    config_file.chmod(0o666)
    with pytest.raises(LocalError, match="chmod go-w"):
        await launcher.ensure(sshd.destination())


async def test_the_operators_proxy_command_works_and_its_failure_is_reported(
    sshd: Sshd, control_dir: str, tmp_path: Path
) -> None:
    config_file = tmp_path / "ssh_config"
    relay = f"{sys.executable} {tmp_path}/relay.py {sshd.address} {sshd.port}"
    (tmp_path / "relay.py").write_text(
        "import os, socket, sys, threading\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536):\n"
        "        s.sendall(data)\n"
        "    s.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(65536):\n"
        "    os.write(1, data)\n"
    )
    config_file.write_text(
        f"Host good bad\n HostKeyAlias {sshd.known_hosts_name}\nHost good\n ProxyCommand {relay}\n"
        "Host bad\n ProxyCommand sh -c 'echo no such container >&2; exit 1'\n"
    )
    config_file.chmod(0o600)
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir, ssh_config_file=str(config_file)))
    handle = await launcher.ensure(replace(sshd.destination(), name="good", port=None))
    assert session(launcher, handle, "echo relayed").stdout == "relayed\n"
    assert (await launcher.effective(Destination("good"))).proxy_command == relay
    with pytest.raises(ConnectError, match=r"ProxyCommand for bad .* no such container"):
        await launcher.ensure(replace(sshd.destination(), name="bad", port=None))
    await launcher.release()


async def test_a_changed_include_is_seen_and_nothing_is_asked_while_files_stand_still(
    sshd: Sshd, control_dir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d").mkdir()
    config_file = tmp_path / "ssh_config"
    config_file.write_text(f"Include {tmp_path}/d/*.conf\n")
    config_file.chmod(0o600)
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir, ssh_config_file=str(config_file)))
    assert (await launcher.effective(Destination("web"))).hostname == "web"
    asked = 0
    real = Evaluator._ask

    async def counted(self: Evaluator, *args: object) -> object:
        nonlocal asked
        asked += 1
        return await real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Evaluator, "_ask", counted)
    assert (await launcher.effective(Destination("web"))).hostname == "web"
    assert asked == 0
    (tmp_path / "d" / "one.conf").write_text("Host web\n HostName real.example\n")
    (tmp_path / "d" / "one.conf").chmod(0o600)
    assert (await launcher.effective(Destination("web"))).hostname == "real.example"
    assert asked == 1


async def test_the_users_own_ssh_config_counts_where_none_is_configured(
    sshd: Sshd, control_dir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "config").write_text(f"Host web\n HostName {sshd.address}\n Port {sshd.port}\n")
    (tmp_path / ".ssh" / "config").chmod(0o600)
    config = TransportConfig(known_hosts_file=str(sshd.known_hosts), control_dir=control_dir)
    launcher = MasterLauncher(config)
    found = await launcher.effective(Destination("web"))
    assert (found.hostname, found.port) == (sshd.address, sshd.port)
    await launcher.release()


async def test_our_own_settings_do_not_reach_the_environment_of_ssh(
    launcher: MasterLauncher, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_REDACT_SALT", "canary-salt")
    handle = await launcher.ensure(sshd.destination())
    assert b"canary-salt" not in Path(f"/proc/{handle.pid}/environ").read_bytes()


# --- without a master -------------------------------------------------------------------------------------------------


async def test_a_direct_session_logs_in_by_itself_and_its_failure_is_typed(sshd: Sshd, control_dir: str) -> None:
    launcher = MasterLauncher(sshd.transport_config(control_dir=control_dir, backend="direct"))
    host = sshd.destination()
    await launcher.prepare_direct(host)
    argv, env = launcher.direct_argv(host, subsystem=None, command="echo direct")
    done = subprocess.run(argv, env=env, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.stdout, done.stderr) == ("direct\n", "")
    wrong = replace(host, user="nobody-here")
    await launcher.prepare_direct(wrong)
    argv, env = launcher.direct_argv(wrong, subsystem=None, command="true")
    done = subprocess.run(argv, env=env, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 255
    assert isinstance(launcher.explain_direct(wrong, done.stderr), AuthenticationFailed)
    assert launcher.explain_direct(host, "command's own words\n") is None
    place = Path(argv[argv.index("-F") + 1]).parent
    await launcher.release()
    assert not place.exists()
    assert list(Path(control_dir).iterdir()) == []
