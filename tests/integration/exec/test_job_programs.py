"""The programs that keep jobs on a host, under every shell to be had here, with and without setsid(1) and /proc."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
import pytest

from ssh_mcp.facts.jobs import Job, Reply, parse_reply
from ssh_mcp.remote.exec.jobs.program import BOOT_ID, prelude, question
from ssh_mcp.remote.exec.jobs.starting import job_input
from ssh_mcp.tokens import quote
from tests.peers import need
from transports.openssh.shell.frame import FrameDecoder, behind, command_input, leaving, remote_command

SHELLS = ["dash", "bash", "busybox", "ksh", "mksh", "zsh"]
OWNER = "0123456789abcdef"


@dataclass
class HostShell:
    """A host of one shell: its ``sh`` and a home of its own. ``boot_id`` may be another file than Linux's."""

    home: Path
    path: str
    boot_id: str = BOOT_ID
    before: tuple[str, ...] = ()
    started: list[str] = field(default_factory=list)

    def ask(self, verb: str, *parameters: str | int, stdin: bytes | IO[bytes] = b"") -> tuple[Reply, bytes]:
        text = prelude() + question(verb, OWNER, *parameters).wire().replace(BOOT_ID, quote(self.boot_id))
        words = [*self.before, "sh", "-c", text]
        environment = {"HOME": str(self.home), "PATH": self.path}
        given, source = (stdin, None) if isinstance(stdin, bytes) else (None, stdin)
        done = subprocess.run(
            words,
            check=False,
            input=given,
            stdin=source,
            capture_output=True,
            env=environment,
            cwd=self.home,
            timeout=60,
        )
        return parse_reply(done.stdout), done.stderr

    def start(
        self, command: str, *, wait: float = 0, claim: str = "-", timeout: int = 0, cap: int = 1 << 28
    ) -> tuple[Job, Reply, bytes]:
        """The job, the whole reply, and the job's stderr."""
        job_id, mark = secrets.token_hex(6), "mark-" + secrets.token_hex(8)
        parameters = (job_id, claim, "", "", int(time.time()), cap, timeout, mark, "", round(wait * 1000), 8192)
        body = mark.encode() + b"\n" + job_input(command.encode(), mark)
        reply, stderr = self.ask("start", *parameters, stdin=body)
        assert reply.words[0] in ("started", "already"), (reply, stderr)
        self.started.append(reply.jobs[0].id)
        return reply.jobs[0], reply, stderr.partition(b"\n")[2] if reply.words[0] == "started" else stderr

    def quick(self, command: str, *, timeout: int = 0) -> Job:
        """A job by quick.sh, whose shell leaves the frame around it."""
        job_id, mark, nonce = secrets.token_hex(6), "mark-" + secrets.token_hex(8), secrets.token_hex(8)
        kind = job_input(command.encode(), mark).decode()[0]
        asked = question("quick", OWNER, job_id, "-", "", "", "1.5", 1 << 28, timeout, mark, kind, command, 8192).wire()
        done = subprocess.run(
            ["sh", "-c", remote_command(nonce)], check=False, capture_output=True, cwd=self.home, timeout=60,
            input=command_input(nonce, leaving(nonce, behind(prelude(), asked, sent=""))), start_new_session=True,
            env={"HOME": str(self.home), "PATH": self.path},
        )  # fmt: skip
        decoder = FrameDecoder(nonce)
        reply = parse_reply(decoder.feed(done.stdout))
        assert (reply.words[0], reply.words[3], decoder.status) == ("started", "quick", 0), (reply, done.stderr)
        self.started.append(job_id)
        return reply.jobs[0]

    def watched(self, command: str, *, line: bytes | None = None, claim: str = "-") -> tuple[Job, Reply, bytes]:
        """A job by watched.sh, which replies at its end, or when ``line`` came (b"": the end of stdin)."""
        job_id, mark = secrets.token_hex(6), "mark-" + secrets.token_hex(8)
        kind = job_input(command.encode(), mark).decode()[0]
        parameters = (job_id, claim, "", "", "1.5", 1 << 28, 0, mark, kind, command, 8192)
        if line is not None:
            reply, stderr = self.ask("watched", *parameters, stdin=line)
        else:
            reading, writing = os.pipe()
            with contextlib.closing(os.fdopen(writing, "wb")), os.fdopen(reading, "rb") as held:
                reply, stderr = self.ask("watched", *parameters, stdin=held)
        assert reply.words[0] in ("started", "already"), (reply, stderr)
        self.started.append(reply.jobs[0].id)
        return reply.jobs[0], reply, stderr

    def status(self, job: Job, wait: float = 0) -> Job:
        return self.ask("status", job.id, round(wait * 1000), 8192)[0].jobs[0]

    def cancel(self, job: Job) -> tuple[Job, str]:
        reply, _ = self.ask("cancel", job.id)
        return reply.jobs[0], reply.words[1]

    def keeper(self, job: Job) -> int:
        return int((self.home / ".ssh-mcp/jobs" / job.id / "pid").read_text().split()[0])

    def file(self, job: Job, name: str) -> Path:
        return self.home / ".ssh-mcp/jobs" / job.id / name


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> HostShell:
    return _host(str(request.param), tmp_path)


@pytest.fixture
def plain(tmp_path: Path) -> HostShell:
    return _host("dash", tmp_path)


def _host(shell: str, tmp_path: Path) -> HostShell:
    found = shutil.which(shell)
    need(found, f"{shell} is not installed")
    assert found is not None
    tools, home = tmp_path / "bin", tmp_path / "a home"
    tools.mkdir()
    home.mkdir()
    (tools / "sh").symlink_to(found)
    return HostShell(home, f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin")


def _alive(text: str) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if text in " ".join(process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _arguments() -> list[str]:
    return [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]


def _running(text: str) -> list[int]:
    """The same, once there is one: a start returns before the job's first program runs."""
    deadline = time.monotonic() + 10
    while not (found := _alive(text)):
        assert time.monotonic() < deadline, f"{text} never ran"
    return found


def _number() -> str:
    """An argument for sleep(1) that no other process has: a day and some digits."""
    return f"86400.{secrets.randbelow(10**9):09d}"


def test_a_short_job_ends_with_its_status_and_both_streams(host: HostShell) -> None:
    job, reply, stderr = host.start("echo out; echo err >&2; umask; cat; exit 3", wait=10)
    assert (job.state, job.exit_code, stderr) == ("exited", 3, b"err\n")
    job, lines, _ = host.start("cat <<'E'\nä\\n\n\nE\nfalse\n", wait=10)
    assert (job.exit_code, lines.data) == (1, "ä\\n\n\n".encode())
    assert reply.data in (b"out\n0022\n", b"out\n022\n")  # stdin is empty: cat ended


def test_a_quick_start_replies_before_the_job_and_keeps_all_that_it_does(host: HostShell) -> None:
    number = _number()
    job = host.quick(
        f"printf '%s.' 'a  b\\n'; echo err >&2; umask; cat; /bin/sleep {number} & /bin/sleep {number}; exit 3"
    )
    assert (job.state, job.exit_code, job.root) == ("running", None, False)
    assert len(_running(number)) > 0
    assert host.status(job).state == "running"
    keeper = psutil.Process(host.keeper(job))
    assert "ssh-mcp-job" in keeper.cmdline()
    assert os.getsid(keeper.pid) == keeper.pid
    job, sent = host.cancel(job)
    assert (job.state, sent, _alive(number)) == ("cancelled", "TERM", [])
    reply, stderr = host.ask("status", job.id, 0, 8192)
    assert stderr.startswith(b"err\n")
    assert reply.data in (b"a  b\\n.0022\n", b"a  b\\n.022\n")
    job = host.status(host.quick("cat <<'E'\nä\\n\n\nE\nkill -INT $$"), wait=10)
    assert (job.state, job.exit_code, job.stdout_bytes) == ("killed", 130, 6)
    assert host.status(host.quick("sleep 60", timeout=1), wait=10).state == "timed_out"
    pipes = {"0", "1", "2"}  # a keeper removes them behind the status
    assert sorted({path.name for path in host.file(job, ".").iterdir()} - pipes) == (
        ["about", "group", "pid", "seen", "status", "stderr", "stderr.end", "stdout", "stdout.end"]
    )


def test_a_watched_start_replies_at_the_end_of_the_job_or_when_it_is_asked_to(host: HostShell) -> None:
    job, reply, stderr = host.watched("printf '%s.' 'a  b\\n'; echo err >&2; umask; cat; exit 3")
    assert (job.state, job.exit_code, stderr, reply.words[3]) == ("exited", 3, b"err\n", "quick")
    assert reply.data in (b"a  b\\n.0022\n", b"a  b\\n.022\n")
    assert (job.stdout_bytes, job.stderr_bytes, job.first) == (len(reply.data), 4, True)
    assert job.duration is not None
    again = host.status(job)
    assert (again.state, again.exit_code, again.first) == ("exited", 3, False)
    assert host.watched("cat <<'E'\nä\n\n\nE\nkill -INT $$")[0].exit_code == 130
    number = _number()
    for line in (b"\n", b""):
        job, reply, stderr = host.watched(f"echo ä; /bin/sleep {number} & /bin/sleep {number}", line=line)
        assert (job.state, job.exit_code, stderr) == ("running", None, b"")
        assert len(_running(number)) > 0
        keeper = psutil.Process(host.keeper(job))
        assert os.getsid(keeper.pid) == keeper.pid
        assert not [each for each in os.listdir(f"/proc/{keeper.pid}/fd") if int(each) in (6, 8)]
        job, sent = host.cancel(job)
        assert (job.state, sent, _alive(number)) == ("cancelled", "TERM", [])
    assert host.watched("exec /bin/true")[0].exit_code == 0
    first, *_ = host.watched(f"/bin/sleep {number}", line=b"\n", claim="00ff")
    second, reply, _ = host.watched("true", claim="00ff")
    assert (second.id, reply.words[0]) == (first.id, "already")
    host.cancel(first)
    assert host.watched("true", claim="00ff")[1].words[0] == "started"


def test_signals_end_a_job_as_they_would_end_a_command(host: HostShell) -> None:
    job, *_ = host.start("kill -KILL $$", wait=10)
    assert (job.state, job.exit_code, job.signal) == ("killed", 137, "KILL")
    job, reply, _ = host.start("trap 'echo caught; exit 9' INT; kill -INT $$; sleep 5", wait=10)
    assert (job.state, job.exit_code, reply.data) == ("exited", 9, b"caught\n")


def test_cancelling_ends_pipelines_background_children_and_what_ignores_term(host: HostShell) -> None:
    number = _number()
    work = f"sleep {number} | sleep {number} & /usr/bin/timeout 90000 sleep {number}; sleep {number}"
    job, *_ = host.start(f"trap '' TERM; {work}")
    assert job.state == "running"
    job, sent = host.cancel(job)
    assert (job.state, sent) == ("cancelled", "KILL")
    assert _alive(number) == []


def test_a_timeout_ends_the_job_and_its_timer_goes_with_it(host: HostShell) -> None:
    number = _number()
    job, *_ = host.start(f"sleep {number}", timeout=1, wait=10)
    assert (job.state, _alive(number)) == ("timed_out", [])
    job, *_ = host.start("exit 0", timeout=8641, wait=10)
    assert job.state == "exited"
    assert _alive("sleep 8641") == []


def test_output_beyond_the_limit_is_dropped_and_the_job_goes_on(host: HostShell) -> None:
    job, *_ = host.start("head -c 9000000 /dev/zero; head -c 900000 /dev/zero >&2; exit 5", cap=500_000, wait=30)
    assert (job.state, job.exit_code) == ("exited", 5)
    assert (job.stdout_bytes, job.stderr_bytes, job.cut) == (437_500, 62_500, ("stdout.cap", "stderr.cap"))


@pytest.mark.parametrize(
    "cut", [b"mark-1\n1\ntouch ran\n", b"mark-1\n1\ntouch ran", b"mark-1\n-\ntouch ran\n", b"mark-1\n"]
)
def test_half_a_command_never_runs(plain: HostShell, cut: bytes) -> None:
    job_id, mark = secrets.token_hex(6), "mark-1"
    parameters = (job_id, "-", "", "", 1, 1 << 20, 0, mark, "", 0, 8192)
    reply, _ = plain.ask("start", *parameters, stdin=cut)
    assert reply.words == ("failed",)
    assert not (plain.home / "ran").exists()
    assert list((plain.home / ".ssh-mcp/jobs").iterdir()) == []


def test_a_killed_keeper_leaves_a_running_job_and_then_a_lost_one(host: HostShell) -> None:
    number = _number()
    job, *_ = host.start(f"/bin/sleep {number}; true")
    os.kill(host.keeper(job), signal.SIGKILL)
    assert host.status(job).state == "running"
    for pid in _running(number):
        os.kill(pid, signal.SIGKILL)
    assert job.group is not None
    subprocess.run(["tail", "-s0.05", f"--pid={job.group}", "-f", "/dev/null"], check=True, timeout=10)
    assert host.status(job).state == "lost"
    assert host.cancel(job) == (host.status(job), "-")


def test_an_orphaned_job_can_still_be_cancelled(plain: HostShell) -> None:
    number = _number()
    job, *_ = plain.start(f"sleep {number}; true")
    os.kill(plain.keeper(job), signal.SIGKILL)
    job, sent = plain.cancel(job)
    assert (job.state, sent, _alive(number)) == ("cancelled", "TERM", [])


def test_a_restart_of_the_host_is_distinguished_from_a_lost_job(plain: HostShell, tmp_path: Path) -> None:
    number = _number()
    job, *_ = plain.start(f"sleep {number}")
    plain.cancel(job)
    plain.file(job, "status").unlink()
    plain.file(job, "cancel").unlink()
    assert plain.status(job).state == "lost"
    plain.boot_id = str(tmp_path / "another boot")
    Path(plain.boot_id).write_text("another\n")
    assert plain.status(job).state == "host_rebooted"


def test_a_reused_process_id_is_not_the_job(plain: HostShell) -> None:
    job, *_ = plain.start("true", wait=10)
    plain.file(job, "status").unlink()
    stranger = psutil.Process().pid
    _, born, up = plain.file(job, "pid").read_text().split()
    plain.file(job, "pid").write_text(f"{stranger} {born} {up}\n")
    plain.file(job, "group").write_text(f"{stranger}\n")
    assert plain.status(job).state == "lost"


def test_a_name_runs_once_however_many_start_it(plain: HostShell) -> None:
    number = _number()
    claims = [plain.start(f"sleep {number}", claim="fedcba9876543210") for _ in range(2)]
    assert [reply.words[0] for _, reply, _ in claims] == ["started", "already"]
    assert claims[0][0].id == claims[1][0].id
    plain.cancel(claims[0][0])
    job, reply, _ = plain.start("true", claim="fedcba9876543210", wait=10)
    assert (reply.words[0], job.id != claims[0][0].id) == ("started", True)
    plain.ask("remove", *plain.started)
    assert list((plain.home / ".ssh-mcp/jobs").iterdir()) == []


def test_background_children_do_not_keep_a_job_running_and_their_output_is_kept(plain: HostShell) -> None:
    job, *_ = plain.start("(sleep 1; echo late) & echo soon", wait=10)
    assert job.state == "exited"
    reply, _ = plain.ask("output", job.id, "stdout", 0, 4)
    for _ in range(100):
        if b"late" in reply.data:
            break
        subprocess.run(["sleep", "0.1"], check=True)
        reply, _ = plain.ask("output", job.id, "stdout", 0, 4)
    assert reply.data == b"soon\nlate\n"
    assert reply.jobs[0].stdout_bytes == 10


def test_a_full_disk_ends_the_writing_and_not_the_job(plain: HostShell, tmp_path: Path) -> None:
    need(os.geteuid() == 0, "only root mounts a small filesystem")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    need(mounted.returncode == 0, "no filesystem can be mounted here")
    try:
        plain.home = small
        job, *_ = plain.start("head -c 900000 /dev/zero; exit 4", wait=20)
        assert (job.state, job.exit_code, job.cut) == ("exited", 4, ("stdout.full",))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.mark.parametrize("helper", ["perl", None])
def test_without_setsid_a_job_is_detached_all_the_same(plain: HostShell, tmp_path: Path, helper: str | None) -> None:
    tools = tmp_path / "few"
    tools.mkdir()
    wanted = ["cat", "mkdir", "mkfifo", "rm", "mv", "dd", "wc", "sleep", "date", "sed", "awk", "grep", "ps", helper]
    for name in filter(None, wanted):
        (tools / name).symlink_to(shutil.which(name) or "/nonexistent")
    (tools / "sh").symlink_to(shutil.which("dash") or "/bin/sh")
    plain.path = str(tools)
    number = _number()
    job, *_ = plain.start(f"sleep {number} | sleep {number}; true")
    assert job.state == "running"
    job, sent = plain.cancel(job)
    assert (job.state, sent, _alive(number)) == ("cancelled", "TERM", [])


def test_without_proc_ps_says_who_is_alive(plain: HostShell) -> None:
    need(os.geteuid() == 0 and shutil.which("unshare"), "only root hides /proc")
    number = _number()
    fake = Path(plain.path.split(":")[0]) / "ps"
    fake.write_text('#!/bin/bash\nmount -t proc proc /proc && /usr/bin/ps "$@"; s=$?; umount /proc; exit $s\n')
    fake.chmod(0o755)
    plain.before = ("unshare", "--mount", "bash", "-c", 'mount -t tmpfs none /proc && exec "$@"', "x")
    job, *_ = plain.start(f"sleep {number}; true")
    assert (job.state, job.duration is not None) == ("running", True)
    assert plain.status(job).state == "running"
    job, sent = plain.cancel(job)
    assert (job.state, sent, _alive(number)) == ("cancelled", "TERM", [])
    plain.file(job, "status").unlink()
    plain.file(job, "cancel").unlink()
    assert plain.status(job).state == "lost"


def test_a_daemon_in_a_session_of_its_own_is_ended_with_its_job(host: HostShell) -> None:
    need(os.path.exists("/proc/self/environ"), "only /proc shows environments")
    number = _number()
    job, *_ = host.start(f"setsid sh -c '/bin/sleep {number} & exit' & wait; /bin/sleep {number}; true")
    _running(number)
    job, sent = host.cancel(job)
    assert (job.state, sent, _alive(number)) == ("cancelled", "TERM", [])


def test_a_job_directory_changed_by_hand_is_refused_or_told_from_a_job(plain: HostShell, tmp_path: Path) -> None:
    kept, *_ = plain.start("echo kept", wait=10)
    outside = tmp_path / "outside"
    outside.write_text("SECRET\n")

    def hurt(name: str, text: str | None) -> Job:
        job, *_ = plain.start("echo out", wait=10)
        file = plain.file(job, name)
        file.unlink(missing_ok=True)
        if text is None:
            file.symlink_to(outside)
        elif text == "fifo":
            os.mkfifo(file)
        else:
            file.write_text(text)
        return job

    for name, text, seen in (
        ("stdout", None, None), ("about", None, None), ("about", "fifo", None), ("stdout", "fifo", None),
        ("status", "fifo", None), ("pid", "fifo", None), ("pid", "", None), ("about", "x\ny\n", None),
        ("pid", "1 1 1\n", "exited"), ("pid", "$(touch ran) ; 1\n", None), ("pid", "-1 - -\n", "exited"),
        ("status", "a[$(touch ran)] 1 2 3 4\n", "lost"), ("status", "", "lost"), ("status", "0 1 2 3 x\n", "exited"),
        ("group", "-1\n", "exited"), ("group", "*\n", "exited"), ("seen", "1 2 3\n", "exited"),
    ):  # fmt: skip
        job = hurt(name, text)
        for verb, more in (("status", [0, 8192]), ("output", ["stdout", 0, 4]), ("cancel", [])):
            reply, stderr = plain.ask(verb, job.id, *more)
            assert b"SECRET" not in reply.data + stderr
            assert [each.state for each in reply.jobs] == ([] if seen is None else [seen]), (name, text, verb)
    for path in (".", "..", "../../outside", "*", "a b", "", "0123456789ab/../" + kept.id):
        assert plain.ask("status", path, 0, 8192)[0].words == ("unknown",)
    linked = plain.file(kept, ".").parent / "abcdefabcdef"
    linked.symlink_to(plain.file(kept, "."))
    plain.file(kept, ".").parent.joinpath("a  b\n").mkdir()
    plain.file(hurt("about", "x" * 1_000_000), "pid").write_text("1 1 1\n")
    listed, _ = plain.ask("list")
    assert kept.id in [job.id for job in listed.jobs]
    assert "abcdefabcdef" not in [job.id for job in listed.jobs]
    assert not (plain.home / "ran").exists()


def test_of_two_that_start_a_name_at_once_fifty_times_one_starts_it(plain: HostShell) -> None:
    number = _number()
    for turn in range(50):
        with ThreadPoolExecutor(2) as both:
            made = list(both.map(lambda _: plain.start(f"sleep {number}", claim=f"{turn:016x}"), range(2)))  # noqa: B023
        assert sorted(reply.words[0] for _, reply, _ in made) == ["already", "started"]
        assert len({job.id for job, *_ in made}) == 1
        assert {job.state for job, *_ in made} == {"running"}
        plain.cancel(made[0][0])
    running = [job for job in plain.ask("list")[0].jobs if job.state == "running"]
    assert (running, _alive(number)) == ([], [])


def test_whatever_of_a_job_is_killed_whenever_its_state_is_true_and_a_cancellation_leaves_nothing(
    plain: HostShell,
) -> None:
    chance, number = random.Random(17), _number()
    seen: Counter[str] = Counter()
    for turn in range(16):
        command = f"/bin/sleep {number} & /bin/sleep {number}; true"
        job = plain.quick(command) if turn % 3 else plain.start(command)[0]
        time.sleep(chance.random() * 0.04)  # the moment, not a synchronisation
        with contextlib.suppress(psutil.NoSuchProcess):
            keeper = psutil.Process(plain.keeper(job))
            chance.choice([keeper, *keeper.children(recursive=True)]).kill()
        found = plain.status(job)
        seen[found.state] += 1
        ended, _ = plain.cancel(job)
        if found.state == "running":
            assert ended.state in ("cancelled", "lost", "exited", "killed"), (found, ended)
        else:
            assert ended.state == found.state
    assert seen["running"]
    assert set(seen) <= {"running", "lost", "exited", "killed"}
    assert _alive(number) == []
    deadline = time.monotonic() + 10  # what only waits for the ends of pipes
    while any(f"ssh-mcp-job {job}" in text for text in _arguments() for job in plain.started):
        assert time.monotonic() < deadline


def test_a_clock_that_jumps_changes_neither_states_nor_durations(plain: HostShell, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    date = Path(plain.path.split(":")[0]) / "date"
    date.write_text(f"#!/bin/sh\ncat '{clock}'\n")
    date.chmod(0o755)
    clock.write_text("2000000000\n")
    number = _number()
    job, *_ = plain.start(f"/bin/sleep {number}; true")
    for epoch in ("1", "99999999999", "1500000000"):
        clock.write_text(f"{epoch}\n")
        found = plain.status(job)
        assert (found.state, found.began) == ("running", job.began)
        assert found.duration is not None
        assert 0 <= found.duration < 600
        assert plain.ask("list")[0].jobs[0].state == "running"
    ended, _ = plain.cancel(job)
    assert (ended.state, ended.ended) == ("cancelled", None)
    assert ended.duration is not None
    assert ended.duration < 600


@pytest.mark.parametrize(
    ("options", "reason"), [("ro", "Read-only file system"), ("size=4k", "No space left on device")]
)
def test_a_home_in_which_nothing_can_be_written_is_a_refusal_that_says_so(
    plain: HostShell, tmp_path: Path, options: str, reason: str
) -> None:
    need(os.geteuid() == 0, "only root mounts filesystems")
    plain.home = tmp_path / "mounted"
    plain.home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"{options},mode=755", "none", str(plain.home)]
    need(subprocess.run(mount, check=False, capture_output=True).returncode == 0, "no filesystem can be mounted here")
    try:
        if options != "ro":
            (plain.home / "full").write_bytes(b"x" * 4096)
        reply, _ = plain.ask("start", "0" * 12, "-", "", "", 1, 1 << 20, 0, "mark", "", 0, 8192, stdin=b"mark\n")
        assert reply.words[0] == "refused"
        assert reason in " ".join(reply.words) or "nothing can be written" in " ".join(reply.words)
    finally:
        subprocess.run(["umount", "-l", str(plain.home)], check=True)
