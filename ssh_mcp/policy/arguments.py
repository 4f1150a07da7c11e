"""Shapes of names, references, filters, times and patterns: what does not fit is never sent.

Every function returns its argument as it is to be sent, or raises InvalidArgument. Values travel as quoted tokens
anyway; these rules keep them from meaning something else to the *program* that gets them: an option, a pattern where a
name was meant, apt's ``foo-`` (remove foo) in an install.
"""

from __future__ import annotations

import re
from typing import Final

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.inventory.values import has_control, shown


def _matched(pattern: re.Pattern[str], text: str, what: str, remedy: str, limit: int = 255) -> str:
    if not text or len(text) > limit or not pattern.fullmatch(text):
        raise InvalidArgument(f"{shown(text)} is no {what}.", remedy)
    return text


def _free(text: str, what: str, limit: int) -> str:
    """Free text: anything but control characters, and not without end."""
    if not text or len(text) > limit or has_control(text):
        raise InvalidArgument(
            f"The {what} is empty, longer than {limit} characters, or holds control characters.", f"Give a {what}."
        )
    return text


# --- accounts -------------------------------------------------------------------------------------------------------

_USER: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.@\\+-]| (?=[A-Za-z0-9_]))*\$?")


def user(text: str) -> str:
    r"""An account of the host, also of a domain (``alice@example.org``, ``CORP\john doe``).

    Narrower than a login name: what a bastion packs into one (``alice:db1``) names no account.
    """
    return _matched(_USER, text, "user name", "A user name holds letters, digits, single blanks and _ . @ + -.", 256)


# --- systemd --------------------------------------------------------------------------------------------------------

UNIT_TYPES: Final = (
    "service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope",
)  # fmt: skip
_UNIT: Final = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*")
_UNIT_PATTERN: Final = re.compile(r"[A-Za-z0-9:_.@\\*?\[][A-Za-z0-9:_.@\\*?\[\]!^-]*")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_STATES: Final = re.compile(r"[a-z][a-z-]*(?:,[a-z][a-z-]*)*")


def unit(text: str) -> str:
    """A unit name (systemd.unit(5)); without a suffix systemctl takes it for a service."""
    return _matched(_UNIT, text, "unit name", "A unit name looks like nginx.service or getty@tty1.service.")


def unit_pattern(text: str) -> str:
    """A glob on unit names."""
    return _matched(_UNIT_PATTERN, text, "pattern of unit names", "A pattern looks like nginx* or *.timer.")


def unit_property(text: str) -> str:
    """A property's name."""
    return _matched(_WORD, text, "property name", "A property looks like ActiveState or MainPID.", 80)


def unit_state(text: str) -> str:
    """One or more load, active or sub states, separated by commas."""
    return _matched(_STATES, text, "unit state", "A state is a word such as failed, running or inactive.", 120)


def unit_type(text: str) -> str:
    """A type of unit."""
    if text not in UNIT_TYPES:
        raise InvalidArgument(f"{shown(text)} is not a type of unit.", f"Types are {', '.join(UNIT_TYPES)}.")
    return text


_SPAN_UNIT: Final = r"(?:usec|us|msec|ms|seconds?|sec|s|minutes?|min|m|months?|M|hours?|hr|h|days?|d|weeks?|w|years?|y)"
_SPAN: Final = rf"\d{{1,9}}(?:\.\d{{1,6}})?\s?{_SPAN_UNIT}(?:\s?\d{{1,9}}(?:\.\d{{1,6}})?\s?{_SPAN_UNIT}){{0,6}}"
_CLOCK: Final = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?"
_DATE: Final = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?\d{2,4}-\d{1,2}-\d{1,2}"
_ZONE: Final = r"(?: ?(?:UTC|Z|[+-]\d{2}:?\d{2}|[A-Za-z_]+/[A-Za-z_/+-]+))?"
_JOURNAL_TIME: Final = re.compile(
    rf"now|today|yesterday|tomorrow|@\d{{1,11}}(?:\.\d{{1,6}})?|{_DATE}(?:[ T]{_CLOCK})?{_ZONE}|{_CLOCK}{_ZONE}"
    rf"|[+-]?{_SPAN}|{_SPAN} (?:ago|left)"
)


def journal_time(text: str) -> str:
    """A point in time in the words of systemd.time(7)."""
    return _matched(
        _JOURNAL_TIME,
        text,
        "time that systemd knows",
        "Give today, '1 hour ago', 2025-01-31 or '2025-01-31 06:00'.",
        80,
    )


def journal_grep(text: str) -> str:
    """A regular expression for journalctl."""
    return _free(text, "regular expression", 500)


# --- packages -------------------------------------------------------------------------------------------------------

_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+](?::[a-z0-9-]{1,20})?")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~:-]*")
_PACKAGE_PATTERN: Final = re.compile(r"[a-z0-9*?\[][a-z0-9+.*?\[\]-]*(?::[a-z0-9-]{1,20})?")
_PACKAGE_HELP: Final = "A package name looks like nginx or libc6:amd64."


def package(text: str) -> str:
    """A Debian package name, perhaps with its architecture.

    ``foo-`` and ``foo+`` would turn apt's meaning round (apt-get(8)); names that really end so end in ``++``.
    """
    name = _matched(_PACKAGE, text, "package name", _PACKAGE_HELP, 150).partition(":")[0]
    if name.endswith("+") and (not name.endswith("++") or name.endswith("+++")):
        raise InvalidArgument(
            f"{shown(text)} is not a package name: apt reads the last sign as a command.", _PACKAGE_HELP
        )
    return text


def package_with_version(text: str) -> str:
    """A package name with ``=version`` where one is wanted."""
    name, equals, version = text.partition("=")
    package(name)
    if equals:
        _matched(_VERSION, version, "version", "A version looks like 1.22.1-9+deb12u1.", 150)
    return text


_ANY_PACKAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._:~=-]*")


def any_package(text: str) -> str:
    """A package name of any manager: nothing that begins as an option, a path or a pattern does."""
    return _matched(_ANY_PACKAGE, text, "package name", "A package name looks like nginx or python3-pip.", 150)


def package_pattern(text: str) -> str:
    """A glob on package names."""
    return _matched(_PACKAGE_PATTERN, text, "pattern of package names", "A pattern looks like lib* or nginx.", 150)


def package_search(text: str) -> str:
    """A regular expression on names and descriptions."""
    return _free(text, "regular expression", 200)


# --- containers -----------------------------------------------------------------------------------------------------

_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HOST_PART: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?|\[[0-9a-fA-F:]+\](?::\d{1,5})?)"
_NAME_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE: Final = re.compile(
    rf"(?:{_HOST_PART}/)?{_NAME_PART}(?:/{_NAME_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    rf"(?:@sha256:[0-9a-f]{{64}})?|sha256:[0-9a-f]{{6,64}}"
)
_IMAGE_PATTERN: Final = re.compile(r"[A-Za-z0-9*?\[][A-Za-z0-9._/:*?\[\]@-]*")
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*(?:=[^\x00-\x1f\x7f]*)?")
_PS_WORD: Final = re.compile(r"[A-Za-z0-9-][A-Za-z0-9,=_:.%+-]*")


def container(text: str) -> str:
    """A container's, volume's or network's name, or an id."""
    return _matched(_CONTAINER, text, "name or id", "A name holds letters, digits and _ . -.")


def image(text: str) -> str:
    """An image reference: name, registry, tag, digest, or an id."""
    return _matched(
        _IMAGE, text, "image reference", "It looks like nginx:1.27 or registry.example.org/app@sha256:...", 512
    )


def image_pattern(text: str) -> str:
    """An image reference that may hold ``*``, ``?`` and sets."""
    return _matched(_IMAGE_PATTERN, text, "image reference", "It looks like nginx or nginx:1.*.", 512)


def label(text: str) -> str:
    """``key`` or ``key=value``."""
    return _matched(_LABEL, text, "label filter", "It looks like com.example.role or com.example.role=web.", 512)


_ENGINE_TIME: Final = re.compile(
    r"now|\d{1,11}(?:\.\d{1,9})?|(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s))+"
    r"|\d{4}-\d{2}-\d{2}(?:T\d{2}(?::\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?(?:Z|[+-]\d{2}:\d{2})?)?"
)


def engine_time(text: str) -> str:
    """A duration before now, an RFC 3339 time or date, seconds since 1970, or ``now``."""
    return _matched(_ENGINE_TIME, text, "time", "Give 10m, 1h30m, 2025-01-31T06:00:00Z, seconds since 1970 or now.", 60)


EVENT_FILTERS: Final = (
    "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "pod", "scope", "secret",
    "service", "type", "volume",
)  # fmt: skip
_EVENT_VALUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@= -]*")


def event_filter(text: str) -> tuple[str, str]:
    """``key=value``, taken apart."""
    key, equals, value = text.partition("=")
    if not equals or key not in EVENT_FILTERS:
        raise InvalidArgument(
            f"{shown(text)} is not an event filter.", f"It is key=value; keys: {', '.join(EVENT_FILTERS)}."
        )
    return key, _matched(_EVENT_VALUE, value, "filter value", "It looks like type=container or event=die.")


def ps_options(text: str) -> tuple[str, ...]:
    """Options of ps, or podman's column names, word by word."""
    found = tuple(text.split())
    if len(found) > 20:
        raise InvalidArgument("ps_options has more than 20 words.", "Give something like aux or -eo pid,comm.")
    return tuple(_matched(_PS_WORD, w, "ps option", "Give something like aux or -eo pid,comm.", 120) for w in found)


def container_path(text: str) -> str:
    """An absolute path inside a container."""
    if not text.startswith("/") or len(text) > 4096 or has_control(text):
        raise InvalidArgument(f"{shown(text)} is not an absolute path inside a container.", "It begins with a slash.")
    return text


def service(text: str) -> str:
    """A compose service."""
    return _matched(_CONTAINER, text, "service name", "A name holds letters, digits and _ . -.")
