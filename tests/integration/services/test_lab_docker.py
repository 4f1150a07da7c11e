"""Group docker against a real engine: every tool, the life of a container, refusals, attacks on arguments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab_hosts import docker_host, errors_of
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.integration.services.engines import IMAGE, Engine, run_detached, state_of, stop_start_and_restart
from tests.peers.accounts import peers_dir
from tests.peers.fixtures import Lab, exclusive
from tests.peers.sshd import Sshd

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-docker"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def _alone(lab: Lab) -> Iterator[None]:
    with exclusive("docker"):
        yield


MARK = "ssh-mcp-test"
SLEEPER = "echo out-1; echo err-1 >&2; echo out-2; trap exit TERM; while :; do sleep 0.1; done"
"""Ends at once when asked to: a first process that ignores TERM would cost ten seconds a stop."""


def sweep(lab: Lab) -> None:
    """Remove what tests left: everything with our label, and our names."""
    names = lab.docker("ps", "-aq", "--filter", f"label={MARK}").split()
    names += lab.docker("ps", "-aq", "--filter", "name=^t-").split()
    if names:
        lab.docker("rm", "-f", "-v", *set(names))
    volumes = lab.docker("volume", "ls", "-q", "--filter", "name=^t-").split()
    if volumes:
        lab.docker("volume", "rm", "-f", *volumes)


@pytest.fixture(autouse=True)
def _clean(lab: Lab) -> Iterator[None]:
    sweep(lab)
    yield
    sweep(lab)


@pytest.fixture
def yard() -> Path:
    """A directory of the host that the tests' path_allowlist names."""
    place = peers_dir() / "yard"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture
def box(lab: Lab, mcp_server: McpServerFactory, shared_sshd: Sshd, yard: Path) -> Engine:
    return Engine(mcp_server, shared_sshd, lab.state["docker"]["cmd"], yard)


async def run(server: McpServer, name: str = "t-web", **more: Any) -> None:
    await run_detached(server, name, SLEEPER, ("--label", MARK), **more)


async def test_a_container_is_taken_through_its_whole_life(box: Engine) -> None:
    async with box() as server:
        await run(server)
        assert await state_of(server, "t-web") == "running"
        logs = await server.call("ssh_docker_logs", host="box", container="t-web")
        assert (logs["stdout"], logs["stderr"]) == ("out-1\nout-2\n", "err-1\n")
        top = await server.call("ssh_docker_top", host="box", container="t-web")
        assert "while :" in top["stdout"]
        columns = await server.call("ssh_docker_top", host="box", container="t-web", ps_options="-eo pid,comm")
        assert columns["stdout"].split()[:2] == ["PID", "COMMAND"]
        inside = await server.call("ssh_docker_exec", host="box", container="t-web", command="hostname; exit 5")
        assert inside["exit_code"] == 5
        stats = await server.call("ssh_docker_stats", host="box")
        assert "t-web" in {c["Name"] for c in stats["containers"]}
        await stop_start_and_restart(server, "t-web")
        refused = await server.call("ssh_docker_rm", host="box", container="t-web")
        assert refused["exit_code"] != 0
        removed = await server.call("ssh_docker_rm", host="box", container="t-web", force=True)
        assert removed["exit_code"] == 0
        assert await state_of(server, "t-web") == "gone"


async def test_containers_are_listed_with_filters_and_labels_only_when_asked(box: Engine) -> None:
    async with box() as server:
        await run(server, args=["--network=none", "-l", MARK, "-lteam=web"])
        await run(server, name="t-done", command=["true"])
        plain = await server.call("ssh_docker_ps", host="box", all_=True, label=MARK)
        labelled = await server.call("ssh_docker_ps", host="box", label="team=web", include_labels=True)
        exited = await server.call("ssh_docker_ps", host="box", all_=True, status="exited", name="t-")
        by_image = await server.call("ssh_docker_ps", host="box", ancestor=IMAGE, name="t-web")
        nothing = await server.call("ssh_docker_ps", host="box", name="no-such-name")
    assert {c["Names"] for c in plain["containers"]} == {"t-web", "t-done"}
    assert all(c["Labels"] is None for c in plain["containers"])
    assert "team=web" in labelled["containers"][0]["Labels"]
    assert [c["Names"] for c in exited["containers"]] == ["t-done"]
    assert [c["Names"] for c in by_image["containers"]] == ["t-web"]
    assert nothing["containers"] == []
    assert plain["stdout"] == ""
    assert plain["stdout_bytes"] > 0


async def test_images_are_listed_shown_and_removed(lab: Lab, box: Engine) -> None:
    lab.docker("tag", IMAGE, "lab/removeme:1")
    async with box() as server:
        images = await server.call("ssh_docker_images", host="box", reference="lab/busybox")
        labelled = await server.call("ssh_docker_images", host="box", include_labels=True, label="lab.role=busybox")
        dangling = await server.call("ssh_docker_images", host="box", dangling=True)
        shown = await server.call("ssh_docker_inspect", host="box", target=IMAGE, kind="image")
        removed = await server.call("ssh_docker_rmi", host="box", image="lab/removeme:1")
        missing = await server.call("ssh_docker_rmi", host="box", image="lab/removeme:1")
        pulled = await server.call("ssh_docker_pull", host="box", image="localhost:1/nothing:1", timeout=30)
    assert {i["Tag"] for i in images["images"]} == {"1", "2"}
    assert all("lab.generation=1" in i["Labels"] for i in labelled["images"])
    assert dangling["images"] == []
    assert shown["objects"][0]["RepoTags"][0].startswith("lab/")
    assert removed["exit_code"] == 0
    assert missing["exit_code"] != 0
    assert "ssh_docker_images" in missing["hint"]
    assert pulled["exit_code"] != 0


async def test_volumes_disk_use_and_networks_are_read(lab: Lab, box: Engine) -> None:
    lab.docker("volume", "create", "--label", "a=b", "t-vol")
    async with box() as server:
        await run(server, args=["--network=none", "-v", "t-vol:/data"])
        volumes = await server.call("ssh_docker_volumes", host="box", name="t-vol")
        usage = await server.call("ssh_docker_system_df", host="box")
        shown = await server.call("ssh_docker_inspect", host="box", target="t-vol", kind="volume")
        network = await server.call("ssh_docker_inspect", host="box", target="none", kind="network")
    assert [v["Name"] for v in volumes["volumes"]] == ["t-vol"]
    assert {"Images", "Containers"} <= {c["Type"] for c in usage["categories"]}
    assert shown["objects"][0]["Labels"] == {"a": "b"}
    assert network["objects"][0]["Driver"] == "null"


async def test_events_of_a_past_span_are_listed_oldest_first(box: Engine) -> None:
    async with box() as server:
        await run(server, name="t-events", command=["true"], remove=False)
        await server.call("ssh_docker_rm", host="box", container="t-events", force=True)
        events = await server.call(
            "ssh_docker_events", host="box", since="10m", filters=["type=container", "container=t-events"]
        )
        none = await server.call("ssh_docker_events", host="box", since="10m", filters=["container=no-such"])
    actions = [e["Action"] for e in events["events"]]
    assert actions[0] == "create"
    assert actions[-1] == "destroy"
    assert events["events"][0]["Actor"]["Attributes"]["name"] == "t-events"
    assert none["events"] == []


async def test_secrets_in_inspect_are_masked_and_the_rest_stays(box: Engine) -> None:
    canary = "canary-inspect-93ab11"
    async with box() as server:
        await run(server, args=["--network=none", "-e", f"API_TOKEN={canary}", "-e", "MODE=fast", "--label", MARK])
        shown = await server.call("ssh_docker_inspect", host="box", target="t-web")
        image = await server.call("ssh_docker_inspect", host="box", target="lab/busybox:2", kind="image")
        audit = str(server.audit())
    assert canary not in str(shown)
    assert "lab-image-canary-51d0" not in str(image)
    assert "MODE=fast" in shown["objects"][0]["Config"]["Env"]
    assert canary not in audit


async def test_the_newest_part_of_a_log_is_kept(box: Engine) -> None:
    async with box() as server:
        await run(server, command=["sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo line-$i; i=$((i+1)); done"])
        few = await server.call("ssh_docker_logs", host="box", container="t-web", tail=3)
        capped = await server.call("ssh_docker_logs", host="box", container="t-web", tail=10000, max_bytes=1024)
        stamped = await server.call("ssh_docker_logs", host="box", container="t-web", tail=1, timestamps=True)
        recent = await server.call("ssh_docker_logs", host="box", container="t-web", since="1h", tail=5)
        missing = await server.call("ssh_docker_logs", host="box", container="no-such")
    assert few["stdout"] == "line-2997\nline-2998\nline-2999\n"
    assert capped["stdout"].endswith("line-2999\n")
    assert capped["stdout"].startswith("line-")
    assert 900 < len(capped["stdout"]) <= 1024
    assert capped["stdout_truncated"] is True
    assert stamped["stdout"].endswith("Z line-2999\n")
    assert recent["stdout"].count("\n") == 5
    assert missing["exit_code"] != 0
    assert "ssh_docker_ps" in missing["hint"]


async def test_files_are_copied_both_ways_inside_the_allowlist(box: Engine, yard: Path) -> None:
    (yard / "in.txt").write_text("from outside\n")
    (yard / "out.txt").unlink(missing_ok=True)
    async with box() as server:
        await run(server)
        into = {"container": "t-web", "container_path": "/tmp/in.txt", "host_path": str(yard / "in.txt")}
        done = await server.call("ssh_docker_cp", host="box", direction="to_container", **into)
        assert done["exit_code"] == 0, errors_of(done)
        read = await server.call("ssh_docker_exec", host="box", container="t-web", command="cat /tmp/in.txt")
        assert read["stdout"] == "from outside\n"
        back = {"container": "t-web", "container_path": "/tmp/in.txt", "host_path": str(yard / "out.txt")}
        done = await server.call("ssh_docker_cp", host="box", direction="from_container", **back)
        assert done["exit_code"] == 0, errors_of(done)
    assert (yard / "out.txt").read_text() == "from outside\n"


async def test_a_copy_beyond_the_allowlist_is_refused_on_both_ways(box: Engine, yard: Path) -> None:
    (yard / "link").unlink(missing_ok=True)
    (yard / "link").symlink_to("/etc")
    (yard / ".env").write_text("TOKEN=x\n")
    async with box() as server:
        await run(server)
        for host_path, direction, name in (
            ("/etc/shadow", "to_container", "PathNotAllowed"),
            (str(yard / "link" / "shadow"), "to_container", "PathNotAllowed"),
            (str(yard / ".." / "x"), "from_container", "PathNotAllowed"),
            (str(yard / "link" / "cron.d" / "evil"), "from_container", "PathNotAllowed"),
            (str(yard / ".env"), "to_container", "RedactBypassBlocked"),
            ("relative", "from_container", "InvalidArgument"),
            (str(yard), "from_container", "InvalidArgument"),
            (str(yard / "missing"), "to_container", "InvalidArgument"),
            ("", "from_container", "InvalidArgument"),
        ):
            text = await server.refused(
                "ssh_docker_cp",
                host="box",
                container="t-web",
                container_path="/etc/hostname",
                host_path=host_path,
                direction=direction,
            )
            assert text.startswith(f"{name}: "), (host_path, text)
    assert not Path("/etc/cron.d/evil").exists()


async def test_a_foreground_container_gives_its_output_and_is_gone(box: Engine) -> None:
    async with box() as server:
        done = await server.call(
            "ssh_docker_run",
            host="box",
            image=IMAGE,
            args=["--network=none", "--label", MARK, "-e", "WORD=a b'c\"$(id)"],
            command=["sh", "-c", 'echo "$WORD"; echo "$0"; exit 4', "; touch /canary"],
        )
        listed = await server.call("ssh_docker_ps", host="box", all_=True, label=MARK)
    assert done["exit_code"] == 4
    assert done["stdout"] == "a b'c\"$(id)\n; touch /canary\n"
    assert listed["containers"] == []


async def test_a_bind_mount_inside_the_allowlist_is_seen_inside(box: Engine, yard: Path) -> None:
    (yard / "data").mkdir(exist_ok=True)
    (yard / "data" / "f").write_text("seen\n")
    (yard / "data-link").unlink(missing_ok=True)
    (yard / "data-link").symlink_to(yard / "data")
    for option in (["-v", f"{yard}/data:/d:ro"], ["--mount", f"type=bind,src={yard}/data-link,dst=/d,readonly"]):
        async with box() as server:
            done = await server.call(
                "ssh_docker_run",
                host="box",
                image=IMAGE,
                args=["--network=none", *option],
                command=["sh", "-c", "cat /d/f; touch /d/x || echo read-only"],
            )
        assert done["stdout"] == "seen\nread-only\n", errors_of(done)


async def test_a_bind_mount_beyond_policy_is_refused_and_nothing_starts(lab: Lab, box: Engine, yard: Path) -> None:
    (yard / "way-out").unlink(missing_ok=True)
    (yard / "way-out").symlink_to("/")
    (yard / "zone").mkdir(exist_ok=True)
    (yard / "zone" / "closed").mkdir(exist_ok=True)
    async with box(f'restricted_paths = ["{yard}/zone/closed"]') as server:
        for args, name in (
            (["-v", "/:/h"], "PathNotAllowed"),
            (["-v/:/h"], "PathNotAllowed"),
            (["-v=/:/h"], "PathNotAllowed"),
            (["--volume=/etc:/h:ro"], "PathNotAllowed"),
            (["--mount", "type=bind,source=/,target=/h"], "PathNotAllowed"),
            (["--mount=TYPE=bind,SRC=/root,dst=/h"], "PathNotAllowed"),
            (["-v", f"{yard}/way-out:/h"], "PathNotAllowed"),
            (["-v", f"{yard}/../..:/h"], "PathNotAllowed"),
            (["-v", f"{yard}/zone/closed:/h"], "PathRestricted"),
            (["-v", f"{yard}/zone:/h"], "PathRestricted"),
            (["-v", f"{yard}/missing:/h"], "InvalidArgument"),
            (["-e", "A=b", "-v", "/:/h", "-v", f"{yard}:/y"], "PathNotAllowed"),
        ):
            text = await server.refused(
                "ssh_docker_run",
                host="box",
                image=IMAGE,
                args=["--network=none", *args],
                command=["touch", "/h/canary"],
                name="t-evil",
                remove=False,
            )
            assert text.startswith(f"{name}: "), (args, text)
    assert lab.docker("ps", "-aq", "--filter", "name=t-evil") == ""
    assert not Path("/canary").exists()


async def test_a_mount_that_leads_elsewhere_after_it_was_permitted_starts_nothing(
    lab: Lab, box: Engine, yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (yard / "flip").mkdir(exist_ok=True)

    def flip(_host: object, _place: object) -> None:
        (yard / "flip").rmdir()
        (yard / "flip").symlink_to("/")

    monkeypatch.setattr("ssh_mcp.remote.services.docker_run.check_mount", flip)
    async with box() as server:
        text = await server.refused(
            "ssh_docker_run",
            host="box",
            image=IMAGE,
            args=["--network=none", "-v", f"{yard}/flip:/h"],
            command=["touch", "/h/canary"],
            name="t-evil",
            remove=False,
        )
    (yard / "flip").unlink()
    assert text.startswith("PathChanged: ")
    assert lab.docker("ps", "-aq", "--filter", "name=t-evil") == ""


async def test_a_programs_own_exit_66_is_data(box: Engine, yard: Path) -> None:
    (yard / "plain").mkdir(exist_ok=True)
    async with box() as server:
        done = await server.call(
            "ssh_docker_run",
            host="box",
            image=IMAGE,
            args=["--network=none", "-v", f"{yard}/plain:/h"],
            command=["sh", "-c", "exit 66"],
        )
    assert done["exit_code"] == 66


ATTACKS: list[list[str]] = [
    ["--privileged"], ["--privileged=true"], ["--priv"], ["--cap-add=ALL"], ["--cap-add", "SYS_ADMIN"],
    ["--device=/dev/vda"], ["--pid=host"], ["--pid", "host"], ["--ipc=host"], ["--uts=host"], ["--userns=host"],
    ["--network=host"], ["--net", "host"], ["--network", "container:t-web"], ["--security-opt", "seccomp=unconfined"],
    ["--volumes-from", "lab-systemd"], ["-v", "/var/run/docker.sock:/s"], ["--cgroup-parent=/"], ["--runtime=runc"],
    ["--mount", "type=volume,dst=/h,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/"],
    ["--env-file", "/etc/shadow"], ["--cidfile", "/canary"], ["--", "--privileged"], ["-it"], ["-dv", "/:/h"],
    ["--name", "x"], ["lab/busybox:2"], ["--network=none", "--privileged", "--network=none"], ["-e"],
]  # fmt: skip


@pytest.mark.parametrize("args", ATTACKS, ids=" ".join)
async def test_an_option_that_reaches_the_host_is_refused_and_nothing_starts(
    lab: Lab, box: Engine, args: list[str]
) -> None:
    async with box() as server:
        text = await server.refused(
            "ssh_docker_run", host="box", image=IMAGE, args=args, command=["true"], name="t-evil", remove=False
        )
        assert text.startswith("InvalidArgument: ")
        assert server.audit()[-1].get("command_hash") is None
    assert lab.docker("ps", "-aq", "--filter", "name=t-evil") == ""


async def test_the_operator_can_permit_what_reaches_the_host(box: Engine) -> None:
    async with box(allow_docker_privileged=True) as server:
        done = await server.call(
            "ssh_docker_run",
            host="box",
            image=IMAGE,
            args=["--network=none", "--pid=host"],
            command=["sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline"],
        )
        still = await server.refused("ssh_docker_run", host="box", image=IMAGE, args=["-v", "/:/h"])
    assert done["exit_code"] == 0, errors_of(done)
    assert "tr" not in done["stdout"].split()
    assert still.startswith("PathNotAllowed: ")


BAD_NAMES = [
    "", "-f", "--help", "a; touch /canary", "$(touch /canary)", "`id`", "a b", "a/b", "a\nb", "a|b", "{{.}}", "*",
    "a'b", "../x", "a" * 300,
]  # fmt: skip


async def test_a_misshapen_name_is_refused_by_every_tool(box: Engine) -> None:
    async with box() as server:
        for name in BAD_NAMES:
            for tool, more in (
                ("logs", {}), ("top", {}), ("start", {}), ("stop", {}), ("restart", {}), ("rm", {}),
                ("exec", {"command": "id"}),
                ("cp", {"container_path": "/x", "host_path": "/x", "direction": "to_container"}),
            ):  # fmt: skip
                text = await server.refused(f"ssh_docker_{tool}", host="box", container=name, **more)
                assert text.startswith("InvalidArgument: "), (tool, name, text)
            for tool in ("rmi", "pull", "run"):
                if name in {"a/b", "a" * 300}:
                    continue  # images may be called so
                text = await server.refused(f"ssh_docker_{tool}", host="box", image=name)
                assert text.startswith("InvalidArgument: "), (tool, name, text)
        assert {line["error"] for line in server.audit()} == {"InvalidArgument"}
    assert not Path("/canary").exists()


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ps", {"name": "a;b"}),
        ("ps", {"label": "a b"}),
        ("ps", {"label": "--format=x"}),
        ("ps", {"ancestor": "A B"}),
        ("ps", {"status": "alive"}),
        ("images", {"reference": "a b"}),
        ("images", {"label": ""}),
        ("volumes", {"name": "/x"}),
        ("events", {"since": "yesterday"}),
        ("events", {"since": "1h; id"}),
        ("events", {"until": "--since=1h"}),
        ("events", {"filters": ["container"]}),
        ("events", {"filters": ["evil=x"]}),
        ("events", {"filters": ["type=$(id)"]}),
        ("logs", {"container": "a", "tail": 0}),
        ("logs", {"container": "a", "tail": 10001}),
        ("logs", {"container": "a", "max_bytes": 1023}),
        ("logs", {"container": "a", "max_bytes": 10485761}),
        ("logs", {"container": "a", "since": "$(id)"}),
        ("top", {"container": "a", "ps_options": "aux; id"}),
        ("inspect", {"target": "--format={{.}}"}),
        ("inspect", {"target": "a", "kind": "secret"}),
        ("prune", {"scope": "everything"}),
        ("prune", {"scope": "network", "all_": True}),
        ("cp", {"container": "a", "container_path": "x", "host_path": "/x", "direction": "to_container"}),
        ("cp", {"container": "a", "container_path": "/x", "host_path": "/x", "direction": "both"}),
        ("run", {"image": IMAGE, "name": "a b"}),
        ("run", {"image": IMAGE, "args": "--privileged"}),
    ],
)
async def test_a_misshapen_argument_is_refused(box: Engine, tool: str, arguments: dict[str, Any]) -> None:
    async with box() as server:
        assert (await server.refused(f"ssh_docker_{tool}", host="box", **arguments)).startswith("InvalidArgument: ")


async def test_commands_inside_a_container_are_decided_like_any_other(box: Engine) -> None:
    async with box('command_allowlist = ["uptime"]', allow_any_command=False) as server:
        await run(server)
        allowed = await server.call("ssh_docker_exec", host="box", container="t-web", command="uptime")
        for text in ("id", "uptime; id", "uptime $(id)", "sh -c id"):
            refused = await server.refused("ssh_docker_exec", host="box", container="t-web", command=text)
            assert refused.startswith("CommandNotAllowed: "), refused
    assert allowed["exit_code"] == 0


async def test_a_command_inside_a_container_keeps_its_quoting(box: Engine) -> None:
    async with box() as server:
        await run(server)
        done = await server.call(
            "ssh_docker_exec", host="box", container="t-web", command="printf '%s|' \"a b\" 'c$d' \\; | tr a-z A-Z"
        )
        stuck = await server.call("ssh_docker_exec", host="box", container="t-web", command="sleep 600", timeout=1)
    assert done["stdout"] == "A B|C$D|;|"
    assert stuck["timed_out"] is True
    assert "ssh_docker_top" in stuck["hint"]


async def test_prune_removes_what_nothing_uses(lab: Lab, box: Engine) -> None:
    lab.docker("volume", "create", "t-vol")
    lab.docker("run", "--name", "t-old", "--network=none", IMAGE, "true")
    async with box() as server:
        containers = await server.call("ssh_docker_prune", host="box")
        volumes = await server.call("ssh_docker_prune", host="box", scope="volume")
        images = await server.call("ssh_docker_prune", host="box", scope="image")
        networks = await server.call("ssh_docker_prune", host="box", scope="network")
    for done in (containers, volumes, images, networks):
        assert done["exit_code"] == 0, errors_of(done)
    assert lab.docker("ps", "-aq", "--filter", "name=t-old") == ""


async def test_an_engine_that_is_missing_down_or_closed_is_distinguished(
    mcp_server: McpServerFactory, shared_sshd: Sshd
) -> None:
    hosts = {
        "none": docker_host(shared_sshd, ["no-such-docker"]),
        "down": docker_host(shared_sshd, ["docker", "-H", "unix:///nonexistent.sock"]),
    }
    async with mcp_server(hosts) as server:
        for tool in ("ssh_docker_ps", "ssh_docker_images", "ssh_docker_stats", "ssh_docker_system_df"):
            missing = await server.refused(tool, host="none")
            assert missing.startswith("PlatformNotSupported: none has no no-such-docker."), missing
        down = await server.call("ssh_docker_ps", host="down")
    assert down["exit_code"] != 0
    assert "engine does not run" in down["hint"]


async def test_low_access_tools_do_not_exist_where_the_tier_is_closed(box: Engine) -> None:
    async with box(allow_low_access_tools=False, allow_dangerous_tools=False, allow_sudo=False) as server:
        listed = {tool.name for tool in await server.client.list_tools()}
    assert {"ssh_docker_ps", "ssh_docker_logs", "ssh_docker_inspect"} <= listed
    assert not {"ssh_docker_stop", "ssh_docker_run", "ssh_docker_exec", "ssh_docker_cp"} & listed


async def test_a_windows_host_is_told_so(mcp_server: McpServerFactory, shared_sshd: Sshd) -> None:
    async with mcp_server({"win": Host(shared_sshd, lines=['platform = "windows"'])}) as server:
        for tool in ("ssh_docker_ps", "ssh_host_info", "ssh_apt_upgrade"):
            assert (await server.refused(tool, host="win")).startswith("PlatformNotSupported: ")
