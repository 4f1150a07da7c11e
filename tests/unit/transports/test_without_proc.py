"""Frames end on hosts without /proc too: by what their ps reports, and, where that is nothing, by what is certain.

The scripts are pointed to where no /proc is. The ps of another system is stood for by one that refuses the words that
it does not know; BusyBox, which brings a ps of its own, is a Linux without any.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.process_table import Trace
from tests.unit.transports.test_hangup import Start, start, traces  # noqa: F401 - fixtures
from transports.openssh.shell.frame import end_group_script, signal_script
from transports.openssh.shell.hangup import hang_up_script, watch_line, watch_script

PS = {
    "as on FreeBSD": "",
    "as on OpenBSD": 'case "$*" in *sid=*) exit 1 ;; esac',
    "as on macOS": 'case "$*" in *sid=* | *sigignore=*) exit 1 ;; *sess=*) echo 0; exit ;; esac',
    "none": "exit 1",
}
SHELLS = {
    "as on FreeBSD": ["dash", "bash", "mksh", "ksh", "zsh"],
    "as on OpenBSD": ["mksh"],
    "as on macOS": ["bash"],
    "none": ["dash", "bash", "busybox"],
}


def where(*kinds: str) -> pytest.MarkDecorator:
    """Shells and kinds of ps."""
    both = [(shell, kind) for kind in kinds for shell in SHELLS[kind]]
    return pytest.mark.parametrize(("environment", "blind"), both, indirect=True)


TELLING = where("as on FreeBSD", "as on OpenBSD")


@pytest.fixture
def blind(environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of scripts on such a host."""
    for name in ("ps", "pkill"):
        (tmp_path / name).write_text(f'#!/bin/dash\n{PS[request.param]}\nexec /usr/bin/{name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    return environment


def _run(script: str, environment: dict[str, str]) -> int:
    text = script.replace("/proc", "/nowhere").encode()
    done = subprocess.run(["sh"], input=text, env=environment, timeout=60, check=False, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    return done.returncode


@TELLING
def test_a_timeout_ends_the_group_and_the_session_but_not_what_left_it(
    blind: dict[str, str], start: Start, traces: list[Trace]
) -> None:
    goes, daemon, _ = traces
    frame = start(
        f"setsid {daemon.sleep} & timeout 999 {goes.sleep} & bash -c 'set -m; {goes.sleep} & wait' &"
        f" (trap : HUP TERM; while :; do env {goes.sleep}; done) & env {goes.sleep} | cat"
    )
    daemon.wait_for()
    goes.wait_for(5)  # timeout's own arguments hold the number too
    assert _run(end_group_script(frame.nonce, frame.ids), blind) == 0
    goes.wait_gone()
    assert daemon.processes()


@where(*PS)
def test_a_timeout_ends_the_group_where_ps_reports_less(
    blind: dict[str, str], start: Start, traces: list[Trace]
) -> None:
    goes, daemon, _ = traces
    frame = start(f"setsid {daemon.sleep} & (trap '' HUP TERM; env {goes.sleep}; env {goes.sleep}) & env {goes.sleep}")
    daemon.wait_for()
    goes.wait_for(2)
    assert _run(end_group_script(frame.nonce, frame.ids, certain=True), blind) == 0
    goes.wait_gone()
    assert daemon.processes()


@where("none")
def test_nobody_is_touched_of_whom_neither_the_host_nor_the_caller_is_certain(
    blind: dict[str, str], start: Start, traces: list[Trace]
) -> None:
    frame = start(f"env {traces[0].sleep}")
    traces[0].wait_for()
    assert _run(end_group_script(frame.nonce, frame.ids), blind) == 3
    assert _run(signal_script(frame.nonce, frame.ids, "TERM"), blind) == 3
    assert _run(hang_up_script([(frame.nonce, frame.ids), (frame.nonce, None)]), blind) == 0
    assert traces[0].processes()
    assert _run(signal_script(frame.nonce, frame.ids, "TERM", certain=True), blind) == 0
    traces[0].wait_gone()


@where("as on FreeBSD", "as on OpenBSD", "as on macOS")
def test_a_stranger_is_distinguished_from_a_frame_although_the_caller_is_certain(
    blind: dict[str, str], start: Start, traces: list[Trace]
) -> None:
    frame = start(f"env {traces[0].sleep}")
    traces[0].wait_for()
    assert _run(end_group_script("fedcba9876543210", frame.ids, certain=True), blind) == 3
    assert traces[0].processes()


@pytest.mark.parametrize("known", [True, False])
@TELLING
def test_a_hangup_ends_all_but_what_was_meant_to_outlive_it(
    blind: dict[str, str], start: Start, traces: list[Trace], *, known: bool
) -> None:
    goes, nohup, daemon = traces
    frame = start(
        f"nohup {nohup.sleep} >/dev/null 2>&1 & setsid {daemon.sleep} & timeout 999 {goes.sleep} &"
        f" (trap : HUP TERM; while :; do env {goes.sleep}; done) & env {goes.sleep} | cat"
    )
    nohup.wait_for()
    daemon.wait_for()
    goes.wait_for(4)
    assert _run(hang_up_script([(frame.nonce, frame.ids if known else None)]), blind) == 0
    goes.wait_gone()
    frame.process.wait(20)
    assert nohup.processes()
    assert daemon.processes()


@where(*PS)
def test_a_watch_hangs_up_where_ps_reports_less(blind: dict[str, str], start: Start, traces: list[Trace]) -> None:
    goes, nohup, _ = traces
    frame = start(f"nohup {nohup.sleep} >/dev/null 2>&1 & env {goes.sleep} & trap : HUP TERM; env {goes.sleep}; wait")
    nohup.wait_for()
    goes.wait_for(2)
    script = watch_script().replace("/proc", "/nowhere")
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, env=blind) as watch:
        assert watch.stdin is not None
        watch.stdin.write(watch_line(frame.nonce, frame.ids, watched=True))
        watch.stdin.close()
        assert watch.wait(30) == 0
    goes.wait_gone()
    frame.process.wait(20)
    assert nohup.processes()
