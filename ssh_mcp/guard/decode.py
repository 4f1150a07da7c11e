"""Bytes of a host → text that can travel in JSON. Pure."""

from __future__ import annotations

import codecs

NOT_UTF8 = "some bytes were not UTF-8 and are shown as U+FFFD"


def decode_output(data: bytes, *, truncated: bool) -> tuple[str, tuple[str, ...]]:
    """UTF-8 with undecodable bytes replaced and reported. A character that the cap cut in two is left out."""
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        if truncated and error.start >= len(data) - 3 and error.reason == "unexpected end of data":
            return data[: error.start].decode("utf-8"), ()
    if truncated:
        data = data[: len(data) - _cut(data)]
    return data.decode("utf-8", "replace"), (NOT_UTF8,)


def _cut(data: bytes) -> int:
    """How many bytes at the end are the beginning of a character whose rest is missing (0 to 3)."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return back if needed > back else 0
    return 0


def clean_surrogates(text: str) -> str:
    """Text for JSON: bytes that came in as lone surrogates (surrogateescape) become U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text


def incremental() -> codecs.IncrementalDecoder:
    """For streams: a character cut by a chunk waits for its rest."""
    return codecs.getincrementaldecoder("utf-8")("replace")
