"""The sftp-read tools on a real sshd: what comes back, what it costs, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pwd
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ssh_mcp.remote.programs import files_text
from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.peers import need
from tests.peers.accounts import make_chroot
from tests.peers.chroot_sftp import chrooted_sftp
from tests.peers.sshd import Sshd


@pytest.fixture
def place(tmp_path: Path) -> Path:
    where = tmp_path / "files"
    where.mkdir()
    return where


# --- list, stat -------------------------------------------------------------------------------------------------------


async def test_a_directory_is_listed_in_pages_sorted_with_link_targets(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    for name in ("b", "a", "sp ace", "quo'te\"", "ä"):
        (place / name).write_text("12345")
    (place / "d").mkdir(mode=0o750)
    (place / "l").symlink_to("../outside")
    os.chmod(place / "a", 0o600)
    os.utime(place / "a", (0, 1_700_000_000))
    async with mcp_server({"web": sshd}) as server:
        listing = await server.call("ssh_sftp_list", host="web", path=str(place))
        assert [e["name"] for e in listing["entries"]] == ["a", "b", "d", "l", "quo'te\"", "sp ace", "ä"]
        by_name = {e["name"]: e for e in listing["entries"]}
        assert by_name["a"] == {
            "name": "a", "kind": "file", "size": 5, "mode": "0600", "mtime": "2023-11-14T22:13:20Z",
            "symlink_target": None,
        }  # fmt: skip
        assert (by_name["d"]["kind"], by_name["d"]["mode"]) == ("directory", "0750")
        assert (by_name["l"]["kind"], by_name["l"]["symlink_target"]) == ("symlink", "../outside")
        assert not listing["has_more"]
        pages = [
            await server.call("ssh_sftp_list", host="web", path=str(place), offset=o, limit=3) for o in (0, 3, 6, 9)
        ]
        assert [[e["name"] for e in p["entries"]] for p in pages] == [
            ["a", "b", "d"], ["l", "quo'te\"", "sp ace"], ["ä"], []
        ]  # fmt: skip
        assert [p["has_more"] for p in pages] == [True, True, False, False]
        assert "InvalidArgument" in await server.refused("ssh_sftp_list", host="web", path=str(place), limit=0)
        text = await server.refused("ssh_sftp_list", host="web", path=str(place / "a"))
        assert text.startswith("RemoteError: ")


async def test_paging_by_next_offset_returns_each_of_5000_entries_once(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    names = [f"entry-{number:04}" for number in range(5000)]
    for name in names:
        (place / name).touch()
    async with mcp_server({"web": sshd}) as server:
        seen: list[str] = []
        offset: int | None = 0
        while offset is not None:
            page = await server.call("ssh_sftp_list", host="web", path=str(place), offset=offset, limit=1000)
            shown = [entry["name"] for entry in page["entries"]]
            if offset == 0:
                assert 0 < len(shown) == page["limit"] < 1000
                rest = await server.call("ssh_output_read", output_id=page["output_id"], stream="entries")
                assert rest["lines_total"] == 1000
                last = await server.call("ssh_output_read", output_id=page["output_id"], stream="entries", last_lines=1)
                assert json.loads(last["text"])["name"] == names[999]
            assert page["has_more"] == (page["next_offset"] is not None)
            seen += shown
            offset = page["next_offset"]
        assert seen == names
        default = await server.call("ssh_sftp_list", host="web", path=str(place))
        assert (len(default["entries"]), default["limit"], default["next_offset"]) == (100, 100, 100)


async def test_names_that_are_not_utf8_are_shown_and_reported(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / os.fsdecode(b"caf\xe9")).touch()
    async with mcp_server({"web": sshd}) as server:
        listing = await server.call("ssh_sftp_list", host="web", path=str(place))
        assert [e["name"] for e in listing["entries"]] == ["caf\ufffd"]
        assert any("not UTF-8" in w for w in listing["output_warnings"])
        found = await server.call("ssh_find", host="web", path=str(place))
        assert found["matches"] == [f"{place}/caf\ufffd"]


async def test_stat_reports_owner_and_where_a_link_leads(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    (place / "f").write_text("x")
    (place / "l").symlink_to("f")
    (place / "dangling").symlink_to("nowhere")
    async with mcp_server({"web": sshd}) as server:
        stat = await server.call("ssh_sftp_stat", host="web", path=f"{place}/f")
        assert (stat["path"], stat["kind"], stat["size"]) == (f"{place}/f", "file", 1)
        assert (stat["owner"], stat["group"]) == ("root", "root") or os.geteuid() != 0
        link = await server.call("ssh_sftp_stat", host="web", path=f"{place}/l")
        assert (link["path"], link["kind"], link["symlink_target"]) == (f"{place}/l", "symlink", "f")
        assert (await server.call("ssh_sftp_stat", host="web", path=f"{place}/dangling"))["kind"] == "symlink"
        assert (await server.call("ssh_sftp_stat", host="web", path="/"))["kind"] == "directory"
        assert (await server.call("ssh_sftp_stat", host="web", path=f"{place}/.."))["kind"] == "directory"
        text = await server.refused("ssh_sftp_stat", host="web", path=f"{place}/none")
        assert text.startswith("RemoteError: ")


async def test_stat_reports_the_owner_also_where_the_sftp_server_cannot(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, place: Path
) -> None:
    """users-groups-by-id is there from OpenSSH 9.1 on: before, the host's own tables tell."""
    need(os.geteuid() == 0, "giving a file away needs root")
    program = Path("/usr/lib/openssh/sftp-server")
    need(program.exists(), f"{program} is not here")
    old = sshd_factory(subsystem=f"{program} -P users-groups-by-id")
    (place / "f").touch()
    os.chown(place / "f", pwd.getpwnam("daemon").pw_uid, 54321)
    async with mcp_server({"web": old}) as server:
        for _ in range(2):
            stat = await server.call("ssh_sftp_stat", host="web", path=f"{place}/f")
            assert (stat["owner"], stat["group"]) == ("daemon", "54321")
        assert await (await _files(server)).names([0], [0]) == ({}, {})


async def test_a_warm_stat_costs_two_round_trips_and_no_session(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / "f").touch()
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_sftp_stat", host="web", path=f"{place}/f")
        files = await _files(server)
        before = files.engine._last_id
        await server.call("ssh_sftp_stat", host="web", path=f"{place}/f")
        assert files.engine._last_id - before == 3  # REALPATH of it and of its directory at once, then LSTAT
        assert await _files(server) is files


async def _files(server: McpServer):  # type: ignore[no-untyped-def]
    assert server.app is not None
    (connection,) = server.app.fleet._transport._connections.values()  # type: ignore[attr-defined]
    return await connection.files()


# --- download ---------------------------------------------------------------------------------------------------------


async def test_a_file_comes_as_text_or_base64_byte_for_byte(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    contents = {"empty": b"", "text": "zeile\r\nü\x0c\n".encode(), "bin": bytes(range(256)), "nul": b"a\0b"}
    for name, data in contents.items():
        (place / name).write_bytes(data)
    async with mcp_server({"web": sshd}) as server:
        for name, data in contents.items():
            got = await server.call("ssh_sftp_download", host="web", path=f"{place}/{name}")
            if name in ("empty", "text"):
                assert (got["content_text"], got["content_base64"]) == (data.decode(), "")
            else:
                assert (got["content_text"], base64.b64decode(got["content_base64"])) == (None, data)
            assert (got["size"], got["truncated"]) == (len(data), False)
        version = await server.call("ssh_sftp_download", host="web", path="/proc/version")
        assert version["content_text"].startswith("Linux")


async def test_a_large_file_comes_in_parts_that_say_where_the_next_one_starts(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / "big").write_bytes(b"x" * 150_000)
    async with mcp_server({"web": sshd}) as server:
        for tool, text in (("ssh_sftp_download", "content_text"), ("ssh_read_redacted", "content")):
            sizes: list[tuple[int, bool]] = []
            offset: int | None = 0
            warned = 0
            while offset is not None:
                part = await server.call(
                    tool, host="web", path=f"{place}/big", **({"offset": offset} if offset else {})
                )
                assert part.get("size", part.get("size_original")) == 150_000
                sizes.append((len(part[text]), part["truncated"]))
                offset = part["next_offset"]
                warned += any("Continue with offset" in w for w in part["output_warnings"])
            assert (sizes, warned) == ([(65536, True), (65536, True), (18928, False)], 2), tool
            less = await server.call(tool, host="web", path=f"{place}/big", offset=10, max_bytes=7)
            assert (less[text], less["truncated"], less["next_offset"]) == ("xxxxxxx", False, 17)


async def test_the_end_of_file_counts_where_st_size_does_not(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path
) -> None:
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    need(os.path.exists(path), "no /sys here")
    content = Path(path).read_text()
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(tmp_path)) as server:
        for more in ({}, {"last_lines": 1}, {"first_lines": 3}, {"offset": 0}):
            got = await server.call("ssh_sftp_download", host="web", path=path, **more)
            assert (got["content_text"], got["truncated"], got["next_offset"], got["size"]) == (
                content, False, None, len(content)
            ), more  # fmt: skip
        await server.call("ssh_sftp_download", host="web", path=path, local_path=f"{tmp_path}/copy")
        assert (tmp_path / "copy").read_text() == content
        last = await server.call("ssh_sftp_download", host="web", path="/proc/cpuinfo", last_lines=2)
        assert last["content_text"].count("\n") == 2


async def test_a_raw_read_of_a_secret_follows_the_bypass_policy(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    lines = [f"option_{n} = {n}" for n in range(200)]
    lines[150] = "db_password = canary-h0rse-battery"
    (place / "app.conf").write_text("\n".join(lines) + "\n")
    at = (place / "app.conf").read_text().index("canary")
    parts: list[dict[str, int]] = [
        {}, {"last_lines": 60}, {"offset": at, "max_bytes": 4}, {"offset": at + 10, "max_bytes": 3},
    ]  # fmt: skip
    async with mcp_server({"web": sshd}) as server:
        for more in parts:
            text = await server.refused("ssh_sftp_download", host="web", path=f"{place}/app.conf", **more)
            assert text.startswith("RedactBypassBlocked: "), text
            assert "ssh_read_redacted" in text
            assert "canary" not in text
            masked = await server.call("ssh_read_redacted", host="web", path=f"{place}/app.conf", **more)
            assert "<sha:" in masked["content"]
            assert not any(word in masked["content"] for word in ("canary", "cana", "h0r"))
        fine = await server.call("ssh_sftp_download", host="web", path=f"{place}/app.conf", last_lines=40)
        assert fine["content_text"].startswith("option_160 = 160\n")
        (place / "bytes").write_bytes(b"\0\1\2" + (place / "app.conf").read_bytes())
        assert "RedactBypass" in await server.refused("ssh_sftp_download", host="web", path=f"{place}/bytes")
        edit = {"old_string": "option_1 = 1\n", "new_string": "option_1 = 2\n"}
        done = await server.call("ssh_edit", host="web", path=f"{place}/app.conf", **edit)
        assert done["success"]
        assert "canary" not in str(done)
    async with mcp_server({"web": sshd}, ssh_redact_bypass_policy="warn") as server:
        got = await server.call("ssh_sftp_download", host="web", path=f"{place}/app.conf")
        assert "canary" in got["content_text"]
        assert any("ssh_read_redacted" in w for w in got["output_warnings"])
    async with mcp_server({"web": sshd}, ssh_redact_bypass_policy="audit_only") as server:
        got = await server.call("ssh_sftp_download", host="web", path=f"{place}/app.conf")
        assert "canary" in got["content_text"]
        assert (got["output_warnings"], server.audit()[-1]["redact_bypass"]) == ([], True)


async def test_the_end_of_a_large_log_costs_only_that_much(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    with (place / "log").open("wb") as log:
        log.truncate(3 * 2**30)
        log.seek(0, 2)
        for number in range(1000):
            log.write(f"line {number} é\n".encode())
    async with mcp_server({"web": sshd}) as server:
        got = await server.call("ssh_sftp_download", host="web", path=f"{place}/log", last_lines=3)
        assert got["content_text"] == "line 997 é\nline 998 é\nline 999 é\n"
        assert got["size"] == os.path.getsize(place / "log")
        files = await _files(server)
        before = files.engine._last_id
        await server.call("ssh_sftp_download", host="web", path=f"{place}/log", last_lines=3)
        assert files.engine._last_id - before < 20


@pytest.mark.parametrize("ending", ["\n", ""])
async def test_lines_are_those_of_head_and_tail(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, ending: str
) -> None:
    lines = [f"{n} {'y' * (n % 90)}" for n in range(3000)]
    (place / "f").write_text("\n".join(lines) + ending)
    whole = (place / "f").read_text().splitlines(keepends=True)
    async with mcp_server({"web": sshd}, ssh_read_max_bytes=1 << 20) as server:
        for count in (1, 2, 700, 2999, 3000, 5000):
            first = await server.call("ssh_sftp_download", host="web", path=f"{place}/f", first_lines=count)
            last = await server.call("ssh_sftp_download", host="web", path=f"{place}/f", last_lines=count)
            assert first["content_text"] == "".join(whole[:count])
            assert last["content_text"] == "".join(whole[-count:])
            assert not first["truncated"]
            assert not last["truncated"]
        cut = await server.call("ssh_sftp_download", host="web", path=f"{place}/f", last_lines=100, max_bytes=50)
        assert cut["truncated"]
        assert "".join(whole).endswith(cut["content_text"])
        for wrong in ({"first_lines": 1, "last_lines": 1}, {"first_lines": 0}, {"offset": -1}):
            assert "InvalidArgument" in await server.refused("ssh_sftp_download", host="web", path="/x", **wrong)


async def test_parts_never_cut_a_character_and_add_up(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    text = "aä€🦆" * 500
    (place / "f").write_text(text)
    async with mcp_server({"web": sshd}) as server:
        got = ""
        offset: int | None = 0
        while offset is not None:
            part = await server.call("ssh_sftp_download", host="web", path=f"{place}/f", offset=offset, max_bytes=333)
            got += part["content_text"]
            offset = part["next_offset"]
        assert got == text


async def test_a_download_into_a_local_file_streams_it(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, tmp_path: Path
) -> None:
    data = random.Random(3).randbytes(5_000_000)
    (place / "f").write_bytes(data)
    root = tmp_path / "local"
    root.mkdir()
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(root)) as server:
        got = await server.call("ssh_sftp_download", host="web", path=f"{place}/f", local_path=f"{root}/copy")
        assert got["local_path_written"] == f"{root}/copy"
        assert (root / "copy").read_bytes() == data
        assert got["content_text"] is None
        text = await server.refused("ssh_sftp_download", host="web", path=f"{place}/f", local_path=f"{place}/no")
        assert text.startswith("LocalPathPolicyError: ")
        text = await server.refused("ssh_sftp_download", host="web", path=f"{place}/none", local_path=f"{root}/n")
        assert text.startswith("RemoteError: ")
        assert os.listdir(root) == ["copy"]
    async with mcp_server(
        {"web": sshd}, ssh_local_transfer_roots=str(root), ssh_local_transfer_max_bytes=1000
    ) as server:
        text = await server.refused("ssh_sftp_download", host="web", path=f"{place}/f", local_path=f"{root}/copy")
        assert text.startswith("LocalPathPolicyError: ")
        assert (root / "copy").read_bytes() == data


async def test_only_regular_files_are_opened(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    os.mkfifo(place / "pipe")
    async with mcp_server({"web": sshd}) as server:
        for path in (f"{place}/pipe", "/dev/zero", str(place)):
            text = await server.refused("ssh_sftp_download", host="web", path=path)
            assert text.startswith("InvalidArgument: "), text


# --- policy -----------------------------------------------------------------------------------------------------------


async def test_paths_outside_are_refused_however_they_are_spelt(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "files-of-others"
    outside.mkdir()
    (outside / "secret").write_text("canary-7351")
    (place / "link").symlink_to(outside / "secret")
    (place / "dir").symlink_to(outside)
    (place / "chain").symlink_to("link")
    host = Host(sshd, lines=[f'path_allowlist = ["{place}"]'])
    async with mcp_server({"web": host}) as server:
        for path in (
            f"{outside}/secret", f"{place}/link", f"{place}/dir/secret", f"{place}/chain",
            f"{place}/../files-of-others/secret", f"{place}/dir/../../etc/passwd", "/proc/self/root/etc/passwd",
            f"{outside}/missing", "/no/such/place/at/all",
        ):  # fmt: skip
            for tool in ("ssh_sftp_download", "ssh_sftp_stat", "ssh_sftp_list", "ssh_file_hash", "ssh_read_redacted"):
                text = await server.refused(tool, host="web", path=path)
                assert text.startswith(("PathNotAllowed: ", "PathRestricted: ")), (tool, path, text)
                assert "canary" not in text
        for path in ("", "a\0b", "a\nb", "relative"):
            text = await server.refused("ssh_sftp_stat", host="web", path=path)
            assert text.startswith("InvalidArgument: "), text


async def test_restricted_zones_are_neither_read_nor_shown(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / "zone").mkdir()
    (place / "zone" / "x").write_text("canary")
    (place / "alias").symlink_to("zone")
    (place / "key.pem").write_text("canary")
    (place / "ok").write_text("fine")
    host = Host(sshd, lines=[f'restricted_paths = ["{place}/alias"]', 'restricted_globs = ["**/*.pem"]'])
    async with mcp_server({"web": host}) as server:
        for path in (f"{place}/zone/x", f"{place}/alias/x", f"{place}/key.pem"):
            text = await server.refused("ssh_sftp_download", host="web", path=path)
            assert text.startswith("PathRestricted: "), text
        listing = await server.call("ssh_sftp_list", host="web", path=str(place))
        assert [e["name"] for e in listing["entries"]] == ["ok"]
        assert any("restricted" in w for w in listing["output_warnings"])
        found = await server.call("ssh_find", host="web", path=str(place), kind="any")
        assert found["matches"] == [f"{place}/ok"]


async def test_redact_listed_files_go_through_the_redacted_reader_only(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / ".env").write_text("DB_PASSWORD=canary-h0rse-battery\nPORT=8080\n")
    async with mcp_server({"web": sshd}) as server:
        text = await server.refused("ssh_sftp_download", host="web", path=f"{place}/.env")
        assert text.startswith("RedactBypassBlocked: ")
        assert "ssh_read_redacted" in text
        masked = await server.call("ssh_read_redacted", host="web", path=f"{place}/.env")
        assert "canary" not in str(masked)
        assert masked["content"].endswith("PORT=8080\n")
        assert (masked["format_detected"], masked["size_original"]) == ("env", 43)
        assert [r["key"] for r in masked["redactions"]] == ["DB_PASSWORD"]
        last = await server.call("ssh_read_redacted", host="web", path=f"{place}/.env", last_lines=1)
        assert last["content"] == "PORT=8080\n"
        assert (await server.call("ssh_sftp_stat", host="web", path=f"{place}/.env"))["kind"] == "file"
    async with mcp_server({"web": sshd}, ssh_redact_bypass_policy="warn") as server:
        got = await server.call("ssh_sftp_download", host="web", path=f"{place}/.env")
        assert "canary" in got["content_text"]
        assert any("redact-listed" in w for w in got["output_warnings"])
        assert server.audit()[-1]["redact_bypass"]


async def test_the_redacted_reader_sanitises_before_it_masks(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    """A key's name that a NUL or an escape sequence cuts, and UTF-16, hid the secret behind it."""
    (place / "a.conf").write_bytes(b"pass\0word=canary-1\np\x1b[0massword: canary-2\n\x1b[31mport\x1b[0m = 80\n")
    (place / "u.conf").write_bytes("password = canary-three-3\r\nport = 80\r\n".encode("utf-16-le"))
    (place / "plain.conf").write_bytes(b"\tport = 80\r\n# \xc3\xa4\n")
    async with mcp_server({"web": sshd}) as server:
        for name in ("a.conf", "u.conf"):
            masked = await server.call("ssh_read_redacted", host="web", path=f"{place}/{name}")
            assert "canary" not in masked["content"]
            assert "port = 80" in masked["content"].replace("\r", "")
            assert not set("\0\x1b") & set(masked["content"])
            assert any("were removed from the text" in w for w in masked["output_warnings"])
        plain = await server.call("ssh_read_redacted", host="web", path=f"{place}/plain.conf")
        assert (plain["content"], plain["output_warnings"]) == ("\tport = 80\r\n# ä\n", [])


FLIPPER = """
import os, sys, time
place, outside = sys.argv[1:]
os.chdir(place)
while not os.path.exists("stop"):
    with open(".new", "w") as file:
        file.write("inside")
    os.utime(".new", (10**9, 10**9))
    os.rename(".new", "f")
    time.sleep(0.001)
    os.symlink(outside, ".new")
    os.rename(".new", "f")
    time.sleep(0.001)
"""


async def test_a_link_flipped_in_a_loop_never_shows_what_lies_outside(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, tmp_path: Path
) -> None:
    """What lies inside and outside is of one owner, mode, size and time: only their paths differ."""
    outside = tmp_path / "outside"
    outside.write_text("canary")
    os.utime(outside, (10**9, 10**9))
    flipping = subprocess.Popen([sys.executable, "-c", FLIPPER, str(place), str(outside)])
    try:
        host = Host(sshd, lines=[f'path_allowlist = ["{place}"]'])
        async with mcp_server({"web": host}) as server:
            seen = set()
            for _ in range(300):
                done = await server.client.call_tool(
                    "ssh_sftp_download", {"host": "web", "path": f"{place}/f"}, raise_on_error=False
                )
                text = "".join(getattr(b, "text", "") for b in done.content)
                assert "canary" not in text
                seen.add(text.split(":")[0] if done.is_error else "read")
            assert "PathNotAllowed" in seen
            assert seen & {"PathChanged", "read"}
    finally:
        (place / "stop").touch()
        flipping.wait(10)


# --- find, hash -------------------------------------------------------------------------------------------------------


async def test_find_returns_by_name_kind_and_depth(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    (place / "a" / "b" / "c").mkdir(parents=True)
    for path in ("x.conf", "a/y.conf", "a/b/z.conf", "a/b/c/w.conf", "a/.hidden.conf", "a/other"):
        (place / path).touch()
    (place / "a" / "up").symlink_to("..")
    async with mcp_server({"web": sshd}) as server:

        async def find(**arguments: object) -> list[str]:
            got = await server.call("ssh_find", host="web", path=str(place), **arguments)
            return [m.removeprefix(f"{place}/") for m in got["matches"]]

        assert await find(name_pattern="*.conf") == [
            "a/.hidden.conf", "a/b/c/w.conf", "a/b/z.conf", "a/y.conf", "x.conf"
        ]  # fmt: skip
        assert await find(name_pattern="?.conf", max_depth=2) == ["a/y.conf", "x.conf"]
        assert await find(kind="d") == ["a", "a/b", "a/b/c"]
        assert await find(kind="dir", max_depth=1) == ["a"]
        assert await find(kind="symlink") == ["a/up"]
        assert await find(kind="any", name_pattern="[x-z].*") == ["a/b/z.conf", "a/y.conf", "x.conf"]
        for wrong in ({"kind": "q"}, {"name_pattern": "a/b"}, {"name_pattern": ""}, {"max_depth": 0}):
            text = await server.refused("ssh_find", host="web", path=str(place), **wrong)
            assert text.startswith("InvalidArgument: ")
        assert "RemoteError" in await server.refused("ssh_find", host="web", path=f"{place}/x.conf")


async def test_find_stops_at_its_cap_and_says_so(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    for number in range(50):
        (place / f"f{number}").touch()
    async with mcp_server({"web": sshd}, ssh_find_max_results=20, ssh_find_max_depth=1) as server:
        got = await server.call("ssh_find", host="web", path=str(place))
        assert (len(got["matches"]), got["truncated"]) == (20, True)
        exact = await server.call("ssh_find", host="web", path=str(place), name_pattern="f1*")
        assert (len(exact["matches"]), exact["truncated"]) == (11, False)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
async def test_a_hash_is_the_files_hash(mcp_server: McpServerFactory, sshd: Sshd, place: Path, algorithm: str) -> None:
    data = os.urandom(3_000_000)
    (place / "it's a file").write_bytes(data)
    async with mcp_server({"web": sshd}) as server:
        got = await server.call("ssh_file_hash", host="web", path=f"{place}/it's a file", algorithm=algorithm)
        assert got["digest"] == hashlib.new(algorithm, data).hexdigest()
        assert (got["size"], got["path"]) == (3_000_000, f"{place}/it's a file")
        for path in (f"{place}/none", str(place)):
            assert await server.refused("ssh_file_hash", host="web", path=path)


async def test_a_host_without_a_shell_returns_the_same(
    mcp_server: McpServerFactory, sshd_factory: object, tmp_path: Path
) -> None:
    need(os.geteuid() == 0, "a chroot needs root")
    chroot = make_chroot()
    data = os.urandom(100_000)
    (chroot / "upload").mkdir()
    (chroot / "upload" / "f").write_bytes(data)
    sshd = sshd_factory(chroot=chroot)  # type: ignore[operator]
    async with mcp_server({"web": sshd}) as server:
        got = await server.call("ssh_file_hash", host="web", path="/upload/f")
        assert got["digest"] == hashlib.sha256(data).hexdigest()
        found = await server.call("ssh_find", host="web", path="/", name_pattern="f")
        assert found["matches"] == ["/upload/f"]
        assert (await server.call("ssh_sftp_stat", host="web", path="/upload/f"))["size"] == 100_000


async def test_a_chrooted_view_of_files_is_never_mixed_with_the_shells(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, tmp_path: Path
) -> None:
    """As on a NAS: SFTP sees another tree, and the shell other files under the same names."""
    jail = make_chroot()
    try:
        for size in (5, 2_000_000):
            inside, outside = os.urandom(size), os.urandom(size)
            for root, data in ((jail, inside), (Path("/"), outside)):
                file = root / str(tmp_path).lstrip("/") / f"f{size}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
        (jail / "only").write_bytes(inside)
        async with mcp_server({"web": sshd_factory(subsystem=chrooted_sftp(jail))}) as server:
            for path in (f"{tmp_path}/f2000000", "/only"):
                got = await server.call("ssh_file_hash", host="web", path=path)
                assert got["digest"] == hashlib.sha256(inside).hexdigest()
            small = await server.call("ssh_file_hash", host="web", path=f"{tmp_path}/f5")
            assert small["digest"] == hashlib.sha256((jail / str(tmp_path).lstrip("/") / "f5").read_bytes()).hexdigest()
    finally:
        shutil.rmtree(jail)


async def test_a_host_without_sftp_is_hashed_in_its_shell(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, place: Path
) -> None:
    (place / "f").write_text("content")
    host = Host(sshd_factory(subsystem=None), lines=[f'path_allowlist = ["{place}"]'])
    async with mcp_server({"web": host}) as server:
        got = await server.call("ssh_file_hash", host="web", path=f"{place}/f")
        assert (got["digest"], got["size"]) == (hashlib.sha256(b"content").hexdigest(), 7)
        assert (await server.refused("ssh_file_hash", host="web", path="/etc/passwd")).startswith("PathNotAllowed: ")


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_the_hashing_script_runs_on_busybox_alone(tmp_path: Path, algorithm: str) -> None:
    busybox = shutil.which("busybox")
    need(busybox, "busybox is not installed")
    assert busybox is not None
    subprocess.run([busybox, "--install", "-s", str(tmp_path)], check=True)
    (tmp_path / "data").write_bytes(b"content")
    done = subprocess.run(
        [busybox, "sh", "-c", files_text("hash"), "sh", str(tmp_path / "data"), algorithm, "4"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    size, *sums = done.stdout.splitlines()
    assert size.strip() == "7"
    parts = (b"cont", b"tent", b"content")
    assert [line.split()[0] for line in sums] == [hashlib.new(algorithm, part).hexdigest() for part in parts]


async def test_a_name_that_cannot_be_shown_as_it_is_is_remarked_on(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / "red \x1b[31mname").touch()
    async with mcp_server({"web": sshd}) as server:
        for tool in ("ssh_sftp_list", "ssh_find"):
            got = await server.call(tool, host="web", path=str(place))
            assert any("control characters" in w for w in got["output_warnings"]), got
            assert "\x1b" not in str(got)
