"""Compose projects through docker-compose, the plugin's way in, and podman-compose: life cycles, refusals, attacks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ssh_mcp.policy.compose_file import ComposePlan, decide_compose
from tests.integration.lab_hosts import docker_host, errors_of
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.lab.places import run
from tests.peers import need
from tests.peers.accounts import peers_dir
from tests.peers.fixtures import Lab, exclusive
from tests.peers.sshd import Sshd

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-docker"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def _alone(lab: Lab) -> Iterator[None]:
    with exclusive("docker"):
        yield


PROJECT = """
services:
  web:
    image: lab/busybox:1
    network_mode: none
    command: [sh, -c, "cat /conf/greeting; echo $$MODE; trap exit TERM; while :; do sleep 0.1; done"]
    environment: {MODE: "${MODE:-plain}"}
    volumes: ["./conf:/conf:ro", "cache:/cache"]
    stop_grace_period: 1s
  once:
    image: lab/busybox:1
    network_mode: none
    command: [sh, -c, "echo done; exit 3"]
volumes: {cache: {}}
"""


@dataclass
class Yard:
    """A directory inside the path_allowlist with one project in it."""

    place: Path

    @property
    def file(self) -> str:
        return str(self.place / "compose.yml")

    def write(self, text: str, name: str = "compose.yml") -> str:
        (self.place / name).write_text(text)
        return str(self.place / name)


@pytest.fixture
def yard(lab: Lab) -> Iterator[Yard]:
    place = peers_dir() / "compose-yard"
    (place / "conf").mkdir(parents=True, exist_ok=True)
    (place / "conf" / "greeting").write_text("hello\n")
    made = Yard(place)
    made.write(PROJECT)
    yield made
    run(*lab.engine.command, "rm", "-f", "-v", *_ids(lab), check=False)
    run(*lab.engine.command, "volume", "rm", "-f", "compose-yard_cache", check=False)
    shutil.rmtree(place, ignore_errors=True)


def _ids(lab: Lab) -> list[str]:
    return lab.docker("ps", "-aq", "--filter", "label=com.docker.compose.project=compose-yard").split()


class Compose:
    """Servers whose host ``box`` has the lab's engine and compose."""

    def __init__(self, lab: Lab, mcp_server: McpServerFactory, sshd: Sshd, yard: Yard) -> None:
        self._lab, self._make, self._sshd, self._yard = lab, mcp_server, sshd, yard

    def __call__(self, *lines: str, **settings: Any) -> AbstractAsyncContextManager[McpServer]:
        own = (f'path_allowlist = ["{self._yard.place}"]', *lines)
        return self._make({"box": docker_host(self._sshd, self._lab.state["docker"]["cmd"], own)}, **settings)


@pytest.fixture
def box(lab: Lab, mcp_server: McpServerFactory, shared_sshd: Sshd, yard: Yard) -> Compose:
    need(lab.state["compose"], "docker-compose is not installed")
    return Compose(lab, mcp_server, shared_sshd, yard)


@pytest.mark.parametrize("legacy", [True, False], ids=["docker-compose", "docker compose"])
async def test_a_project_is_taken_through_its_whole_life(lab: Lab, box: Compose, yard: Yard, legacy: bool) -> None:
    common: dict[str, Any] = {"host": "box", "compose_file": yard.file, "compose_v1": legacy}
    async with box() as server:

        async def states(**more: Any) -> dict[str, str]:
            found = await server.call("ssh_docker_compose_ps", **common, **more)
            assert found["exit_code"] == 0, errors_of(found)
            return {s["Service"]: s["State"] for s in found["services"]}

        assert await states() == {}
        up = await server.call("ssh_docker_compose_up", **common)
        assert up["exit_code"] == 0, errors_of(up)
        assert await states() == {"web": "running", "once": "exited"}
        assert await states(service="web") == {"web": "running"}
        assert await states(status="exited") == {"once": "exited"}
        labelled = await server.call("ssh_docker_compose_ps", **common, include_labels=True)
        assert all("com.docker.compose.project=compose-yard" in s["Labels"] for s in labelled["services"])
        logs = await server.call("ssh_docker_compose_logs", **common)
        assert "hello" in logs["stdout"]
        assert "plain" in logs["stdout"]
        one = await server.call("ssh_docker_compose_logs", **common, service="once", tail=1)
        assert "done" in one["stdout"]
        assert "hello" not in one["stdout"]
        for verb, after in (("stop", "exited"), ("start", "running"), ("restart", "running")):
            done = await server.call(f"ssh_docker_compose_{verb}", **common)
            assert done["exit_code"] == 0, errors_of(done)
            assert (await states())["web"] == after
        down = await server.call("ssh_docker_compose_down", **common, volumes=True)
        assert down["exit_code"] == 0, errors_of(down)
        assert await states() == {}
    assert "compose-yard_cache" not in lab.docker("volume", "ls", "-q")


async def test_pull_and_a_foreground_up_end_by_themselves(box: Compose, yard: Yard) -> None:
    file = yard.write("services: {once: {image: 'lab/busybox:1', network_mode: none, command: [echo, was-here]}}")
    common = {"host": "box", "compose_file": file, "compose_v1": True, "timeout": 60}
    async with box() as server:
        up = await server.call("ssh_docker_compose_up", **common, detached=False)
        pulled = await server.call("ssh_docker_compose_pull", **common)
    assert up["exit_code"] == 0, errors_of(up)
    assert "was-here" in up["stdout"]
    assert pulled["exit_code"] != 0  # there is no registry here
    assert pulled["stderr"]


async def test_a_compose_file_beyond_the_allowlist_is_refused_by_every_verb(box: Compose, yard: Yard) -> None:
    (yard.place / "link.yml").symlink_to("/etc/passwd")
    verbs = ("ps", "logs", "up", "down", "pull", "start", "stop", "restart")
    async with box() as server:
        for file, name in (
            ("/etc/passwd", "PathNotAllowed"),
            (f"{yard.place}/../compose.yml", "PathNotAllowed"),
            (f"{yard.place}/link.yml", "PathNotAllowed"),
            (f"{yard.place}/conf", "InvalidArgument"),
            (f"{yard.place}/missing.yml", "InvalidArgument"),
            ("-", "InvalidArgument"),
            ("", "InvalidArgument"),
            (f"{yard.place}/compose.yml\n", "InvalidArgument"),
        ):
            for verb in verbs:
                text = await server.refused(f"ssh_docker_compose_{verb}", host="box", compose_file=file)
                assert text.startswith(f"{name}: "), (verb, file, text)


def service(lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return f"services:\n  evil:\n    image: lab/busybox:1\n    command: [touch, /h/canary]\n{body}"


ATTACKS = {
    "root mount": (service("network_mode: none\nvolumes: ['/:/h']"), "PathNotAllowed"),
    "root mount, long": (service("volumes: [{type: bind, source: /, target: /h}]"), "PathNotAllowed"),
    "parent mount": (service("volumes: ['../..:/h']"), "PathNotAllowed"),
    "link mount": (service("volumes: ['./way-out:/h']"), "PathNotAllowed"),
    "home mount": (service("volumes: ['~/:/h']"), "InvalidArgument"),
    "variable mount": (service("volumes: ['${PWD}/../..:/h']"), "InvalidArgument"),
    "privileged": (service("privileged: true"), "InvalidArgument"),
    "privileged by anchor": ("x-a: &a {privileged: true}\n" + service("<<: *a"), "InvalidArgument"),
    "host network": (service("network_mode: host"), "InvalidArgument"),
    "host pid": (service("pid: host"), "InvalidArgument"),
    "device": (service("devices: [/dev/vda]"), "InvalidArgument"),
    "capability": (service("cap_add: [ALL]"), "InvalidArgument"),
    "socket": (service("volumes: ['/var/run/docker.sock:/s']"), "InvalidArgument"),
    "driver_opts": (
        service("volumes: ['v:/h']") + "volumes: {v: {driver_opts: {type: none, o: bind, device: /}}}",
        "InvalidArgument",
    ),
    "env_file": (service("env_file: /etc/shadow"), "PathNotAllowed"),
    "extends": (service("extends: {file: /etc/shadow, service: x}"), "InvalidArgument"),
    "include": ("include: [/etc/shadow]\n" + service(""), "InvalidArgument"),
    "secret file": (service("secrets: [s]") + "secrets: {s: {file: /etc/shadow}}", "PathNotAllowed"),
    "build context": (service("build: /"), "PathNotAllowed"),
    "build host network": (service("build: {context: ., network: host}"), "InvalidArgument"),
    "dockerfile outside": (service("build: {context: ., dockerfile: ../../../etc/shadow}"), "PathNotAllowed"),
    "two documents": (service("") + "---\n" + service("privileged: true"), "InvalidArgument"),
    "duplicate key": (service("privileged: true\nprivileged: false"), "InvalidArgument"),
    "tag": (service("privileged: !!bool 'yes'"), "InvalidArgument"),
    "no yaml": ("\x00\x01{{{", "InvalidArgument"),
}


async def test_a_file_that_reaches_the_host_is_refused_and_nothing_starts(lab: Lab, box: Compose, yard: Yard) -> None:
    (yard.place / "way-out").symlink_to("/")
    async with box() as server:
        for what, (text, name) in ATTACKS.items():
            file = yard.write(text)
            for legacy in (True, False):
                refusal = await server.refused(
                    "ssh_docker_compose_up", host="box", compose_file=file, compose_v1=legacy
                )
                assert refusal.startswith(f"{name}: "), (what, refusal)
                assert "root:" not in refusal
    assert _ids(lab) == []
    assert not Path("/canary").exists()


async def test_a_file_changed_after_it_was_permitted_starts_nothing(
    lab: Lab, box: Compose, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decided_then_changed(text: str, **options: bool) -> ComposePlan:
        plan = decide_compose(text, **options)
        yard.write(ATTACKS["privileged"][0])
        return plan

    monkeypatch.setattr("ssh_mcp.remote.services.compose.decide_compose", decided_then_changed)
    async with box() as server:
        text = await server.refused("ssh_docker_compose_up", host="box", compose_file=yard.file, compose_v1=True)
    assert text.startswith(f"PathChanged: {yard.file} resolved differently after it was checked. Nothing was done:")
    assert _ids(lab) == []


async def test_what_a_file_makes_compose_read_is_decided_about_for_reads_too(box: Compose, yard: Yard) -> None:
    async with box() as server:
        for what in ("env_file", "extends", "include", "secret file"):
            text, name = ATTACKS[what]
            file = yard.write(text)
            for verb in ("ps", "logs", "down", "restart"):
                refusal = await server.refused(f"ssh_docker_compose_{verb}", host="box", compose_file=file)
                assert refusal.startswith(f"{name}: "), (what, refusal)


async def test_the_operator_can_permit_what_reaches_the_host(box: Compose, yard: Yard) -> None:
    file = yard.write("services: {a: {image: 'lab/busybox:1', network_mode: none, pid: host, command: [ps]}}")
    common = {"host": "box", "compose_file": file, "compose_v1": True}
    async with box(allow_docker_privileged=True) as server:
        up = await server.call("ssh_docker_compose_up", **common, detached=False)
        down = await server.call("ssh_docker_compose_down", **common)
        outside = await server.refused(
            "ssh_docker_compose_up", host="box", compose_file=yard.write(ATTACKS["root mount"][0])
        )
    assert up["exit_code"] == 0, errors_of(up)
    assert "dockerd" in up["stdout"]
    assert down["exit_code"] == 0
    assert outside.startswith("PathNotAllowed: ")


async def test_a_service_name_is_validated(box: Compose, yard: Yard) -> None:
    async with box() as server:
        for name in ("", "-x", "a;b", "a b", "$(id)"):
            for verb in ("ps", "logs"):
                text = await server.refused(
                    f"ssh_docker_compose_{verb}", host="box", compose_file=yard.file, service=name
                )
                assert text.startswith("InvalidArgument: ")
        limits = await server.refused("ssh_docker_compose_logs", host="box", compose_file=yard.file, tail=10001)
    assert limits.startswith("InvalidArgument: ")


async def test_a_missing_plugin_is_reported_with_the_way_out(
    mcp_server: McpServerFactory, shared_sshd: Sshd, lab: Lab, yard: Yard
) -> None:
    bare = [lab.engine.command[0], "--config", "/nonexistent", "-H", lab.engine.address]
    host = docker_host(shared_sshd, bare, (f'path_allowlist = ["{yard.place}"]',))
    async with mcp_server({"box": host}) as server:
        up = await server.call("ssh_docker_compose_up", host="box", compose_file=yard.file)
    assert up["exit_code"] != 0
    assert "compose_v1=true" in up["hint"]


async def test_the_operators_own_compose_command_wins(box: Compose, yard: Yard, lab: Lab) -> None:
    command = f"docker-compose -H {lab.engine.address}"
    async with box(ssh_docker_compose_cmd=command) as server:
        up = await server.call("ssh_docker_compose_up", host="box", compose_file=yard.file)
        listed = await server.call("ssh_docker_compose_ps", host="box", compose_file=yard.file)
        await server.call("ssh_docker_compose_down", host="box", compose_file=yard.file, volumes=True)
    assert up["exit_code"] == 0, errors_of(up)
    assert {s["Service"] for s in listed["services"]} == {"web", "once"}
