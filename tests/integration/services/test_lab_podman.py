"""Podman, Debian's package and rootful, behind the same tools: the same results in the same shape."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab_hosts import errors_of
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.integration.services.engines import IMAGE, Engine, run_detached, state_of, stop_start_and_restart
from tests.lab.places import run as run_here
from tests.peers import need
from tests.peers.accounts import peers_dir
from tests.peers.fixtures import Lab, exclusive
from tests.peers.sshd import Sshd

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-podman"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def _alone(lab: Lab) -> Iterator[None]:
    with exclusive("podman"):
        yield


@pytest.fixture
def yard(lab: Lab) -> Iterator[Path]:
    place = peers_dir() / "pod-yard"
    (place / "data").mkdir(parents=True, exist_ok=True)
    (place / "data" / "f").write_text("seen\n")
    yield place
    run_here(lab.podman["cmd"], "rm", "-af", "-t", "0", check=False)
    run_here(lab.podman["cmd"], "volume", "prune", "-f", check=False)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def box(lab: Lab, mcp_server: McpServerFactory, shared_sshd: Sshd, yard: Path) -> Engine:
    return Engine(mcp_server, shared_sshd, [lab.podman["cmd"]], yard)


async def run(server: McpServer, name: str = "p-web", **more: Any) -> None:
    script = "echo out; echo err >&2; trap exit TERM; while :; do sleep 0.1; done"
    options = ("--label", "team=web", "-e", "API_TOKEN=canary-podman-77af0")
    await run_detached(server, name, script, options, **more)


async def test_a_container_is_taken_through_its_whole_life(box: Engine) -> None:
    async with box() as server:
        await run(server)
        assert await state_of(server, "p-web") == "running"
        logs = await server.call("ssh_docker_logs", host="box", container="p-web")
        assert (logs["stdout"], logs["stderr"]) == ("out\n", "err\n")
        top = await server.call("ssh_docker_top", host="box", container="p-web")
        assert "sleep" in top["stdout"]
        inside = await server.call("ssh_docker_exec", host="box", container="p-web", command="echo in; exit 5")
        assert (inside["exit_code"], inside["stdout"]) == (5, "in\n")
        await stop_start_and_restart(server, "p-web")
        removed = await server.call("ssh_docker_rm", host="box", container="p-web", force=True)
        assert removed["exit_code"] == 0
        assert await state_of(server, "p-web") == "gone"


async def test_reads_come_in_dockers_shape(box: Engine) -> None:
    async with box() as server:
        await run(server, args=["--network=none", "--label", "team=web", "-v", "p-vol:/data"])
        listed = await server.call("ssh_docker_ps", host="box", label="team=web", include_labels=True)
        images = await server.call("ssh_docker_images", host="box", include_labels=True)
        volumes = await server.call("ssh_docker_volumes", host="box", name="p-vol")
        stats = await server.call("ssh_docker_stats", host="box")
        usage = await server.call("ssh_docker_system_df", host="box")
        events = await server.call("ssh_docker_events", host="box", since="5m", filters=["container=p-web"])
    container = listed["containers"][0]
    assert (container["Names"], container["Labels"]) == ("p-web", "team=web")
    assert len(container["ID"]) == 12
    assert container["Image"].endswith(IMAGE)
    assert container["CreatedAt"].endswith(" UTC")
    assert ("localhost/lab/busybox", "1") in {(i["Repository"], i["Tag"]) for i in images["images"]}
    assert [v["Name"] for v in volumes["volumes"]] == ["p-vol"]
    assert [s["Name"] for s in stats["containers"]] == ["p-web"]
    assert stats["containers"][0]["CPUPerc"].endswith("%")
    assert {"Images", "Containers"} <= {c["Type"] for c in usage["categories"]}
    actions = [e["Action"] for e in events["events"]]
    assert actions[0] == "create"
    assert "start" in actions
    for answer in (listed, images, volumes, stats, usage, events):
        assert answer["output_warnings"] == []
        assert answer["exit_code"] == 0, errors_of(answer)


async def test_secrets_in_inspect_are_masked(box: Engine) -> None:
    async with box() as server:
        await run(server)
        shown = await server.call("ssh_docker_inspect", host="box", target="p-web")
    assert shown["objects"][0]["Name"] == "p-web"
    assert "canary-podman-77af0" not in str(shown)


async def test_mounts_and_copies_follow_the_same_policy(box: Engine, yard: Path) -> None:
    async with box() as server:
        done = await server.call(
            "ssh_docker_run",
            host="box",
            image=IMAGE,
            args=["--network=none", "-v", f"{yard}/data:/d:ro"],
            command=["sh", "-c", "cat /d/f"],
        )
        assert done["stdout"] == "seen\n", errors_of(done)
        for args, name in (
            (["-v", "/:/h"], "PathNotAllowed"),
            (["--mount", "type=bind,src=/etc,dst=/h"], "PathNotAllowed"),
            (["--privileged"], "InvalidArgument"),
            (["--network=ns:/proc/1/ns/net"], "InvalidArgument"),
            (["--net", "pasta"], "InvalidArgument"),
            (["-v", f"{yard}/data:/d:O"], "InvalidArgument"),
            (["--pod", "x"], "InvalidArgument"),
            (["--rootfs"], "InvalidArgument"),
        ):
            text = await server.refused("ssh_docker_run", host="box", image=IMAGE, args=args, command=["true"])
            assert text.startswith(f"{name}: "), (args, text)
        await run(server)
        copied = await server.call(
            "ssh_docker_cp",
            host="box",
            container="p-web",
            container_path="/etc/passwd",
            host_path=f"{yard}/out",
            direction="from_container",
        )
        assert copied["exit_code"] == 0, errors_of(copied)
    assert "root:x:0:0" in (yard / "out").read_text()


async def test_a_compose_project_runs_through_podman_compose(lab: Lab, box: Engine, yard: Path) -> None:
    need(lab.podman.get("compose"), "podman-compose is not installed")
    (yard / "compose.yml").write_text(
        "services:\n  web:\n    image: localhost/lab/busybox:1\n"
        "    command: [sh, -c, 'cat /d/f; trap exit TERM; while :; do sleep 0.1; done']\n"
        "    volumes: ['./data:/d:ro']\n"
    )
    common = {"host": "box", "compose_file": f"{yard}/compose.yml"}
    async with box(ssh_docker_compose_cmd=lab.podman["compose"]) as server:
        up = await server.call("ssh_docker_compose_up", **common)
        assert up["exit_code"] == 0, errors_of(up)
        listed = await server.call("ssh_docker_compose_ps", **common)
        assert [(s["Service"], s["State"]) for s in listed["services"]] == [("web", "running")], errors_of(listed)
        logs = await server.call("ssh_docker_compose_logs", **common)
        assert "seen" in logs["stdout"]
        down = await server.call("ssh_docker_compose_down", **common)
        assert down["exit_code"] == 0, errors_of(down)
        after = await server.call("ssh_docker_compose_ps", **common)
        assert after["services"] == []


async def test_prune_removes_stopped_containers(box: Engine) -> None:
    async with box() as server:
        await run(server, name="p-done", command=["true"])
        for scope in ("container", "volume", "image"):
            done = await server.call("ssh_docker_prune", host="box", scope=scope)
            assert done["exit_code"] == 0, errors_of(done)
        left = await server.call("ssh_docker_ps", host="box", all_=True, name="p-done")
    assert left["containers"] == []
