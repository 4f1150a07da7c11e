"""What a host can do: which programs it has, in which of their dialects. One question, asked once per connection."""

from __future__ import annotations

from dataclasses import dataclass

from ssh_mcp.facts.base import Parsed
from ssh_mcp.tokens import Command, command

PROGRAMS = (
    "find", "grep", "stat", "ps", "setsid", "rsync", "tar", "zip", "unzip", "gzip", "xz", "zstd", "sha256sum", "shasum",
    "getfacl", "setfacl", "getfattr", "sudo", "sudo-rs", "doas", "systemd-run", "loginctl", "systemctl", "rc-service",
    "rc-status", "sv", "apt-get", "dnf", "yum", "apk", "zypper", "pacman", "docker", "podman", "bash", "python3",
    "perl",
)  # fmt: skip
"""Programs that tools of ours use where a host has them."""

_MANAGERS = (("apt-get", "apt"), *((name, name) for name in ("dnf", "yum", "apk", "zypper", "pacman")))

_DIALECTS = ("find", "grep", "tar")
_LASTING = frozenset({"gnu", "bsd"})
"""Dialects that a host keeps; BusyBox's programs are replaced where somebody installs the others."""

_LIST = f'for p in {" ".join(PROGRAMS)}; do command -v "$p" >/dev/null 2>&1 && echo "has $p"; done; '
# GNU's and BusyBox's say who they are; the BSDs' refuse the option
_ASK_DIALECTS = (
    'do command -v "$p" >/dev/null 2>&1 || continue; v=$("$p" --version 2>&1 </dev/null); case $v in '
    '*GNU*) echo "is $p gnu";; *[Bb]usy[Bb]ox*) echo "is $p busybox";; *) echo "is $p bsd";; esac; done; '
)
# sudo-rs writes its version to stderr; the first line says whose it is
_ASK_SUDO = 'command -v sudo >/dev/null 2>&1 && { v=$(sudo -V 2>&1 </dev/null); echo "sudo ${v%%[! -~]*}"; }; '
_ASK_KERNEL = 'echo "kernel $(uname -s 2>/dev/null)"; '
_REST = (
    '[ -r /proc/self/stat ] && echo "has /proc"; '
    "if [ -d /run/systemd/system ]; then echo init systemd; elif [ -d /run/openrc ]; then echo init openrc; "
    # runit's first process, or in a container its supervisor
    "elif [ -r /proc/1/comm ] && read -r one </proc/1/comm; then "
    "case $one in runit | runsvdir) echo init runit;; esac; fi; "
    "echo 'shell posix'"
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a host can do. ``posix`` False: no POSIX shell runs commands for this login; ``why`` says how it refused,
    ``sftp`` whether SFTP works instead (None: not asked).

    ``dialects`` maps find, grep and tar to ``gnu``, ``busybox`` or ``bsd``.
    """

    posix: bool
    why: str = ""
    kernel: str = ""
    programs: frozenset[str] = frozenset()
    dialects: tuple[tuple[str, str], ...] = ()
    proc: bool = False
    init: str | None = None
    sudo_kind: str | None = None
    sftp: bool | None = None

    def has(self, program: str) -> bool:
        """Whether the login's shell finds ``program`` (one of ``PROGRAMS``)."""
        return program in self.programs

    def dialect(self, program: str) -> str | None:
        """``gnu``, ``busybox`` or ``bsd``; None where the host has no such program."""
        return dict(self.dialects).get(program) if program in self.programs else None

    @property
    def elevation(self) -> str | None:
        """What makes us root: ``sudo``, ``sudo-rs`` (also where it is called sudo) or ``doas``."""
        return self.sudo_kind or self.elevation_program

    @property
    def elevation_program(self) -> str | None:
        """The same as the login's shell finds it: the name of a program."""
        return next((name for name in ("sudo", "sudo-rs", "doas") if name in self.programs), None)

    @property
    def package_manager(self) -> str | None:
        """``apt``, ``dnf``, ``yum``, ``apk``, ``zypper`` or ``pacman``."""
        return next((name for program, name in _MANAGERS if program in self.programs), None)


@dataclass(frozen=True, slots=True)
class CapabilitiesFact:
    """The question. Only builtins, ``uname`` and the ``--version`` of three programs and sudo run.

    Of a host that was asked before (``known``) what lasts is not asked again, so that no program runs at all.
    """

    known: Capabilities = Capabilities(posix=True)

    def command(self) -> Command:
        known = self.known
        open_questions = " ".join(p for p in _DIALECTS if dict(known.dialects).get(p) not in _LASTING)
        return command(
            _LIST
            + (f"for p in {open_questions}; {_ASK_DIALECTS}" if open_questions else "")
            + ("" if known.sudo_kind else _ASK_SUDO)
            + ("" if known.kernel else _ASK_KERNEL)
            + _REST
        )

    def parse(self, output: str) -> Parsed[Capabilities]:
        programs: set[str] = set()
        dialects = {p: d for p, d in self.known.dialects if d in _LASTING}
        values: dict[str, str] = {"kernel": self.known.kernel, "sudo": self.known.sudo_kind or ""}
        for line in output.splitlines():
            key, _, rest = line.strip().partition(" ")
            if key == "has":
                programs.add(rest)
            elif key == "is" and " " in rest:
                program, _, dialect = rest.partition(" ")
                dialects[program] = dialect
            elif key in {"kernel", "init", "sudo", "shell"}:
                values[key] = rest.strip()
        proc = "/proc" in programs
        sudo = ("sudo-rs" if "sudo-rs" in values.get("sudo", "") else "sudo") if "sudo" in programs else None
        found = Capabilities(
            posix=values.get("shell") == "posix",
            why="" if values.get("shell") == "posix" else "its shell did not run our question to the end",
            kernel=values.get("kernel", ""),
            programs=frozenset(programs - {"/proc"}),
            dialects=tuple(sorted(dialects.items())),
            proc=proc,
            init=values.get("init"),
            sudo_kind=sudo,
        )
        return Parsed(found)
