"""Is a value a secret, a reference to one, or plainly something else?

All tests are anchored and linear in the value's length; none looks at more than ``MAX_LOOK`` characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.words import words

MAX_LOOK = 512
"""Characters of a value that the shape tests read; a longer value is never harmless."""

MARKER = re.compile(r"<sha:[0-9a-f]{12} len:\d{1,10}(?: hint:[^\s<>]{1,4}\.\.[^\s<>]{1,4})?>")
"""Our own markers, which are never masked again."""

_CONSTANT = words(
    "null none nil nul undefined true false yes no on off 0 1 -1 ~ n/a na - -- ... unset empty enabled",
    "disabled optional required default inherit auto always never not_set notset",
)
_STATUS = words(
    "incorrect required expired missing valid invalid none unset set empty hidden redacted disabled",
    "enabled unknown optional ok failed success successful changed updated rejected accepted mismatch",
    "created deleted revoked found ignored present absent configured unchanged yes no true false null",
    "added removed deprecated modified fixed supported unsupported reset",
    "write correct wrong denied verified encrypted locked active inactive provided given omitted",
)
_TYPES = words(
    "str string int integer bytes bool boolean any object number float secretstr text varchar char uuid",
    "byte char[] byte[] string[] optional buffer uint8array secretkey privatekey publickey key token",
    "uint8_t uint16_t uint32_t uint64_t int32_t int64_t size_t",
    "password",
)
_REFERENCE = re.compile(
    r"""(?x)
    \$\{\{.*\}\} | \$\{[^{}]*\} | \$\$?\(.* | `.* | \$\$?[A-Z_][A-Z0-9_]* | \$[0-9@*]
    | \{\{.*\}\} | \{%.*%\} | \#\{.*\} | %\{.*\} | \{[A-Za-z_][\w.]*\} | <%.*%>
    | <[A-Za-z][\w\ .:/|-]*> | %\([\w.]+\)s | %[A-Za-z_]\w*% | @[A-Za-z_]\w*@ | __[A-Z][A-Z0-9_]*__ | %[sdv]
    | :[a-z_]+[;,)]? | \\?~?(?:\$\{[^{}]*\}|\$[A-Z_][A-Z0-9_]*)(?:[/.*~]|\$\{[^{}]*\}|\$[A-Z_][A-Z0-9_]*)*
    | \([A-Za-z]+(?:[ -][A-Za-z]+){0,5}\) | \[[A-Za-z]+(?:[ -][A-Za-z]+){0,3}\] | [*•xX.]{3,64} | \*+
    | (?:file|env|vault|op|ssm|sm|secretsmanager|gcp-sm|gcpsm|keyring|awssm|azurekv|doppler|cmd|exec|pass|bws|aws-sm
        |kms|sops|hash|lmdb|btree|texthash|cdb|proxy|ldap|mysql|pgsql|base64file|fileb|secretref
        |secretKeyRef|ref\+[a-z]+):/?/?[\w./@\#:{}$ -]+
    | arn:aws[\w-]*:[\w:/.*+=@-]+ | projects/[\w-]+/secrets/[\w/-]+ | ENC\[.*\] | \{cipher\}.* | \$ANSIBLE_VAULT.*
    | AQICAH[\w+/=]+ | vault:v\d+:[\w+/=]+
    """
)
_SNAKE_VARIABLE = re.compile(r"\$\$?(?:[a-z_][A-Za-z_]*(?![\w!@#$%^&*])|\w+(?=->|\[|::|\.))")
_CODE_REFERENCE = re.compile(
    r"""(?x)
    (?:process|import\.meta|Deno|Bun)\.env(?:\.\w+|\[.*|\.get\(.*) | (?:os|sys)\.(?:environ|getenv)\b.*
    | ENV(?:\[.*\]|\.fetch\(.*)
    | (?:System\.|std::|os\.)?(?:getenv|Getenv|env|env!|Environ|environ
      |GetEnvironmentVariable)\(.*
    | (?:var|local|data|module|each|path|self|this|cls|secrets|settings|config|cfg|conf|options|opts|args|params|req
      |request|ctx|context|env|vars|props|state|event|app|inputs|outputs|github|steps|needs|matrix|ansible|user|credentials
      |creds|random_password|aws_\w+|azurerm_\w+|google_\w+|vault_\w+|tls_\w+|kubernetes_\w+|Rails|Vue|builder|model|parsed
      |node|item|entry|row|obj|data_source|parser|response|resp|session|client|cookies|headers)
      (?:\??\.|->|::|\[).*
    | [a-z]\.[A-Za-z_]\w*(?:[.(\[].*)?
    | (?:new|await|await\s+import|yield|not|lambda|typeof|raise|return|function|async|fn|def|sizeof|static)\b\s.*
    | [A-Za-z_][\w.:>\-?!\[\]]*\(.*\)?[;,:\]}]* | \(.*\)\s*=>.* | &?(?:mut\s)?[A-Za-z_]\w*(?:::<?\w+>?)+.*
    | \[\s*\]?,?|\{\s*\}?[,;]?
    | [A-Za-z_][\w.]*\[.* | [A-Za-z_][\w.]*\s(?:\|\||&&|\?\?|\?|or|and|if|is|in|not|\+|-|\*|/|==|!=|<|>|as)\s.*
    | [&*][a-z_]\w*[;,)]*
    | (?:Optional|Union|List|Dict|Annotated|Literal|Callable|Promise|Array|Option|Vec|Map|Set|Partial|Secret)[\[<].*
    """
)
# Linear: nested repetition here is exponential in the length of a value that does not match (tests/fuzz found it).
_PATH = re.compile(
    r"(?:~[\w-]*|\.{1,2}|[A-Za-z]:|\$\{?[\w.]+\}?|%\w+%)?[/\\]{1,2}(?:[\w.@%+ ,:~${}-][\w.@%+ ,:~${}/\\-]*)?"
)
_RELATIVE = re.compile(
    r"[\w.@-]+(?:/[\w.@-]+)*/?[\w@-]*\.(?:pem|key|crt|cer|der|p12|pfx|jks|pub|json|ya?ml|toml|ini|conf|cfg"
    r"|txt|log|sock|php|py|js|ts|html?|sh|env|db|sqlite|xml|csv|asc|gpg|keytab|keystore|kdbx|service|dat"
    r"|bin|so|rb|go|java|css|md|rs|c|h|tf|lock|token|secret|password|creds)"
)
_URL = re.compile(r"[A-Za-z][\w+.-]{1,20}:(?://[^\s@]*|[/\\][^\s@]*)|(?:unix|tcp|udp|http|https|file|fd|inet):\S*")
_NUMBER = re.compile(r"[+-]?[0-9][0-9_,]{0,9}(?:\.[0-9]+)?")
_QUANTITY = re.compile(
    r"[+-]?[0-9.]{1,9}\s?(?:[munµ]?s|ms|sec|secs|seconds?|m|min|mins|minutes?|h|hr|hours?|d|days?|w|weeks?"
    r"|y|years?|months?"
    r"|[kKMGTP]i?[bB]?|[bB]|bytes?|bits?|%|px|em|x)",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.+Z-]*)?|\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?|\d\d?/\d\d?/\d{4}")
_ADDRESS = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}(?:[:/]\d{1,5})?|\[?[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\]?(?:/\d+)?"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:[a-z0-9](?:[a-z0-9-]{0,40})\.){1,8}[a-z]{2,12}(?::\d{1,5})?(?:/[\w./-]*)?"
    r"|localhost(?::\d+)?|:\d{2,5}|[\w.-]+:\d{2,5}"
)
_VERSION = re.compile(r"[\^~>=<]{0,2}\s?[vV]?\d+(?:\.\d+){1,3}(?:[-+.][A-Za-z0-9.]+)?")
UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
_TWILIO = re.compile(r"(?:AC|CA|IS|MG|PN|SM|VA)[0-9a-f]{32}")
"""Twilio's names of accounts, calls and numbers."""
_PIECE = re.compile(
    r"[A-Za-z]{1,6}|[A-Z]?[a-z]{1,20}|[A-Z]{1,20}|[0-9]{1,4}|[A-Za-z]{1,10}[0-9]{1,3}|[0-9]{1,2}[A-Za-z]{1,6}"
)
_SEPARATORS = re.compile(r"[-_./:, @+#*=()&;|]+")
_ENUM = words(
    "md5 sha1 sha2 sha256 sha384 sha512 oauth1 oauth2 saml2 x509 es256 es384 rs256 rs384 rs512 hs256",
    "hs384 hs512 ps256 ed25519 rsa1024 rsa2048 rsa4096 aes128 aes256 base64 utf8 ipv4 ipv6 ldap3 ntlmv2",
    "krb5 tls1 p256 p384 secp256k1 ssh2 redis6 http2 argon2 argon2i argon2id pbkdf2 bcrypt2 blake2 blake3",
    "chacha20 curve25519",
)
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|apikey)\s+")
_LONG_WORD = re.compile(r"[a-z]+|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*|[A-Z]+")


def is_marker(value: str) -> bool:
    return value.startswith("<sha:") and MARKER.fullmatch(value) is not None


def is_constant(value: str) -> bool:
    """Nothing, null, a boolean, 0 or 1."""
    return not value or (len(value) < 12 and value.lower() in _CONSTANT)


def is_status(value: str) -> bool:
    """What a program says *about* a password: expired, invalid …"""
    return value.rstrip(".,!;").lower() in _STATUS


def is_reference(value: str) -> bool:
    """A variable, a template, a placeholder, a path, a secret manager's address: not the secret itself."""
    if len(value) > MAX_LOOK:
        return False
    return bool(_REFERENCE.fullmatch(value)) or is_path(value)


def is_path(value: str) -> bool:
    """An absolute, home or dotted path; base64 that happens to begin with a slash is none."""
    if not value or (value[0] not in "/~.\\$%" and value[1:2] != ":"):
        return False
    if len(value) > MAX_LOOK or not _PATH.fullmatch(value):
        return False
    return not any(looks_random(p) for p in re.split(r"[/\\]", value)) or value.startswith(("/run/", "/etc/", "/var/"))


def is_code(value: str) -> bool:
    """An expression of a programming language instead of a literal: calls, attributes, types."""
    if "(" not in value and looks_random(value):
        return False
    look = value[:MAX_LOOK]
    bare = look.rstrip(";,:){}").lower()
    return bare in _TYPES or bool(_CODE_REFERENCE.fullmatch(look) or _SNAKE_VARIABLE.match(look))


def _kind(char: str) -> int:
    if char.isdigit():
        return 0
    if char.islower():
        return 1
    return 2 if char.isupper() else 3


def _punctuated(value: str) -> bool:
    """Salts of WordPress and the like: 32 or more with all kinds of punctuation."""
    marks = {c for c in value if not c.isalnum() and c not in " -_.,'\n"}
    return len(value) >= 32 and len(marks) >= 5 and any(c.isdigit() for c in value)


def _is_named(value: str) -> bool:
    """Words, short numbers and codes joined by separators: kube-system/coredns-v1, created_at, CamelCase."""
    pieces = [p for p in _SEPARATORS.split(value) if p]
    return all(_PIECE.fullmatch(p) or (_LONG_WORD.fullmatch(p) and _pronounced(p)) for p in pieces)


def _pronounced(piece: str) -> bool:
    if piece.isupper() or piece.islower():
        return len(piece) <= (15 if piece.isupper() else 24)
    return sum(c.isupper() for c in piece[1:]) * 3 + 3 <= len(piece) + 1


class RandomRule(NamedTuple):
    """What ``applies`` to looks random if ``random`` says so. The first rule that applies decides."""

    name: str
    applies: Callable[[str], bool]
    random: Callable[[str], bool]
    example: str


def _swaps(value: str) -> int:
    """How often digits, small letters, capitals and signs change places."""
    return sum(_kind(a) != _kind(b) for a, b in pairwise(value))


def _never(_: str) -> bool:
    return False


RANDOM_RULES = (
    RandomRule("short, or a UUID", lambda v: len(v) < 16 or bool(UUID.fullmatch(v)), _never, "hunter2x9"),
    RandomRule("with blanks", lambda v: any(c.isspace() for c in v), _punctuated, "a b c d e f g h i j"),
    RandomRule(
        "hexadecimal",
        lambda v: bool(_HEXADECIMAL.fullmatch(v)),
        lambda v: len(v) >= 32 and not v.isdigit() and len(set(v)) >= 8,
        "0123456789abcdef0123456789abcdef",
    ),
    RandomRule("words with separators", _is_named, _never, "kube-system/coredns-v1"),
    RandomRule(
        "few characters, hardly a letter",
        lambda v: len(set(v)) < 8 or sum(c.isalpha() for c in v) < 4,
        _never,
        "=======%%%%%%%==",
    ),
    RandomRule(
        "digits among letters",
        lambda v: sum(c.isdigit() for c in v) >= 2 and _swaps(v) >= 5,
        lambda _: True,
        "kJ8sLq2PzR5tWx9B",
    ),
    RandomRule(
        "capitals among letters",
        lambda v: not v.isupper() and not v.islower() and _swaps(v) * 3 >= len(v),
        lambda v: all(c.isalnum() or c in "+/=_-" for c in v),
        "kJxsLqaPzRbtWxcB",
    ),
)


@lru_cache(maxsize=4096)
def looks_random(value: str) -> bool:
    """Long and without the build of a word, name, number or date: what a generator makes."""
    rule = next((rule for rule in RANDOM_RULES if rule.applies(value[:MAX_LOOK])), None)
    return rule is not None and rule.random(value[:MAX_LOOK])


def is_harmless(value: str) -> bool:
    """For weakly named keys: plainly a number, size, time, path, address, name or sentence."""
    if len(value) > MAX_LOOK:
        return False
    lower = value.lower()
    if is_constant(lower) or is_status(lower) or lower in _ENUM or lower in _TYPES or is_reference(value):
        return True
    for shape in (_NUMBER, _QUANTITY, _DATE, _ADDRESS, _VERSION, _URL, _RELATIVE):
        if shape.fullmatch(value):
            return not (shape is _ADDRESS and any(looks_random(p) for p in value.split(".")))
    pieces = [p for p in _SEPARATORS.split(value) if p]
    if len(pieces) == 1:
        return (bool(_LONG_WORD.fullmatch(pieces[0])) and _pronounced(pieces[0])) or len(value) < 6
    return _is_named(value) and not looks_random(value)


def is_plain(value: str) -> bool:
    """For strongly named keys in doubtful company: harmless, and no short mix of letters and digits either."""
    if not is_harmless(value):
        return False
    mixed = value.isalnum() and not value.isalpha() and not value.isdigit()
    return not mixed or value.lower() in _ENUM or bool(_QUANTITY.fullmatch(value))


def is_secret(strength: Strength, value: str, *, own: bool = False) -> bool:
    """Whether ``value`` of a key of that strength is to be masked. ``own``: the operator named the key."""
    value = value.strip()
    if not value or is_marker(value):
        return False
    if own:
        return not is_reference(value)
    if (scheme := _SCHEME.match(value)) and is_reference(value[scheme.end() :]):
        return False
    if strength is Strength.STRONG:
        if (len(value) <= 2 and value.isdigit()) or (len(value) < 8 and not any(c.isalnum() for c in value)):
            return False
        return not (is_constant(value) or is_reference(value) or _is_other_thing(value))
    if strength is Strength.WEAK:
        return not is_harmless(value)
    return strength is Strength.FAINT and looks_random(value) and not (is_reference(value) or _TWILIO.fullmatch(value))


def _is_other_thing(value: str) -> bool:
    """A file name, an address without credentials, a version requirement."""
    if len(value) > MAX_LOOK:
        return False
    if value[0] in "^~>=<" or value.count(".") == 2:
        return bool(_VERSION.fullmatch(value))
    if value[0] in "#0123456789" and re.fullmatch(
        r"\d{1,6}/\d{1,6}|#(?:[0-9a-fA-F]{3}){1,2}|\d{1,9} (?:bytes?|characters?)", value
    ):
        return True  # a fraction, a colour, a size
    return bool(_RELATIVE.fullmatch(value)) or (bool(_URL.fullmatch(value)) and "://" in value and "?" not in value)
