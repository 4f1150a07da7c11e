"""Why ssh cannot load a private key file, from the file's bytes; and when a certificate ends. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

FILE_MAX: Final = 64 * 1024
"""Bytes of a key file that are looked at: a private key has a few thousand."""

_PUBLIC: Final = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")
_VALID: Final = re.compile(r"^\s*Valid: .*\bto (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class KeyFault:
    """A file that ssh could not load: its path, what is wrong (a clause about it), and how to fix it."""

    path: str
    what: str
    remedy: str


def key_fault(path: str, data: bytes) -> KeyFault:
    """What is wrong with a private key file that ssh rejected as malformed."""
    what, remedy = _fault(data, path)
    return KeyFault(path, what, remedy)


def _fault(data: bytes, path: str) -> tuple[str, str]:
    private = b"-----BEGIN " in data
    if not data.strip():
        return "is empty", "Copy the private key into it again."
    if data.startswith(b"PuTTY-User-Key-File"):
        return "is in PuTTY's format", f"Convert it: `puttygen {path} -O private-openssh -o NEW`."
    if data.startswith(_PUBLIC):
        return "is a public key", "Set `key` to the private key, which has no .pub at the end of its name."
    if data.startswith(b"\xef\xbb\xbf"):
        return "begins with a byte order mark", "Save it as plain ASCII."
    if private and b"\r" in data:
        return "has Windows line ends (CRLF)", f"Convert it: `dos2unix {path}`."
    if private and b"-----END " not in data:
        return "is cut off: its END line is missing", "Copy the private key again, with its last line."
    if private and not data.endswith(b"\n"):
        return "lacks the line end after its last line", f"Add it: `echo >> {path}`."
    return "is not a private key that this ssh can read", f"Look at it with `ssh-keygen -y -f {path}`."


def certificate_ends(listing: str) -> tuple[datetime, ...]:
    """The ends of validity in ``ssh-keygen -L`` output, in this machine's local time; none for ``forever``.

    The line reads ``Valid: from 2026-11-25T22:00:00 to 2026-11-26T22:00:00``.
    """
    return tuple(datetime.fromisoformat(text) for text in _VALID.findall(listing))


def certificate_paths(offered: str) -> tuple[str, ...]:
    """Where the certificate may be that ssh's log calls ``offered``: CertificateFile itself, or beside the key.

    None for an agent's key, which the log calls by its comment.
    """
    if not offered.startswith("/") and offered[1:2] != ":":
        return ()
    return (offered, f"{offered}-cert.pub", f"{offered.removesuffix('.pub')}-cert.pub")
