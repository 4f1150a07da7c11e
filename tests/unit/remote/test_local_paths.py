"""local_path: confined to the roots, whatever links, devices and races say."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.approval.store import state_directory
from ssh_mcp.errors import LocalPathPolicyError, public_text
from ssh_mcp.remote.files import local_io
from ssh_mcp.remote.files.local_io import create_for_write, open_for_read
from ssh_mcp.runtime import runtime_directory
from ssh_mcp.settings.model import Settings


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Short, because messages show at most 80 characters of a path and pytest's own grow with its workers' names."""
    with tempfile.TemporaryDirectory(prefix="lp", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub/file").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_bytes(b"outside")
    return root


def allowing(*roots: Path, **values: object) -> Settings:
    return Settings(ssh_local_transfer_roots=tuple(map(str, roots)), **values)  # type: ignore[arg-type]


def read(path: Path | str, settings: Settings) -> bytes:
    source = open_for_read(str(path), settings)
    with os.fdopen(source.fd, "rb") as file:
        data = file.read()
    assert source.size == len(data)
    return data


def write(path: Path | str, data: bytes, settings: Settings, *, commit: bool = True) -> None:
    with create_for_write(str(path), settings) as target:
        target.write(data)
        if commit:
            target.commit()


def refusal(path: Path | str, settings: Settings, *, writing: bool = False) -> str:
    with pytest.raises(LocalPathPolicyError) as caught:
        write(path, b"x", settings) if writing else read(path, settings)
    return public_text(caught.value)


def test_a_file_inside_a_root_can_be_read(root: Path) -> None:
    assert read(root / "sub/file", allowing(root)) == b"inside"
    assert read(f"{root}/sub/../sub//file", allowing(root)) == b"inside"


def test_without_roots_local_files_are_off(root: Path) -> None:
    assert refusal(root / "sub/file", Settings()) == (
        "LocalPathPolicyError: Local files are off. "
        "The operator must first set SSH_LOCAL_TRANSFER_ROOTS; or pass content instead."
    )


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "local_path is empty or holds control characters. Give a plain absolute path."),
        ("a\0b", "local_path is empty or holds control characters. Give a plain absolute path."),
        ("sub/file", "local_path sub/file is not absolute. Give a path below {root}."),
        ("~/x", "local_path ~/x is not absolute. Give a path below {root}."),
        ("{outside}/file", "{outside}/file lies outside the local transfer roots. Use {root}."),
        ("{root}/../outside/file", "{outside}/file lies outside the local transfer roots. Use {root}."),
        ("{root}2/file", "{root}2/file lies outside the local transfer roots. Use {root}."),
        ("{root}", "{root} is a directory. Give the path of a regular file."),
        ("{root}/sub", "{root}/sub is a directory. Give the path of a regular file."),
        ("{root}/sub/..", "{root}/sub/.. is a directory. Give the path of a regular file."),
        ("{root}/no/file", "local_path cannot be used: No such file or directory. Check the directory it names."),
        ("{root}/link", "{root}/link is a symbolic link. Give the path of a regular file."),
        ("{root}/dangling", "{root}/dangling is a symbolic link. Give the path of a regular file."),
        ("{root}/out/file", "{outside}/file lies outside the local transfer roots. Use {root}."),
        ("{root}/loop/x", "local_path cannot be used: {loop}. Check the directory it names."),
        ("{root}/pipe", "{root}/pipe is not a regular file. Give the path of a regular file."),
    ],
)
def test_what_is_refused_in_both_directions(root: Path, path: str, sentence: str) -> None:
    outside = root.parent / "outside"
    (root.parent / "root2").mkdir()
    (root / "link").symlink_to(root / "sub/file")
    (root / "dangling").symlink_to(root / "nothing")
    (root / "out").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    expected = f"LocalPathPolicyError: {sentence}".replace("{root}", str(root)).replace("{outside}", str(outside))
    for writing in (False, True):
        text = refusal(path.format(root=root, outside=outside), allowing(root), writing=writing)
        loops = ("Too many levels of symbolic links", "it cannot be resolved")  # depends on Python's version
        assert text in {expected.replace("{loop}", reason) for reason in loops}
    assert (outside / "file").read_bytes() == b"outside"
    assert list(outside.iterdir()) == [outside / "file"]


def test_a_missing_file_can_be_written_but_not_read(root: Path) -> None:
    assert refusal(root / "new", allowing(root)) == (
        f"LocalPathPolicyError: {root}/new does not exist. Check the path on the machine that runs this server."
    )
    write(root / "new", b"data", allowing(root))
    assert (root / "new").read_bytes() == b"data"


def test_a_root_that_is_a_link_means_its_target(root: Path) -> None:
    alias = root.parent / "alias"
    alias.symlink_to(root)
    assert read(alias / "sub/file", allowing(alias)) == b"inside"
    assert read(root / "sub/file", allowing(alias)) == b"inside"


def test_the_directory_of_ssh_keys_stays_closed_inside_any_root(root: Path) -> None:
    home = Path.home()
    (home / ".ssh").mkdir()
    (home / ".ssh/config").write_text("x")
    (root / "keys").symlink_to(home / ".ssh")
    for path in (home / ".ssh/config", root / "keys/config"):
        for writing in (False, True):
            assert refusal(path, allowing(Path("/")), writing=writing) == (
                f"LocalPathPolicyError: {home.resolve()}/.ssh/config lies in a directory of SSH keys. "
                "It is never read or written."
            )


def test_the_server_s_own_files_stay_closed(root: Path) -> None:
    own = {n: str(root / n) for n in ("audit", "hosts", "token")}
    settings = allowing(
        root, ssh_audit_file=own["audit"], ssh_hosts_file=own["hosts"], mcp_http_token_file=own["token"]
    )
    for name in ("audit", "hosts", "token", "audit.1", "audit.2024.gz"):
        (root / name).write_text("x")
        for writing in (False, True):
            assert refusal(root / name, settings, writing=writing) == (
                f"LocalPathPolicyError: {root}/{name} belongs to this server itself. It is never read or written."
            )
    (root / "auditor").write_bytes(b"x")
    assert read(root / "auditor", settings) == b"x"


def test_too_large_a_file_is_refused_before_it_is_read_and_while_it_is_written(root: Path) -> None:
    settings = allowing(root, ssh_local_transfer_max_bytes=5)
    sentence = (
        "LocalPathPolicyError: The local file has more than 5 bytes. "
        "The operator can raise SSH_LOCAL_TRANSFER_MAX_BYTES."
    )
    assert refusal(root / "sub/file", settings) == sentence
    with (  # noqa: PT012
        pytest.raises(LocalPathPolicyError, match="more than 5 bytes"),
        create_for_write(str(root / "n"), settings) as t,
    ):
        t.write(b"abc")
        t.write(b"def")
    assert sorted(p.name for p in root.iterdir()) == ["sub"]


@pytest.mark.parametrize("end", ["uncommitted", "error"])
def test_what_was_not_committed_leaves_the_old_file_and_no_temporary(root: Path, end: str) -> None:
    target = root / "sub/file"
    if end == "error":
        with pytest.raises(RuntimeError), create_for_write(str(target), allowing(root)) as out:  # noqa: PT012
            out.write(b"half")
            out.commit()
            raise RuntimeError
    else:
        write(target, b"half", allowing(root), commit=False)
    assert target.read_bytes() == b"inside"
    assert [p.name for p in (root / "sub").iterdir()] == ["file"]


def test_a_committed_file_replaces_the_old_one_and_is_private(root: Path) -> None:
    target = root / "sub/file"
    with create_for_write(str(target), allowing(root)) as out:
        out.write(b"new")
        assert target.read_bytes() == b"inside"
        out.write(b" bytes")
        out.commit()
    assert target.read_bytes() == b"new bytes"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [p.name for p in (root / "sub").iterdir()] == ["file"]


@pytest.mark.parametrize("swap", ["directory", "file"])
@pytest.mark.parametrize("writing", [False, True])
def test_a_link_slipped_in_after_the_check_is_not_followed(
    root: Path, swap: str, writing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = root.parent / "outside"
    judge = local_io._judge

    def judge_then_swap(*arguments: object, **further: object) -> object:
        verdict = judge(*arguments, **further)  # type: ignore[arg-type]
        if swap == "directory":
            (root / "sub").rename(root / "gone")
            (root / "sub").symlink_to(outside)
        else:
            (root / "sub/file").unlink()
            (root / "sub/file").symlink_to(outside / "file")
        return verdict

    monkeypatch.setattr(local_io, "_judge", judge_then_swap)
    if writing and swap == "file":
        write(root / "sub/file", b"x", allowing(root))  # rename replaces the link itself
        assert not (root / "sub/file").is_symlink()
    else:
        assert "cannot be opened" in refusal(root / "sub/file", allowing(root), writing=writing)
    assert (outside / "file").read_bytes() == b"outside"
    assert list(outside.iterdir()) == [outside / "file"]


def test_a_directory_slipped_in_under_the_target_is_refused(root: Path) -> None:
    with (  # noqa: PT012
        pytest.raises(LocalPathPolicyError, match=r"cannot be replaced: Is a directory"),
        create_for_write(str(root / "new"), allowing(root)) as out,
    ):
        (root / "new").mkdir()
        out.commit()
    assert sorted(p.name for p in root.iterdir()) == ["new", "sub"]


def test_a_full_disk_is_a_named_refusal(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with (  # noqa: PT012
        pytest.raises(LocalPathPolicyError, match=r"new cannot be written: No space left on device\. Nothing was kept"),
        create_for_write(str(root / "new"), allowing(root)) as out,
    ):
        os.dup2(full, out.fd)
        out.write(b"x")
    os.close(full)
    assert sorted(p.name for p in root.iterdir()) == ["sub"]


def test_no_descriptor_is_left_behind(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    read(root / "sub/file", allowing(root))
    write(root / "new", b"x", allowing(root))
    refusal(root / "sub", allowing(root))
    refusal(root / "sub/file", allowing(root, ssh_local_transfer_max_bytes=1))
    assert len(os.listdir("/proc/self/fd")) == before


PIECES = st.sampled_from(["sub", "file", "..", ".", "", "out", "up", "new", "outside", "root", "self"])


@pytest.fixture(scope="module")
def maze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("maze").resolve()
    (base / "root/sub").mkdir(parents=True)
    (base / "outside").mkdir()
    (base / "root/sub/file").write_bytes(b"inside")
    (base / "outside/file").write_bytes(b"outside")
    (base / "root/out").symlink_to(base / "outside")
    (base / "root/sub/up").symlink_to("../..")
    (base / "root/self").symlink_to(".")
    return base


@given(st.lists(PIECES, max_size=9))
@settings(max_examples=500, deadline=None)
def test_no_path_reads_what_lies_outside(maze: Path, pieces: list[str]) -> None:
    with contextlib.suppress(LocalPathPolicyError):
        assert read("/".join([f"{maze}/root", *pieces]), allowing(maze / "root")) == b"inside"


def test_the_places_of_approval_are_closed_to_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who could write a grant, or read the key, would approve itself."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    allowed = allowing(tmp_path)
    key = state_directory() / "key"
    key.parent.mkdir(parents=True)
    key.write_bytes(b"x" * 32)
    token = runtime_directory() / "token"
    token.write_text("secret")
    grant = key.parent / "grant.json"
    assert "belongs to this server itself" in refusal(key, allowed)
    assert "belongs to this server itself" in refusal(token, allowed)
    assert "belongs to this server itself" in refusal(grant, allowed, writing=True)
