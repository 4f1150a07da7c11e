"""Password hashes: crypt(3) and its relatives, databases, LDAP, PHP, Django, SCRAM."""

from __future__ import annotations

import re

from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.stretch import Stretch

_HASH = re.compile(
    r"""(?x)
      \$1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22} | \$apr1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}
    | \$[56]\$(?:rounds=\d{1,9}\$)?[^\s$:]{1,16}\$[./A-Za-z0-9]{20,90} | \$2[abxy]?\$\d\d\$[./A-Za-z0-9]{20,60}
    | \$\$(?:apr1|[156y]|2[aby])\$\$[./A-Za-z0-9$]{22,160}
    | \$g?y\$[./A-Za-z0-9]{1,12}\$[./A-Za-z0-9]{1,90}\$[./A-Za-z0-9]{20,90}
    | \$7\$[./A-Za-z0-9]{11,97}\$[./A-Za-z0-9]{20,90}
    | \$[PH]\$[./A-Za-z0-9]{31} | \$argon2(?:id|i|d)\$[\w=,$+/.\-]{20,300}
    | \$(?:scrypt|pbkdf2(?:-sha\d+)?|bcrypt-sha256)\$[\w=,$+/.\-]{20,300}
    | \$(?:8|9|14)\$[./A-Za-z0-9*$]{10,90}
    | (?<!\w)(?:pbkdf2_sha(?:1|256|512)|pbkdf2:sha\d+:\d+|scrypt:\d+:\d+:\d+|bcrypt_sha256|bcrypt|argon2|md5|sha1)
      \$[\w=,$+/.\-]{16,300}
    | (?<!\w)SCRAM-SHA-(?:1|256|512)\$\d+:[\w+/=$:]{20,200} | (?<![\w*])\*[0-9A-F]{40}(?!\w)
    | (?<!\w)md5[0-9a-f]{32}(?!\w)
    | \{(?:S?SHA(?:-?(?:1|256|384|512))?|S?MD5|CRYPT|SSHA\d*|PBKDF2[\w-]*|BLF-CRYPT|SHA\d+-CRYPT|ARGON2\w*
      |SCRAM-SHA-\d+)(?:\.\w+)?\}[\w+/=$.,:]{8,300}
    | grub\.pbkdf2\.sha512\.\d+\.[0-9A-F.]{40,600}
    """
)


def is_hash(value: str) -> bool:
    """Whether all of ``value`` is one password hash."""
    m = _HASH.match(value)
    return m is not None and m.end() == len(value)


def _find(s: Stretch) -> list[Span]:
    return [Span(*m.span(), "hash") for m in _HASH.finditer(s.text, s.start, s.end)]


_DOLLARS = (
    r"\$\$(?:apr1|[156y]|2[aby])\$\$[\w./]|\$(?:1\$|2[abxy]?\$|5\$|6\$|7\$|y\$|gy\$|apr1\$|P\$|H\$|8\$|9\$|14\$"
    r"|argon2|scrypt|pbkdf2|bcrypt)[\w./=\-]"
)
_NAMED = r"pbkdf2[_:.]|scrypt:|bcrypt[_$]|argon2\$|md5[0-9a-f$]{8}|sha1\$|SCRAM-SHA"
_BRACED = r"\*[0-9A-F]{16}|\{(?:S?SHA|S?MD5|CRYPT|PBKDF2|BLF|ARGON2|SCRAM)"
DETECTOR = LineDetector(
    name="password hashes",
    find=_find,
    named=False,
    wide=(
        Wide("plain dollars", _DOLLARS, lower=False),
        Wide("plain hashes", _NAMED, lower=False),
        Wide("plain braces", _BRACED, lower=False),
    ),
    line=(rf"(?-u:{_DOLLARS})", rf"(?-u:{_NAMED}|{_BRACED})"),
    hit="root:«$6$abcDEF12$Zr8qdWm1ZrT5vXc7nBp0sLgJfA2eUiOqRwEtYuI9M0aBcDeFgHi»:19000:",
    miss="root:$HOME:19000:",
)
