"""What ``docker run`` may be asked for: an allowlist of options, read the way docker's own parser reads them.

Everything is taken apart into flag and value first (``-v/:/h``, ``-v=/:/h``, ``-dv /:/h``, ``--volume /:/h``) and put
together again in one canonical spelling, so that what was permitted is what runs. An option that is not on the list is
refused; one that reaches the host is refused by name unless the operator set ALLOW_DOCKER_PRIVILEGED.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.inventory.values import has_control, shown
from ssh_mcp.tokens import Token, arg, secret

SHORT: Final = {
    "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname", "i": "interactive", "l": "label", "m": "memory",
    "P": "publish-all", "p": "publish", "q": "quiet", "t": "tty", "u": "user", "v": "volume", "w": "workdir",
}  # fmt: skip
ALIASES: Final = {"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option"}
BOOLEAN: Final = frozenset(
    {
        "detach", "init", "interactive", "no-healthcheck", "oom-kill-disable", "privileged", "publish-all", "quiet",
        "read-only", "rm", "sig-proxy", "tty", "use-api-socket",
    }
)  # fmt: skip
SAFE: Final = frozenset(
    {
        "add-host", "cap-drop", "cpu-period", "cpu-quota", "cpu-shares", "cpus", "cpuset-cpus", "cpuset-mems", "dns",
        "dns-option", "dns-search", "domainname", "entrypoint", "env", "expose", "health-cmd", "health-interval",
        "health-retries", "health-start-period", "health-timeout", "hostname", "init", "ip", "ip6", "label",
        "memory", "memory-reservation", "memory-swap", "memory-swappiness", "network-alias", "no-healthcheck",
        "pids-limit", "platform", "publish", "publish-all", "pull", "quiet", "read-only", "restart", "shm-size",
        "stop-signal", "stop-timeout", "tmpfs", "ulimit", "user", "workdir",
    }
)  # fmt: skip
REACHES_HOST: Final = frozenset(
    {
        "annotation", "cap-add", "cgroup-parent", "cgroupns", "device", "device-cgroup-rule", "device-read-bps",
        "device-read-iops", "device-write-bps", "device-write-iops", "gpus", "group-add", "ipc", "isolation",
        "oom-kill-disable", "oom-score-adj", "pid", "privileged", "runtime", "security-opt", "storage-opt", "sysctl",
        "use-api-socket", "userns", "uts", "volume-driver", "volumes-from",
    }
)  # fmt: skip
OWN_PARAMETER: Final = {"detach": "detached", "rm": "remove", "name": "name"}
LOG_DRIVERS: Final = ("json-file", "local", "none")
NO_TERMINAL: Final = frozenset({"interactive", "tty", "attach"})

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ENV_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,255}(?:=[^\x00-\x1f\x7f]*)?")
_VOLUME_OPTIONS: Final = frozenset({"ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent"})
_PROPAGATION: Final = frozenset({"shared", "rshared", "slave", "rslave", "private", "rprivate", "dev", "suid", "exec"})
_MOUNT_KEYS: Final = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_MOUNT_SAFE: Final = frozenset(
    {"type", "source", "target", "readonly", "consistency", "volume-nocopy", "tmpfs-size", "tmpfs-mode"}
)
SOCKETS: Final = re.compile(r"/(?:var/)?run/(?:user/\d+/)?(?:docker|podman|containerd|crio|buildkit)\b|.*\.sock\Z")
"""Places of engines' sockets: whoever holds one is root on the host."""
GIVES_HOST: Final = re.compile(r"/|/(?:var|(?:var/)?run(?:/user(?:/\d+)?)?)|/(?:proc|sys)(?:/.*)?")
"""Canonical directories in which those sockets lie, and the kernel's own trees (core_pattern, uevent_helper)."""

_PRIVILEGED_HINT: Final = "The operator would have to set ALLOW_DOCKER_PRIVILEGED."


@dataclass(frozen=True, slots=True)
class Piece:
    """One permitted option. With ``source`` its value holds ``{}`` where the canonical host path belongs."""

    flag: str
    value: str | None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Options in canonical spelling. ``sources`` are host paths for path policy to decide about, in order."""

    pieces: tuple[Piece, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(p.source for p in self.pieces if p.source is not None)

    @property
    def restarts(self) -> bool:
        """Whether a restart policy is set, which docker does not combine with --rm."""
        return any(p.flag == "restart" and p.value != "no" for p in self.pieces)

    def tokens(self, canonical: Sequence[str]) -> list[Token]:
        """The words to send, with the canonical form of every source. Raises InvalidArgument."""
        places = iter(canonical)
        found: list[Token] = []
        for piece in self.pieces:
            value = piece.value
            if piece.source is not None and value is not None:
                value = value.replace("{}", mountable(next(places)))
            word = f"--{piece.flag}" if value is None else f"--{piece.flag}={value}"
            found.append(secret(word) if piece.flag == "env" else arg(word))
        return found


def mountable(path: str) -> str:
    """A canonical path as docker's mount syntax can hold it. Raises InvalidArgument."""
    if any(sign in path for sign in ',:"{}') or has_control(path):
        raise InvalidArgument(
            f"{shown(path)} contains a character that docker's mount syntax cannot express.", "Mount another directory."
        )
    return path


def decide_run(options: Sequence[str], *, privileged: bool) -> RunPlan:
    """Decide about ssh_docker_run's ``args``. ``privileged`` is ALLOW_DOCKER_PRIVILEGED. Raises InvalidArgument."""
    return RunPlan(tuple(_decide(flag, value, privileged=privileged) for flag, value in _taken_apart(options)))


# --- reading --------------------------------------------------------------------------------------------------------


def _taken_apart(options: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Flag and value, the way pflag reads them: long with ``=`` or the next word, short ones joined or bundled."""
    rest = list(options)
    if any(has_control(word.replace("\n", "").replace("\t", "")) for word in rest):
        raise InvalidArgument("args holds control characters.", "Give each option without them.")
    while rest:
        word = rest.pop(0)
        if word.startswith("--") and len(word) > 2:
            yield _long(word, rest)
        elif word.startswith("-") and len(word) > 1 and word != "--":
            yield from _bundle(word, rest)
        else:
            raise InvalidArgument(
                f"args holds {shown(word)}, which is not an option.",
                "args takes options only: the image has its own parameter, and so has the program to run (command).",
            )


def _long(word: str, rest: list[str]) -> tuple[str, str | None]:
    name, equals, value = word[2:].partition("=")
    name = ALIASES.get(name, name)
    if name in BOOLEAN:
        return name, value if equals else None
    return name, value if equals else _next(word, rest)


def _bundle(word: str, rest: list[str]) -> Iterator[tuple[str, str | None]]:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = SHORT.get(letter)
        if name is None:
            raise _refused(f"-{letter}", "it is not on the list of permitted options")
        if name in BOOLEAN and not letters.startswith("="):
            yield name, None
            continue
        value = letters.removeprefix("=") if letters else _next(f"-{letter}", rest)
        letters = ""
        yield name, value


def _next(word: str, rest: list[str]) -> str:
    if not rest:
        raise InvalidArgument(
            f"args ends after {shown(word)}, which needs a value.", "Give the value as the next item."
        )
    return rest.pop(0)


# --- deciding -------------------------------------------------------------------------------------------------------


def _decide(flag: str, value: str | None, *, privileged: bool) -> Piece:
    if flag in OWN_PARAMETER:
        raise _refused(f"--{flag}", f"the tool has the parameter {OWN_PARAMETER[flag]} for it")
    if flag in NO_TERMINAL:
        raise _refused(f"--{flag}", "commands run without a terminal")
    if flag == "volume":
        return _volume(value or "", privileged=privileged)
    if flag == "mount":
        return _mount(value or "", privileged=privileged)
    if flag in ("network", "security-opt", "log-driver", "log-opt"):
        return _by_value(flag, value or "", privileged=privileged)
    if flag == "env" and not _ENV_KEY.fullmatch((value or "").partition("=")[0]):
        raise _refused("--env", "a variable's name holds letters, digits and _ . - (its value may be anything)")
    if flag == "label" and not _LABEL.fullmatch(value or ""):
        raise _refused("--label", "a label is key or key=value on one line, its key of letters, digits and . _ / -")
    if flag in SAFE:
        if flag in BOOLEAN and value not in (None, "true", "false"):
            raise _refused(f"--{flag}={value}", "it is true or false")
        return Piece(flag, value)
    if flag in REACHES_HOST:
        if privileged:
            return Piece(flag, value)
        raise _reaches(f"--{flag}")
    raise _refused(f"--{flag}", "it is not on the list of permitted options")


def _by_value(flag: str, value: str, *, privileged: bool) -> Piece:
    if flag == "network":
        if not foreign_network(value):
            return Piece(flag, value)
    elif flag == "security-opt":
        if harmless_security(value):
            return Piece(flag, value)
    elif flag == "log-driver":
        if value in LOG_DRIVERS:
            return Piece(flag, value)
        raise _refused(f"--log-driver={value}", f"drivers are {', '.join(LOG_DRIVERS)}")
    elif re.fullmatch(r"max-(?:size|file)=\w{1,12}", value):
        return Piece(flag, value)
    else:
        raise _refused(f"--log-opt={value}", "options are max-size and max-file")
    if privileged and not has_control(value):
        return Piece(flag, value)
    raise _reaches(f"--{flag}={value}")


def foreign_network(value: str) -> bool:
    """Whether a network is the host's or another container's, or in a notation that is not read."""
    return _NAME.fullmatch(value) is None or value.lower() in ("host", "ns", "container", "pasta", "slirp4netns")


def harmless_security(value: str) -> bool:
    """The one security option that only takes rights away."""
    return value in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")


def _volume(value: str, *, privileged: bool) -> Piece:
    """``-v [SOURCE:]TARGET[:OPTIONS]``."""
    source, target, options = split_volume(value)
    for option in options:
        check_volume_option(option, f"-v {value}", privileged=privileged)
    tail = f":{','.join(options)}" if options else ""
    if source is None:
        return Piece("volume", target)
    if source.startswith("/"):
        check_socket(source, privileged=privileged)
        return Piece("volume", f"{{}}:{target}{tail}", source)
    if _NAME.fullmatch(source) is None:
        raise _refused(f"-v {value}", "its source is neither an absolute path nor a volume's name")
    return Piece("volume", f"{source}:{target}{tail}")


def split_volume(value: str) -> tuple[str | None, str, list[str]]:
    """Source (None: anonymous), target, options. Raises InvalidArgument."""
    parts = value.split(":")
    if len(parts) == 1:
        source, target, options = None, parts[0], ""
    elif len(parts) == 2:
        source, target, options = parts[0], parts[1], ""
    elif len(parts) == 3:
        source, target, options = parts[0], parts[1], parts[2]
    else:
        raise _refused(f"-v {value}", "it has more than three parts")
    if not target.startswith("/") or "{" in target or "}" in target or has_control(value):
        raise _refused(f"-v {value}", "its target is not an absolute path")
    return source, target, [o for o in options.split(",") if o]


def check_volume_option(option: str, where: str, *, privileged: bool) -> None:
    """Raise InvalidArgument for an option that reaches beyond the mount, or is not known."""
    if option in _VOLUME_OPTIONS or (privileged and option in _PROPAGATION):
        return
    if option in _PROPAGATION:
        raise _reaches(f"{where} (option {option})")
    raise _refused(where, f"the option {option} is not on the list of permitted options")


def check_socket(path: str, *, privileged: bool) -> None:
    """Raise InvalidArgument for a path where an engine's socket lies, unless the operator permits it."""
    if not privileged and SOCKETS.match(re.sub(r"/+", "/", path)):
        raise _reaches(f"a mount of {path}")


def gives_host(path: str) -> bool:
    """Whether a container that sees the canonical ``path`` has the host: an engine's socket, what holds one, /proc."""
    return SOCKETS.match(path) is not None or GIVES_HOST.fullmatch(path) is not None


def _mount(value: str, *, privileged: bool) -> Piece:
    """``--mount type=…,source=…,target=…``: keys are case-insensitive to docker, and so here."""
    if '"' in value or "{" in value or "}" in value:
        raise _refused(f"--mount {value}", "quotes and braces are not read")
    fields: dict[str, str] = {}
    permitted = ""
    for part in value.split(","):
        key, equals, content = part.partition("=")
        key = _MOUNT_KEYS.get(key.lower(), key.lower())
        if key in fields:
            raise _refused(f"--mount {value}", f"{key} occurs twice")
        if key not in _MOUNT_SAFE:
            if "-" not in key:
                raise _refused("--mount", f"{key} is not known")
            if not privileged:
                raise _reaches(f"--mount with {key}")
            permitted += f",{key}={content}"
            continue
        fields[key] = content if equals else "true"
    kind = fields.pop("type", "volume")
    source = fields.pop("source", None)
    rest = "".join(f",{k}={v}" for k, v in fields.items()) + permitted
    if kind not in ("bind", "volume", "tmpfs"):
        raise _refused(f"--mount type={kind}", "types are bind, volume and tmpfs")
    if not fields.get("target", "").startswith("/"):
        raise _refused(f"--mount {value}", "its target is not an absolute path")
    if kind == "bind":
        if source is None or not source.startswith("/"):
            raise _refused(f"--mount {value}", "a bind mount's source is an absolute path")
        check_socket(source, privileged=privileged)
        return Piece("mount", f"type=bind,source={{}}{rest}", source)
    if source is not None and _NAME.fullmatch(source) is None:
        raise _refused(f"--mount {value}", "its source is not a volume's name")
    return Piece("mount", f"type={kind}{f',source={source}' if source else ''}{rest}")


def _refused(what: str, why: str) -> InvalidArgument:
    return InvalidArgument(f"{shown(what)} is refused: {why}.", "Leave it out.")


def _reaches(what: str) -> InvalidArgument:
    return InvalidArgument(f"{shown(what)} is refused because it reaches the host.", _PRIVILEGED_HINT)
