"""``ssh-mcp demo`` shows the main job and leaves nothing behind, whenever it is interrupted."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.integration.surface_rig import environment
from tests.peers.sshd import sshd_binary, wait_until


@dataclass
class Demo:
    """A running demo; ``said`` grows as it speaks."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.said)

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.text or self.process.poll() is not None, text, timeout=60)
        assert text in self.text, self.text

    def root(self) -> str:
        """Its directory, off the command line of its sshd."""
        found: list[str] = []

        def look() -> bool:
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(self.process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        found.extend(
                            w.removesuffix("/sshd_config") for w in child.cmdline() if w.endswith("/sshd_config")
                        )
            return bool(found)

        wait_until(look, "the demo's sshd", timeout=60)
        return found[0]


@contextmanager
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Start one in a process group of its own, as a shell does."""
    sshd_binary()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "ssh_mcp", "demo"],
        env=environment(tmp_path, columns="100"), cwd=tmp_path, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    running = Demo(process)
    assert process.stdout is not None
    reader = threading.Thread(target=running.said.extend, args=(process.stdout,))
    reader.start()
    try:
        yield running
    finally:
        process.kill()
        process.wait()
        reader.join(20)
        process.stdout.close()


def leftovers(root: str) -> list[str]:
    """Processes that name the demo's directory, and the directory itself."""
    found = [root] if Path(root).exists() else []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            ours = root in line or ("sleep 600" in line and root in process.environ().get("HOME", ""))
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(line)
    return found


def gone(root: str) -> None:
    wait_until(lambda: not leftovers(root), f"the end of {leftovers(root)}", timeout=20)


def test_it_shows_the_main_job_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        root = running.root()
        assert running.process.wait(100) == 0, running.text
        gone(root)
    text = running.text
    assert "ssh_host_ping" in text
    assert "CommandNotAllowed" in text
    assert "PathNotAllowed" in text
    assert "RedactBypassBlocked" in text
    assert "timed_out: True" in text
    assert "hunter2-hunter2" not in text.replace("password=hunter2-hunter2\\\\n'", "")
    assert "counts the logins of all this: 1" in text
    assert text.endswith("Everything the demo started is stopped and removed.\n")
    assert [path.name for path in tmp_path.iterdir() if path.name != "run"] == []


STARTING = "A throwaway sshd listens"
LOGGING_IN = "Which hosts are there?"
COMMAND_RUNNING = "A secret in its output is masked"
TWO_SERVERS = "A second server process"


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("SIGINT", STARTING),
        ("SIGINT", COMMAND_RUNNING),
        ("SIGINT", TWO_SERVERS),
        ("SIGTERM", LOGGING_IN),
        ("SIGTERM", TWO_SERVERS),
        ("SIGHUP", COMMAND_RUNNING),
    ],
)
def test_interrupted_at_any_moment_it_leaves_nothing(name: str, moment: str, tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        root = running.root()
        running.wait_for(moment)
        if name == "SIGTERM":
            running.process.send_signal(signal.SIGTERM)
        else:  # as the terminal does it: to the whole group, servers included
            os.killpg(running.process.pid, getattr(signal, name))
        assert running.process.wait(60) == 130, running.text
        gone(root)
    assert "Traceback" not in running.text
    assert "Interrupted. Everything the demo started is stopped and removed." in running.text


def test_an_impatient_second_ctrl_c_leaves_nothing_either(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        root = running.root()
        running.wait_for("A secret in its output is masked")
        os.killpg(running.process.pid, signal.SIGINT)
        os.killpg(running.process.pid, signal.SIGINT)
        running.process.wait(60)
        gone(root)


def test_without_an_sshd_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ssh_mcp.cli import throwaway_sshd
    from ssh_mcp.cli.throwaway_sshd import NoSshd

    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    with pytest.raises(NoSshd, match="Install openssh-server"), throwaway_sshd.throwaway_sshd():
        pass
