"""Named secrets in an encoded URL: ``password%3Dx%26``, ``%22password%22%3A%22x%22``."""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.detectors.vocabulary import NAMES, SOFT_NAMES, STEM, insensitive
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.stretch import Stretch

_PACKAGE = re.compile(r"[0-9][\w.+~\-]*\.(?:deb|udeb|rpm|apk|dsc|changes|buildinfo|tar\.\w{2,4}|whl|gz|xz|zst)")
"""A version behind an escaped epoch: ``passwd_1%3a4.13+dfsg1-1_amd64.deb``."""
_ENCODED = re.compile(
    r"(?i)(?:(?<=%26)|(?<=%3f)|(?<=%22)|(?<=%2c)|(?<=%20)|(?<![\w.\-%]))([A-Za-z_][\w.\-]{0,60})(?:%22)?%3[ad](?:%22|%20){0,2}"
    r"((?:[^%\s\"'&<>;]|%(?!26|22|2c)[0-9a-f]{2}){2,1024})"
)
"""The same in an encoded URL: ``password%3Dx%26``, ``%22password%22%3A%22x%22``."""


def _find(s: Stretch) -> list[Span]:
    out, at = [], s.start
    while m := _ENCODED.search(s.text, at, s.end):
        secret = s.is_secret(m[1], m[2]) and not (values.is_status(m[2]) or _PACKAGE.fullmatch(m[2]))
        at = m.end() if secret else m.end(1)  # what is not a secret may hold one: redirect%3D…%3Ftoken%3D
        out += [s.span(m.span(2), m[1])] if secret else []
    return out


DETECTOR = LineDetector(
    name="encoded URLs",
    find=_find,
    wide=(
        Wide("names", rf"{NAMES}(?:%22)?%3[ad][^\s]"),
        Wide("soft names", rf"{SOFT_NAMES}(?:%22)?%3[ad][^\s]"),
    ),
    line=(insensitive(rf"{STEM}(?:%22)?%3[ad][^\s]"),),
    hit="next=%2Fcb%3Ftoken%3D«hunter2x9»%26a",
    miss="passwd_1%3a4.13+dfsg1-1_amd64.deb",
)
