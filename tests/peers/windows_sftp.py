"""An sftp-server that behaves as Windows' OpenSSH does, over a directory tree of a POSIX machine.

``Subsystem sftp /path/to/python /path/to/windows_sftp.py ROOT`` in a real sshd's configuration. ``ROOT/C`` is drive
``C:``, ``ROOT/D`` drive ``D:``, and so on; the account's home is ``/C:/Users/me``.

As on Windows: REALPATH answers ``/C:/…`` with the names as they are on disk, names compare case-blind, backslashes
separate, ``/`` holds the drives; no owner or group (both 0, and ``-`` in long names), modes know only "read-only";
symbolic links need a privilege that the account lacks; names that Windows cannot hold are refused; a
file that is open cannot be removed, renamed or replaced (a sharing violation, EACCES); RENAME does not overwrite and
posix-rename does; chown fails.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from transports.api import FileAttributes
from transports.sftp import messages as m
from transports.sftp.codec import RequestReader, encode
from transports.sftp.messages import OpenFlag, StatusCode
from transports.wire import Cursor, Writer

HOME = "/C:/Users/me"
FORBIDDEN = set('<>:"|?*') | {chr(c) for c in range(32)}
RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
EXTENSIONS = (
    ("posix-rename@openssh.com", b"1"),
    ("statvfs@openssh.com", b"2"),
    ("hardlink@openssh.com", b"1"),
    ("fsync@openssh.com", b"1"),
    ("limits@openssh.com", b"1"),
)


class Refused(Exception):
    """Ends a request with a status."""

    def __init__(self, code: StatusCode, message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message or code.name.replace("_", " ").capitalize()


@dataclass
class OpenFile:
    fd: int
    path: Path


@dataclass
class OpenDirectory:
    entries: Iterator[m.NameEntry]


@dataclass
class Server:
    root: Path
    handles: dict[bytes, OpenFile | OpenDirectory] = field(default_factory=dict)
    counter: int = 0

    # --- paths --------------------------------------------------------------------------------------------------------

    def parts(self, path: str) -> list[str]:
        """Names below ``/``, ``.`` and ``..`` resolved; the first is a drive such as ``C:``."""
        slashed = path.replace("\\", "/")
        if slashed[1:2] == ":":
            slashed = "/" + slashed
        if not slashed.startswith("/"):
            slashed = f"{HOME}/{slashed}"
        out: list[str] = []
        for name in slashed.split("/"):
            if name == "..":
                del out[-1:]
            elif name not in ("", "."):
                out.append(name)
        return out

    def locate(self, path: str) -> tuple[Path, str]:
        """Where ``path`` is in our tree, and its canonical form. What does not exist keeps the name it was given."""
        parts = self.parts(path)
        if not parts:
            return self.root, "/"
        drive = parts[0].upper()
        if len(drive) != 2 or drive[1] != ":" or not (self.root / drive[0]).is_dir():
            raise Refused(StatusCode.NO_SUCH_FILE)
        real, shown = self.root / drive[0], f"/{drive}"
        for name in parts[1:]:
            clean = name.rstrip(". ")
            if not clean or FORBIDDEN & set(clean) or clean.split(".")[0].lower() in RESERVED:
                raise Refused(StatusCode.BAD_MESSAGE, "Invalid argument")
            found = next((n for n in self._names(real) if n.lower() == clean.lower()), clean)
            real, shown = real / found, f"{shown}/{found}"
        return real, shown if len(parts) > 1 else shown + "/"

    @staticmethod
    def _names(directory: Path) -> list[str]:
        try:
            return sorted(os.listdir(directory))
        except OSError:
            return []

    def real(self, path: str) -> Path:
        return self.locate(path)[0]

    def not_open(self, path: Path) -> None:
        """A file that is open cannot go away: its handle shares reading and writing, but not deletion."""
        if any(isinstance(h, OpenFile) and h.path == path for h in self.handles.values()):
            raise Refused(StatusCode.PERMISSION_DENIED)

    # --- attributes ---------------------------------------------------------------------------------------------------

    @staticmethod
    def attributes(status: os.stat_result) -> FileAttributes:
        kind = stat.S_IFDIR if stat.S_ISDIR(status.st_mode) else stat.S_IFREG
        writable = bool(status.st_mode & 0o200)
        mode = kind | (0o777 if kind == stat.S_IFDIR else 0o666 if writable else 0o444)
        return FileAttributes(status.st_size, 0, 0, mode, int(status.st_atime), int(status.st_mtime))

    def change(self, path: Path, wanted: FileAttributes, fd: int | None = None) -> None:
        if wanted.uid is not None:
            raise Refused(StatusCode.FAILURE)
        target: Any = path if fd is None else fd
        if wanted.size is not None:
            os.truncate(target, wanted.size)
        if wanted.permissions is not None:
            os.chmod(target, 0o666 if wanted.permissions & 0o200 else 0o444)
        if wanted.mtime is not None and wanted.atime is not None:
            os.utime(target, (wanted.atime, wanted.mtime))

    def entries(self, path: Path) -> Iterator[m.NameEntry]:
        names = self._names(path)
        for name in [".", "..", *names]:
            shown = f"{name}:" if path == self.root and len(name) == 1 and name != "." else name
            attributes = self.attributes(os.stat(path / name))
            assert attributes.permissions is not None
            when = time.strftime("%b %d %H:%M", time.gmtime(attributes.mtime))
            mode = stat.filemode(attributes.permissions)
            longname = f"{mode}    1 -        -        {attributes.size:>8} {when} {shown}"
            yield m.NameEntry(shown, longname.encode("utf-8", "surrogateescape"), attributes)

    # --- requests -----------------------------------------------------------------------------------------------------

    def answer(self, request: Any) -> m.Version | m.Reply:
        if isinstance(request, m.Init):
            return m.Version(3, EXTENSIONS)
        try:
            handler: Callable[[Any], Any] = getattr(self, f"do_{type(request).__name__.lower()}")
            result = handler(request)
        except Refused as refused:
            return m.Status(request.request_id, refused.code, refused.message)
        except OSError as error:
            return m.Status(request.request_id, _code(error), os.strerror(error.errno or 0))
        return m.Status(request.request_id, StatusCode.OK, "Success") if result is None else result

    def keep(self, request_id: int, handle: OpenFile | OpenDirectory) -> m.Handle:
        self.counter += 1
        name = self.counter.to_bytes(4, "big")
        self.handles[name] = handle
        return m.Handle(request_id, name)

    def file(self, handle: bytes) -> OpenFile:
        found = self.handles.get(handle)
        if not isinstance(found, OpenFile):
            raise Refused(StatusCode.FAILURE)
        return found

    def do_open(self, r: m.Open) -> m.Reply:
        path = self.real(r.path)
        flags = os.O_RDWR if r.flags & OpenFlag.WRITE and r.flags & OpenFlag.READ else 0
        flags = flags or (os.O_WRONLY if r.flags & OpenFlag.WRITE else os.O_RDONLY)
        for flag, bits in ((OpenFlag.CREAT, os.O_CREAT), (OpenFlag.TRUNC, os.O_TRUNC), (OpenFlag.EXCL, os.O_EXCL)):
            flags |= bits if r.flags & flag else 0
        if path.is_dir():
            raise Refused(StatusCode.PERMISSION_DENIED)
        return self.keep(r.request_id, OpenFile(os.open(path, flags, 0o666), path))

    def do_close(self, r: m.Close) -> None:
        found = self.handles.pop(r.handle, None)
        if found is None:
            raise Refused(StatusCode.FAILURE)
        if isinstance(found, OpenFile):
            os.close(found.fd)

    def do_read(self, r: m.Read) -> m.Reply:
        data = os.pread(self.file(r.handle).fd, min(r.length, 261120), r.offset)
        return m.Data(r.request_id, data) if data else m.Status(r.request_id, StatusCode.EOF)

    def do_write(self, r: m.Write) -> None:
        os.pwrite(self.file(r.handle).fd, r.data, r.offset)

    def do_stat(self, r: m.Stat | m.LStat) -> m.Reply:
        return m.Attrs(r.request_id, self.attributes(os.stat(self.real(r.path))))

    do_lstat = do_stat

    def do_fstat(self, r: m.FStat) -> m.Reply:
        return m.Attrs(r.request_id, self.attributes(os.fstat(self.file(r.handle).fd)))

    def do_setstat(self, r: m.SetStat) -> None:
        path = self.real(r.path)
        os.stat(path)
        self.change(path, r.attributes)

    def do_fsetstat(self, r: m.FSetStat) -> None:
        found = self.file(r.handle)
        self.change(found.path, r.attributes, found.fd)

    def do_opendir(self, r: m.OpenDir) -> m.Reply:
        path = self.real(r.path)
        if not path.is_dir():
            raise Refused(StatusCode.NO_SUCH_FILE)
        return self.keep(r.request_id, OpenDirectory(self.entries(path)))

    def do_readdir(self, r: m.ReadDir) -> m.Reply:
        found = self.handles.get(r.handle)
        if not isinstance(found, OpenDirectory):
            raise Refused(StatusCode.FAILURE)
        batch = tuple(entry for _, entry in zip(range(100), found.entries, strict=False))
        return m.Name(r.request_id, batch) if batch else m.Status(r.request_id, StatusCode.EOF)

    def do_remove(self, r: m.Remove) -> None:
        path = self.real(r.path)
        self.not_open(path)
        if path.is_dir():
            raise Refused(StatusCode.PERMISSION_DENIED)
        path.unlink()

    def do_mkdir(self, r: m.MkDir) -> None:
        self.real(r.path).mkdir()

    def do_rmdir(self, r: m.RmDir) -> None:
        self.real(r.path).rmdir()

    def do_realpath(self, r: m.RealPath) -> m.Reply:
        real, shown = self.locate(r.path)
        if not real.parent.is_dir():
            raise Refused(StatusCode.NO_SUCH_FILE)
        return m.Name(r.request_id, (m.NameEntry(shown, shown.encode("utf-8", "surrogateescape"), FileAttributes()),))

    def do_rename(self, r: m.Rename) -> None:
        old, new = self.real(r.old), self.real(r.new)
        if new.exists() and old != new:
            raise Refused(StatusCode.FAILURE)
        self.not_open(old)
        old.rename(new.parent / self.parts(r.new)[-1])

    def do_readlink(self, r: m.ReadLink) -> None:
        self.real(r.path)
        raise Refused(StatusCode.BAD_MESSAGE, "Invalid argument")

    def do_symlink(self, r: m.SymLink) -> None:
        raise Refused(StatusCode.PERMISSION_DENIED)

    def do_extended(self, r: m.Extended) -> m.Reply | None:
        body = Cursor(r.data)
        if r.name == "limits@openssh.com":
            writer = Writer().u64(262144).u64(261120).u64(261120).u64(1019)
            return m.ExtendedReply(r.request_id, bytes(writer))
        if r.name == "statvfs@openssh.com":
            usage = shutil.disk_usage(self.real(body.string().decode()))
            writer = Writer().u64(4096).u64(4096).u64(usage.total // 4096).u64(usage.free // 4096)
            writer.u64(usage.free // 4096)
            for number in (0, 0, 0, 0, 0, 255):
                writer.u64(number)
            return m.ExtendedReply(r.request_id, bytes(writer))
        if r.name == "fsync@openssh.com":
            os.fsync(self.file(body.string()).fd)
            return None
        if r.name in ("posix-rename@openssh.com", "hardlink@openssh.com"):
            old, new = self.real(body.string().decode()), self.real(body.string().decode())
            if r.name.startswith("hardlink"):
                os.link(old, new)
                return None
            self.not_open(old)
            self.not_open(new)
            if new.is_dir():
                raise Refused(StatusCode.PERMISSION_DENIED)
            os.replace(old, new)
            return None
        raise Refused(StatusCode.OP_UNSUPPORTED)


def _code(error: OSError) -> StatusCode:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return StatusCode.NO_SUCH_FILE
    return StatusCode.PERMISSION_DENIED if isinstance(error, PermissionError) else StatusCode.FAILURE


def main() -> None:
    server = Server(Path(sys.argv[1]))
    reader = RequestReader()
    while data := os.read(0, 262144):
        for request in reader.feed(data):
            reply = memoryview(encode(server.answer(request)))
            while reply:
                reply = reply[os.write(1, reply) :]


if __name__ == "__main__":
    main()
