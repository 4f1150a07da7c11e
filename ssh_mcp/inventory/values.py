"""Checks of single values that settings and hosts.toml share. Pure.

Every check returns the value in its final form or raises ``BadValue``, whose text says what is allowed. The caller adds
where the value was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from transports.names import login_name_problem

_ALIAS: Final = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,127}\Z")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\Z")
_ZONE: Final = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*%[A-Za-z0-9._-]+\Z")
_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}\Z")
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NUMBER: Final = re.compile(r"(?:0x[0-9a-f]{1,8}|0[0-7]{0,11}|[1-9]\d{0,9})\Z")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udc7f\udd00-\udfff]")
_DRIVE: Final = re.compile(r"/?[A-Za-z]:[\\/]")
_HOST_FORBIDDEN: Final = frozenset("|&;<>()$`\\\"'*?[]{}!#~^,/@=")


class BadValue(ValueError):
    """A value that does not fit. ``str()`` continues the sentence "X …": it begins with a verb."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}. {remedy}")
        self.what = what
        self.remedy = remedy


def shown(value: object, limit: int = 80) -> str:
    """``value`` for a message: one line, escaped, bounded, and to be seen where it is empty."""
    text = (value or "''") if isinstance(value, str) else repr(value)
    text = text[: limit + 1].encode("unicode_escape").decode("ascii") if not _plain(text) else text
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _plain(text: str) -> bool:
    return text.isprintable()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was probably meant to be."""
    import difflib

    folded = {k.lower(): k for k in known}
    found = difflib.get_close_matches(name.lower()[:200], folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def tag(text: str) -> str:
    """A word that ``@WORD`` can select: no operator of a host set (``,&!^[]``) and no namespace (``:``)."""
    if not _TAG.match(text):
        raise BadValue("is not a tag", "Use letters, digits, dots, underscores and dashes, up to 64.")
    return text


def has_control(text: str) -> bool:
    """C0, DEL, C1 and what no file name or argument can carry: surrogates that encode no byte."""
    return _CONTROL.search(text) is not None


def host_key(name: str) -> str:
    """The form in which host names are compared: lower case, no trailing dot, no brackets, addresses normalised."""
    text = name.strip().strip("[]").rstrip(".").lower()
    if not text.isascii():
        try:
            text = text.encode("idna").decode("ascii").rstrip(".")
        except UnicodeError:
            return text
    if ":" in text or text[:1].isdigit():
        import ipaddress

        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return str(mapped or address)
    return text


def block_key(name: str) -> str:
    """``host_key`` for what forbids: an IPv6 zone goes, and what inet_aton(3) reads (``127.1``, ``0x7f000001``) too.

    What allows compares exactly: nobody wrote those into an allowlist.
    """
    key = host_key(name)
    if ":" in key:
        return host_key(key.partition("%")[0])
    number = _inet_aton(key) if key[:1].isdigit() else None
    return key if number is None else host_key(".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0)))


def _inet_aton(text: str) -> int | None:
    """One to four numbers, decimal, octal or hexadecimal, the last of which fills what is left of 32 bits."""
    parts = text.split(".")
    if len(parts) > 4 or not all(_NUMBER.match(p) for p in parts):
        return None
    numbers = [int(p, 8 if p.startswith("0") and p.isdigit() else 0) for p in parts]
    *first, last = numbers
    if any(n > 255 for n in first) or last >= 256 ** (4 - len(first)):
        return None
    return sum(n << (8 * (3 - i)) for i, n in enumerate(first)) + last


def alias(text: str) -> str:
    """A host's short name: it is a word for ssh and a file name for notes."""
    if not _ALIAS.match(text):
        raise BadValue(
            "is not a usable alias", "Use letters, digits, dot, underscore and hyphen, not beginning with a hyphen."
        )
    return text


def hostname(text: str) -> str:
    """A host name or address as ssh takes it. Brackets around an IPv6 address go."""
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if not text:
        raise BadValue("is empty", "Give a host name or an address.")
    if text.startswith("-"):
        raise BadValue("begins with '-', which ssh would take for an option", "Give a host name or an address.")
    if not text.isprintable() or any(c.isspace() or c in _HOST_FORBIDDEN for c in text) or _bad_percent(text):
        raise BadValue(
            "holds whitespace, control characters or shell metacharacters", "Give a plain host name or address."
        )
    return text


def _bad_percent(text: str) -> bool:
    return "%" in text and not _ZONE.match(text)


def user(text: str) -> str:
    """A login name (``transports.names``)."""
    if (problem := login_name_problem(text)) is not None:
        raise BadValue(problem, "Give a login name such as deploy, DOMAIN\\deploy or alice:db1.")
    return text


def fingerprint(text: str) -> str:
    """``SHA256:`` and 43 base64 characters, as ssh-add -l prints it; padding goes."""
    text = text.rstrip("=")
    if not _FINGERPRINT.match(text):
        raise BadValue("is not a key fingerprint", "Copy the SHA256:… column of 'ssh-add -l'.")
    return text


def expand(text: str, env: Mapping[str, str]) -> str:
    """``${VAR}`` replaced. An unset variable is an error: an empty path would mean something else."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if not _NAME.match(name):
            raise BadValue("holds a malformed ${…}", "Write ${NAME}.")
        if name not in env:
            raise BadValue(f"names the variable {name}, which is not set", "Set it or write the value itself.")
        return env[name]

    return _VARIABLE.sub(value, text)


def local_path(text: str, env: Mapping[str, str]) -> str:
    """A path on this machine, with ``${VAR}`` and a leading ``~`` expanded."""
    text = expand(text, env)
    if has_control(text) or not text:
        raise BadValue("is not a usable path", "Give a path without control characters.")
    if text == "~" or text.startswith(("~/", "~\\")):
        home = env.get("HOME") or env.get("USERPROFILE")
        if not home:
            raise BadValue("begins with ~, but HOME is not set", "Write the whole path.")
        return home.rstrip("/\\") + text[1:] if text != "~" else home
    if text.startswith("~"):
        raise BadValue("begins with ~user, which is not expanded", "Write the whole path.")
    return text


def is_drive_path(text: str) -> bool:
    r"""``C:\x``, ``C:/x`` and ``/C:/x``: absolute on Windows."""
    return bool(_DRIVE.match(text))


def remote_path(text: str, windows: bool | None) -> str:
    """An absolute path on the host. ``windows`` None: not yet known, either form will do."""
    _no_control(text)
    drive = is_drive_path(text)
    if not (drive if windows else text.startswith("/") if windows is False else (drive or text.startswith("/"))):
        example = "C:/Users/deploy" if windows else "/srv/app"
        raise BadValue("is a relative path", f"Write an absolute path such as {example}.")
    if ".." in re.split(r"[/\\]" if windows or drive else "/", text):
        raise BadValue("holds '..'", "Write the path without it.")
    return text


def remote_prefix(text: str, windows: bool | None, *, everything: bool) -> str:
    """An entry of path_allowlist or restricted_paths; ``*`` and ``/`` are for allowlists (``everything``)."""
    if text == "*" and everything:
        return text
    if text.startswith("/") and not text.strip("/."):
        return "/" if ".." not in text else remote_path(text, windows)
    return remote_path(text, windows)


def remote_glob(text: str) -> str:
    """A pattern over whole absolute paths, so that it can only begin with a slash, a drive or ``**``."""
    _no_control(text)
    if not (text.startswith(("/", "**", "*:")) or is_drive_path(text) or text[:3].lower().endswith(":/")):
        raise BadValue("is a relative pattern and would never match", f"Write **/{shown(text)} or an absolute pattern.")
    return text


def _no_control(text: str) -> None:
    if not text:
        raise BadValue("is empty", "Remove it or write a path.")
    if has_control(text):
        raise BadValue("holds control characters", "Write the path without them.")
