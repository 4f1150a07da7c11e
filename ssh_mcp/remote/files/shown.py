"""What a reader returns of a file's bytes: byte for byte where policy lets it, or with markers for its secrets."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING

from ssh_mcp.policy.paths import decide_content
from ssh_mcp.results.files import Download, RedactedRead

if TYPE_CHECKING:
    from ssh_mcp.redaction.model import Format
    from ssh_mcp.remote.files.pieces import Piece
    from ssh_mcp.remote.host import RemoteHost


def as_text(data: bytes, *, partial: bool) -> tuple[str, int] | None:
    """The text and how many bytes it takes, or None for what is not text.

    The last character of a part may be cut: up to three bytes are then left for the next part.
    """
    for tail in range(4 if partial else 1):
        with suppress(UnicodeDecodeError):
            text = data[: len(data) - tail].decode("utf-8")
            return None if "\0" in text else (text, len(data) - tail)
        if tail == len(data):
            break
    return None


def as_download(host: RemoteHost, path: str, piece: Piece, reader: str = "ssh_read_redacted") -> Download:
    """The result of a raw reader: text where it is UTF-8, else base64.

    Raises RedactBypassBlocked, naming ``reader``, where the text holds a secret and policy blocks that.
    """
    result = Download(host=host.name, path=path, size=piece.size, truncated=piece.cut)
    _decide(host, path, piece, reader)
    text = as_text(piece.data, partial=piece.more)
    if text is None:
        result.content_base64 = base64.b64encode(piece.data).decode("ascii")
    else:
        result.content_text = text[0]
    if piece.more:
        result.next_offset = piece.offset + (text[1] if text else len(piece.data))
    _remark(host, piece, result.next_offset)
    return result


def _decide(host: RemoteHost, path: str, piece: Piece, reader: str) -> None:
    """A secret that reaches into the part is found in the light of the bytes around it, also in a binary file."""
    from ssh_mcp.redaction.engine import first_secret, rules_from

    text, start, end = _decoded(piece)
    found = first_secret(text, rules_from(host.policy.redaction), path=path, start=start, end=end)
    if found is not None:
        decided = decide_content(path, found, host.policy.paths, reader=reader)
        host.call.note_bypass()
        for warning in decided:
            host.call.warn(warning)


def _decoded(piece: Piece) -> tuple[str, int, int]:
    """The text with what is around it, and where the part lies in it."""
    texts = [data.decode("utf-8", "replace") for data in (piece.before, piece.before + piece.data)]
    whole = (piece.before + piece.data + piece.after).decode("utf-8", "replace")
    return whole, len(texts[0]), len(texts[1])


def _remark(host: RemoteHost, piece: Piece, next_offset: int | None) -> None:
    if not piece.cut:
        return
    how = "Give last_lines a smaller number." if next_offset is None else f"Continue with offset {next_offset}."
    host.call.warn(
        f"The file has {piece.size} bytes, and at most {host.settings.ssh_read_max_bytes} are returned at once. {how} "
        "first_lines, last_lines and max_bytes ask for less."
    )


def as_redacted(host: RemoteHost, path: str, piece: Piece, wanted: Format | None) -> RedactedRead:
    """The result of a redacting reader: text with markers for its secrets.

    Sanitised first, as all output is: a NUL or an escape sequence within a key's name would hide it from redaction.
    Masked in the light of the bytes around it: a value whose name came before the part is masked too.
    """
    from ssh_mcp.guard.guard import decode
    from ssh_mcp.guard.sanitise import strip_controls
    from ssh_mcp.redaction.engine import redact_part, rules_from

    text, remarks = decode(piece.data, truncated=piece.more)
    for remark in remarks:
        host.call.warn(remark)
    if strip_controls(text) != text:
        host.call.warn("Escape sequences, NULs or backspaces in the file were removed from the text.")
    data = piece.before + piece.data
    start, end = (len(strip_controls(decode(part)[0])) for part in (piece.before, data))
    visible = strip_controls(decode(data + piece.after)[0])
    redacted = redact_part(visible, start, end, rules_from(host.policy.redaction), path=path, format=wanted)
    result = RedactedRead(
        host=host.name,
        path=path,
        size_original=piece.size,
        content=redacted.text,
        format_detected=redacted.format.value,
        redactions=[{"key": r.key, "line": r.line, "kind": r.kind, "hash": r.hash} for r in redacted.redactions],
        truncated=piece.cut,
        next_offset=piece.end if piece.more else None,
    )
    _remark(host, piece, result.next_offset)
    return result
