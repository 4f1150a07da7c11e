"""What callers say about files, checked before anything is sent: contents, modes, and which part of a file. Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from ssh_mcp.errors import InvalidArgument, TooLarge
from ssh_mcp.policy.arguments import user as user_name

_USUAL_MODES: Final = frozenset(
    {
        0o400, 0o440, 0o444, 0o500, 0o550, 0o555, 0o600, 0o640, 0o644, 0o660, 0o664, 0o666, 0o700, 0o710, 0o711, 0o750,
        0o751, 0o755, 0o770, 0o775, 0o777, 0o1777, 0o2755, 0o2775, 0o4755,
    }
)  # fmt: skip
"""Modes people mean: 644 is taken for a misspelt one of these, 420 (0644 in decimal) is one."""


def parse_mode(mode: int | str) -> int:
    """Permission bits from ``"0644"``, ``"644"``, ``"0o644"`` or an integer. Raises InvalidArgument.

    An integer whose decimal digits look like an octal mode (644, 755, 600) is refused: it would mean something else.
    """
    if isinstance(mode, str):
        digits = mode[2:] if mode[:2] in ("0o", "0O") else mode
        if not 3 <= len(digits) <= 5 or set(digits) - set("01234567"):
            raise InvalidArgument(f"The mode {mode[:20]!r} is not octal.", 'Write it like "0644".')
        value = int(digits, 8)
    else:
        value = mode
        digits = str(mode)
        looks_octal = 3 <= len(digits) <= 4 and not set(digits) - set("01234567")
        if looks_octal and value not in _USUAL_MODES and int(digits, 8) in _USUAL_MODES:
            raise InvalidArgument(
                f"The mode {mode} is a decimal number, which is {value:04o} in octal.", f'Write "{digits:0>4}".'
            )
    if not 0 <= value <= 0o7777:
        raise InvalidArgument(f"The mode {mode} is out of range.", 'Write it like "0644".')
    return value


DEFAULT_MODE: Final = 0o644


def parse_write_mode(mode: int | str) -> int | None:
    """Like ``parse_mode``; None for the default (the integer 420): 0644 for a new file, an old one keeps its own.

    Without that, replacing a file of mode 0600 would quietly open it to everybody.
    """
    if not isinstance(mode, str) and mode == DEFAULT_MODE:
        return None
    return parse_mode(mode)


def parse_owner(user: str | None, group: str | None) -> str:
    """``user:group`` for chown, either side empty where it stays. Raises InvalidArgument."""
    return f"{user_name(user) if user else ''}:{user_name(group) if group else ''}"


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be written: bytes, or a file of this machine (exactly one of the two)."""

    data: bytes | None
    local_path: str | None


def parse_content(
    content_text: str | None, content_base64: str | None, local_path: str | None, *, max_bytes: int
) -> Content:
    """Exactly one of the three. Raises InvalidArgument, TooLarge beyond ``max_bytes`` of given content."""
    given = [x for x in (content_text, content_base64, local_path) if x is not None]
    if len(given) != 1:
        raise InvalidArgument(
            f"{'None' if not given else 'More than one'} of content_text, content_base64 and local_path is given.",
            "Give exactly one.",
        )
    if local_path is not None:
        return Content(None, local_path)
    data = _text(content_text) if content_text is not None else _base64(content_base64 or "")
    if len(data) > max_bytes:
        raise TooLarge(
            f"The content has {len(data)} bytes, and {max_bytes} are allowed.",
            "Use local_path, or ask the operator to raise SSH_UPLOAD_MAX_FILE_BYTES.",
        )
    return Content(data, None)


def _text(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidArgument(
            "content_text contains a lone surrogate, which is not valid Unicode.", "Use content_base64 for bytes."
        ) from None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument("content_base64 is not base64.", "Use the standard alphabet with padding.") from None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a file is wanted. All None: the whole. ``offset`` and ``max_bytes`` are bytes."""

    first_lines: int | None = None
    last_lines: int | None = None
    offset: int | None = None
    max_bytes: int | None = None

    @property
    def whole(self) -> bool:
        return self == Selection()


def parse_selection(
    first_lines: int | None, last_lines: int | None, offset: int | None, max_bytes: int | None
) -> Selection:
    """At most one of first_lines, last_lines and offset; max_bytes with any of them. Raises InvalidArgument."""
    if sum(x is not None for x in (first_lines, last_lines, offset)) > 1:
        raise InvalidArgument("first_lines, last_lines and offset exclude each other.", "Give one of them.")
    for name, value, least in (
        ("first_lines", first_lines, 1),
        ("last_lines", last_lines, 1),
        ("offset", offset, 0),
        ("max_bytes", max_bytes, 1),
    ):
        if value is not None and value < least:
            raise InvalidArgument(f"{name} is {value}.", f"It is at least {least}.")
    return Selection(first_lines, last_lines, offset, max_bytes)
