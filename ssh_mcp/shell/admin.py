"""Programs of administrators that start others, or load code, when they get certain arguments.

Packages, services, firewalls, keys and databases. What their very job is stays theirs (installing a package runs its
scripts); an argument that only serves to start something else is refused. Sources: the manual pages, GTFOBins.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ssh_mcp.shell.options import Denied, Forbidden, scan, settings_file
from ssh_mcp.shell.tree import names
from ssh_mcp.shell.values import Arg
from ssh_mcp.shell.wrappers import Inner

_APT_KEYS = re.compile(
    r"(?i)dpkg::options::=--force-conf(?:old|def|new|miss)"
    r"|(?:apt::get::[a-z-]+|apt::install-(?:recommends|suggests)|debug::[a-z:]+|dpkg::(?:use-pty|progress-fancy)"
    r"|dpkg::lock::timeout|acquire::(?:forceipv[46]|retries|languages|check-valid-until)|quiet)=[\w.-]*"
)


def apt(args: list[Arg], _inner: Inner) -> None:
    """``-o`` may set harmless keys only (others name commands to run), ``-c`` and ``-o Dir::…`` read files."""
    rest = list(args)
    while rest:
        word = rest.pop(0)
        text = word.value
        if text is None:
            if not word.anchored:
                raise Denied("an expansion could become an option of apt; put -- before it", word.excerpt)
        elif text == "--":
            return
        elif text.startswith("--"):
            name, equals, value = text[2:].partition("=")
            if "config-file".startswith(name) and name:
                raise Denied("this option of apt reads settings that can start programs", text)
            if "option".startswith(name) and name:
                _apt_key(value if equals else _next(rest, word), word)
        elif (found := re.match(r"-[A-Za-bd-np-z]*([oc])=?(.*)", text, re.DOTALL)) is not None:
            if found.group(1) == "c":
                raise Denied("this option of apt reads settings that can start programs", text)
            _apt_key(found.group(2) or _next(rest, word), word)


def _next(rest: list[Arg], word: Arg) -> str:
    if not rest or rest[0].value is None:
        raise Denied("the setting behind this option of apt cannot be judged", word.excerpt)
    return rest.pop(0).value or ""


def _apt_key(setting: str, word: Arg) -> None:
    if not _APT_KEYS.fullmatch(setting):
        raise Denied("this setting can make apt start a program", setting or word.excerpt)


_VERBS_REFUSED = names("edit link set-environment import-environment switch-root soft-reboot kexec")
_BY_PATH = names("enable reenable preset start restart try-restart reload-or-restart")
_SYSTEMCTL = Forbidden("H", "host stdin drop-in image root", "tpnosM")


def systemctl(args: list[Arg], _inner: Inner) -> None:
    """No verb that sets what a service starts, and no unit file by its path."""
    operands = scan("systemctl", args, _SYSTEMCTL)
    for verb in operands:
        if verb.value in _VERBS_REFUSED:
            raise Denied("this changes what services start", verb.excerpt)
    if any(o.value in _BY_PATH for o in operands):
        for operand in operands:
            if "/" in (operand.value or operand.head):
                raise Denied("a unit is named by its name here, not by a path", operand.excerpt)


def service(args: list[Arg], _inner: Inner) -> None:
    """``service ../../tmp/x`` runs /tmp/x."""
    for arg in args[:1]:
        if arg.value is None or "/" in arg.value:
            raise Denied("the name of a service must stand in the text and hold no slash", arg.excerpt)


_BUS_READS = names("list status tree introspect get-property")


def busctl(args: list[Arg], _inner: Inner) -> None:
    """Its calls reach systemd's manager, which starts units."""
    operands = scan("busctl", args, Forbidden("HM", "host machine", ""))
    if operands and operands[0].value not in _BUS_READS:
        raise Denied("a call over the bus can start programs", operands[0].excerpt)


def openssl(args: list[Arg], _inner: Inner) -> None:
    """Engines and providers are libraries that are loaded from where the caller says."""
    for arg in args:
        text = arg.value if arg.value is not None else arg.head
        if (arg.value is None and not arg.anchored) or re.match(r"engine\Z|--?(?:engine|provider|config)", text):
            raise Denied("this can make openssl load a library", arg.excerpt)


def nmap(args: list[Arg], _inner: Inner) -> None:
    """Its scripts are programs; long options begin with one dash or two."""
    for arg in args:
        text = arg.value if arg.value is not None else arg.head
        if (arg.value is None and not arg.anchored) or re.match(
            r"--?(?:sc(?!an)|interactive|datadir|resume|stylesheet|o[NXSGAM])", text
        ):
            raise Denied("this option makes nmap run scripts or write a file", arg.excerpt)


def _escapes(pattern: str, name: str) -> Callable[[list[Arg], Inner], None]:
    """Statements through which a database's client starts programs or writes files, where they stand in the text."""
    compiled = re.compile(pattern, re.MULTILINE)

    def check(args: list[Arg], _inner: Inner) -> None:
        for arg in args:
            for text in (
                arg.value or arg.head,
                *(getattr(p, "text", "") for p in (arg.word.parts if arg.word else ())),
            ):
                if compiled.search(text):
                    raise Denied(f"this makes {name} start a program, read a script or write a file", arg.excerpt)

    return check


_ftp = _escapes(r"(?:^|[;&|\n])\s*(?:!|shell\b|source\b)|^-[A-Za-z]*f", "this program")
_mail = _escapes(r"^--exec|^-[A-Za-rt-z]*[ES~]", "mail")
_mysql = _escapes(
    r"\\[!.eTPp]|(?:^|;)\s*(?i:system|source|pager|tee|edit)\b|(?i:into\s+(?:out|dump)file)"
    r"|^--?(?:pager|tee|init-com|plugin-d|default-a|tab\b|ta=)",
    "the client",
)
_psql = _escapes(
    r"\\(?:!|i|ir|e|ef|ev|o|out|w|g\w*|copy|s|setenv|cd)\b|\\[!|]|(?i:\bprogram\s*')"
    r"|^-[AabeEnNlqsStTwWxXz01]*[oLf]|^--(?:output|log-file|file)",
    "psql",
)
_sqlite = _escapes(
    r"^\s*\.(?:sh(?!ow)|sy|loa|op|ou|on|rea|im|ex[ce]|ba|sa|cd|lo|ar|clon|w|tr|testc)|(?i:load_extension|\bwritefile\b|\bedit\s*\()"
    r"|^-(?:-?init|-?cmd)\Z",
    "sqlite3",
)


def mysql(args: list[Arg], inner: Inner) -> None:
    """Statements, libraries to load, and option files, which may name either."""
    _mysql(args, inner)
    for index, arg in enumerate(args):
        name, equals, value = (arg.value or arg.head).partition("=")
        if not re.match(r"--defaults-[fe]", name):
            continue
        file = Arg(value, value) if equals and arg.value is not None else args[index + 1] if args[index + 1 :] else None
        if not settings_file(file):
            raise Denied("an option file can make the client load a library; it must be the operator's", arg.excerpt)


_KERNEL_STARTS = re.compile(
    r"kernel[./](?:core_pattern|modprobe|hotplug|poweroff_cmd|usermodehelper)|fs[./]binfmt_misc"
)


def sysctl(args: list[Arg], _inner: Inner) -> None:
    """A few settings of the kernel are programs that it starts as root; a file may hold them."""
    for arg in args:
        text = arg.value or arg.head
        if arg.value is None and not (text and "=" in text):
            raise Denied("the setting that `sysctl` changes must stand in the text", arg.excerpt)
        if "=" in text and _KERNEL_STARTS.match(text.strip()):
            raise Denied("the kernel starts what this setting names", arg.excerpt)
    if any(re.match(r"-[a-zA-Z]*[pf]|--load", a.value or "") for a in args):
        for arg in args:
            text = (arg.value or "").partition("=")[2] or (arg.value or "")
            if not text.startswith("-") and not settings_file(Arg(text, text)):
                raise Denied("settings are read from the operator's files only", arg.excerpt)


def logrotate(args: list[Arg], _inner: Inner) -> None:
    """Its configuration holds scripts, and -m names a program."""
    for operand in scan("logrotate", args, Forbidden("msl", "mail state log", "")):
        if not settings_file(operand):
            raise Denied("logrotate runs the scripts of its configuration", operand.excerpt)


def dc(args: list[Arg], _inner: Inner) -> None:
    """``!`` hands a line to a shell, in an expression as in a file or on standard input."""
    if not args or not all(a.value and re.match(r"-e|--expression", a.value) for a in args[::2]):
        raise Denied("dc starts what follows an exclamation mark; give it each expression with -e", "dc")
    for arg in args:
        if "!" in (arg.value if arg.value is not None else "!"):
            raise Denied("dc starts what follows an exclamation mark", arg.excerpt)


def traffic(args: list[Arg], _inner: Inner) -> None:
    """tc(8): ``exec`` starts a program, -batch reads commands. bridge(8) knows the latter."""
    for arg in args:
        text = arg.value or arg.head
        if (arg.value is None and not arg.anchored) or re.match(r"--?b(?:a|\Z)|exe?c?\Z", text):
            raise Denied("this makes the program start another one, or read commands from a file", arg.excerpt)


SPECIAL: dict[str, Callable[[list[Arg], Inner], None]] = {
    **dict.fromkeys(("apt", "apt-get", "apt-cache", "apt-mark", "aptitude"), apt),
    "systemctl": systemctl,
    "service": service,
    "busctl": busctl,
    "openssl": openssl,
    "nmap": nmap,
    **dict.fromkeys(("mysql", "mariadb", "mysqladmin", "mariadb-admin", "mysqldump", "mariadb-dump"), mysql),
    "sysctl": sysctl,
    "logrotate": logrotate,
    "dc": dc,
    **dict.fromkeys(("tc", "bridge"), traffic),
    **dict.fromkeys(("lftp", "smbclient"), _ftp),
    **dict.fromkeys(("mail", "mailx", "s-nail"), _mail),
    "psql": _psql,
    **dict.fromkeys(("sqlite3", "sqlite"), _sqlite),
}
_IPTABLES = ("iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft")
_RPM = Forbidden("ED", "eval pipe define undefine predefine rcfile macros load", "")
FORBIDDEN: dict[str, Forbidden] = {
    **dict.fromkeys(("rpm", "rpmquery", "rpmverify", "rpmdb", "rpmkeys"), _RPM),
    "dpkg": Forbidden("", "pre-invoke post-invoke status-logger", "D"),
    **dict.fromkeys(_IPTABLES, Forbidden("M", "modprobe", "tpsdjgiomwACDIRNXPE")),
    "pidstat": Forbidden("e", "", "CGTpU"),
    "ssh-keygen": Forbidden("Dw", "", "fCNPbtImnOrsVWyYzE"),
    "ssh-add": Forbidden("sSe", "", "Eth"),
    "ss": Forbidden("DKF", "diag kill filter", "fAN"),
    "coredumpctl": Forbidden("Ao", "debugger debugger-arguments output root image", ""),
    "xmllint": Forbidden("", "shell output", ""),
    **dict.fromkeys(("dnf", "yum", "dnf5"), Forbidden("c", "config setopt installroot", "dexR")),
    **dict.fromkeys(("sar", "tshark", "dumpcap"), Forbidden("ow", "", "fsePFa")),
    "dmsetup": Forbidden("", "exec", ""),
    "fzf": Forbidden("", "preview bind listen", ""),
    "curl": Forbidden("K", "config engine", "AbcCdDeEFhHmoPQrtTuUwxXyYz"),
}  # fmt: skip
"""``curl -o`` and the like stay: fetching into a file is what it is allowed for."""
