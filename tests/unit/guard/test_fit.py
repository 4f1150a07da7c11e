"""Results cut to a budget: head and tail, the line between, what the spool keeps, and how it is read again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.errors import InvalidArgument, OutputExpired
from ssh_mcp.guard.ends import ends, share
from ssh_mcp.guard.fit import Budget, fit
from ssh_mcp.guard.guard import Guard
from ssh_mcp.guard.long_stream import CONTEXT, LongStream
from ssh_mcp.guard.spool import Owner, Spool, remove_dead
from ssh_mcp.inventory.model import RedactionPolicy
from ssh_mcp.redaction.repeats import Repeats
from ssh_mcp.remote.exec.kept_output import TAIL, KeptOutput
from ssh_mcp.remote.output import Found, Part, parse_part, select
from ssh_mcp.results.docker import Event, EventList
from ssh_mcp.results.exec import BroadcastResult, ExecResult
from ssh_mcp.results.host import HostProcesses, ProcessEntry

ME = Owner("local", "process")
SECRET = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(lambda: tmp_path, 1 << 20, 1800)
    yield made
    made.close()


def cut(result: ExecResult, total: int, spool: Spool) -> ExecResult:
    return fit(result, Budget(total, {"stdout": 1 << 20, "stderr": 1 << 20}), lambda texts: spool.keep(ME, texts))


def read_all(spool: Spool, output_id: str, stream: str = "stdout", page: int = 1000) -> str:
    file = spool.find(ME, output_id).streams[stream]
    parts, offset = [], 0
    while True:
        found = select(file, parse(offset=offset, max_bytes=page))
        parts.append(found.data.decode())
        if found.next_offset is None:
            return "".join(parts)
        assert found.next_offset > offset
        offset = found.next_offset


def parse(
    *,
    first_lines: int | None = None,
    last_lines: int | None = None,
    offset: int | None = None,
    max_bytes: int = 1 << 20,
    grep: str | None = None,
    context: int = 0,
    ignore_case: bool = False,
) -> Part:
    return parse_part(first_lines, last_lines, offset, max_bytes, grep=grep, context=context, ignore_case=ignore_case)


TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=300), max_size=60).map(
    "\n".join
)


@given(text=TEXTS, limit=st.integers(64, 4000))
def test_head_left_out_and_tail_are_the_whole(tmp_path_factory: pytest.TempPathFactory, text: str, limit: int) -> None:
    spool = Spool(tmp_path_factory.getbasetemp, 1 << 20, 1800)
    made = cut(ExecResult(host="web", exit_code=0, stdout=text), limit, spool)
    data = text.encode()
    if len(data) <= limit:
        assert made.stdout == text
        assert made.output_id is None
        return
    assert len(made.stdout.encode()) <= limit
    assert made.stdout_truncated
    assert made.output_id is not None
    assert read_all(spool, made.output_id) == text
    line = re.search(
        rf"\n?\[\.\.\. (\d+) bytes[^\n]* output_id={made.output_id} offset=(\d+) shows them \.\.\.\]\n", made.stdout
    )
    if line is None:  # a limit without room for the line
        before, after = made.stdout.split("[...]") if made.stdout.count("[...]") == 1 else ("", "")
        assert data.startswith(before.removesuffix("\n").encode())
        assert data.endswith(after.removeprefix("\n").encode())
        return
    left, offset = int(line[1]), int(line[2])
    head, tail = made.stdout[: line.start()].encode(), made.stdout[line.end() :].encode()
    shown = data[:offset]
    assert shown in (head, head + b"\n")
    assert shown + data[offset : offset + left] + tail == data
    spool.close()


@given(sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=20), limit=st.integers(1, 20000))
def test_a_budget_is_shared_so_that_short_texts_stay_whole(sizes: list[int], limit: int) -> None:
    each = share(sizes, limit)
    assert sum(min(size, each) for size in sizes) <= limit
    assert all(size <= each for size in sizes) or sum(min(size, each + 1) for size in sizes) > limit - len(sizes)


def test_a_cut_is_made_at_a_line_end_where_one_is_near() -> None:
    data = b"".join(b"line %d\n" % i for i in range(1000))
    found = ends(data[:1000], data[-1000:], len(data), 1000)
    assert data[: found.head].endswith(b"\n")
    assert data[found.tail - 1 : found.tail] == b"\n"


def test_both_streams_share_the_budget_and_the_error_at_the_end_is_there(spool: Spool) -> None:
    made = cut(
        ExecResult(host="web", exit_code=1, stdout="out\n" * 9000, stderr="err\n" * 9000 + "fatal: the end\n"),
        8192,
        spool,
    )
    assert len(made.stdout) + len(made.stderr) <= 8192
    assert made.stderr.endswith("fatal: the end\n")
    assert "stream=stderr" in made.stderr
    assert (made.stdout_lines, made.stderr_lines) == (9000, 9001)
    assert made.output_id is not None
    assert set(spool.find(ME, made.output_id).streams) == {"stdout", "stderr"}


def test_the_hosts_of_a_broadcast_share_one_budget(spool: Spool) -> None:
    results = {f"h{i}": ExecResult(host=f"h{i}", exit_code=0, stdout=f"{i}\n" * 20000) for i in range(4)}
    results["short"] = ExecResult(host="short", exit_code=0, stdout="fine\n")
    made = fit(BroadcastResult(command="c", results=results), Budget(16384, {}), lambda texts: spool.keep(ME, texts))
    assert sum(len(each.stdout) for each in made.results.values()) <= 16384
    assert made.results["short"] == results["short"]
    ids = {each.output_id for name, each in made.results.items() if name != "short"}
    assert len(ids) == 4
    assert None not in ids


def test_lists_keep_the_rows_that_matter_and_count_the_others(spool: Spool) -> None:
    rows = [ProcessEntry(pid=i, user="u", pcpu=1.0, pmem=1.0, command="c" * 50) for i in range(2000)]
    made = fit(HostProcesses(host="web", entries=rows, total=2000), Budget(8192, {}), lambda t: spool.keep(ME, t))
    assert [row.pid for row in made.entries] == list(range(len(made.entries)))
    assert made.left_out == {"entries": 2000 - len(made.entries)}
    assert 50 < len(made.entries) < 100
    assert made.output_id is not None
    assert len(read_all(spool, made.output_id, "entries").splitlines()) == 2000
    assert f"output_id={made.output_id}" in made.output_warnings[0]
    events = [Event(Action="die", time=i) for i in range(2000)]
    newest = fit(EventList(host="w", exit_code=0, events=events), Budget(4096, {}), lambda t: spool.keep(ME, t))
    assert newest.events[-1].time == 1999


def test_without_a_spool_the_line_names_no_tool(tmp_path: Path) -> None:
    made = cut(ExecResult(host="web", exit_code=0, stdout="x\n" * 9000), 1024, Spool(lambda: tmp_path, 0, 1800))
    assert made.output_id is None
    assert "ssh_output_read" not in made.stdout
    assert "max_bytes" in made.stdout
    assert list(tmp_path.iterdir()) == []


def long_stream(spool: Spool, data: bytes, cap: int, piece: int) -> LongStream:
    kept = KeptOutput(spool, {"stdout": cap, "stderr": 0})
    for at in range(0, len(data), piece):
        kept("stdout", data[at : at + piece])
    (stream,) = kept.long_streams({"stdout": (data[:cap], len(data))}).values()
    return stream


@pytest.mark.parametrize("piece", [7, 1000, 65536])
@pytest.mark.parametrize("cap", [10, 100, 5000])
def test_a_stream_beyond_its_cap_is_kept_whole_wherever_it_is_cut(spool: Spool, cap: int, piece: int) -> None:
    text = "".join(f"{i} äöü token={SECRET}\n" for i in range(400))
    stream = long_stream(spool, text.encode(), cap, piece)
    stream.guard(Guard(RedactionPolicy()), Repeats())
    assert stream.text is not None
    shown = stream.text.read(0, stream.text.size).decode()
    assert SECRET not in shown
    assert shown == Guard(RedactionPolicy()).text(text).text
    assert stream.text.lines == 400


def test_without_room_the_end_of_a_stream_is_kept_and_what_is_lost_is_said(tmp_path: Path) -> None:
    data = b"".join(b"%d\n" % i for i in range(200_000))
    spool = Spool(lambda: tmp_path, 0, 1800)
    stream = long_stream(spool, data, 1000, 4096)
    stream.guard(Guard(RedactionPolicy()), Repeats())
    assert stream.text is not None
    shown = stream.text.read(0, stream.text.size)
    assert shown.startswith(b"0\n1\n")
    assert shown.endswith(b"199998\n199999\n")
    assert b"bytes of the output were not kept" in shown
    assert len(shown) < 1000 + 2 * TAIL


@pytest.mark.parametrize(
    "secret",
    [
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
        + b"b3BlbnNzaC1rZXktdjEAAAAA\n" * 300
        + b"-----END OPENSSH PRIVATE KEY-----\n",
        b"password=" + b"correcthorse" * 600 + b"\n",
    ],
    ids=["key", "password"],
)
def test_a_secret_that_begins_in_the_gap_is_not_shown(tmp_path: Path, secret: bytes) -> None:
    assert len(secret) < CONTEXT
    for inside in range(40, len(secret) - 40, 997):
        end = secret[inside:] + b"z\n" * TAIL
        data = b"y\n" * 300_000 + secret[:inside] + end[:TAIL]  # of one piece exactly the last TAIL bytes are kept
        stream = long_stream(Spool(lambda: tmp_path, 0, 1800), data, 1000, len(data))
        stream.guard(Guard(RedactionPolicy()), Repeats())
        assert stream.text is not None
        shown = stream.text.read(0, stream.text.size)
        assert b"b3BlbnNzaC1rZXktdjEAAAAA" not in shown
        assert b"correcthorse" not in shown
        assert b"z\nz\n" in shown


def test_a_stream_that_came_twice_is_not_taken_for_one(spool: Spool) -> None:
    kept = KeptOutput(spool, {"stdout": 10, "stderr": 0})
    for _attempt in range(2):
        kept("stdout", b"x" * 100)
    assert kept.long_streams({"stdout": (b"x" * 10, 100)}) == {}


def test_a_secret_that_one_text_names_is_masked_in_the_long_one_and_the_other_way_round(spool: Spool) -> None:
    for named, bare in (("stdout", "stderr"), ("stderr", "stdout")):
        long = "".join(f"{i} Tr0ub4dor-x9Q2 used\n" for i in range(200))
        texts: dict[str, Any] = {named: "password=Tr0ub4dor-x9Q2\n", bare: long}
        result = ExecResult(host="web", exit_code=0, **texts)
        result.long_texts["stdout"] = long_stream(spool, (texts["stdout"] * 50).encode(), 20, 1000)
        made = cut(Guard(RedactionPolicy()).result(result), 2000, spool)
        assert "Tr0ub4dor" not in made.model_dump_json()
        assert made.output_id is not None
        assert "Tr0ub4dor" not in read_all(spool, made.output_id)


def test_another_client_does_not_see_it_and_what_is_gone_is_expired(tmp_path: Path) -> None:
    now = [0.0]
    spool = Spool(lambda: tmp_path, 1000, 60, clock=lambda: now[0])
    first = spool.keep(ME, {"stdout": b"a" * 400})
    assert first is not None
    for other in (Owner("local", "another"), Owner("bob", "process")):
        with pytest.raises(InvalidArgument, match="no kept output"):
            spool.find(other, first)
    spool.keep(ME, {"stdout": b"b" * 400})
    third = spool.keep(ME, {"stdout": b"c" * 400})
    assert third is not None
    with pytest.raises(OutputExpired):
        spool.find(ME, first)
    with pytest.raises(InvalidArgument):
        spool.find(Owner("local", "another"), first)
    assert spool.keep(ME, {"stdout": b"d" * 1001}) is None
    now[0] = 61
    with pytest.raises(OutputExpired):
        spool.find(ME, third)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_files_are_private_and_gone_with_the_spool_also_after_a_kill(tmp_path: Path) -> None:
    spool, other = Spool(lambda: tmp_path, 1000, 60), Spool(lambda: tmp_path, 1000, 60)
    spool.keep(ME, {"stdout": b"a"})
    other.keep(ME, {"stdout": b"b"})
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir() if path.is_dir()} == {0o700}
    dead = tmp_path / "spool" / "dead"
    dead.mkdir()
    (dead / "x").write_text("left by a server that was killed")
    (tmp_path / "spool" / "dead.lock").touch()
    remove_dead(tmp_path / "spool")
    assert not dead.exists()
    assert all(path.exists() for path in files)
    spool.close()
    other.close()
    assert list((tmp_path / "spool").iterdir()) == []


async def test_what_is_expired_goes_by_itself_and_all_of_it_at_the_end(tmp_path: Path) -> None:
    spool = Spool(lambda: tmp_path, 1000, 0.05)
    async with spool.tended():
        spool.keep(ME, {"stdout": b"a"})
        (file,) = tmp_path.rglob("spool/*/*")
        with anyio.fail_after(10):
            while file.exists():
                await anyio.sleep(0.01)
        spool.keep(ME, {"stdout": b"b"})
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_spool_that_cannot_be_made_costs_nothing_but_itself(tmp_path: Path) -> None:
    def refuse() -> Path:
        raise OSError(28, "No space left on device")

    made = cut(ExecResult(host="web", exit_code=0, stdout="x\n" * 9000), 1024, Spool(refuse, 1 << 20, 60))
    assert made.output_id is None
    assert made.stdout.endswith("x\n")


def test_a_directory_that_a_cleaner_removed_is_made_again(spool: Spool, tmp_path: Path) -> None:
    first = spool.keep(ME, {"stdout": b"a\n"})
    assert first is not None
    shutil.rmtree(tmp_path / "spool")
    second = spool.keep(ME, {"stdout": b"b\n"})
    assert second is not None
    assert (read_all(spool, first), read_all(spool, second)) == ("a\n", "b\n")


LINES = [f"{i} {'error' if i % 100 == 0 else 'fine'}" for i in range(1000)]
TEXT = "".join(f"{line}\n" for line in LINES)

Reader = Callable[..., Found]


@pytest.fixture
def read(spool: Spool) -> Reader:
    output_id = spool.keep(ME, {"stdout": TEXT.encode()})
    assert output_id is not None
    file = spool.find(ME, output_id).streams["stdout"]
    return lambda **wanted: select(file, parse(**wanted))


def test_lines_are_read_from_both_ends(read: Reader) -> None:
    assert read(first_lines=2).data == b"0 error\n1 fine\n"
    assert read(first_lines=2).next_offset == len("0 error\n1 fine\n")
    assert read(first_lines=1, offset=8).data == b"1 fine\n"
    assert read(last_lines=2) == Found(b"998 fine\n999 fine\n")
    assert read(last_lines=5000).data.decode() == TEXT
    cut_off = read(last_lines=500, max_bytes=300)
    assert len(cut_off.data) <= 300
    assert cut_off.data.endswith(b"999 fine\n")
    assert cut_off.next_offset == TEXT.index("500 error")
    assert read(offset=10**9) == Found(b"")


def test_matching_lines_come_with_context_and_are_all_counted(read: Reader) -> None:
    found = read(grep="ERROR", ignore_case=True)
    assert found.data.decode() == "".join(f"{i} error\n" for i in range(0, 1000, 100))
    assert (found.matched, found.next_offset) == (10, None)
    assert read(grep="^500 ", context=1).data == b"499 fine\n500 error\n501 fine\n"
    assert read(grep="^(1|3|4) ", context=1).data == b"0 error\n1 fine\n2 fine\n3 fine\n4 fine\n5 fine\n"
    assert b"--\n" in read(grep="error", context=1).data
    assert read(grep="error", last_lines=1).data == b"900 error\n"
    first = read(grep="error", first_lines=3)
    assert (first.data, first.matched) == (b"0 error\n100 error\n200 error\n", 10)
    assert read(grep="error", offset=first.next_offset, first_lines=1).data == b"300 error\n"
    few = read(grep="fine", max_bytes=300)
    assert len(few.data) <= 300
    assert few.matched == 990
    assert read(grep="nothing").matched == 0


@pytest.mark.parametrize(
    "wanted",
    [
        {"grep": "("}, {"grep": ""}, {"grep": "x" * 1001}, {"grep": "(?=a)"}, {"grep": "a{1000}{1000}"},
        {"context": -1}, {"context": 101}, {"first_lines": 0}, {"offset": -1}, {"last_lines": 1, "offset": 3},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_a_reason(read: Reader, wanted: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        read(**wanted)


def test_a_page_ends_at_a_line_or_a_character(spool: Spool) -> None:
    output_id = spool.keep(ME, {"stdout": "ä€😀".encode() * 500})
    assert output_id is not None
    for page in (4, 5, 7, 256):
        assert read_all(spool, output_id, page=page) == "ä€😀" * 500
