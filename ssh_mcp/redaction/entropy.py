"""Strings that look generated, where nothing names them (files only).

Base64-like from 20 characters, hex from 32. Not in comments, named digests, paths, UUIDs, public keys, certificates.
"""

from __future__ import annotations

import math
import re
from collections import Counter

from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.detectors.tokens import encodes_private_key
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.values import MARKER

_RUN = re.compile(r"(?<![A-Za-z0-9+/=_\-.])[A-Za-z0-9+/_\-]{20,}+={0,2}(?![A-Za-z0-9+/=_\-])")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_COMMENT = re.compile(r"^[ \t]*(?:#|//|;|--|\*|/\*|<!--|REM\b|%)")
_INLINE_COMMENT = re.compile(r"[ \t](?:#|//|;|--)[ \t]")
_DIGEST_NAME = re.compile(
    r"(?i)(?:sha-?\d*|md5|digest|checksum|cksum|commit|head|git\w*|revision|\brev\b|\bref\b|hash(?:es)?"
    r"|integrity|fingerprint|etag|\bsum\b|blake\w*|crc\d*|tree|parent"
    r"|blob|object|\bh1\b|thumbprint|serial|image\w*|layer\w*|build|version|uuid|guid|\bid\b|_id\b"
    r"|id[\"']?[ \t]*[=:]|nonce|hsts|pin-sha|certificate|cert\b|cert-data|\bca\b"
    r"|authority-data|public|pubkey|known_hosts|ssh-(?:rsa|dss|ed25519)|ecdsa-|sk-ssh|host_?key|csr\b|crt\b"
    r"|x509|signature|signed|resourceversion|\.min\.|src=|url\(|data:)[^\n]{0,80}$"
)
_PUBLIC = re.compile(
    (
        r"-----BEGIN (?:CERTIFICATE|[A-Z0-9 ]*PUBLIC KEY(?: BLOCK)?|X509 CRL|CERTIFICATE REQUEST|PGP SIGNATURE"
        r"|PGP MESSAGE|DH PARAMETERS|EC PARAMETERS|PKCS7|CMS|SSH SIGNATURE)-----.*?(?:-----END [A-Z0-9 ]+-----"
        r"|\Z)"
    ),
    re.DOTALL,
)
_SSH_PUBLIC = re.compile(
    r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|sk-[\w\-@.]+)[ \t]+[A-Za-z0-9+/]+={0,2}|AAAA(?:B3NzaC1"
    r"|C3NzaC1|E2VjZHNh|G|I)[A-Za-z0-9+/]+={0,2}"
)
_CHECKSUM_LINE = re.compile(r"^[ \t]*\\?[0-9a-fA-F]{32,128}[ \t]+[*]?\S|\([^)\n]+\)[ \t]*=[ \t]*[0-9a-f]{32,128}$")
MIN_BASE64_BITS = 3.9
"""Shannon bits a character below which 20 characters of base64 are taken for words."""
MIN_HEX_BITS = 2.8
MAX_TEXT = 4_000_000


def find(text: str, out: list[Span]) -> None:
    """Report strings that look generated."""
    if len(text) > MAX_TEXT:
        return
    exempt = [m.span() for p in (_PUBLIC, _SSH_PUBLIC, MARKER) for m in p.finditer(text)]
    exempt.sort()
    at = 0
    lines = Lines(text)
    for m in _RUN.finditer(text):
        while at < len(exempt) and exempt[at][1] <= m.start():
            at += 1
        if at < len(exempt) and exempt[at][0] < m.end():
            continue
        if looks_generated(m[0]) and not _is_exempt(text, m, lines):
            out.append(Span(m.start(), m.end(), "entropy"))


def looks_generated(value: str) -> bool:
    """Whether ``value`` is a key or token rather than a word, path, name or number."""
    core = value.rstrip("=")
    if core.isdigit() or _UUID.fullmatch(value):
        return False
    if _HEX.fullmatch(core) and len(core) >= 20:
        return len(core) >= 32 and bits(core) >= MIN_HEX_BITS and not core.isdigit() and len(set(core)) >= 8
    if any(_UUID.fullmatch(core[i : i + 36]) for i in (0, len(core) - 36) if len(core) >= 36):
        return False
    kinds = (any(c.islower() for c in core), any(c.isupper() for c in core), any(c.isdigit() for c in core))
    if sum(kinds) < 3 or bits(core) < min(MIN_BASE64_BITS, math.log2(len(core)) - 0.75):
        return False
    return not _is_wordy(core)


def _is_wordy(core: str) -> bool:
    """Paths, identifiers and file names: pieces between separators that are words or numbers."""
    pieces = re.split(r"[/_\-+]", core)
    odd = sum(len(p) for p in pieces if not _plain_piece(p))
    return odd < 16


def _plain_piece(piece: str) -> bool:
    if len(piece) <= 3 or piece.isdigit():
        return True
    humps = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", piece)
    long_words = sum(len(h) for h in humps if len(h) >= 4)
    return long_words * 2 >= len(piece) and len(humps) * 3 <= len(piece)


def bits(value: str) -> float:
    """Shannon entropy in bits a character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def _is_exempt(text: str, m: re.Match[str], lines: Lines) -> bool:
    start, end = lines.start(m.start()), lines.end(m.start())
    before = text[max(start, m.start() - 160) : m.start()]
    head = text[start : min(start + 80, m.start())]
    if _COMMENT.match(head) or _INLINE_COMMENT.search(before):
        return True
    if _DIGEST_NAME.search(before) or _CHECKSUM_LINE.search(text[start : min(end, start + 400)]):
        return True
    if m[0][0] == "/" and m[0].count("/") > 1 and all(_plain_piece(p) for p in m[0].split("/")[1:3]):
        return True
    if before[-1:] in {"/", "~", "\\"} or before[-2:] == "./" or ("/" in m[0] and _pathlike(m)):
        return True
    after = text[m.end() : m.end() + 1]
    if after in {"/", "("} or (after == "." and text[m.end() + 1 : m.end() + 2].isalpha()):
        return True
    value = m[0]
    return value.startswith("LS0tLS1CRUdJTi") and not encodes_private_key(value)


def _pathlike(m: re.Match[str]) -> bool:
    """Slashes between wordy pieces."""
    pieces = m[0].split("/")
    wordy = sum(1 for p in pieces if _plain_piece(p) or (re.fullmatch(r"[\w\-]{1,24}", p) and not looks_generated(p)))
    return len(pieces) >= 3 and wordy * 3 >= len(pieces) * 2 and max(len(p) for p in pieces) < 20
