"""A Docker engine of the lab's own: data, sockets, pid file and client configuration apart from the machine's."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab.needs import find
from tests.lab.places import LabError, Places, run, works, write_script

START_TIMEOUT = 60.0


@dataclass(frozen=True)
class Engine:
    """The engine of one clone. ``command`` is what goes into hosts.toml as docker_cmd."""

    places: Places

    @property
    def socket(self) -> Path:
        return self.places.run / "docker.sock"

    @property
    def address(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid_file(self) -> Path:
        return self.places.run / "docker.pid"

    @property
    def config_dir(self) -> Path:
        return self.places.state_dir / "docker-config"

    @property
    def log(self) -> Path:
        return self.places.state_dir / "dockerd.log"

    @property
    def command(self) -> list[str]:
        return [find("docker") or "docker", "--config", str(self.config_dir), "-H", self.address]

    def docker(self, *argv: str | Path, stdin: str = "", timeout: float = 300) -> str:
        """Run the client. Raises LabError."""
        return run(*self.command, *argv, env={"DOCKER_BUILDKIT": "0"}, stdin=stdin, timeout=timeout)

    def pid(self) -> int | None:
        """The daemon's process id while it is really ours and alive."""
        try:
            pid = int(self.pid_file.read_text())
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.address).encode() in argv else None

    def alive(self) -> bool:
        return self.pid() is not None and works(*self.command, "version")

    def start(self) -> None:
        """Start the daemon unless it runs; returns once it answers."""
        if self.alive():
            return
        self.stop()
        for directory in (self.places.run, self.places.big, self.config_dir):
            directory.mkdir(parents=True, exist_ok=True)
        dockerd = find("dockerd")
        if dockerd is None:
            raise LabError("dockerd is not installed")
        argv = [
            dockerd, "--data-root", str(self.places.big / "docker"), "--exec-root", str(self.places.run / "exec"),
            "--pidfile", str(self.pid_file), "-H", self.address, "--iptables=false", "--ip6tables=false",
            "--bridge=none", "--ip-forward=false", "--ip-masq=false", "--userland-proxy=false", "--log-level=warn",
        ]  # fmt: skip
        self.pid_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            daemon = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"},
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self.alive():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"dockerd does not start: {_last_line(self.log)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End the daemon (it ends its containerd and containers). Idempotent."""
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.05)

    def remove_everything(self) -> None:
        """Containers first, so that no shim outlives the daemon; then daemon and data."""
        if self.alive():
            names = self.docker("ps", "-aq").split()
            if names:
                self.docker("rm", "-f", *names)
        self.stop()
        for line in Path("/proc/mounts").read_text().splitlines()[::-1]:
            mount = line.split()[1]
            if mount.startswith((f"{self.places.big}/", f"{self.places.run}/")):
                run("umount", "-l", mount, check=False)
        shutil.rmtree(self.places.big / "docker", ignore_errors=True)
        shutil.rmtree(self.places.run, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.places.run.parent.rmdir()

    def has_image(self, name: str) -> bool:
        return works(*self.command, "image", "inspect", name)

    def import_image(self, tarball: Path, name: str, *changes: str) -> None:
        self.docker("import", *[w for c in changes for w in ("--change", c)], str(tarball), name)

    def add_compose_plugin(self, legacy: str) -> None:
        """Debian 12 has no compose plugin; this stand-in lets ``docker compose`` reach the legacy binary.

        It speaks Docker's plugin protocol (``docker-cli-plugin-metadata``) and is called as the plugin would be, so
        that the way to the plugin is exercised; what v2 prints that v1 does not is in the facts' stored cases.
        """
        metadata = '{"SchemaVersion":"0.1.0","Vendor":"lab","Version":"v1.29.2-lab","ShortDescription":"lab stand-in"}'
        write_script(
            self.config_dir / "cli-plugins" / "docker-compose",
            [
                'if [ "$1" = docker-cli-plugin-metadata ]; then',
                f"  echo '{metadata}'; exit 0",
                "fi",
                'while [ "$1" != compose ]; do shift; done; shift',
                f'exec {legacy} -H {self.address} "$@"',
            ],
        )


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "(no log)"
