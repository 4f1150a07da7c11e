"""SFTP status codes as errors, pure.

What a code alone says; FAILURE can mean many things and ``causes`` looks again.
"""

from __future__ import annotations

from typing import Final

from transports.errors import FileError, FileErrorKind
from transports.sftp.messages import Status, StatusCode
from transports.sftp.paths import shown, too_long

_KINDS: Final = {
    StatusCode.NO_SUCH_FILE: FileErrorKind.NOT_FOUND,
    StatusCode.PERMISSION_DENIED: FileErrorKind.PERMISSION,
    StatusCode.OP_UNSUPPORTED: FileErrorKind.UNSUPPORTED,
}

_TEXTS: Final[dict[FileErrorKind, tuple[str, str]]] = {
    FileErrorKind.NOT_FOUND: ("there is no such file or directory", "Check the path."),
    FileErrorKind.PERMISSION: (
        "the host denies permission",
        "Check the owner and mode of the file and of its directory, and which user we log in as.",
    ),
    FileErrorKind.EXISTS: ("it exists already", "Choose another name, or remove it first."),
    FileErrorKind.NOT_EMPTY: ("the directory is not empty", "Empty it first."),
    FileErrorKind.IS_DIRECTORY: ("it is a directory", "Name a file."),
    FileErrorKind.NOT_DIRECTORY: ("a part of the path is not a directory", "Check the path."),
    FileErrorKind.NO_SPACE: ("no space (or quota) is left on its filesystem", "Free some space there."),
    FileErrorKind.READ_ONLY: ("its filesystem is mounted read-only", "Use another path, or remount it."),
    FileErrorKind.CROSS_DEVICE: ("the two paths are on different filesystems", "Copy instead."),
    FileErrorKind.TOO_LONG: ("the name is too long for the host", "Use a shorter one."),
    FileErrorKind.UNSUPPORTED: ("the host's SFTP server cannot do that", ""),
}


def kind_of(status: Status, path: str) -> FileErrorKind:
    """What the code alone says. ENAMETOOLONG and EINVAL both come as BAD_MESSAGE (sftp-server.c)."""
    if status.code == StatusCode.BAD_MESSAGE and too_long(path):
        return FileErrorKind.TOO_LONG
    try:
        return _KINDS.get(StatusCode(status.code), FileErrorKind.FAILURE)
    except ValueError:
        return FileErrorKind.FAILURE


def file_error(kind: FileErrorKind, action: str, path: str, said: str = "") -> FileError:
    """The error for ``Cannot <action> <path>: …``; ``said`` is the server's own word, used where we know no better."""
    cause, remedy = _TEXTS.get(kind, ("", ""))
    if not cause:
        quoted = f" ({shown(said)})" if said and said.lower() != "failure" else ""
        cause = f"the host's SFTP server reports a failure{quoted} and does not say why"
        remedy = "Look at the path, its directory and the space on its filesystem."
    return FileError(kind, path, f"Cannot {action} {shown(path)}: {cause}.", remedy)


def status_error(status: Status, action: str, path: str) -> FileError:
    """The error for a status other than OK."""
    return file_error(kind_of(status, path), action, path, status.message)
