"""Programs of administrators that start others, or load code, when they get certain arguments.

Packages, services, firewalls, keys and databases. What their very job is stays theirs (installing a package runs its
scripts); an argument that only serves to start something else is refused. Sources: the manual pages, GTFOBins.
"""

from __future__ import annotations

import re
from typing import Final

from ssh_mcp.shell.inner import Inner, forbidding, rows
from ssh_mcp.shell.options import Denied, Forbidden, Style, scan, settings_file
from ssh_mcp.shell.tree import names
from ssh_mcp.shell.values import Arg

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
        raise Denied("the setting behind this option of apt cannot be decided", word.excerpt)
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
    """A path in the name runs that file: ``service ../../tmp/x``."""
    for arg in args[:1]:
        if arg.value is None or "/" in arg.value:
            raise Denied("the name of a service must be written in the text and hold no slash", arg.excerpt)


def openssl(args: list[Arg], _inner: Inner) -> None:
    """Engines and providers are libraries that are loaded from where the caller says."""
    for arg in args:
        text = arg.value if arg.value is not None else arg.head
        if (arg.value is None and not arg.anchored) or re.match(r"engine\Z|--?(?:engine|provider|config)", text):
            raise Denied("this can make openssl load a library", arg.excerpt)


_KERNEL_STARTS = re.compile(
    r"kernel[./](?:core_pattern|modprobe|hotplug|poweroff_cmd|usermodehelper)|fs[./]binfmt_misc"
)


def sysctl(args: list[Arg], _inner: Inner) -> None:
    """A few settings of the kernel are programs that it starts as root; a file may hold them."""
    for arg in args:
        text = arg.value or arg.head
        if arg.value is None and not (text and "=" in text):
            raise Denied("the setting that `sysctl` changes must be written in the text", arg.excerpt)
        if "=" in text and _KERNEL_STARTS.match(text.strip()):
            raise Denied("the kernel starts what this setting names", arg.excerpt)
    if any(re.match(r"-[a-zA-Z]*[pf]|--l(?:o|oa|oad)?(?:=|\Z)", a.value or "") for a in args):
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


_SYSTEM = re.compile(r"/(?:usr|bin|sbin|lib(?:32|64|x32)?|opt|snap)/(?!.*\.\.(?:/|\Z)).*")
_MOUNT = re.compile(r"(?i)(?:fuse|.*\.fuse|sshfs|davfs|rclone)")


def list_libraries(args: list[Arg], _inner: Inner) -> None:
    """Only programs of the system: on some, ldd has its loader list libraries."""
    for operand in scan("ldd", args, Forbidden()):
        if not _SYSTEM.match(operand.value or operand.head):
            raise Denied(
                "ldd may start a program that it looks at; only those of the system can be given", operand.excerpt
            )


def borg(args: list[Arg], _inner: Inner) -> None:
    """``with-lock`` starts a program, ``mount`` serves a file system."""
    for operand in scan("borg", args, Forbidden("", "rsh remote-path content-from-command paths-from-command", "")):
        if operand.value in ("with-lock", "mount") or (operand.value or operand.head).startswith("ssh:"):
            raise Denied("this form of `borg` starts a program", operand.excerpt)


def mounting(args: list[Arg], _inner: Inner) -> None:
    """A file system of FUSE is a program that mount(8) starts."""
    for operand in (*scan("mount", args, Forbidden("", "", "ULoOTN")), *args):
        text = operand.value or operand.head
        if _MOUNT.match(text.removeprefix("-t").partition("=")[2] or text.removeprefix("-t")) or "#" in text:
            raise Denied("a file system of FUSE is a program that mount starts", operand.excerpt)


def traffic(args: list[Arg], _inner: Inner) -> None:
    """tc(8): ``exec`` starts a program, -batch reads commands. bridge(8) knows the latter."""
    for arg in args:
        text = arg.value or arg.head
        if (arg.value is None and not arg.anchored) or re.match(r"--?b(?:a|\Z)|exe?c?\Z", text):
            raise Denied("this makes the program start another one, or read commands from a file", arg.excerpt)


_IPTABLES = "iptables ip6tables iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft arptables ebtables"
_SYSTEMD = (
    "loginctl hostnamectl timedatectl localectl networkctl resolvectl systemd-analyze userdbctl oomctl systemd-cgls"
    " systemd-cgtop portablectl importctl"
)
_REMOTE = Forbidden("H", "host", "pnosM")
"""Programs of systemd that reach another host by starting ssh."""
_BINUTILS = Forbidden("", "plugin", "", style=Style.ONE_DASH, response=True)
"""A plug-in is a library; ``@file`` holds further options."""
_LVM = Forbidden("", "config driverloaded profile", "oSOL")
_GPG = Forbidden(
    "",
    "agent-program dirmngr-program photo-viewer keyserver-options exec-path options homedir load-extension"
    " protect-tool-program passphrase-command no-options keydb-program",
    "",
)
_TEX = "tex latex pdftex pdflatex xetex xelatex luatex lualatex etex context"
_COMPILERS = "gcc g++ cc c++ c89 c99 cpp clang clang++ gfortran gccgo tcc"
_DAEMONS = (
    "monit snmpd snmptrapd collectd telegraf fluent-bit nrpe keepalived unbound named rndc chronyd ntpd knotd radvd"
)
_SAMBA = "net smbcacls smbget smbtree nmblookup wbinfo pdbedit smbpasswd smbcontrol smbstatus smbcquotas"
_YT = "exec exec-before-download config-location external-downloader downloader ffmpeg-location plugin-dirs netrc-cmd"
_OPENVPN = (
    "config up down ipchange route-up route-pre-down client-connect client-disconnect learn-address tls-verify plugin"
    " auth-user-pass-verify tls-crypt-v2-verify script-security iproute engine pkcs11-providers writepid log status cd"
)
_RPM = Forbidden("ED", "eval pipe define undefine predefine rcfile macros load", "", response=False)

ROWS: Final = {
    **rows(
        ("apt apt-get apt-cache apt-mark aptitude apt-config", apt),
        ("systemctl", systemctl),
        ("service invoke-rc.d", service),
        ("openssl", openssl),
        ("sysctl", sysctl),
        ("logrotate", logrotate),
        ("dc", dc),
        ("tc bridge", traffic),
        ("ldd", list_libraries),
        ("borg", borg),
        ("mount", mounting),
    ),
    **{
        name: forbidding(name, spec)
        for programs, spec in (
            ("rpm rpmquery rpmverify rpmdb rpmkeys rpmspec rpmbuild rpmsign rpm2archive rpmgraph", _RPM),
            ("dpkg", Forbidden("", "pre-invoke post-invoke status-logger", "D")),
            ("dpkg-deb dpkg-query", Forbidden("", "pre-invoke post-invoke", "DfWZ")),
            (_IPTABLES, Forbidden("M", "modprobe", "tpsdjgiomwACDIRNXPE")),
            ("pidstat", Forbidden("e", "", "CGTpU")),
            ("ssh-keygen", Forbidden("Dw", "", "fCNPbtImnOrsVWyYzE")),
            ("ssh-add", Forbidden("sSe", "", "Eth")),
            ("ss", Forbidden("DKF", "diag kill filter", "fAN")),
            ("coredumpctl", Forbidden("Ao", "debugger debugger-arguments output root image", "")),
            ("dnf yum dnf5 microdnf tdnf", Forbidden("c", "config setopt installroot plugin", "dexR")),
            ("zypper", Forbidden("cR", "config root plus-repo plus-content reposd-dir installroot", "")),
            ("pacman", Forbidden("b", "config hookdir gpgdir dbpath root sysroot cachedir", "")),
            ("apk", Forbidden("p", "root keys-dir repositories-file config-file", "")),
            ("needrestart", Forbidden("c", "", "rumb")),
            ("sar tshark dumpcap tcpflow", Forbidden("owX", "", "fsePFa")),
            ("dmsetup", Forbidden("", "exec", "")),
            ("fzf", Forbidden("", "preview bind listen execute become tmux", "")),
            ("curl", Forbidden("K", "config engine", "AbcCdDeEFhHmoPQrtTuUwxXyYz")),
            (_SYSTEMD, _REMOTE),
            (
                "nm ar ranlib objcopy objdump strip size strings readelf addr2line elfedit c++filt ld ld.gold ld.bfd",
                _BINUTILS,
            ),
            ("install", Forbidden("", "strip-program", "gmotSZ")),
            ("diff3 sdiff", Forbidden("o", "diff-program output", "")),
            ("lvs vgs pvs lvdisplay vgdisplay pvdisplay lvscan vgscan pvscan lvmdiskscan", _LVM),
            ("mdadm smartd", Forbidden("p", "program alert", "")),
            ("nft ipset", Forbidden("f", "file", "")),
            ("ip6tables-restore iptables-restore ip6tables-save iptables-save", Forbidden("Mf", "modprobe file", "TW")),
            ("gpg gpg2 gpgsm gpgv gpg-connect-agent", _GPG),
            ("xsltproc", Forbidden("o", "output writesubtree load-trace", "", style=Style.ONE_DASH)),
            ("xmllint", Forbidden("o", "shell output", "", style=Style.ONE_DASH)),
            ("ugrep ug", Forbidden("", "filter pager view query config save-config", "")),
            ("aria2c", Forbidden("", "on-* conf-path", "")),
            ("yt-dlp youtube-dl", Forbidden("", _YT, "")),
            ("hg", Forbidden("", "config debugger config-file pager", "")),
            ("svn", Forbidden("", "config-option config-dir editor-cmd diff-cmd diff3-cmd", "")),
            ("rclone", Forbidden("", "password-command sftp-ssh rc config-dir metadata-mapper", "")),
            ("restic", Forbidden("o", "password-command option", "rp")),
            ("openvpn", Forbidden("", _OPENVPN, "", style=Style.ONE_DASH)),
            ("openconnect vpnc", Forbidden("s", "script csd-wrapper external-browser", "cuUgpQ")),
            ("dnsmasq", Forbidden("6C", "dhcp-script conf-file conf-dir dhcp-luascript", "")),
            ("wpa_cli hostapd_cli", Forbidden("aB", "", "ipgGhP")),
            ("swaks", Forbidden("", "pipe", "", style=Style.ONE_DASH)),
            ("msmtp mpop", Forbidden("C", "passwordeval file delivery", "a")),
            ("formail", Forbidden("s", "", "")),
            ("enscript", Forbidden("I", "filter", "")),
            ("exiftool", Forbidden("p@", "if config execute userparam stay_open api use", "", style=Style.ONE_DASH)),
            ("cowsay cowthink", Forbidden("f", "", "eTW")),
            (
                _TEX,
                Forbidden(
                    "", "shell-escape enable-write18 shell-restricted-off output-directory", "", style=Style.ONE_DASH
                ),
            ),
            ("groff troff nroff pic eqn tbl soelim", Forbidden("UPL", "", "TmMnordF")),
            (_COMPILERS, Forbidden("B", "wrapper fplugin specs fuse-ld", "", style=Style.ONE_DASH, response=True)),
            (
                "pandoc",
                Forbidden("FLod", "filter lua-filter output defaults data-dir pdf-engine extract-media", "ftrw"),
            ),
            ("facter", Forbidden("c", "custom-dir external-dir config", "")),
            ("opkg", Forbidden("f", "conf", "dot")),
            ("plink pscp", Forbidden("m", "proxycmd load", "lPi", style=Style.ONE_DASH)),
            ("ssh-copy-id", Forbidden("oF", "", "ipt")),
            ("scrot", Forbidden("e", "exec", "")),
            ("debugfs", Forbidden("fwR", "", "bscd")),
            ("sendmail", Forbidden("CXOMD", "", "fFhNrRV")),
            ("nginx", Forbidden("cgpe", "", "s")),
            ("sshd", Forbidden("foc", "", "CphbkugE")),
            ("apachectl apache2ctl apache2 httpd", Forbidden("CcfdDe", "", "kt")),
            ("php-fpm", Forbidden("ydcpzg", "fpm-config define", "")),
            (_DAEMONS, Forbidden("c", "config script", "", style=Style.ONE_DASH)),
            ("zabbix_agentd zabbix_agent2", Forbidden("ctT", "config test", "")),
            (
                "certbot",
                Forbidden(
                    "c", "pre-hook post-hook deploy-hook renew-hook manual-* config config-dir work-dir logs-dir", ""
                ),
            ),
            ("acme.sh lego", Forbidden("", "pre-hook post-hook renew-hook reloadcmd run-hook renew-cmd exec", "")),
            ("dhclient", Forbidden("", "sf cf df lf pf", "", style=Style.ONE_DASH)),
            ("dhcpcd udhcpc", Forbidden("csf", "script config", "iVrx")),
            ("testparm", Forbidden("", "option", "")),
            (_SAMBA, Forbidden("s", "configfile option log-basename", "")),
            ("pkcs11-tool p11tool certtool gnutls-cli", Forbidden("", "module provider outfile", "")),
            (
                "mysqld mariadbd postgres redis-server",
                Forbidden("cC", "plugin-* init-file loadmodule defaults-file defaults-extra-file", ""),
            ),
            ("wget2", Forbidden("e", "execute use-askpass config plugin plugin-dirs", "aioBtTOPUQwlARDIX")),
        )
        for name in programs.split()
    },
}
"""``curl -o`` and the like stay: fetching into a file is what it is allowed for."""
