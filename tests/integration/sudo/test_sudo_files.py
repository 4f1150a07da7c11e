"""Files as root: through path policy in root's view, atomically, with owner and mode kept."""

from __future__ import annotations

import base64
import os
import pwd
import stat
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.integration.conftest import SshdFactory, masters_of
from tests.integration.mcp_server import Host, McpServerFactory
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.integration.sudo_accounts import NOPASSWD, SudoUser, host_of, sudo_user  # noqa: F401 - a fixture
from tests.peers import need
from tests.peers.accounts import peers_dir
from tests.peers.sshd import Sshd, kill_all

SECRET = "s3cr3t-value-of-the-test-1234"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that the login user may not even enter."""
    directory = tmp_path / "root's only"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture(params=["gnu", "busybox"])
def host(request: pytest.FixtureRequest, sudo_user: SudoUser, sshd_factory: SshdFactory) -> Host:
    """A host whose root has the tools of coreutils and findutils, or BusyBox's."""
    if request.param == "gnu":
        return host_of(sudo_user(NOPASSWD), sshd_factory())
    need(Path("/usr/bin/busybox").exists(), "busybox is not installed")
    tools = peers_dir() / "busybox-tools"
    if not tools.exists():
        tools.mkdir()
        names = "sh cat head tail wc readlink realpath stat find chown chmod sync mv rm sleep tr grep ps"
        for name in names.split():
            (tools / name).symlink_to("/usr/bin/busybox")
        (tools / "sudo").symlink_to("/usr/bin/sudo")
    user = sudo_user(NOPASSWD, f'Defaults:{{user}} secure_path="{tools}"')
    return host_of(user, sshd_factory(extra=[f"SetEnv PATH={tools}"]))


def state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def leftovers(directory: Path) -> list[str]:
    return [name for name in os.listdir(directory) if name.startswith(".ssh-mcp-tmp.")]


# --- reading --------------------------------------------------------------------------------------------------------


async def test_read_gives_text_or_bytes_and_parts_of_them(
    mcp_server: McpServerFactory, host: Host, place: Path
) -> None:
    (place / "text").write_text("".join(f"line {i} äö\n" for i in range(1000)))
    (place / "bytes").write_bytes(bytes(range(256)))
    (place / "empty").touch()
    async with mcp_server({"web": host}) as server:

        async def read(name: str, **more: Any) -> dict[str, Any]:
            return await server.call("ssh_sudo_read", host="web", path=str(place / name), **more)

        whole = (place / "text").read_text()
        done = await read("text")
        assert (done["content_text"], done["size"], done["truncated"]) == (whole, len(whole.encode()), False)
        assert done["content_base64"] == ""
        assert base64.b64decode((await read("bytes"))["content_base64"]) == bytes(range(256))
        assert (await read("empty"))["content_text"] == ""
        assert (await read("text", first_lines=2))["content_text"] == "line 0 äö\nline 1 äö\n"
        assert (await read("text", last_lines=2))["content_text"] == "line 998 äö\nline 999 äö\n"
        assert (await read("text", offset=5, max_bytes=4))["content_text"] == "0 ä"
        part = await read("text", offset=5, max_bytes=3)
        assert (part["content_text"], part["next_offset"]) == ("0 ", 7)
        assert (await read("text", max_bytes=6))["content_text"] == "line 0"


async def test_a_large_file_comes_in_parts(mcp_server: McpServerFactory, host: Host, place: Path) -> None:
    (place / "large").write_text("".join(f"{i}\n" for i in range(100_000)))
    async with mcp_server({"web": host}, ssh_read_max_bytes=1000) as server:
        path = str(place / "large")
        text = (place / "large").read_text()
        done = await server.call("ssh_sudo_read", host="web", path=path)
        assert (done["truncated"], done["content_text"], done["next_offset"]) == (True, text[:1000], 1000)
        done = await server.call("ssh_sudo_read", host="web", path=path, offset=1000)
        assert (done["truncated"], done["content_text"], done["next_offset"]) == (True, text[1000:2000], 2000)
        assert done["size"] == (place / "large").stat().st_size
        done = await server.call("ssh_sudo_read", host="web", path=path, last_lines=2)
        assert (done["content_text"], done["truncated"]) == ("99998\n99999\n", False)


async def test_what_cannot_be_read_is_named(mcp_server: McpServerFactory, host: Host, place: Path) -> None:
    os.mkfifo(place / "pipe")
    async with mcp_server({"web": host}) as server:
        for name, words in (("missing", "does not exist"), ("", "is a directory"), ("pipe", "not a regular file")):
            with anyio.fail_after(20):
                text = await server.refused("ssh_sudo_read", host="web", path=f"{place}/{name}")
            assert words in text, text


async def test_names_with_blanks_quotes_and_newlines(mcp_server: McpServerFactory, host: Host, place: Path) -> None:
    name = 'it\'s "a" $(touch x) name'
    async with mcp_server({"web": host}) as server:
        await server.call("ssh_sudo_write", host="web", path=f"{place}/{name}", content_text="a")
        assert (await server.call("ssh_sudo_read", host="web", path=f"{place}/{name}"))["content_text"] == "a"
        text = await server.refused("ssh_sudo_read", host="web", path=f"{place}/a\nb")
        assert text.startswith("InvalidArgument: ")
        assert os.listdir(place) == [name]


async def test_read_redacted_masks_and_reads_what_is_listed(
    mcp_server: McpServerFactory, host: Host, place: Path
) -> None:
    (place / ".env").write_text(f"# app\nPORT=80\nDB_PASSWORD={SECRET}\n")
    async with mcp_server({"web": host}) as server:
        text = await server.refused("ssh_sudo_read", host="web", path=f"{place}/.env")
        assert text.startswith("RedactBypassBlocked: ")
        assert "ssh_sudo_read_redacted" in text
        (place / "app").write_text(f"host = db\npassword = {SECRET}\n")
        text = await server.refused("ssh_sudo_read", host="web", path=f"{place}/app", offset=22)
        assert text.startswith("RedactBypassBlocked: ")
        assert "ssh_sudo_read_redacted" in text
        part = await server.call("ssh_sudo_read_redacted", host="web", path=f"{place}/app", offset=22, max_bytes=6)
        assert part["content"].startswith("<sha:")
        done = await server.call("ssh_sudo_read_redacted", host="web", path=f"{place}/.env")
        assert done["content"].startswith("# app\nPORT=80\nDB_PASSWORD=<sha:")
        assert done["format_detected"] == "env"
        assert done["redactions"][0]["key"] == "DB_PASSWORD"
        assert SECRET not in str(done)


# --- policy ---------------------------------------------------------------------------------------------------------


async def test_paths_are_checked_where_they_lead_in_roots_view(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, place: Path, tmp_path: Path
) -> None:
    inside, outside, zone = place / "in", place / "out", place / "in" / "zone"
    for directory in (inside, outside, zone):
        directory.mkdir()
    (outside / "file").write_text("outside\n")
    (zone / "file").write_text("zone\n")
    (inside / "link").symlink_to(outside / "file")
    (inside / "up").symlink_to(outside)
    (place / "alias").symlink_to(zone)
    account = sudo_user(NOPASSWD)
    lines = [f'path_allowlist = ["{inside}"]', f'restricted_paths = ["{place}/alias"]']
    async with mcp_server({"web": Host(sshd, user=account.name, lines=lines)}) as server:
        for path in (f"{outside}/file", f"{inside}/link", f"{inside}/up/file", f"{inside}/../out/file", "/etc/shadow"):
            for tool, more in (
                ("ssh_sudo_read", {}),
                ("ssh_sudo_read_redacted", {}),
                ("ssh_sudo_write", {"content_text": "x"}),
                ("ssh_sudo_edit", {"old_string": "o", "new_string": "x"}),
                ("ssh_sudo_sftp_list", {}),
            ):
                text = await server.refused(tool, host="web", path=path, **more)
                assert text.startswith("PathNotAllowed: "), (tool, path, text)
        text = await server.refused("ssh_sudo_read", host="web", path=f"{zone}/file")
        assert text.startswith("PathRestricted: "), "what the restricted link leads to is restricted"
        listed = await server.call("ssh_sudo_sftp_list", host="web", path=str(inside))
        assert [e["name"] for e in listed["entries"]] == ["link", "up"]
        assert any("restricted" in w for w in listed["output_warnings"])
        await server.call("ssh_sudo_write", host="web", path=f"{inside}/new", content_text="x")
        assert server.audit()[-1]["path_hash"].startswith("sha256:")
    assert (outside / "file").read_text() == "outside\n"


async def test_a_directory_swapped_for_a_link_leads_nowhere(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, place: Path, trace: Trace
) -> None:
    """Flipped all the while: each write lands in the checked directory or is refused."""
    inside, outside = place / "in", place / "out"
    for directory in (inside, inside / "d", outside):
        directory.mkdir()
    account = sudo_user(NOPASSWD)
    lines = [f'path_allowlist = ["{inside}"]']
    flip = f"while :; do mv d e; ln -s ../out d; rm d; mv e d; done # {trace.number}"
    async with mcp_server({"web": Host(sshd, user=account.name, lines=lines)}) as server:
        process = await anyio.open_process(["sh", "-c", flip], cwd=inside, stdout=-3, stderr=-3)
        try:
            for _ in range(12):
                await server.client.call_tool(
                    "ssh_sudo_write",
                    {"host": "web", "path": f"{inside}/d/file", "content_text": "x"},
                    raise_on_error=False,
                )
        finally:
            process.kill()
            await process.aclose()
    assert os.listdir(outside) == []


# --- writing --------------------------------------------------------------------------------------------------------


async def test_a_new_file_gets_the_mode_asked_for_and_0644_by_default(
    mcp_server: McpServerFactory, host: Host, place: Path
) -> None:
    async with mcp_server({"web": host}) as server:
        for name, mode, wanted in (("a", {}, 0o644), ("b", {"mode": "0600"}, 0o600), ("c", {"mode": 0o4755}, 0o4755)):
            done = await server.call("ssh_sudo_write", host="web", path=f"{place}/{name}", content_text="äö", **mode)
            assert (done["success"], done["bytes_written"]) == (True, 4)
            assert state(place / name) == (wanted, 0, 0)
            assert (place / name).read_text() == "äö"
        assert leftovers(place) == []
        text = await server.refused("ssh_sudo_write", host="web", path=f"{place}/d", content_text="x", mode=644)
        assert '"0644"' in text


async def test_a_replaced_file_keeps_its_owner_and_mode(mcp_server: McpServerFactory, host: Host, place: Path) -> None:
    file = place / "conf"
    nobody = pwd.getpwnam("nobody")
    file.write_text("old")
    os.chown(file, nobody.pw_uid, nobody.pw_gid)
    file.chmod(0o600)
    async with mcp_server({"web": host}) as server:
        await server.call("ssh_sudo_write", host="web", path=str(file), content_text="new")
        assert (file.read_text(), state(file)) == ("new", (0o600, nobody.pw_uid, nobody.pw_gid))
        await server.call("ssh_sudo_edit", host="web", path=str(file), old_string="new", new_string="newer")
        assert (file.read_text(), state(file)) == ("newer", (0o600, nobody.pw_uid, nobody.pw_gid))
        await server.call(
            "ssh_sudo_write", host="web", path=str(file), content_text="x", mode="0640", chown_user="root"
        )
        assert state(file) == (0o640, 0, nobody.pw_gid)
        await server.call("ssh_sudo_write", host="web", path=str(file), content_text="x", chown_group="0")
        assert state(file) == (0o640, 0, 0)


async def test_set_user_id_does_not_pass_to_another_owner(
    mcp_server: McpServerFactory, host: Host, place: Path
) -> None:
    file = place / "program"
    file.write_text("old")
    file.chmod(0o4755)
    async with mcp_server({"web": host}) as server:
        await server.call("ssh_sudo_write", host="web", path=str(file), content_text="x", chown_user="nobody")
        assert state(file)[0] == 0o755


async def test_contents_come_as_text_base64_or_a_local_file(
    mcp_server: McpServerFactory, host: Host, place: Path, tmp_path: Path
) -> None:
    local = tmp_path / "local"
    local.mkdir()
    data = os.urandom(3_000_000)
    (local / "data").write_bytes(data)
    async with mcp_server({"web": host}, ssh_local_transfer_roots=[str(local)]) as server:
        done = await server.call("ssh_sudo_write", host="web", path=f"{place}/f", local_path=f"{local}/data")
        assert done["bytes_written"] == len(data)
        assert (place / "f").read_bytes() == data
        encoded = base64.b64encode(data[:1000]).decode()
        await server.call("ssh_sudo_write", host="web", path=f"{place}/f", content_base64=encoded)
        assert (place / "f").read_bytes() == data[:1000]
        await server.call("ssh_sudo_write", host="web", path=f"{place}/f", content_text="")
        assert (place / "f").read_bytes() == b""
        for more in ({}, {"content_text": "a", "content_base64": "YQ=="}):
            text = await server.refused("ssh_sudo_write", host="web", path=f"{place}/f", **more)
            assert text.startswith("InvalidArgument: ")
        text = await server.refused("ssh_sudo_write", host="web", path=f"{place}/f", local_path="/etc/passwd")
        assert text.startswith("LocalPathPolicyError: ")


@pytest.mark.parametrize("name", ["a;id", "-R", "$(id)", "a:b"])
async def test_strange_owners_are_refused(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, place: Path, name: str
) -> None:
    async with mcp_server({"web": host_of(sudo_user(NOPASSWD), sshd)}) as server:
        text = await server.refused("ssh_sudo_write", host="web", path=f"{place}/f", content_text="x", chown_user=name)
        assert text.startswith("InvalidArgument: ")
    assert os.listdir(place) == []


async def test_a_write_that_fails_leaves_the_old_file_and_no_temporary(
    mcp_server: McpServerFactory, host: Host, place: Path
) -> None:
    (place / "f").write_text("old")
    (place / "d").mkdir()
    async with mcp_server({"web": host}) as server:
        text = await server.refused(
            "ssh_sudo_write", host="web", path=f"{place}/f", content_text="x", chown_user="no-such-user-here"
        )
        assert text.startswith("RemoteError: ")
        assert (place / "f").read_text() == "old"
        assert "is a directory" in await server.refused(
            "ssh_sudo_write", host="web", path=f"{place}/d", content_text="x"
        )
        assert "does not exist" in await server.refused(
            "ssh_sudo_write", host="web", path=f"{place}/no/f", content_text="x"
        )
    assert leftovers(place) == []
    assert leftovers(place / "d") == []


@pytest.mark.parametrize("end", ["cancelled", "connection cut", "killed"])
async def test_a_write_that_does_not_end_well_leaves_the_old_file_and_no_temporary(
    mcp_server: McpServerFactory,
    sshd: Sshd,
    sudo_user: SudoUser,
    place: Path,
    tmp_path: Path,
    control_dir: str,
    end: str,
) -> None:
    local = tmp_path / "local"
    local.mkdir()
    with (local / "data").open("wb") as file:
        file.truncate(1 << 30)
    (place / "f").write_text("old")
    host = host_of(sudo_user(NOPASSWD), sshd)
    async with mcp_server({"web": host}, ssh_local_transfer_roots=[str(local)]) as server:
        arguments = {"host": "web", "path": f"{place}/f", "local_path": f"{local}/data"}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: server.client.call_tool("ssh_sudo_write", arguments, raise_on_error=False))
            with anyio.fail_after(20):
                while not leftovers(place):
                    await anyio.sleep(0.01)
            if end == "cancelled":
                tasks.cancel_scope.cancel()
            elif end == "connection cut":
                await anyio.to_thread.run_sync(kill_all, masters_of(control_dir))
            else:
                await anyio.to_thread.run_sync(sshd.kill_sessions)
        assert (place / "f").read_text() == "old"
        if end == "killed":
            arguments = {"host": "web", "path": f"{place}/other", "content_text": "x"}
            for _ in range(3):  # the master may notice only by the next call that its connection is gone
                done = await server.client.call_tool("ssh_sudo_write", arguments, raise_on_error=False)
                if not done.is_error:
                    break
            assert not done.is_error
            assert leftovers(place) == []
        with anyio.fail_after(20):
            while leftovers(place):
                await anyio.sleep(0.05)
        assert (place / "f").read_text() == "old"


async def test_an_old_temporary_is_removed_by_the_next_write(
    mcp_server: McpServerFactory, host: Host, place: Path
) -> None:
    for name, age in ((".ssh-mcp-tmp.0123", 7200), (".ssh-mcp-tmp.4567", 0), ("other", 7200)):
        (place / name).touch()
        now = (place / name).stat().st_mtime
        os.utime(place / name, (now - age, now - age))
    async with mcp_server({"web": host}) as server:
        await server.call("ssh_sudo_write", host="web", path=f"{place}/f", content_text="x")
    assert sorted(os.listdir(place)) == [".ssh-mcp-tmp.4567", "f", "other"]


# --- editing and listing --------------------------------------------------------------------------------------------


async def test_edit_changes_what_occurs_once(mcp_server: McpServerFactory, host: Host, place: Path) -> None:
    file = place / "conf"
    file.write_text("a = 1\nb = 1\nc = 2\n")
    async with mcp_server({"web": host}) as server:

        async def edit(old: str, new: str, **more: Any) -> dict[str, Any]:
            return await server.call(
                "ssh_sudo_edit", host="web", path=str(file), old_string=old, new_string=new, **more
            )

        text = await server.refused("ssh_sudo_edit", host="web", path=str(file), old_string="1", new_string="3")
        assert text.startswith("FileConflict: ")
        done = await edit("c = 2", "c = 3", dry_run=True)
        assert "+c = 3" in done["diff"]
        assert file.read_text() == "a = 1\nb = 1\nc = 2\n"
        await edit("c = 2", "c = 3")
        await edit("1", "9", occurrence="all")
        assert file.read_text() == "a = 9\nb = 9\nc = 3\n"
        file.write_bytes(b"\xff\xfe")
        text = await server.refused("ssh_sudo_edit", host="web", path=str(file), old_string="1", new_string="3")
        assert "not UTF-8" in text


async def test_a_listed_files_diff_is_not_shown(mcp_server: McpServerFactory, host: Host, place: Path) -> None:
    (place / ".env").write_text(f"A=1\nX={SECRET}\n")
    async with mcp_server({"web": host}) as server:
        done = await server.call("ssh_sudo_edit", host="web", path=f"{place}/.env", old_string="A=1", new_string="A=2")
        assert done["diff"] is None
        assert done["output_warnings"] == ["No diff is shown, for the file is redact-listed."]
    assert (place / ".env").read_text() == f"A=2\nX={SECRET}\n"


async def test_list_shows_kinds_sizes_modes_links_and_pages(
    mcp_server: McpServerFactory, host: Host, place: Path
) -> None:
    (place / "file").write_text("12345")
    (place / "file").chmod(0o640)
    (place / "dir").mkdir(mode=0o750)
    (place / ".hidden").touch()
    (place / "link").symlink_to("it's there")
    (place / "new\nline").touch()
    os.mkfifo(place / "pipe")
    async with mcp_server({"web": host}) as server:
        done = await server.call("ssh_sudo_sftp_list", host="web", path=str(place))
        rows = {e["name"]: e for e in done["entries"]}
        assert list(rows) == sorted(os.listdir(place))
        assert (rows["file"]["kind"], rows["file"]["size"], rows["file"]["mode"]) == ("file", 5, "0640")
        assert (rows["dir"]["kind"], rows["dir"]["mode"]) == ("directory", "0750")
        assert (rows["link"]["kind"], rows["link"]["symlink_target"]) == ("symlink", "it's there")
        assert rows["pipe"]["kind"] == "other"
        assert rows["file"]["mtime"].endswith("Z")
        page = await server.call("ssh_sudo_sftp_list", host="web", path=str(place), offset=2, limit=2)
        assert [e["name"] for e in page["entries"]] == sorted(os.listdir(place))[2:4]
        assert page["has_more"]
        assert "not a directory" in await server.refused("ssh_sudo_sftp_list", host="web", path=f"{place}/file")
