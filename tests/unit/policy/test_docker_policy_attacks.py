"""Second look at what gives a host away through containers; the tables of the room are test_policy_docker_run and
test_policy_compose_file."""

from __future__ import annotations

import pytest

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.compose_file import decide_compose
from ssh_mcp.policy.docker_run import decide_run, gives_host


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/run",
        "/var/run",
        "/var",
        "/run/user",
        "/run/user/1000",
        "/var/run/docker.sock",
        "/run/podman/podman.sock",
        "/proc",
        "/proc/sys/kernel",
        "/sys",
        "/sys/kernel/uevent_helper",
        "/run/containerd",
        "/srv/app.sock",
    ],
)
def test_a_directory_that_holds_an_engines_socket_or_the_kernels_settings_gives_the_host_away(path: str) -> None:
    assert gives_host(path)


@pytest.mark.parametrize(
    "path", ["/srv", "/srv/app", "/var/lib/app", "/var/log", "/home/u", "/runner", "/process", "/system"]
)
def test_an_ordinary_directory_does_not(path: str) -> None:
    assert not gives_host(path)


def test_two_merge_keys_in_one_mapping_are_refused_because_readers_disagree_on_the_winner() -> None:
    text = """
x-a: &a {image: alpine}
x-b: &b {image: alpine, privileged: true}
services:
  web:
    <<: *b
    <<: *a
"""
    with pytest.raises(InvalidArgument):
        decide_compose(text, creates=True, privileged=False)


@pytest.mark.parametrize("value", ["true", "'true'", "yes", "on", "1", "${X}", "!!bool true", "!!str true"])
def test_privileged_in_any_spelling_of_yes_reaches_the_host(value: str) -> None:
    with pytest.raises(InvalidArgument):
        decide_compose(f"services: {{web: {{image: a, privileged: {value}}}}}", creates=True, privileged=False)


@pytest.mark.parametrize(
    "args",
    [
        ["--privileged=1"],
        ["--privileged=t"],
        ["--privileged", "--privileged=false"],
        ["--pid", "host"],
        ["--pid=host"],
        ["--volume", "/:/h:rshared"],
        ["-v/:/h:rw,rslave"],
        ["--mount", "type=bind,source=/,target=/h,bind-propagation=shared"],
        ["--mount", 'type=volume,"volume-opt=o=bind",target=/x'],
        ["--mount", "type=volume,volume-opt=device=/,target=/x"],
        ["--env-file=/etc/shadow"],
        ["--label-file=/etc/shadow"],
        ["--cidfile=/tmp/x"],
        ["--security-opt=apparmor=unconfined"],
        ["--userns=host"],
        ["--uts=host"],
        ["--ipc=container:x"],
        ["--cgroupns=host"],
        ["--network=container:x"],
        ["--device-cgroup-rule=a *:* rwm"],
        ["--gpus=all"],
        ["--sysctl=kernel.x=1"],
        ["--volumes-from=x"],
        ["--group-add=docker"],
        ["--", "alpine"],
        ["alpine"],
        ["-"],
        [""],
        ["-e"],
        ["--volume"],
    ],
)
def test_an_argument_that_reaches_the_host_or_hides_another_is_refused(args: list[str]) -> None:
    with pytest.raises(InvalidArgument):
        decide_run(args, privileged=False)
