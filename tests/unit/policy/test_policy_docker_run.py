"""docker run's options in any spelling: what reaches the host is refused by name, what is permitted is what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.docker_run import decide_run, mountable


def words(*options: str, privileged: bool = False, canonical: tuple[str, ...] | None = None) -> list[str]:
    plan = decide_run(options, privileged=privileged)
    return [t.text for t in plan.tokens(plan.sources if canonical is None else canonical)]


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (["-e", "A=b"], ["--env=A=b"]),
        (["-eA=b"], ["--env=A=b"]),
        (["-e=A=b"], ["--env=A=b"]),
        (["--env", "A=b", "--env=C=d"], ["--env=A=b", "--env=C=d"]),
        (["-p", "8080:80"], ["--publish=8080:80"]),
        (["-Pp", "8080:80"], ["--publish-all", "--publish=8080:80"]),
        (["--net=mynet"], ["--network=mynet"]),
        (["--network", "none"], ["--network=none"]),
        (["-v", "data:/data:ro"], ["--volume=data:/data:ro"]),
        (["-v", "/data"], ["--volume=/data"]),
        (["-v", "/srv/a:/data"], ["--volume=/srv/a:/data"]),
        (["-v/srv/a:/data:ro,z"], ["--volume=/srv/a:/data:ro,z"]),
        (["--mount", "type=bind,SRC=/srv/a,dst=/x,ro"], ["--mount=type=bind,source=/srv/a,target=/x,readonly=true"]),
        (["--mount", "source=vol,target=/x"], ["--mount=type=volume,source=vol,target=/x"]),
        (["--mount", "type=tmpfs,target=/x,tmpfs-size=1m"], ["--mount=type=tmpfs,target=/x,tmpfs-size=1m"]),
        (["--security-opt", "no-new-privileges"], ["--security-opt=no-new-privileges"]),
        (["--log-driver=none", "--log-opt", "max-size=10m"], ["--log-driver=none", "--log-opt=max-size=10m"]),
        (["--read-only", "--init=true", "--cap-drop", "ALL"], ["--read-only", "--init=true", "--cap-drop=ALL"]),
        (["-u", "1000", "-w", "/x", "-m", "64m"], ["--user=1000", "--workdir=/x", "--memory=64m"]),
        (["-u", "--privileged"], ["--user=--privileged"]),
        ([], []),
    ],
)
def test_permitted_options_are_sent_in_one_spelling(options: list[str], sent: list[str]) -> None:
    assert words(*options) == sent


REACHING = [
    ["--privileged"], ["--privileged=true"], ["--privileged=1"], ["--privileged=t"], ["--cap-add", "SYS_ADMIN"],
    ["--cap-add=ALL"], ["--device", "/dev/sda"], ["--device=/dev/mem"], ["--device-cgroup-rule", "a *:* rwm"],
    ["--pid", "host"], ["--pid=container:x"], ["--ipc=host"], ["--uts", "host"], ["--userns=host"],
    ["--cgroupns=host"], ["--cgroup-parent", "/"], ["--network", "host"], ["--net=host"], ["--network=container:db"],
    ["--net", "ns:/proc/1/ns/net"], ["--network", "name=host"], ["--network=HOST"], ["--network="],
    ["--security-opt", "seccomp=unconfined"], ["--security-opt=apparmor:unconfined"],
    ["--security-opt", "no-new-privileges:false"], ["--volumes-from", "db"], ["--gpus", "all"], ["--runtime=x"],
    ["--sysctl", "kernel.x=1"], ["--volume-driver", "x"], ["--use-api-socket"], ["--group-add", "docker"],
    ["-v", "/var/run/docker.sock:/s"], ["-v", "/run/docker.sock:/s"], ["-v/run/podman/podman.sock:/s"],
    ["-v", "/srv/x.sock:/s"], ["--mount", "type=bind,source=/run/docker.sock,target=/s"],
    ["-v", "/var//run/docker.sock:/s"], ["-v", "/run/containerd:/s"],
    ["--mount", "type=volume,target=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/"],
    ["--mount", "type=volume,target=/x,VOLUME-DRIVER=local"],
    ["--mount", "type=bind,source=/srv/a,target=/x,bind-propagation=shared"], ["-v", "/srv/a:/x:rshared"],
    ["--storage-opt", "size=1"], ["--oom-score-adj=-1000"], ["--annotation=a=b"],
]  # fmt: skip

REFUSED = [
    ["--priv"], ["--privil", "true"], ["--vol", "/:/h"], ["--cidfile", "/etc/x"], ["--env-file", "/etc/shadow"],
    ["--label-file=/etc/shadow"], ["-it"], ["-i"], ["--tty"], ["-a", "stdout"], ["--attach=stdin"], ["-d"], ["--rm"],
    ["--name", "x"], ["alpine"], ["--"], ["-"], [""], ["--", "--privileged"], ["-v"], ["--volume"], ["-e"], ["-x"],
    ["-v", "./a:/x"], ["-v", "~/a:/x"], ["-v", "../a:/x"], ["-v", "a/b:/x"], ["-v", "/a:/b:/c:/d"], ["-v", "/a:b"],
    ["-v", ":/x"], ["-v", "/srv/a:/x:U"], ["-v", "/srv/a:/x:O"], ["--mount", "type=devpts,target=/x"],
    ["--mount", "type=image,source=a,target=/x"], ["--mount", 'type=bind,"source=/",target=/x'],
    ["--mount", "type=bind,source=/a,source=/,target=/x"], ["--mount", "type=bind,src=/a,source=/,target=/x"],
    ["--mount", "type=bind,source=../x,target=/x"], ["--mount", "type=volume,source=/etc,target=/x"],
    ["--mount", "target=x,source=v"], ["--mount", "type=bind,source=/a,target=/{}"], ["-v", "/a:/{}"],
    ["--log-driver=syslog"], ["--log-opt", "syslog-address=tcp://evil"], ["--link", "db"], ["--init=maybe"],
    ["-dv", "/:/h"], ["-qv", "/a:/b:/c:/d"], ["-e", "a\0b"], ["-e", "a\x1bb"], ["--Privileged"], ["—privileged"],
    ["-e", "-x=1"], ["-e", "=1"], ["-e", ""], ["--env=A B=1"], ["-e", "A\nB=1"], ["--env", "--privileged"],
    ["-l", "-x"], ["--label="], ["--label", "a=b\nc=d"], ["-l", "a\nb"], ["--label=--privileged"], ["-l", "a b=c"],
]  # fmt: skip


@pytest.mark.parametrize("options", REACHING, ids=" ".join)
def test_what_reaches_the_host_is_refused_by_name(options: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="reaches the host") as refusal:
        words(*options)
    assert "ALLOW_DOCKER_PRIVILEGED" in refusal.value.remedy
    with pytest.raises(InvalidArgument):
        words("-e", "A=b", *options, "-p", "1:1")


@pytest.mark.parametrize("options", REFUSED, ids=repr)
def test_what_is_not_on_the_list_is_refused_even_for_the_privileged(options: list[str]) -> None:
    for privileged in (False, True):
        with pytest.raises(InvalidArgument):
            words(*options, privileged=privileged)


@pytest.mark.parametrize("options", [o for o in REACHING if o != ["--network="]], ids=" ".join)
def test_the_operator_can_permit_what_reaches_the_host(options: list[str]) -> None:
    assert len(words(*options, privileged=True)) == 1


@pytest.mark.parametrize(
    "options",
    [["-v", "/:/h"], ["-v/:/h"], ["-v=/:/h"], ["--volume=/:/h"], ["--mount", "type=bind,src=/,dst=/h"], ["-Pv/:/h"]],
)
def test_every_bind_mount_is_handed_to_path_policy(options: list[str]) -> None:
    plan = decide_run(options, privileged=False)
    assert plan.sources == ("/",)
    assert plan.tokens(["/srv/allowed"])[-1].text.count("/srv/allowed") == 1


def test_the_canonical_path_is_what_is_mounted() -> None:
    assert words("-v", "/srv/link:/x:ro", canonical=("/srv/real",)) == ["--volume=/srv/real:/x:ro"]


@pytest.mark.parametrize("path", ["/a:b", "/a,b", '/a"b', "/a{}", "/a\nb"])
def test_a_path_that_mount_syntax_would_misread_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument, match="mount syntax"):
        mountable(path)


def test_values_of_environment_variables_are_masked_in_logs_and_audit() -> None:
    plan = decide_run(["-e", "PASSWORD=hunter2"], privileged=False)
    assert [t.masked() for t in plan.tokens([])] == ["***"]


@given(st.lists(st.text(max_size=12), max_size=5))
def test_no_input_makes_the_decision_fail_otherwise(options: list[str]) -> None:
    try:
        plan = decide_run(options, privileged=False)
    except InvalidArgument:
        return
    for token in plan.tokens(plan.sources):
        assert token.text.startswith("--")
        assert not token.text.startswith(("--privileged", "--cap-add", "--device", "--pid", "--security-opt=s"))
