"""A booted systemd host in a container: sshd through ``docker exec``, sudo users, journal, units, an apt repository."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.lab import apt_repo
from tests.lab.engine import Engine
from tests.lab.places import LabError, Places, run, write_script

_RECIPE = hashlib.sha256(b"".join(Path(m.__file__ or "").read_bytes() for m in (apt_repo, sys.modules[__name__])))
IMAGE = f"lab/host:{_RECIPE.hexdigest()[:12]}"
"""Named by what it is made of: after a change of this file ``up`` builds it anew."""

BASE = "lab/debian"
NAME = "lab-systemd"
"""Container name, ssh name and canonical hostname in one."""

SUDO_PASSWORD = "lab-Sudo-Canary-7731"
UNIT_SECRET = "lab-unit-canary-9f2c4e"
BOOT_TIMEOUT = 60.0

USERS = {
    "admin": f"admin ALL=(ALL) ALL  # password {SUDO_PASSWORD}",
    "nopass": "nopass ALL=(ALL) NOPASSWD: ALL",
    "plain": "",
    "ttyuser": "Defaults:ttyuser requiretty\nttyuser ALL=(ALL) NOPASSWD: ALL",
    "bb": "",
}
"""Account to sudoers lines. ``bb`` sees a BusyBox world: shell, PATH and all."""

BUSYBOX_DIR = "/opt/busybox"

UNITS = {
    "lab-ok.service": f"""[Unit]
Description=Lab: runs until told otherwise
[Service]
Environment=LAB_MODE=quiet DB_PASSWORD={UNIT_SECRET}
ExecStart=/bin/sleep infinity
ExecReload=/bin/true
[Install]
WantedBy=multi-user.target
""",
    "lab-fails.service": """[Unit]
Description=Lab: fails at every start
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo "about to fail"; exit 3'
""",
    "lab-restarts.service": """[Unit]
Description=Lab: ends and is restarted
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'echo "round"; sleep 5; exit 1'
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
""",
    "lab-masked.service": """[Unit]
Description=Lab: masked
[Service]
ExecStart=/bin/sleep infinity
""",
    "lab-stopped.service": """[Unit]
Description=Lab: installed and idle
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
""",
    "lab-inst@.service": """[Unit]
Description=Lab: instance %i
[Service]
ExecStart=/bin/sleep infinity
""",
    "lab-chatty.service": f"""[Unit]
Description=Lab: writes to the journal
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for i in 1 2 3 4 5; do echo "line $i"; done; echo "password={UNIT_SECRET} ok"; echo "äöü"'
RemainAfterExit=yes
[Install]
WantedBy=multi-user.target
""",
    "lab.timer": """[Unit]
Description=Lab: a timer
[Timer]
OnCalendar=yearly
Unit=lab-stopped.service
[Install]
WantedBy=timers.target
""",
}

_SSHD_CONFIG = f"""AuthorizedKeysFile /etc/ssh/throwaway_authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
PrintMotd no
StrictModes no
Match User bb
    SetEnv PATH={BUSYBOX_DIR}
"""


def _setup_lines() -> list[str]:
    lines = [
        "set -e",
        "export DEBIAN_FRONTEND=noninteractive",
        f"mkdir -p {BUSYBOX_DIR} && cp /bin/busybox {BUSYBOX_DIR}",
        f"{BUSYBOX_DIR}/busybox --install -s {BUSYBOX_DIR}",
    ]
    for user in USERS:
        shell = f"{BUSYBOX_DIR}/sh" if user == "bb" else "/bin/sh"
        lines.append(f"useradd -m -s {shell} -c 'Lab {user},,,' -p '*' {user}")
    lines += [
        f"echo 'admin:{SUDO_PASSWORD}' | chpasswd",
        "groupadd lab-team && usermod -aG lab-team admin",
        "chmod 0440 /etc/sudoers.d/lab",
        "visudo -cq",
        "rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*",
        "echo 'deb [trusted=yes] file:/srv/apt ./' > /etc/apt/sources.list",
        "rm -f /usr/sbin/policy-rc.d",
        "apt-get update -q",
        "apt-get install -qy lab-hello=1.0 lab-held=1.0 lab-conf=1.0",
        "apt-mark hold lab-held",
        "systemctl enable lab-ok.service lab-restarts.service lab-chatty.service lab.timer",
        "ln -sf /dev/null /etc/systemd/system/lab-masked.service",
        "systemctl mask getty.target console-getty.service systemd-logind.service systemd-udevd.service",
        "systemctl disable e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer || true",
        "mkdir -p /var/log/journal",
        "rm -f /etc/machine-id && systemd-machine-id-setup",
    ]
    return lines


def _write_context(places: Places, public_key: str) -> Path:
    """The build context: files as they shall lie in the image, and the setup script."""
    context = places.big / "host"
    shutil.rmtree(context, ignore_errors=True)
    files = context / "files"
    units = files / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for name, text in UNITS.items():
        (units / name).write_text(text)
    drop_in = files / "etc/systemd/system/lab-ok.service.d"
    drop_in.mkdir(parents=True)
    (drop_in / "limits.conf").write_text("[Service]\nTasksMax=50\n")
    ssh = files / "etc/ssh"
    (ssh / "sshd_config.d").mkdir(parents=True)
    (ssh / "sshd_config.d/lab.conf").write_text(_SSHD_CONFIG)
    (ssh / "throwaway_authorized_keys").write_text(public_key)
    for name in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
        shutil.copy(places.state_dir / name, ssh / name)
    (ssh / "ssh_host_ed25519_key").chmod(0o600)
    (files / "etc/sudoers.d").mkdir()
    (files / "etc/sudoers.d/lab").write_text("".join(f"{line}\n" for line in USERS.values() if line))
    (files / "etc/tmpfiles.d").mkdir()
    (files / "etc/tmpfiles.d/lab.conf").write_text("d /run/sshd 0755 root root -\n")
    apt_repo.build(files / "srv/apt")
    shutil.rmtree(files / "srv/deb-tree", ignore_errors=True)
    write_script(context / "setup", _setup_lines())
    (context / "Dockerfile").write_text(
        f"FROM {BASE}\nCOPY files /\nCOPY setup /setup\nRUN /setup && rm /setup\n"
        'ENV container=docker\nSTOPSIGNAL SIGRTMIN+3\nLABEL lab.role=systemd\nCMD ["/sbin/init"]\n'
    )
    return context


def make_keys(places: Places) -> str:
    """Our login key and the host's key, once a lab; answers the public line."""
    places.state_dir.mkdir(parents=True, exist_ok=True)
    for name in ("id_ed25519", "ssh_host_ed25519_key"):
        if not (places.state_dir / name).exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", places.state_dir / name)
    return (places.state_dir / "id_ed25519.pub").read_text()


def build_image(places: Places, engine: Engine) -> None:
    """Base root plus units, users, packages: one RUN without a network."""
    public_key = make_keys(places)
    context = _write_context(places, public_key)
    engine.docker("build", "-q", "--network", "none", "-t", IMAGE, str(context), timeout=300)
    shutil.rmtree(context, ignore_errors=True)


def boot(engine: Engine) -> None:
    """Start the container and wait until systemd says that it runs."""
    if _inspect(engine) != f"true {IMAGE}":
        run(*engine.command, "rm", "-f", NAME, check=False)
        engine.docker(
            "run", "-d", "--name", NAME, "--hostname", NAME, "--cap-add", "SYS_ADMIN",
            "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--network", "none",
            "--add-host", f"{NAME}:127.0.1.1",
            "--tmpfs", "/run", "--tmpfs", "/run/lock", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw", IMAGE,
        )  # fmt: skip
    deadline = time.monotonic() + BOOT_TIMEOUT
    while True:
        state = _system_state(engine)
        if state in ("running", "degraded"):
            return
        if time.monotonic() > deadline:
            raise LabError(f"systemd in the container is {state or 'silent'} after {BOOT_TIMEOUT:.0f} s")
        time.sleep(0.1)


def write_ssh_files(places: Places, engine: Engine) -> dict[str, Any]:
    """The operator's ssh_config and known_hosts that lead to the host; answers what lab.json says about it."""
    config = places.state_dir / "ssh_config"
    known_hosts = places.state_dir / "known_hosts"
    kind, blob = (places.state_dir / "ssh_host_ed25519_key.pub").read_text().split()[:2]
    known_hosts.write_text(f"{NAME} {kind} {blob}\n")
    proxy = " ".join(engine.command)
    config.write_text(
        f"Host {NAME} sys\n  HostName {NAME}\n  IdentityFile {places.state_dir}/id_ed25519\n  IdentitiesOnly yes\n"
        f"  ProxyCommand {proxy} exec -i {NAME} /usr/sbin/sshd -i\n"
    )
    config.chmod(0o600)
    return {
        "name": NAME,
        "container": NAME,
        "ssh_config": str(config),
        "known_hosts": str(known_hosts),
        "key": str(places.state_dir / "id_ed25519"),
        "users": {"root": "root", **{user: user for user in USERS}},
        "sudo_password": SUDO_PASSWORD,
        "unit_secret": UNIT_SECRET,
        "slow_fifo": apt_repo.SLOW_FIFO,
    }


def _inspect(engine: Engine) -> str:
    return run(*engine.command, "inspect", "-f", "{{.State.Running}} {{.Config.Image}}", NAME, check=False).strip()


def _system_state(engine: Engine) -> str:
    done = subprocess.run(
        [*engine.command, "exec", NAME, "systemctl", "is-system-running"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout.strip()
