"""Audit records, the chained file and its verification."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
import signal
import stat
import sys
import threading
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.audit.chain import GENESIS, HEAD_SUFFIX, Head, read_link, seal, verify, verify_all
from ssh_mcp.audit.record import ApprovalNote, hash_text
from ssh_mcp.audit.sinks import Audit, current, error_name
from ssh_mcp.errors import AuditUnavailable, CommandIsCheatsheetMatch, PathNotAllowed
from transports.errors import FileError, FileErrorKind, LocalError

CANARY = "c4nary-S3cret-value"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and flock")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def write(path: Path, count: int, tool: str = "ssh_sftp_stat") -> None:
    audit = Audit(path)
    for number in range(count):
        call = audit.begin(tool, "read")
        call.host("web01.example")
        call.path(f"/srv/{number}")
        call.finish()
    audit.close()


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


# -- the record -------------------------------------------------------------------------------------------------


def test_a_line_holds_the_fields_in_their_order(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit()
    with caplog.at_level(logging.INFO, logger="ssh_mcp.audit"):
        call = audit.begin("ssh_exec_run", "dangerous")
        call.host("web01.example")
        call.command("systemctl restart ***")
        call.path("/etc/a")
        call.path("/etc/b")
        call.exit_code(3)
        call.redact_bypass()
        call.finish()
    (line,) = [r.getMessage() for r in caplog.records]
    value = json.loads(line)
    assert list(value) == [
        "ts", "correlation_id", "tool", "tier", "host", "result", "duration_ms",
        "path_hash", "path_hashes", "command_hash", "exit_code", "redact_bypass",
    ]  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value["ts"])
    assert re.fullmatch("[0-9a-f]{16}", value["correlation_id"])
    assert value["command_hash"] == hash_text("systemctl restart ***")
    assert re.fullmatch("sha256:[0-9a-f]{16}", value["path_hash"])
    assert value["path_hashes"] == [hash_text("/etc/a"), hash_text("/etc/b")]
    assert (value["host"], value["result"], value["exit_code"]) == ("web01.example", "ok", 3)


def test_what_does_not_apply_is_absent() -> None:
    record = Audit().begin("ssh_host_list", "read").finish()
    assert set(json.loads(record.to_json())) == {
        "ts", "correlation_id", "tool", "tier", "host", "result", "duration_ms",
    }  # fmt: skip


def test_a_fan_out_is_a_question_mark_with_its_hosts() -> None:
    call = Audit().begin("ssh_broadcast", "dangerous")
    call.hosts(["a.example", "b.example"])
    value = json.loads(call.finish().to_json())
    assert value["host"] == "?"
    assert value["hosts"] == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (PathNotAllowed("The path /x is outside.", ""), "PathNotAllowed"),
        (FileError(FileErrorKind.NOT_FOUND, "/x", "There is no /x."), "RemoteError"),
        (LocalError("No ssh."), "ConnectError"),
        (ValueError("x"), "ValueError"),
        (CommandIsCheatsheetMatch("That is a read.", "", pattern_id="read.cat"), "CommandIsCheatsheetMatch"),
    ],
)
def test_an_error_is_named_as_the_client_sees_it(error: BaseException, name: str) -> None:
    record = Audit().begin("ssh_exec_run", "dangerous").finish(error)
    assert (record.result, record.error) == ("error", name)
    assert error_name(error) == name
    assert record.cheatsheet_pattern_id == getattr(error, "pattern_id", None)


def test_nothing_secret_reaches_a_line_or_the_debug_log(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit(path)
    with caplog.at_level(logging.DEBUG, logger="ssh_mcp.audit"):
        call = audit.begin("ssh_exec_run", "dangerous")
        call.command(f"mysql -p{CANARY}")
        call.path(f"/srv/{CANARY}")
        call.finish(ValueError(f"bad argument {CANARY}"))
    audit.close()
    assert CANARY not in caplog.text
    assert CANARY.encode() not in path.read_bytes()
    assert "ValueError" in caplog.text


def test_the_text_of_our_own_error_is_logged_at_debug_under_the_same_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="ssh_mcp.audit"):
        record = Audit().begin("ssh_mv", "low-access").finish(PathNotAllowed("It lies outside.", "Ask the operator."))
    detail = json.loads(caplog.records[-1].getMessage())
    assert detail["correlation_id"] == record.correlation_id
    assert detail["detail"] == "It lies outside. Ask the operator."
    assert "It lies outside" not in caplog.records[0].getMessage()


def test_finishing_twice_writes_one_line(path: Path) -> None:
    call = Audit(path).begin("ssh_host_list", "read")
    call.finish()
    call.finish(ValueError())
    assert len(lines(path)) == 1
    assert b'"result":"ok"' in path.read_bytes()


async def test_the_current_call_is_found_from_child_tasks_and_kept_apart() -> None:
    audit = Audit()
    seen: dict[str, str] = {}

    async def deep(name: str) -> None:
        call = current()
        assert call is not None
        seen[name] = call.correlation_id

    async def one(name: str) -> None:
        call = audit.begin(name, "read")
        async with anyio.create_task_group() as group:
            group.start_soon(deep, name)
        assert seen[name] == call.correlation_id
        call.finish()
        assert current() is None

    async with anyio.create_task_group() as group:
        for name in ("a", "b", "c"):
            group.start_soon(one, name)
    assert len(set(seen.values())) == 3


def test_a_high_log_level_does_not_silence_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("ssh_mcp.audit")
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logging.getLogger(), "level", logging.CRITICAL)
    logger.manager._clear_cache()  # type: ignore[attr-defined]
    Audit()
    assert logger.isEnabledFor(logging.INFO)
    logger.manager._clear_cache()  # type: ignore[attr-defined]


# -- the file ---------------------------------------------------------------------------------------------------


def test_the_chain_goes_on_over_restarts(path: Path) -> None:
    write(path, 3)
    write(path, 2)
    links = [read_link(line.rstrip(b"\n")) for line in lines(path)]
    assert [link.seq for link in links if link] == [1, 2, 3, 4, 5]
    assert links[0] is not None
    assert links[0].prev == GENESIS
    verdict = verify(path)
    assert (verdict.ok, verdict.lines, verdict.first_bad_line) == (True, 5, None)


def test_both_files_are_private_even_where_they_were_not(path: Path) -> None:
    path.touch(mode=0o644)
    old = os.umask(0)
    try:
        write(path, 1)
    finally:
        os.umask(old)
    for file in (path, path.with_name(path.name + HEAD_SUFFIX)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_changed_line_is_named(path: Path) -> None:
    write(path, 9)
    content = lines(path)
    content[4] = content[4].replace(b"ssh_sftp_stat", b"ssh_sftp_list")
    path.write_bytes(b"".join(content))
    verdict = verify(path)
    assert (verdict.ok, verdict.first_bad_line) == (False, 5)
    assert "changed" in verdict.reason


@pytest.mark.parametrize("index", [0, 4, 8])
def test_a_removed_line_is_noticed_wherever_it_stood(path: Path, index: int) -> None:
    write(path, 9)
    content = lines(path)
    del content[index]
    path.write_bytes(b"".join(content))
    verdict = verify(path)
    assert (verdict.ok, verdict.first_bad_line) == (False, index + 1)
    assert "missing" in verdict.reason


def test_swapped_lines_are_distinguished_from_missing_ones(path: Path) -> None:
    write(path, 9)
    content = lines(path)
    content[2], content[5] = content[5], content[2]
    path.write_bytes(b"".join(content))
    verdict = verify(path)
    assert (verdict.ok, verdict.first_bad_line) == (False, 3)
    assert "another order" in verdict.reason
    assert "line 6" in verdict.reason


def test_a_repeated_and_an_added_line_are_noticed(path: Path) -> None:
    write(path, 5)
    content = lines(path)
    path.write_bytes(b"".join([*content[:3], content[2], *content[3:]]))
    assert verify(path).first_bad_line == 4
    path.write_bytes(b"".join([*content[:3], b'{"tool":"x"}\n', *content[3:]]))
    assert verify(path).first_bad_line == 4


def test_a_line_rewritten_with_a_fitting_hash_is_named_by_the_next_one(path: Path) -> None:
    write(path, 5)
    content = lines(path)
    link = read_link(content[2].rstrip(b"\n"))
    assert link is not None
    content[2] = seal('{"tool":"forged"}', link.seq, link.prev).line
    path.write_bytes(b"".join(content))
    assert verify(path).first_bad_line == 3


def test_a_cut_tail_is_noticed_by_the_head_file_and_by_an_expected_hash(path: Path) -> None:
    write(path, 5)
    last = verify(path).last_hash
    os.truncate(path, sum(len(line) for line in lines(path)[:3]))
    verdict = verify(path)
    assert (verdict.ok, verdict.first_bad_line) == (False, 4)
    assert "4 to 5" in verdict.reason
    path.with_name(path.name + HEAD_SUFFIX).unlink()
    assert verify(path).ok, "this is what a chain alone cannot show"
    assert not verify(path, expect_last=last).ok


def test_a_cut_tail_stays_visible_after_the_next_line(path: Path) -> None:
    write(path, 5)
    os.truncate(path, sum(len(line) for line in lines(path)[:3]))
    write(path, 1)
    verdict = verify(path)
    assert (verdict.ok, verdict.first_bad_line) == (False, 4)
    assert "4 to 5" in verdict.reason


@given(st.data())
def test_any_single_byte_change_is_found_at_its_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("a") / "audit"
    write(path, 4)
    raw = bytearray(path.read_bytes())
    # Neither draw depends on the bytes, which hold times and ids and differ between two runs of one example.
    at = data.draw(st.integers(0, 1_000_000)) * len(raw) // 1_000_001
    new = (raw[at] + data.draw(st.integers(1, 255))) % 256
    expected = raw[:at].count(b"\n") + 1
    joined = raw[at] == 0x0A
    raw[at] = new
    path.write_bytes(raw)
    verdict = verify(path)
    assert not verdict.ok
    assert verdict.first_bad_line in ({expected, expected + 1} if joined else {expected})


@given(st.binary(max_size=600))
def test_verification_of_garbage_is_a_verdict(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("a") / "audit"
    path.write_bytes(raw)
    assert verify(path).ok is (raw == b"")


# -- stopped writers, rotation, several writers -------------------------------------------------------------------


def test_bytes_of_a_stopped_writer_are_named_and_then_accounted_for(path: Path) -> None:
    write(path, 3)
    with path.open("ab") as stream:
        stream.write(b'{"seq":4,"prev":"half a li')
    verdict = verify(path)
    assert (verdict.ok, verdict.first_bad_line) == (False, 4)
    assert "unfinished" in verdict.reason
    write(path, 2)
    verdict = verify(path)
    assert (verdict.ok, verdict.lines) == (True, 6)
    assert verdict.notes == ("line 4 was left unfinished by a writer that was stopped; accounted for",)
    content = lines(path)
    content[3] = b"something else\n"
    path.write_bytes(b"".join(content))
    assert verify(path).first_bad_line == 4
    del content[3]
    path.write_bytes(b"".join(content))
    assert verify(path).first_bad_line == 4


def test_a_line_whose_writer_was_stopped_before_noting_it_is_adopted(path: Path) -> None:
    write(path, 3)
    head = path.with_name(path.name + HEAD_SUFFIX)
    before = head.read_bytes()
    write(path, 1)
    head.write_bytes(before)
    write(path, 1)
    verdict = verify(path)
    assert (verdict.ok, verdict.last_seq) == (True, 5)


def test_the_first_line_of_a_new_file_is_adopted_too(path: Path) -> None:
    write(path, 3)
    head = path.with_name(path.name + HEAD_SUFFIX)
    before = head.read_bytes()
    path.rename(path.with_name("old"))
    write(path, 1)
    head.write_bytes(before)
    write(path, 1)
    verdict = verify(path)
    assert (verdict.ok, verdict.first_seq, verdict.last_seq) == (True, 4, 5)


def test_a_file_that_was_copied_away_and_back_goes_on(path: Path) -> None:
    write(path, 3)
    content = path.read_bytes()
    path.rename(path.with_name("away"))
    path.write_bytes(content)
    write(path, 1)
    assert (verify(path).ok, verify(path).last_seq) == (True, 4)


@pytest.mark.parametrize("damage", ["gone", "empty", "garbage"])
def test_a_lost_head_file_is_made_again_from_the_last_line(path: Path, damage: str) -> None:
    write(path, 3)
    head = path.with_name(path.name + HEAD_SUFFIX)
    if damage == "gone":
        head.unlink()
    else:
        head.write_bytes(b"" if damage == "empty" else b"\xff" * 192)
    write(path, 1)
    assert (verify(path).ok, verify(path).last_seq) == (True, 4)


def test_a_head_file_removed_under_a_running_server_is_made_again(path: Path) -> None:
    audit = Audit(path)
    audit.begin("ssh_host_list", "read").finish()
    path.with_name(path.name + HEAD_SUFFIX).unlink()
    audit.begin("ssh_host_list", "read").finish()
    assert Head.from_bytes(path.with_name(path.name + HEAD_SUFFIX).read_bytes())
    assert verify(path).last_seq == 2


def test_after_rotation_the_new_file_goes_on_from_the_old_one(path: Path) -> None:
    audit = Audit(path)
    for _ in range(3):
        audit.begin("ssh_host_list", "read").finish()
    old = path.with_name("audit.jsonl.1")
    path.rename(old)
    for _ in range(2):
        audit.begin("ssh_host_list", "read").finish()
    audit.close()
    assert verify(old).ok
    verdict = verify(path)
    assert (verdict.ok, verdict.first_seq, verdict.first_prev) == (True, 4, verify(old).last_hash)
    assert [v.ok for _, v in verify_all([old, path])] == [True, True]
    os.truncate(old, sum(len(line) for line in lines(old)[:2]))
    second = verify_all([old, path])[1][1]
    assert (second.ok, second.first_bad_line) == (False, 1)


def test_rotation_while_no_server_runs_keeps_the_chain(path: Path) -> None:
    write(path, 3)
    path.rename(path.with_name("old"))
    write(path, 1)
    assert verify(path).first_seq == 4


def test_the_first_line_of_a_rotated_file_cannot_be_removed_unnoticed(path: Path) -> None:
    write(path, 3)
    path.rename(path.with_name("old"))
    write(path, 3)
    path.write_bytes(b"".join(lines(path)[1:]))
    assert verify(path).first_bad_line == 1


def test_threads_share_one_chain(path: Path) -> None:
    audit = Audit(path)

    def work() -> None:
        for _ in range(50):
            audit.begin("ssh_host_ping", "read").finish()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (verify(path).ok, verify(path).lines) == (True, 200)


def _work(path: Path) -> None:
    audit = Audit(path)
    for _ in range(100):
        audit.begin("ssh_host_ping", "read").finish()


def _write_until_killed(path: Path) -> None:
    audit = Audit(path)
    while True:
        audit.begin("ssh_host_ping", "read").finish()


def test_processes_share_one_chain(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert (verify(path).ok, verify(path).lines) == (True, 300)


def test_processes_killed_in_the_midst_leave_a_chain_that_goes_on(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        process = context.Process(target=_write_until_killed, args=(path,))
        start = path.stat().st_size if path.exists() else 0
        process.start()
        while not path.exists() or path.stat().st_size < start + 20_000:
            assert process.is_alive()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    write(path, 1)
    assert verify(path).ok


# -- when it cannot be written ------------------------------------------------------------------------------------


def refusal(audit: Audit, tier: str = "dangerous") -> str:
    with pytest.raises(AuditUnavailable) as caught:
        audit.require(tier)
    return str(caught.value)


def test_without_a_file_every_tier_runs() -> None:
    audit = Audit()
    for tier in ("read", "low-access", "dangerous", "sudo"):
        audit.require(tier)


def test_an_unwritable_file_refuses_all_tiers_but_read(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "missing" / "audit")
    audit.require("read")
    for tier in ("low-access", "dangerous", "sudo"):
        assert "No such file or directory" in refusal(audit, tier)
    audit.begin("ssh_host_list", "read").finish()
    (tmp_path / "missing").mkdir()
    audit.require("sudo")
    assert audit.problem is None
    assert verify(tmp_path / "missing" / "audit").lines == 1, "the line that was due is written now"


def test_a_link_is_refused(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    path.symlink_to(target)
    assert "symbolic link" in refusal(Audit(path))
    assert target.read_bytes() == b""
    path.unlink()
    path.hardlink_to(target)
    assert "hard link" in refusal(Audit(path))


def test_a_head_file_that_is_a_link_is_refused(path: Path, tmp_path: Path) -> None:
    path.with_name(path.name + HEAD_SUFFIX).symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refusal(Audit(path))
    assert not (tmp_path / "elsewhere").exists()


def test_a_fifo_or_a_directory_is_refused_without_hanging(path: Path) -> None:
    os.mkfifo(path)
    assert "regular file" in refusal(Audit(path))
    path.unlink()
    path.mkdir()
    assert "directory" in refusal(Audit(path)).lower()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to make another user's file")
def test_another_users_file_is_refused(path: Path) -> None:
    path.touch()
    os.chown(path, 65534, 65534)
    assert "another user" in refusal(Audit(path))


def test_a_full_disk_in_mid_line_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = Audit(path)
    audit.begin("ssh_host_list", "read").finish()
    real, budget = os.write, [40]

    def full(fd: int, data: bytes) -> int:
        if not budget[0]:
            raise OSError(28, "No space left on device")
        written = real(fd, data[: budget[0]])
        budget[0] -= written
        return written

    monkeypatch.setattr(os, "write", full)
    call = audit.begin("ssh_mv", "low-access")
    call.finish()
    assert "No space left" in refusal(audit)
    monkeypatch.undo()
    audit.require("dangerous")
    verdict = verify(path)
    assert (verdict.ok, verdict.last_seq) == (True, 2)
    assert call.correlation_id in path.read_text()


def test_a_lock_that_is_never_released_is_a_failure_not_a_hang(path: Path) -> None:
    import fcntl

    write(path, 1)
    with path.with_name(path.name + HEAD_SUFFIX).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        audit = Audit(path)
        assert "locked" in refusal(audit)
        audit.begin("ssh_host_list", "read").finish()
    audit.require("dangerous")
    assert verify(path).lines == 2


# -- who, where, and with SSH_AUDIT_DETAIL=masked what --------------------------------------------------------------


def test_a_line_names_the_login_the_caller_the_parent_the_job_and_the_approval() -> None:
    call = Audit().begin("ssh_exec_run", "dangerous")
    call.host("web01.example")
    call.login("web", "deploy", 2222)
    call.caller("alice", "Claude 1.2", "s1")
    call.parent("0123456789abcdef")
    call.job("j1")
    call.approval(ApprovalNote("granted", "operator", "k7x2", who="bob", grant="g1", waited_ms=1200))
    value = json.loads(call.finish().to_json())
    assert (value["alias"], value["user"], value["port"]) == ("web", "deploy", 2222)
    assert (value["identity"], value["client"], value["session"]) == ("alice", "Claude 1.2", "s1")
    assert (value["parent"], value["job"]) == ("0123456789abcdef", "j1")
    assert value["approval"] == {
        "outcome": "granted", "channel": "operator", "id": "k7x2", "who": "bob", "grant": "g1", "waited_ms": 1200,
    }  # fmt: skip


@pytest.mark.parametrize("masked", [False, True])
def test_commands_and_paths_are_text_only_where_the_operator_asked_for_it(masked: bool) -> None:
    call = Audit(masked=masked).begin("ssh_exec_run", "dangerous")
    call.command("mysql -p***")
    call.path("/etc/a")
    call.path("/etc/a")
    value = json.loads(call.finish().to_json())
    assert value["command_hash"] == hash_text("mysql -p***")
    assert (value.get("command"), value.get("paths")) == (("mysql -p***", ["/etc/a"]) if masked else (None, None))
