"""Programs that start another program in their arguments: each is unwrapped, and what it starts is decided about.

A row says which options may precede the inner command. Anything else (an unknown option, an expansion where an
option could be, a form that reads commands from elsewhere) cannot be decided from the text and is refused. Sources:
the manual page of each program (GNU coreutils, util-linux, procps, sudo, BusyBox).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Final

from ssh_mcp.shell.environment import protected
from ssh_mcp.shell.inner import Check, Inner
from ssh_mcp.shell.options import Denied, Options, leading
from ssh_mcp.shell.tree import names
from ssh_mcp.shell.values import UNKNOWN, Arg, known

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z", re.DOTALL)
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)[smhd]?\Z")
_SHELL_FLAGS = "efhnuvxlCab"
_SHELL_MODES = frozenset({"pipefail", "errexit", "nounset", "noglob", "xtrace", "noclobber"})
_PLAIN_TEMPLATE = re.compile(r"[A-Za-z0-9_./:,@%+-]+\Z")
_PLACEHOLDERS = frozenset({"{}", "{.}", "{/}", "{//}", "{/.}", "{#}", "{%}"})


@dataclass(frozen=True, slots=True)
class Row:
    """Arguments that match the patterns in ``positional`` (separated by blanks) precede the inner command;
    ``alone``: there may be none; ``assignments``: NAME=value words may precede it.
    """

    options: Options
    positional: str = ""
    alone: bool = False
    assignments: bool = False


_ROWS: dict[str, Row] = {
    "sudo": Row(
        Options(
            "nEHSbPkKlvB", "ugpCTrth",
            long="non-interactive preserve-env set-home stdin background preserve-groups reset-timestamp list validate",
            long_valued="user group prompt close-from command-timeout preserve-env host role type",
        ),
        alone=True, assignments=True,
    ),
    "doas": Row(Options("nL", "u"), alone=True),
    "env": Row(Options("i0v", "uC", long="ignore-environment null debug", long_valued="unset chdir"), "", True, True),
    "nohup": Row(Options()),
    "nice": Row(Options("0123456789", "n", long_valued="adjustment"), alone=True),
    "ionice": Row(Options("t", "cn", long="ignore", long_valued="class classdata")),
    "chrt": Row(Options("abdfiorRv", "TPD", long="all-tasks batch fifo idle other rr reset-on-fork verbose"), r"\d+"),
    "taskset": Row(Options("ac", long="all-tasks cpu-list"), r"[0-9A-Fa-fx,:-]+"),
    "setsid": Row(Options("cfw", long="ctty fork wait")),
    "stdbuf": Row(Options("", "ioe", long_valued="input output error")),
    "time": Row(Options("p")),  # bash's keyword knows no other option
    "builtin": Row(Options()),
    "exec": Row(Options(), alone=True),
    "strace": Row(Options("cCfqrtTvxy", "eaIsSu", long="follow-forks summary-only", long_valued="trace string-limit")),
    "ltrace": Row(Options("cCfirtTS", "aensu")),
    "chroot": Row(Options("", "ugG", long="skip-chdir", long_valued="userspec groups"), r"/.*"),
    "nsenter": Row(Options("aFZ", "t", "mniupCTUrw", "all no-fork preserve-credentials", "target")),
    "unshare": Row(Options("frcimnpuCTU", "SGR", long="fork map-root-user mount pid net ipc uts user")),
    "unbuffer": Row(Options("p")),
    "systemd-run": Row(
        Options(
            "dGPqrt", "u",
            long="user system scope pty pipe quiet wait collect same-dir no-block remain-after-exit",
            long_valued="unit description slice uid gid nice",
        )
    ),
    "systemd-inhibit": Row(Options("", "", long_valued="what who why mode")),
    "systemd-cat": Row(Options("", "tp", long_valued="identifier priority"), alone=True),
    "prlimit": Row(Options("", "", "cdefilmnqrstuvxy")),
    "pkexec": Row(Options("", "", long_valued="user")),
    "setpriv": Row(Options("", "", long="clear-groups init-groups no-new-privs reset-env", long_valued="reuid regid")),
    "chronic": Row(Options("v")),
    "numactl": Row(Options("la", "imCNp", long="localalloc all", long_valued="interleave membind cpunodebind")),
    "fakeroot": Row(Options()),
    "run0": Row(Options("", "ug", long_valued="user group")),
    "dzdo": Row(Options("nH", "ug")),
    "eatmydata": Row(Options()),
    "nocache": Row(Options()),
    "gosu": Row(Options(), r"[\w.:-]+"),
    "su-exec": Row(Options(), r"[\w.:-]+"),
    "tini": Row(Options("sgvw", "pe")),
    "dumb-init": Row(Options("cv", "", long="single-child verbose")),
    "sshpass": Row(Options("ev", "pfdP")),
}  # fmt: skip

_SHELLS = frozenset({"sh", "bash", "dash", "ash"})


def starting(name: str, row: Row) -> Check:
    """The row of the table for a program that starts what follows its options."""

    def check(args: list[Arg], inner: Inner) -> None:
        options, rest = leading(name, args, row.options)
        _check_env_option(options)
        for pattern in row.positional.split():
            if not rest or not re.fullmatch(pattern, rest.pop(0).value or ""):
                raise Denied(f"it cannot be decided what `{name}` starts", name)
        if row.assignments:
            rest = _skip_assignments(rest, dash=name == "env")
        if rest:
            inner.run(rest)
        elif not row.alone:
            raise Denied(f"`{name}` without a command cannot be decided", name)

    return check


def _check_env_option(options: list[tuple[str, Arg | None]]) -> None:
    for option, value in options:
        if value is not None and value.value is None and option not in ("-p", "--prompt"):
            raise Denied("the value of an option is not known", value.excerpt)


def _skip_assignments(args: list[Arg], *, dash: bool) -> list[Arg]:
    """``NAME=value`` words of env(1) and sudo(8); a lone ``-`` of env means ``-i``."""
    rest = args[1:] if dash and args and args[0].value == "-" else list(args)
    while rest:
        found = _ASSIGNMENT.match(rest[0].value if rest[0].value is not None else rest[0].head)
        if not found or rest[0].multi:
            break
        if protected(found.group(1), rest[0].value and found.group(2)):
            raise Denied(f"setting {found.group(1)} can change which program runs", f"{found.group(1)}=")
        rest.pop(0)
    return rest


# --- shells ---------------------------------------------------------------------------------------------------------


def _shell(name: str, args: list[Arg], inner: Inner) -> None:
    """``sh [-eux] -c text [name [arguments]]``. A script file or standard input holds commands that nobody read."""
    rest = list(args)
    wanted = False
    while rest and (value := rest[0].value) and value[0] in "-+" and value not in ("-", "--"):
        rest.pop(0)
        if value in ("--login", "--norc", "--noprofile", "--posix"):
            continue
        wanted = _shell_letters(name, value, rest) or wanted
    if rest and rest[0].value == "--":
        rest.pop(0)
    if not wanted or not rest:
        raise Denied(f"`{name}` without -c runs commands from elsewhere", name)
    inner.run_text(rest[0], name)


def _shell_letters(name: str, value: str, rest: list[Arg]) -> bool:
    letters = value[1:].replace("c", "", 1)
    if letters.endswith("o") and rest and rest[0].value in _SHELL_MODES:
        rest.pop(0)
        letters = letters[:-1]
    if value.startswith("--") or not set(letters) <= set(_SHELL_FLAGS):
        raise Denied(f"this option of `{name}` cannot be decided", value)
    return "c" in value and value[0] == "-"


def _busybox(args: list[Arg], inner: Inner) -> None:
    if args and args[0].value in ("--list", "--list-full", "--help"):
        return
    if not args:
        return
    inner.run(args)


def _su(args: list[Arg], inner: Inner) -> None:
    _login_shell("su", args, inner, Options("lmpPf", "csgG", long="login preserve-environment pty", long_valued=_SU))


def _runuser(args: list[Arg], inner: Inner) -> None:
    spec = Options("lmpPf", "ucsgG", long="login preserve-environment pty", long_valued=_SU + " user")
    options, rest = leading("runuser", args, spec)
    if any(o in ("-u", "--user") for o, _ in options):
        if any(o in ("-c", "--command", "-s", "--shell") for o, _ in options) or not rest:
            raise Denied("it cannot be decided what `runuser` starts", "runuser")
        inner.run(rest)
        return
    _login_shell("runuser", args, inner, spec)


_SU = "command shell group supp-group session-command"


def _login_shell(name: str, args: list[Arg], inner: Inner, spec: Options) -> None:
    """``su [-] [user] -c text``: options may follow the user."""
    rest, texts, users = list(args), [], 0
    while rest:
        options, rest = leading(name, rest, spec)
        for option, value in options:
            if option in ("-c", "--command"):
                texts.append(value)
            elif option in ("-s", "--shell", "--session-command"):
                raise Denied(f"this option of `{name}` cannot be decided", option)
        if rest and rest.pop(0).value != "-":
            users += 1
    if len(texts) != 1 or texts[0] is None or users > 1:
        raise Denied(f"`{name}` without one -c runs commands from elsewhere", name)
    inner.run_text(texts[0], name)


# --- commands built from input ---------------------------------------------------------------------------------------

_XARGS = Options(
    "0rtpxo", "nLIPsdEaJRS", "iel",
    "null no-run-if-empty verbose interactive exit open-tty show-limits",
    "max-args max-procs max-chars delimiter arg-file",
    "replace eof max-lines",
)  # fmt: skip


_REPLACING = frozenset({"-I", "-i", "--replace"})
_BATCHING = frozenset({"-n", "-L", "-l", "-J", "--max-args", "--max-lines"})


def _xargs(args: list[Arg], inner: Inner) -> None:
    options, rest = leading("xargs", args, _XARGS)
    _check_env_option(options)
    marks = []
    for option, value in options:
        text = value.value if value is not None else None
        if option in ("-I", "-J"):
            marks.append(text or "")
        elif option in ("-i", "--replace"):
            marks.append(text or "{}")
    given = {option for option, _ in options}
    # With -I nothing is appended, unless a later -n or -L took its place.
    appended = [] if given & _REPLACING and not given & _BATCHING else [UNKNOWN]
    inner.run([*(_with_marks(a, marks) for a in rest or [known("echo")]), *appended])


def _with_marks(arg: Arg, marks: list[str]) -> Arg:
    """``arg`` with the place where input is filled in forgotten."""
    if arg.value is None:
        return arg if not marks else Arg(None, "", multi=True, wild=True, excerpt=arg.excerpt)
    cut = min((arg.value.find(m) for m in marks if m in arg.value), default=-1)
    return arg if cut < 0 else Arg(None, arg.value[:cut], excerpt=arg.excerpt)


def _parallel(args: list[Arg], inner: Inner) -> None:
    """A template of plain words only: GNU parallel gives the line to a shell."""
    spec = Options("0kqtv", "jnNLP", long="null keep-order dry-run verbose will-cite", long_valued="jobs max-args")
    _, rest = leading("parallel", args, spec)
    template: list[Arg] = []
    for arg in rest:
        if arg.value in (":::", "::::", ":::+", "::::+"):
            break
        if arg.value is None or not (arg.value in _PLACEHOLDERS or _PLAIN_TEMPLATE.match(arg.value)):
            raise Denied("a template of `parallel` must be made of plain words", arg.excerpt)
        template.append(UNKNOWN if arg.value in _PLACEHOLDERS else arg)
    if not template:
        raise Denied("`parallel` without a command runs its input", "parallel")
    inner.run([*template, UNKNOWN])


def _joined(name: str, rest: list[Arg], inner: Inner) -> None:
    """Words that the program joins with blanks and gives to a shell."""
    if not rest or any(a.value is None for a in rest):
        raise Denied(f"it cannot be decided what `{name}` starts", name)
    text = " ".join(a.value or "" for a in rest)
    inner.run_text(Arg(text, text, excerpt=text), name)


def _watch(args: list[Arg], inner: Inner) -> None:
    """A shell reads the joined words; with -x they are a command, and then both readings must be fit."""
    spec = Options(
        "begtcpwx", "nq", "d",
        "beep errexit chgexit no-title color precise exec", "interval", "differences",
    )  # fmt: skip
    options, rest = leading("watch", args, spec)
    _check_env_option(options)
    _joined("watch", rest, inner)
    if any(o in ("-x", "--exec") for o, _ in options):
        inner.run(rest)


_SSH_OPTIONS = names(
    "batchmode connecttimeout stricthostkeychecking serveraliveinterval serveralivecountmax loglevel port user"
)


_DESTINATION = re.compile(r"[A-Za-z0-9_./:@\[\]%+=-]+\Z")
"""A ProxyCommand of the operator hands host and user to a shell; older ssh did not look at them."""


def _ssh(args: list[Arg], inner: Inner) -> None:
    """``ssh [options] host command``: what the far end runs is compared with the same list."""
    options, rest = leading("ssh", args, Options("46aCknqTtvx", "bclimop"))
    _check_env_option(options)
    for option, value in options:
        key = re.split(r"[= \t]", (value.value if value else "") or "", maxsplit=1)[0].lower()
        if option == "-o" and key not in _SSH_OPTIONS:
            raise Denied("this option of `ssh` cannot be decided", key)
        text = ((value.value if value else "") or "").replace(" ", "")
        if option in ("-l", "-o") and not _DESTINATION.match(text):
            raise Denied("the value of this option of `ssh` may be read by a shell", option)
    if not rest or not _DESTINATION.match(rest[0].value or ""):
        raise Denied("it cannot be decided where `ssh` goes", "ssh")
    _joined("ssh", leading("ssh", rest[1:], Options())[1] if len(rest) > 1 else [], inner)


def _timeout(args: list[Arg], inner: Inner) -> None:
    spec = Options(
        "vpf", "skt", long="foreground preserve-status verbose", long_valued="signal kill-after"
    )  # BusyBox of old: -t seconds
    options, rest = leading("timeout", args, spec)
    _check_env_option(options)
    if not any(o == "-t" for o, _ in options):
        if not rest or not _DURATION.match(rest[0].value or ""):
            raise Denied("the duration of `timeout` must be a plain number", rest[0].excerpt if rest else "timeout")
        rest.pop(0)
    if not rest:
        raise Denied("`timeout` without a command cannot be decided", "timeout")
    inner.run(rest)


def _script(args: list[Arg], inner: Inner) -> None:
    """Only ``script -c text /dev/null``: any other use writes a file or opens a shell."""
    spec = Options("aefq", "cE", long="quiet flush return append", long_valued="command echo")
    options, rest = leading("script", args, spec)
    tail, rest = leading("script", rest[1:], spec) if rest[:1] and rest[0].value == "/dev/null" else ([], [UNKNOWN])
    texts = [v for o, v in [*options, *tail] if o in ("-c", "--command")]
    if rest or len(texts) != 1 or texts[0] is None:
        raise Denied("`script` may only be used as: script -qc COMMAND /dev/null", "script")
    inner.run_text(texts[0], "script")


def _flock(args: list[Arg], inner: Inner) -> None:
    spec = Options("sxenuoFv", "wEc", long="shared exclusive nonblock unlock close verbose", long_valued="timeout wait")
    options, rest = leading("flock", args, spec)
    if any(o == "-c" for o, _ in options) or not rest or rest[0].value is None:
        raise Denied("it cannot be decided what `flock` starts", "flock")
    rest.pop(0)
    if rest and rest[0].value in ("-c", "--command"):
        if len(rest) != 2:
            raise Denied("it cannot be decided what `flock` starts", "flock")
        inner.run_text(rest[1], "flock")
    elif rest:
        inner.run(rest)


def _command(args: list[Arg], inner: Inner) -> None:
    """``command -v name`` only looks names up."""
    if args and args[0].value in ("-v", "-V"):
        return
    _, rest = leading("command", args, Options("p"))
    if rest:
        inner.run(rest)


def _listing(name: str, accepted: frozenset[str]) -> Check:
    """Programs that start others later or elsewhere: only their listing forms can be decided."""

    def check(args: list[Arg], _inner: Inner) -> None:
        if len(args) != 1 or args[0].value not in accepted:
            raise Denied(f"what `{name}` starts cannot be decided", name)

    return check


ROWS: Final[dict[str, Check]] = {
    **{name: starting(name, row) for name, row in _ROWS.items()},
    **{name: partial(_shell, name) for name in _SHELLS},
    "busybox": _busybox,
    "toybox": _busybox,
    "su": _su,
    "runuser": _runuser,
    "xargs": _xargs,
    "parallel": _parallel,
    "watch": _watch,
    "ssh": _ssh,
    "dbclient": _ssh,
    "timeout": _timeout,
    "script": _script,
    "flock": _flock,
    "command": _command,
    "at": _listing("at", frozenset({"-l"})),
    "batch": _listing("batch", frozenset()),
    "crontab": _listing("crontab", frozenset({"-l"})),
    "tmux": _listing("tmux", frozenset({"ls", "list-sessions", "lsw", "list-windows"})),
    "screen": _listing("screen", frozenset({"-ls", "-list"})),
}
