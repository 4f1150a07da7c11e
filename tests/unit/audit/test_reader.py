"""Reading audit files: queries, rotation, time, formats, and what is said of a broken chain."""

from __future__ import annotations

import gzip
import io
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.audit import reader, rows
from ssh_mcp.audit.chain import GENESIS, seal
from ssh_mcp.audit.formats import NESTED, rendered
from ssh_mcp.audit.reader import Query
from ssh_mcp.audit.record import ApprovalNote, AuditRecord
from ssh_mcp.audit.sinks import Audit
from ssh_mcp.audit.summary import MAX_BUCKETS, MAX_NAMES, Summary
from ssh_mcp.audit.times import point_in_time
from ssh_mcp.cli.commands import run

START = 1_790_000_000.0


def record(number: int, **fields: object) -> AuditRecord:
    ts = datetime.fromtimestamp(START + number, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    made = AuditRecord(ts, f"{number:016x}", "ssh_exec_run", "low-access", host="web01.example", alias="web01")
    made.client = "a client"
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def write(file: Path, records: list[AuditRecord], *, seq: int = 1, prev: str = GENESIS) -> str:
    """A file as the sink leaves it; returns its last hash."""
    lines = []
    for number, each in enumerate(records):
        sealed = seal(each.to_json(), seq + number, prev, file_start=number == 0)
        prev = sealed.hash
        lines.append(sealed.line)
    file.write_bytes(b"".join(lines))
    return prev


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """A hundred calls in two rotated files (one compressed) and the current one."""
    current = tmp_path / "audit.jsonl"
    records = [
        record(n, exit_code=n % 7 or None, tool="ssh_host_ping" if n % 10 == 0 else "ssh_exec_run") for n in range(100)
    ]
    prev = write(tmp_path / "oldest", records[:30])
    (tmp_path / "audit.jsonl.2.gz").write_bytes(gzip.compress((tmp_path / "oldest").read_bytes()))
    prev = write(tmp_path / "audit.jsonl.1", records[30:60], seq=31, prev=prev)
    write(current, records[60:], seq=61, prev=prev)
    (tmp_path / "audit.jsonl.head").write_text("{}")
    return current


def test_rotated_files_are_read_oldest_first(audit: Path) -> None:
    files = reader.audit_files(audit)
    assert [file.name for file in files] == ["audit.jsonl.2.gz", "audit.jsonl.1", "audit.jsonl"]
    assert [int(r.correlation_id, 16) for r in reader.read(files, Query())] == list(range(100))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (Query(host="web01"), lambda n: True),
        (Query(host="web01.example"), lambda n: True),
        (Query(host="web0"), lambda n: False),
        (Query(tool="ssh_host_ping"), lambda n: n % 10 == 0),
        (Query(tool="ssh_h*"), lambda n: n % 10 == 0),
        (Query(tier="read"), lambda n: False),
        (Query(errors=True), lambda n: n % 7),
        (Query(since=START + 40), lambda n: n >= 40),
        (Query(since=START + 40, until=START + 50, errors=True), lambda n: 40 <= n <= 50 and n % 7),
        (Query(correlation_id=f"{17:016x}"), lambda n: n == 17),
    ],
)
def test_a_query_gets_what_it_names(audit: Path, query: Query, wanted: Callable[[int], object]) -> None:
    found = [int(r.correlation_id, 16) for r in reader.read(reader.audit_files(audit), query)]
    assert found == [n for n in range(100) if wanted(n)]


def test_a_fan_out_is_found_by_each_of_its_hosts(tmp_path: Path) -> None:
    write(tmp_path / "a", [record(1, host="?", alias=None, hosts=("web01", "web02"))])
    assert [r.hosts for r in reader.read([tmp_path / "a"], Query(host="web02"))] == [("web01", "web02")]


@given(st.integers(0, 400), st.integers(0, 400_000))
def test_bisection_never_skips_a_wanted_line(long_call: int, since: int) -> None:
    """A call that takes long is written late; its line must be found by its end."""
    lines = [record(n * 1000, duration_ms=long_call if n % 5 else 0).to_json().encode() + b"\n" for n in range(400)]
    stream = io.BytesIO(b"".join(lines))
    start = reader.start_of(stream, START + since)
    assert start in {0, *(sum(map(len, lines[:n])) for n in range(401))}
    left_out = [reader.parse_line(line) for line in stream.getvalue()[:start].splitlines()]
    assert all(r is not None and reader.ended(r) < START + since for r in left_out)


def test_bisection_reads_little_of_a_long_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write(file, [record(n) for n in range(20_000)])
    first = next(reader.lines_since(file, START + 19_900))
    found = reader.parse_line(first)
    assert found is not None
    assert reader.ended(found) > START + 19_000
    assert len(list(reader.read([file], Query(since=START + 19_900)))) == 100


def test_what_is_no_audit_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "a"
    good = record(1).to_json().encode()
    file.write_bytes(
        b"\n".join([b"{", b"[]", b'{"ts":1}', b"\xff\xfe", b"[" * 5000, good, b'{"tool":["x"]}', good[:40]])
    )
    assert len(list(reader.read([file], Query()))) == 1
    assert len(reader.last(file, 9, Query())) == 1


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_raise(line: bytes) -> None:
    reader.parse_line(line)


def test_numbers_and_times_beyond_all_measure_are_not_followed() -> None:
    line = record(1).to_json().encode()
    assert reader.parse_line(line.replace(b'"duration_ms":0', b'"duration_ms":' + b"9" * 400)) is None
    early = reader.parse_line(line.replace(b"2026-09-21T14:13:21.000Z", b"0001-01-01T00:00:00"))
    assert early is not None
    assert reader.ended(early) <= 0


def test_the_last_lines_are_read_from_the_end(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write(file, [record(n, exit_code=n % 2 or None) for n in range(3000)])
    assert [int(r.correlation_id, 16) for r in reader.last(file, 3, Query(errors=True))] == [2995, 2997, 2999]
    assert len(reader.last(file, 5000, Query())) == 3000


def test_following_sees_new_lines_and_the_next_file(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    sink = Audit(file)
    sink.write(record(0))
    stream = reader.follow(file, Query())
    found: list[int] = []
    enough = threading.Event()

    def watch() -> None:
        for each in stream:
            found.append(int(each.correlation_id, 16))
            if len(found) == 2:
                enough.set()
                return

    threading.Thread(target=watch, daemon=True).start()
    sink.write(record(1))
    file.rename(tmp_path / "audit.jsonl.1")
    sink.write(record(2))
    assert enough.wait(20)
    assert found == [1, 2]
    sink.close()


@pytest.mark.parametrize("form", ["native", "ocsf", "ecs"])
def test_every_format_holds_the_whole_record_and_is_chained(tmp_path: Path, form: str) -> None:
    file = tmp_path / "a"
    note = ApprovalNote("granted", "operator", "q1", who="anna", waited_ms=12)
    told = record(5, exit_code=3, error="CommandNotAllowed", result="error", approval=note, port=22, hosts=("a", "b"))
    sink = Audit(file, form=form)  # type: ignore[arg-type]
    sink.write(told)
    sink.close()
    assert run(["audit", "verify", str(file)]) == 0
    assert list(reader.read([file], Query())) == [told]


def test_ocsf_and_ecs_say_what_their_schemas_require() -> None:
    told = record(5, exit_code=3, error="CommandNotAllowed", result="error", duration_ms=7)
    ocsf = json.loads(rendered(told, "ocsf"))
    assert {"activity_id", "actor", "api", "category_uid", "class_uid", "metadata", "severity_id", "src_endpoint",
            "time", "type_uid"} <= ocsf.keys()  # fmt: skip
    assert ocsf["type_uid"] == ocsf["class_uid"] * 100 + ocsf["activity_id"]
    assert ocsf["time"] == (START + 5) * 1000
    assert (ocsf["status_id"], ocsf["api"]["operation"]) == (2, "ssh_exec_run")
    ecs = json.loads(rendered(told, "ecs"))
    assert ecs["@timestamp"] == told.ts
    assert ecs["event"]["outcome"] == "failure"
    assert ecs["event"]["duration"] == 7_000_000
    assert ecs["destination"]["domain"] == "web01.example"
    assert set(NESTED.values()) == {"unmapped", "ssh_mcp"}


def test_the_summary_stays_small_whatever_the_lines_say() -> None:
    total = Summary()
    for number in range(MAX_NAMES * 2):
        total.add(
            record(number * 86_400, alias=f"host{number}", tool=f"tool{number}", error=f"E{number}", result="error")
        )
    assert total.calls == MAX_NAMES * 2 == sum(t.calls for t in total.hosts.values()) == total.timeline.calls.total()
    assert len(total.hosts) == len(total.tools) == MAX_NAMES + 1
    assert len(total.refusals) == MAX_NAMES + 1
    assert len(total.timeline.calls) <= MAX_BUCKETS
    assert len(total.slowest) == 20


def test_times_are_read_as_people_type_them() -> None:
    now = datetime(2026, 11, 27, 22, 0).astimezone().timestamp()
    assert point_in_time("2h", now) == now - 7200
    assert point_in_time("3 days ago", now) == now - 3 * 86400
    assert point_in_time("21:30", now) == now - 1800
    assert point_in_time("22:30", now) == now - 23.5 * 3600
    assert point_in_time("2026-11-27T21:00:00", now) == now - 3600
    assert point_in_time("yesterday", now) == point_in_time("2026-11-26", now)
    for wrong in ("", "soon", "99:99", "-2h", "2026-13-01"):
        with pytest.raises(ValueError, match="is not a time"):
            point_in_time(wrong, now)


def test_a_chain_broken_in_the_middle_is_said_at_the_top(
    audit: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["audit", "show", "--file", str(audit)]) == 0
    assert "broken" not in capsys.readouterr().out
    file = audit.with_name("audit.jsonl.1")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:10], *lines[11:]]))
    for command in (["show"], ["show", "--since", "2026-01-01"], ["summary"]):
        run(["audit", *command, "--file", str(audit)])
        first = capsys.readouterr().out.splitlines()[0]
        assert "is broken at line 11" in first, command
    assert run(["audit", "show", "--json", "--file", str(audit)]) == 0
    out, err = capsys.readouterr()
    assert "is broken at line 11" in err
    assert all(json.loads(line) for line in out.splitlines())
    monkeypatch.setattr(reader, "WHOLE_CHECK", 0)  # as with a long file: what is shown is checked
    found = reader.check_chain(reader.audit_files(audit), START + 30 + reader.SLACK)
    assert found is not None
    assert found[0] == file
    assert reader.check_chain([audit], START + 80 + reader.SLACK) is None


@pytest.mark.parametrize(
    ("error", "exit_code", "shown"),
    [
        (None, None, "ok"),
        (None, 3, "exit 3"),
        (None, -1, "no exit status"),
        ("PlatformNotSupported", 1, "PlatformNotSupported"),
    ],
)
def test_a_row_ends_with_the_failure_rather_than_a_probes_exit_status(
    error: str | None, exit_code: int | None, shown: str
) -> None:
    assert rows.ending(record(1, result="ok", error=error, exit_code=exit_code)) == shown


def test_show_prints_a_table_and_json(audit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["audit", "show", "--file", str(audit), "--tool", "ssh_host_ping", "--errors"])
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["time", "host", "tool", "ms", "result"]
    assert out.count("ssh_host_ping") == 8
    assert "exit 3" in out
    run(["audit", "tail", "-n", "2", "--file", str(audit), "--json"])
    assert [json.loads(x)["correlation_id"] for x in capsys.readouterr().out.splitlines()] == [
        f"{n:016x}" for n in (98, 99)
    ]
    run(["audit", "summary", "--file", str(audit), "--json"])
    assert json.loads(capsys.readouterr().out)["calls"] == 100


def test_a_line_cannot_move_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a", [record(1, client="x\x1b[2J\x07\u202ey", command="echo\r\nok")])
    run(["audit", "show", "--file", str(tmp_path / "a")])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\r" not in out
    assert "\u202e" not in out
    assert len(out.splitlines()) == 2


def test_no_audit_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUDIT_FILE", raising=False)
    assert run(["audit", "show"]) == 2
    assert "SSH_AUDIT_FILE is not set" in capsys.readouterr().err
    assert run(["audit", "tail", "--file", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert run(["audit", "show", "--since", "soon", "--file", str(tmp_path)]) == 2


def test_a_call_still_under_way_at_the_time_counts(tmp_path: Path) -> None:
    write(tmp_path / "a", [record(0, duration_ms=60_000)])
    assert list(reader.read([tmp_path / "a"], Query(since=START + 30)))
