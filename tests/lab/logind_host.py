"""A second systemd host, with logind: it ends what users leave at logout (KillUserProcesses=yes), and is restarted."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.lab.engine import Engine
from tests.lab.places import LabError, run, write_script
from tests.lab.systemd_host import BOOT_TIMEOUT
from tests.peers import need
from tests.peers.fixtures import Lab

NAME = "lab-logind"
LINGERING = "nopass"
"""Its user manager outlives its sessions; those of the other accounts end with them."""

_RUN = (
    "run", "-d", "--name", NAME, "--hostname", NAME, "--add-host", f"{NAME}:127.0.1.1", "--network", "none",
    "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
    "--tmpfs", "/run", "--tmpfs", "/run/lock", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw",
)  # fmt: skip
_SETUP = [
    "set -e",
    "dpkg -i /debs/*.deb",
    "systemctl unmask systemd-logind.service",
    "sed -i 's/UsePAM no/UsePAM yes/' /etc/ssh/sshd_config.d/lab.conf",
    "mkdir -p /etc/systemd/logind.conf.d /var/lib/systemd/linger",
    r"printf '[Login]\nKillUserProcesses=yes\n' >/etc/systemd/logind.conf.d/lab.conf",
    f"touch /var/lib/systemd/linger/{LINGERING}",
]


def _image(engine: Engine, base: str) -> str:
    """The lab's host with libpam-systemd of the same release, which needs the machine's own mirror once."""
    name = f"{base.replace('/host:', '/logind:')}"
    if run(*engine.command, "images", "-q", name, check=False).strip():
        return name
    context = Path(tempfile.mkdtemp(prefix="logind-"))
    try:
        debs = context / "debs"
        debs.mkdir()
        fetched = subprocess.run(
            ["apt-get", "download", "-qq", "libpam-systemd"], cwd=debs, capture_output=True, text=True, check=False
        )
        need(fetched.returncode == 0, f"libpam-systemd cannot be fetched: {fetched.stderr.strip()[:200]}")
        write_script(context / "setup", _SETUP)
        (context / "Dockerfile").write_text(
            f"FROM {base}\nCOPY debs /debs\nCOPY setup /setup\nRUN /setup && rm -r /setup /debs\n"
        )
        built = subprocess.run(
            [*engine.command, "build", "-q", "--network", "none", "-t", name, str(context)],
            capture_output=True, text=True, check=False, env={"DOCKER_BUILDKIT": "0"}, timeout=300,
        )  # fmt: skip
        need(built.returncode == 0, f"no image with logind: {built.stdout.strip()[-300:]}")
    finally:
        shutil.rmtree(context, ignore_errors=True)
    return name


class Restarts:
    """Ends and boots the container. A container keeps its machine's boot id, so each boot is given its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def booted(self) -> None:
        """Until systemd runs. Raises LabError."""
        deadline = time.monotonic() + BOOT_TIMEOUT
        state = ""
        while state not in ("running", "degraded"):
            if time.monotonic() > deadline:
                raise LabError(f"systemd in {NAME} is {state or 'silent'} after {BOOT_TIMEOUT:.0f} s")
            state = run(*self._engine.command, "exec", NAME, "systemctl", "is-system-running", check=False).strip()
        self._engine.docker(
            "exec", NAME, "sh", "-c", "cd /proc/sys/kernel/random; umount boot_id 2>/dev/null; "
            "cat uuid >/run/boot_id && mount --bind /run/boot_id boot_id",
        )  # fmt: skip

    def power_cut(self) -> None:
        """Nothing gets to write anything."""
        self._engine.docker("kill", "-s", "KILL", NAME)
        self._engine.docker("start", NAME)
        self.booted()

    def reboot(self) -> None:
        """As an operator does it: systemd ends all first."""
        self._engine.docker("restart", "-t", "60", NAME)
        self.booted()


def _client_files(lab: Lab, directory: Path) -> dict[str, str]:
    """What leads ssh to the host; its keys are those of the lab's."""
    config, known_hosts = directory / "ssh_config", directory / "known_hosts"
    known_hosts.write_text(f"{NAME} {Path(lab.systemd['known_hosts']).read_text().split(' ', 1)[1]}")
    config.write_text(
        f"Host {NAME} sys\n  HostName {NAME}\n  IdentityFile {lab.systemd['key']}\n  IdentitiesOnly yes\n"
        f"  ProxyCommand {' '.join(lab.engine.command)} exec -i {NAME} /usr/sbin/sshd -i\n"
    )
    config.chmod(0o600)
    return {"name": NAME, "container": NAME, "ssh_config": str(config), "known_hosts": str(known_hosts)}


@contextmanager
def logind_host(lab: Lab, directory: Path) -> Iterator[tuple[Lab, Restarts]]:
    """The lab with this host as its systemd host."""
    engine = lab.engine
    base = run(*engine.command, "inspect", "-f", "{{.Config.Image}}", lab.systemd["container"]).strip()
    image = _image(engine, base)
    run(*engine.command, "rm", "-f", NAME, check=False)
    engine.docker(*_RUN, image)
    try:
        restarts = Restarts(engine)
        restarts.booted()
        yield replace(lab, state={**lab.state, "systemd": {**lab.systemd, **_client_files(lab, directory)}}), restarts
    finally:
        run(*engine.command, "rm", "-f", NAME, check=False)
