"""Small pure functions of the facts: sizes, alert limits, compose programs, lock complaints."""

from __future__ import annotations

import pytest

from ssh_mcp.facts import alerts, compose, json_rows
from ssh_mcp.facts import packages as apt
from ssh_mcp.facts.disk import Filesystem, human
from ssh_mcp.facts.load import MemoryStatus
from ssh_mcp.inventory.model import AlertLimits


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"), (1023, "1023"), (1024, "1.0K"), (1025, "1.1K"), (10 * 1024, "10K"), (1023 * 1024, "1023K"),
        (1024**2 - 1, "1.0M"), (270553174016, "252G"), (5 * 1024**4, "5.0T"), (2**90, "1024Y"), (-5, "0"),
    ],
)  # fmt: skip
def test_sizes_read_as_df_writes_them(size: int, text: str) -> None:
    assert human(size) == text


def disk(mount: str, percent: int | None, *, source: str = "/dev/a", kind: str = "ext4") -> Filesystem:
    return Filesystem(source, kind, 100, 50, 50, percent, mount)


def test_nothing_is_watched_without_limits() -> None:
    assert alerts.breaches(AlertLimits(), [disk("/", 100)], 99.0, MemoryStatus(100, 1)) == []


def test_each_limit_is_watched_and_far_past_it_is_critical() -> None:
    limits = AlertLimits(disk_use_percent_max=80, load_avg_1min_max=2, mem_free_percent_min=20)
    found = alerts.breaches(limits, [disk("/", 85), disk("/v", 95, source="/dev/b")], 5.0, MemoryStatus(100, 15))
    assert [(b.metric, b.current, b.severity) for b in found] == [
        ("disk_use_percent", 85, "warning"),
        ("disk_use_percent", 95, "critical"),
        ("load_avg_1min", 5.0, "critical"),
        ("mem_free_percent", 15.0, "warning"),
    ]
    assert found[0].detail == "/ is 85%, limit 80%"


def test_a_value_at_its_limit_is_no_breach() -> None:
    limits = AlertLimits(disk_use_percent_max=80, load_avg_1min_max=2, mem_free_percent_min=20)
    assert alerts.breaches(limits, [disk("/", 80)], 2.0, MemoryStatus(100, 20)) == []


def test_images_and_bind_mounts_do_not_alarm_unless_asked_for() -> None:
    limits = AlertLimits(disk_use_percent_max=80)
    disks = [
        disk("/snap/core", 100, source="/dev/loop0", kind="squashfs"),
        disk("/", 90),
        disk("/etc/hosts", 90),
        disk("/sys/efi", None),
    ]
    assert [b.detail for b in alerts.breaches(limits, disks, None, None)] == ["/ is 90%, limit 80%"]
    named = AlertLimits(disk_use_percent_max=80, disk_mounts=("/snap/core",))
    assert [b.detail for b in alerts.breaches(named, disks, None, None)] == ["/snap/core is 100%, limit 80%"]


@pytest.mark.parametrize(
    ("docker", "own", "legacy", "words"),
    [
        ("docker", None, False, "docker compose"),
        ("sudo -n docker", None, False, "sudo -n docker compose"),
        ("docker", None, True, "docker-compose"),
        ("sudo -n /usr/bin/docker", None, True, "sudo -n docker-compose"),
        ("docker -H unix:///x.sock", None, True, "docker-compose -H unix:///x.sock"),
        ("docker --host=tcp://a:1 --config /c", None, True, "docker-compose --host=tcp://a:1"),
        ("docker -Hunix:///x.sock --debug", None, True, "docker-compose -H unix:///x.sock"),
        ("podman --root /x", None, True, "podman-compose"),
        ("nerdctl", None, True, "docker-compose"),
        ("docker", "podman-compose --podman-path /p", False, "podman-compose --podman-path /p"),
        ("docker", "podman-compose", True, "podman-compose"),
    ],
)
def test_compose_is_derived_from_docker(docker: str, own: str | None, legacy: bool, words: str) -> None:
    assert " ".join(compose.compose_words(docker.split(), own.split() if own else None, legacy=legacy)) == words


def test_a_held_lock_is_distinguished_from_missing_rights() -> None:
    held = (
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (unattended-upgr)\n"
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n"
    )
    denied = (
        "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\n"
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?\n"
    )
    dpkg = "dpkg: error: dpkg frontend lock was locked by another process with pid 99\n"
    assert apt.lock_held(held) == apt.LockHeld("unattended-upgr 4711")
    assert apt.lock_held(denied) is None
    assert apt.lock_held("E: Unable to locate package nope") is None
    assert apt.lock_held(dpkg) == apt.LockHeld("process 99")


def test_mutations_of_packages_never_ask() -> None:
    text = apt.apt_get("install", ("nginx", "a b; reboot"), update_first=True).wire()
    assert text.startswith("apt-get --quiet update || exit $?; env DEBIAN_FRONTEND=noninteractive ")
    assert text.endswith("install -- nginx 'a b; reboot' </dev/null")


def test_labels_of_docker_keep_commas_inside_values() -> None:
    assert json_rows.labels_of("multi=a,b,team=web,bare") == {"multi": "a,b", "team": "web,bare"}
    assert json_rows.labels_of({"a": None, "b": 1}) == {"a": "", "b": "1"}
