"""The image, the compose file and the unit, built and started as docs/deployment.md says.

The base is a Debian root of this machine's own mirror; the image is built from wheels, without a network. The lab's
engine publishes no ports: what talks to a server does so from within its container, or shares the host's network.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.server.auth.providers.jwt import RSAKeyPair

from tests.lab.images import debian_tarball
from tests.lab.places import here, run, works
from tests.peers import need
from tests.peers.fixtures import Lab
from tests.peers.sshd import Sshd, free_port, keygen, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.xdist_group("service"), pytest.mark.timeout(900)]

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "libnss-systemd",
    "dbus",
    "python3-venv",
    "openssh-client",
    "openssh-server",
    "redis-server",
)
USER = 10001
START = 60.0
"""Seconds until a server must listen."""
ROLES = '[roles.all]\ntiers = ["read"]\n[identities]\nalice = "all"\n'
ISSUER, AUDIENCE = "https://login.example.net/", "ssh-mcp"
KEYS = RSAKeyPair.generate()
NAME = f"pack-{os.getpid()}"
REDIS = "import os, redis; print(redis.Redis.from_url(os.environ['FASTMCP_DOCKET_URL']).ping())"
HEALTH = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/healthz').status)"


@pytest.fixture(scope="module")
def base(lab: Lab) -> str:
    """An image with Python, OpenSSH, systemd and Redis; kept until the lab goes down."""
    tarball = debian_tarball(here(), PACKAGES)
    name = f"lab/service:{tarball.stem.rpartition('-')[2]}"
    if not lab.engine.has_image(name):
        lab.engine.import_image(tarball, name)
    return name


@pytest.fixture(scope="module")
def image(lab: Lab, base: str, tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Iterator[str]:
    """Our image, from the Dockerfile and wheels for Debian's Python."""
    context = tmp_path_factory.mktemp("context")
    shutil.copy(project_root / "Dockerfile", context)
    wheels = context / "wheels"
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels], cwd=project_root,
                   check=True, capture_output=True)  # fmt: skip
    (wheel,) = wheels.glob("*.whl")
    run(sys.executable, "-m", "venv", context / "pip")
    download = subprocess.run(
        [context / "pip" / "bin" / "pip", "download", "--quiet", "--only-binary=:all:", "--python-version=3.11",
         "--dest", wheels, f"{wheel}[tasks,telemetry]", "async-timeout"],  # redis wants it below 3.11.3
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    need(download.returncode == 0, f"the dependencies cannot be downloaded: {download.stderr[-200:]}")
    shutil.rmtree(context / "pip")
    name = f"openssh-mcp:{NAME}"
    words = ("build", "--quiet", "--network", "none", "--build-arg", f"BASE={base}", "--tag", name, str(context))
    lab.engine.docker(*words, timeout=800)
    yield name
    lab.docker("image", "rm", "--force", name)


@pytest.fixture
def started(lab: Lab) -> Iterator[Callable[..., str]]:
    """Starts a container; it is removed after the test."""
    names: list[str] = []

    def start(*words: str) -> str:
        name = f"{NAME}-{len(names)}"
        names.append(name)
        lab.docker("run", "--detach", "--name", name, *words)
        return name

    yield start
    for name in names:
        lab.docker("rm", "--force", "--volumes", name)


def owned(path: Path, text: str | bytes, mode: int = 0o644, user: int = 0) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    os.chown(path, user, user)
    return path


def host(address: str, port: int, user: str, key: str) -> str:
    return (
        f'[hosts.web]\nhostname = "{address}"\nport = {port}\nuser = "{user}"\ncommand_allowlist = ["uname"]\n'
        f'[hosts.web.auth]\nmethod = "key"\nkey = "{key}"\nidentities_only = true\n'
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """What is mounted as /etc/ssh-mcp."""
    place = tmp_path / "config"
    place.mkdir(mode=0o755)
    owned(place / "issuer.pem", KEYS.public_key)
    return place


def token(subject: str = "alice") -> str:
    return KEYS.create_token(subject=subject, issuer=ISSUER, audience=AUDIENCE, expires_in_seconds=600)


async def test_the_image_serves_a_tool_as_an_unprivileged_user_with_a_read_only_root(
    lab: Lab, image: str, started: Callable[..., str], config: Path, sshd: Sshd
) -> None:
    owned(config / "key", sshd.key.read_bytes(), 0o600, USER)
    owned(config / "hosts.toml", host(sshd.address, sshd.port, sshd.user, "/etc/ssh-mcp/key") + ROLES)
    owned(config / "known_hosts", sshd.known_hosts_line())
    port = free_port()
    settings = {
        "MCP_HTTP_HOST": "127.0.0.1", "MCP_HTTP_PORT": str(port), "MCP_AUTH": "jwt", "MCP_AUTH_ISSUER": ISSUER,
        "MCP_AUTH_AUDIENCE": AUDIENCE, "MCP_JWT_PUBLIC_KEY_FILE": "/etc/ssh-mcp/issuer.pem",
    }  # fmt: skip
    name = started(
        "--network", "host", "--read-only", "--tmpfs", "/tmp", "--tmpfs", "/run/ssh-mcp:uid=10001,mode=0700",
        "--cap-drop", "ALL", "--volume", f"{config}:/etc/ssh-mcp:ro",
        *(word for key, value in settings.items() for word in ("--env", f"{key}={value}")), image,
    )  # fmt: skip
    kind, *check = json.loads(lab.docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", image))
    assert kind == "CMD"
    wait_until(lambda: works(*lab.engine.command, "exec", name, *check), "the image's own health check", timeout=START)
    assert lab.docker("exec", name, "id", "-u").strip() == str(USER)
    refused = lab.docker(
        "exec", name, "sh", "-c", "for d in / /opt /etc/ssh-mcp; do touch $d/x 2>/dev/null || echo $d; done"
    )
    assert refused.split() == ["/", "/opt", "/etc/ssh-mcp"]
    headers = {"Authorization": f"Bearer {token()}"}
    async with Client(StreamableHttpTransport(f"http://127.0.0.1:{port}/mcp", headers=headers)) as client:
        assert (await client.call_tool("ssh_host_ping", {"host": "web"})).data.reachable
    lab.docker("stop", name)
    assert lab.docker("inspect", "--format", "{{.State.ExitCode}}", name).strip() in ("0", "143")


async def test_the_compose_file_starts_two_instances_that_share_a_redis(
    lab: Lab, base: str, image: str, config: Path, tmp_path: Path, project_root: Path
) -> None:
    compose = shutil.which("docker-compose")
    need(compose, "docker-compose is not installed")
    owned(config / "hosts.toml", ROLES)
    owned(config / "known_hosts", "")
    shutil.copy(project_root / "deploy" / "compose.yaml", tmp_path)
    ours = {"services": {"one": {"image": image}, "two": {"image": image}, "redis": {"image": base}}}
    version = yaml.safe_load((tmp_path / "compose.yaml").read_text()).get("version", "3.9")
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump({"version": version, **ours}))
    words = [str(compose), "--host", lab.engine.address, "--project-name", NAME]
    words += ["--file", str(tmp_path / "compose.yaml"), "--file", str(tmp_path / "ours.yaml")]
    env = {"MCP_AUTH_ISSUER": ISSUER}
    try:
        run(*words, "up", "--detach", "--no-build", env=env)

        for service in ("one", "two"):
            inside = (*words, "exec", "-T", service, "/opt/openssh-mcp/bin/python", "-c")
            healthy = functools.partial(works, *inside, HEALTH, env=env)
            wait_until(healthy, f"{service} serves", timeout=START)
            assert run(*inside, REDIS, env=env) == "True\n"
    finally:
        run(*words, "down", "--volumes", "--timeout", "3", env=env, check=False)


PING = """
import asyncio
from fastmcp import Client
async def main():
    async with Client("http://127.0.0.1:8000/mcp") as client:
        print((await client.call_tool("ssh_host_ping", {"host": "web"})).structured_content["reachable"])
asyncio.run(main())
"""
PREPARE = """
userdel ssh-mcp # the image's own: here systemd makes one
rm -rf /var/lib/ssh-mcp
ln -s /opt/openssh-mcp/bin/openssh-mcp /usr/local/bin/
install -D -m 0600 /etc/ssh-mcp/id_ed25519.pub /root/.ssh/authorized_keys
{ printf '127.0.0.1 '; cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub; } >/etc/ssh-mcp/known_hosts
install -d -m 0700 /var/lib/private /var/lib/private/ssh-mcp
install -m 0600 /etc/ssh-mcp/id_ed25519 /var/lib/private/ssh-mcp
systemctl start ssh ssh-mcp
"""


def test_the_unit_is_confined_and_serves_under_systemd(
    lab: Lab, image: str, started: Callable[..., str], config: Path, tmp_path: Path, project_root: Path
) -> None:
    keygen(config / "id_ed25519")
    owned(config / "hosts.toml", host("127.0.0.1", 22, "root", "/var/lib/ssh-mcp/id_ed25519"))
    owned(config / "settings.env", "MCP_HTTP_LOCAL_OPEN=true\n")
    unit = owned(tmp_path / "ssh-mcp.service", (project_root / "deploy" / "ssh-mcp.service").read_text())
    # the sandbox that the lab may run in has no user namespaces to give
    drop_in = owned(tmp_path / "lab.conf", "[Service]\nPrivateUsers=no\n")
    system = "/etc/systemd/system/ssh-mcp.service"
    name = started(
        "--user", "0", "--entrypoint", "/sbin/init", "--env", "container=docker", "--network", "none",
        "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
        "--tmpfs", "/run", "--tmpfs", "/run/lock", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw",
        "--volume", f"{config}:/etc/ssh-mcp", "--volume", f"{unit}:{system}:ro",
        "--volume", f"{drop_in}:{system}.d/lab.conf:ro", image,
    )  # fmt: skip
    inside = (*lab.engine.command, "exec", "-i", name)
    wait_until(lambda: works(*inside, "systemctl", "is-active", "dbus.socket"), "systemd", timeout=START)
    run(*inside, "sh", "-e", stdin=PREPARE, timeout=120)
    wait_until(lambda: works(*inside, "python3", "-c", HEALTH), "the server", timeout=START)
    assert run(*inside, "/opt/openssh-mcp/bin/python", "-", stdin=PING) == "True\n"
    run(*inside, "systemd-analyze", "security", "--threshold=20", "ssh-mcp")
    pid = run(*inside, "systemctl", "show", "-p", "MainPID", "--value", "ssh-mcp").strip()
    status = dict(line.split(":\t", 1) for line in run(*inside, "cat", f"/proc/{pid}/status").splitlines())
    assert status["Uid"].split()[0] != "0"
    assert (status["CapEff"], status["NoNewPrivs"], status["Seccomp"]) == ("0" * 16, "1", "2")
    run(*inside, "systemctl", "stop", "ssh-mcp")
    assert run(*inside, "systemctl", "show", "-p", "Result", "--value", "ssh-mcp") == "success\n"
