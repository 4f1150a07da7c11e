"""The tar stream of ssh_sync: what is written is read by tarfile and back, and what a peer sends cannot go astray."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

import pytest

from ssh_mcp.remote.files.sync.tar_codec import END, Member, TarError, TarReader, header, padding, sparse_header

FILES = {
    b"plain": b"x" * 1000,
    b"empty": b"",
    b"d/-rf": b"dash",
    b"odd\nname": b"y" * 512,
    b"\xff\xfe": b"no utf-8",
    b"long/" + b"n" * 200: b"z" * 513,
}


def archive(files: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(header(p, len(c), 0o640, 1_600_000_000) + c + padding(len(c)) for p, c in files) + END


def read(data: bytes, wanted: dict[bytes, int], piece: int) -> dict[bytes, bytes]:
    reader, found, now = TarReader(wanted), {}, b""
    for at in range(0, len(data), piece):
        for event in reader.receive(data[at : at + piece]):
            if isinstance(event, Member):
                now = event.path
                found[now] = b""
            else:
                found[now] += event
    assert reader.complete
    return found


@pytest.mark.parametrize("piece", [1, 7, 511, 512, 1 << 20])
@pytest.mark.parametrize("form", ["ours", "gnu", "pax", "ustar"])
def test_archives_are_read_whatever_their_format_and_pieces(form: str, piece: int) -> None:
    files = {p: c for p, c in FILES.items() if form != "ustar" or len(p) < 200}
    data = archive(files.items()) if form == "ours" else made(files, form)
    assert read(data, {p: len(c) for p, c in files.items()}, piece) == files


def made(files: dict[bytes, bytes], form: str) -> bytes:
    out = io.BytesIO()
    kind = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT, "ustar": tarfile.USTAR_FORMAT}[form]
    with tarfile.open(fileobj=out, mode="w", format=kind, errors="surrogateescape") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo("./" + path.decode("utf-8", "surrogateescape"))
            info.size, info.mtime = len(content), 1_600_000_000
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_tarfile_reads_what_is_written() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(FILES.items())), errors="surrogateescape") as tar:
        for info in tar:
            path = info.name.encode("utf-8", "surrogateescape")
            file = tar.extractfile(info)
            assert file is not None
            assert (file.read(), info.mode, info.mtime) == (FILES[path], 0o640, 1_600_000_000)


def test_tarfile_reads_the_holes_that_are_written() -> None:
    parts = [(65536, 3), (1 << 20, 0)]
    data = sparse_header(b"holes", 1 << 20, 0o644, 0, parts) + b"abc" + padding(3) + END
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        file = tar.extractfile("holes")
        assert file is not None
        assert file.read() == bytes(65536) + b"abc" + bytes((1 << 20) - 65539)


def test_a_size_beyond_octal_is_written_in_base_256() -> None:
    data = header(b"huge", 1 << 40, 0o644, 0)
    reader = TarReader({b"huge": 1 << 41})
    assert list(reader.receive(data)) == [Member(b"huge", 1 << 40, 0)]
    assert not reader.complete


HOSTILE = {
    "up": header(b"../x", 1, 0o644, 0),
    "absolute": header(b"/etc/x", 1, 0o644, 0),
    "not asked for": header(b"other", 1, 0o644, 0),
    "twice": header(b"a", 0, 0o644, 0) * 2,
    "longer than it was": header(b"a", 11, 0o644, 0),
    "endless": header(b"a", (1 << 88) - 1, 0o644, 0),
    "zeros without end": bytes(512 * 100_001),
    "garbage": b"\x01" * 512,
    "a login banner": b"Welcome to the machine!\n" * 40,
    "a wrong checksum": header(b"a", 1, 0o644, 0).replace(b"0000644", b"0000645"),
    "a long name that is too long": header(b"x" * 300_000, 1, 0o644, 0),
    "many members": header(b"d", 0, 0o755, 0, directory=True) * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_else_than_what_was_asked_for_comes_out(name: str) -> None:
    reader, found = TarReader({b"a": 10}), []
    with pytest.raises(TarError):
        found += list(reader.receive(HOSTILE[name] + bytes(1024)))
    assert all(isinstance(f, Member) and f.path == b"a" for f in found)


def test_directories_links_and_devices_are_passed_over() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("a")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    assert read(out.getvalue(), {b"a": 10}, 1 << 20) == {}


def test_archives_one_behind_the_other_are_one_stream() -> None:
    first, second = archive([(b"a", b"1")]), archive([(b"b", b"2")])
    assert read(first + second, {b"a": 1, b"b": 1}, 100) == {b"a": b"1", b"b": b"2"}
