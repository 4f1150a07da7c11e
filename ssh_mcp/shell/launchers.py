"""Programs whose job is to start another one: job schedulers, containers, tracers, supervisors, environments.

Each row says what may precede the command. Whatever else is there is refused, so that a row needs to know
only the plain form of its program. Sources: the manual page of each program.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ssh_mcp.shell.inner import Check, Inner
from ssh_mcp.shell.options import Denied, Forbidden, Options, Style, leading, scan
from ssh_mcp.shell.tree import names
from ssh_mcp.shell.values import Arg
from ssh_mcp.shell.wrappers import Row, starting

_WORD = r"[A-Za-z0-9_./:@%+=,-]+"
_NONE = Options()
_INSIDE = Options("it", "", long="interactive tty detach")
_PLAIN = Row(Options())
"""``NAME command arguments``; any option is refused."""


@dataclass(frozen=True, slots=True)
class Verbs:
    """A program with sub-commands: ``harmless`` ones, and those in ``starts`` that start what follows this many words.

    ``options`` may precede the sub-command and, in ``starts``, before those words.
    """

    harmless: str = ""
    starts: tuple[tuple[str, int], ...] = ()
    options: Options = _NONE
    inside: Options = _INSIDE


def by_verb(name: str, spec: Verbs) -> Check:
    """The row of a program with sub-commands."""
    harmless, starts = names(spec.harmless), dict(spec.starts)

    def check(args: list[Arg], inner: Inner) -> None:
        _, rest = leading(name, args, spec.options)
        if not rest:
            return
        verb = rest[0].value or ""
        if verb in harmless:
            return
        if verb not in starts:
            raise Denied(f"what this form of `{name}` starts cannot be decided", rest[0].excerpt)
        _, rest = leading(name, rest[1:], spec.inside)
        words, rest = rest[: starts[verb]], rest[starts[verb] :]
        if any(not re.fullmatch(_WORD, w.value or "") or w.multi for w in words):
            raise Denied(f"it cannot be decided what `{name}` starts", verb)
        if rest and rest[0].value == "--":
            rest = rest[1:]
        if not rest:
            raise Denied(f"`{name} {verb}` without a command cannot be decided", verb)
        inner.run(rest)

    return check


def _never(name: str) -> Check:
    """A program that starts others in a form that this package does not read."""

    def check(args: list[Arg], _inner: Inner) -> None:
        if len(args) == 1 and args[0].value in ("--version", "--help", "-V"):
            return
        raise Denied(f"what `{name}` starts cannot be decided from the text", name)

    return check


_JOB = Options(
    "qv", "nNcptJ", long="exclusive unbuffered oversubscribe allow-run-as-root",
    long_valued="ntasks nodes cpus-per-task partition time job-name np host hosts",
)  # fmt: skip

_STARTING: dict[str, Row] = {
    "zrun fakechroot fakeroot-ng pgrphack fghack s6-fghack s6-softlimit annotate-output dcmd xcrun": _PLAIN,
    "aoss padsp esddsp optirun primusrun prime-run gamemoderun vglrun ccache distcc sccache scan-build": _PLAIN,
    "checkinstall installwatch colormake compiledb nsjail bear uname26": _PLAIN,
    "msgfilter msgexec": Row(Options("nsEFP", "iow")),
    "memusage sotruss latrace heaptrack wine wine64 box64 box86 asroot calife super foreground background": _PLAIN,
    "qemu-x86_64 qemu-aarch64 qemu-arm qemu-i386 qemu-x86_64-static qemu-aarch64-static qemu-arm-static": _PLAIN,
    "lckdo": Row(Options("weEsxq", "W", long="shared exclusive wait"), _WORD),
    "lockf with-lock-ex": Row(Options("knswfq", "t"), _WORD),
    "dbus-launch": Row(
        Options(long="sh-syntax csh-syntax exit-with-session exit-with-x11 close-stderr auto-syntax version"),
        alone=True,
    ),
    "gpg-agent": Row(
        Options("qv", long="daemon server supervised quiet verbose sh csh no-grab version help enable-ssh-support"),
        alone=True,
    ),
    "grc": Row(Options("es", "c", long="stderr stdout", long_valued="config colour")),
    "tsp": Row(Options("nfmBdlhCV", "LNsctukrp"), alone=True),
    "nq": Row(Options("cqw"), alone=True),
    "schedtool": Row(Options("vBNFRIDe", "apnM"), alone=True),
    "mpirun mpiexec orterun mpiexec.hydra mpiexec.openmpi mpirun.openmpi mpiexec.mpich prun aprun jsrun": Row(_JOB),
    "srun salloc oarsub qrsh bsub condor_run": Row(_JOB),
    "debconf": Row(Options("", "pfo", long_valued="priority frontend owner")),
    "truss ktrace dtruss": Row(Options("fcaeildDHSC", "os")),
    "jexec": Row(Options("l", "uUnd"), _WORD),
    "cpuset": Row(Options("gi", "lnst")),
    "caffeinate": Row(Options("dimsu", "tw"), alone=True),
    "sandbox-exec": Row(Options("", "nD")),
    "pipesz": Row(Options("gcinoeqv", "sf", long="get set check stdin stdout stderr quiet verbose"), alone=True),
    "enosys": Row(Options("", "si"), alone=True),
    "s6-setuidgid s6-envdir s6-setlock s6-sudo s6-applyuidgid userv": Row(Options("nNx"), _WORD),
    "catatonit pid1 docker-init": Row(Options("gsP")),
    "arch-chroot": Row(Options(), r"/.*"),
    "authbind": Row(Options(long="deep")),
    "rtprio idprio": Row(Options(), r"[-t0-9]+"),
    "protect": Row(Options("di")),
    "timelimit": Row(Options("pq", "tTsS")),
}

_IMAGE = Options(
    "ec", "BWHp", long="cleanenv containall contain nv writable-tmpfs no-home", long_valued="bind pwd home env"
)
_VERBS: dict[str, Verbs] = {
    "direnv": Verbs("status version hook help", (("exec", 1),)),
    "pct": Verbs("list status config df pending listsnapshot cpusets", (("exec", 1),)),
    "qm": Verbs("list status config pending listsnapshot showcmd"),
    "runc crun youki kata-runtime": Verbs("list ps state events features --version --help", (("exec", 1),)),
    "apptainer singularity": Verbs("version inspect cache remote --version", (("exec", 1),), inside=_IMAGE),
    "buildah": Verbs("images containers ps inspect info version --version", (("run", 1),)),
    "distrobox toolbox": Verbs("list --version", ()),
    "virsh": Verbs(
        "list dominfo domstate domstats domblklist domiflist net-list pool-list vol-list nodeinfo capabilities version"
        " dumpxml uri hostname vcpuinfo domblkstat domifstat pool-info net-info vol-info snapshot-list"
    ),
    "flatpak snap": Verbs("list info search version remotes find changes services connections interfaces"),
    "borgmatic": Verbs("list info --version"),
    "bpftool": Verbs("version"),
    "homectl": Verbs("list inspect", (("with", 1),)),
    "fail2ban-client": Verbs("status ping version banned get"),
    "multipass": Verbs("list info version find"),
    "minikube kind k3d": Verbs("status version profile get"),
    "supervisorctl": Verbs("status version pid avail start stop restart tail reread help"),
    "ipmitool": Verbs("sdr sensor chassis fru sel mc lan power bmc"),
    "perf": Verbs("list version report script-list"),
    "helm": Verbs("list ls status history get version search show env"),
    "terraform tofu": Verbs("version output show"),
    "vagrant": Verbs("status global-status version"),
    "microk8s k3s": Verbs("status version"),
    "cryptsetup": Verbs("status luksDump isLuks luksUUID"),
    "udevadm": Verbs("info settle version --version", options=Options(long="version help debug")),
    "modprobe": Verbs("-l -L --show-config -c --showconfig --dry-run -n"),
    "wg-quick": Verbs("strip"),
    "ifup ifdown": Verbs(""),
    "etcdctl": Verbs(
        "get member endpoint version alarm user role lease check", options=Options("w", "", long_valued="endpoints")
    ),
    "consul": Verbs("members info operator catalog kv version validate"),
    "nomad": Verbs("status node server job version"),
    "vault": Verbs("status read list version kv"),
    "csvtool": Verbs("col namedcol width height head drop take readable cat transpose", options=Options("", "tuzo")),
    "xdotool": Verbs("getactivewindow getmouselocation version search getdisplaygeometry"),
    "cpan cpanm": Verbs("-l -v --version"),
}

_NEVER = """
    afl-fuzz alacritty alpine anacron asciinema balsa bashbug bconsole bcrontab bpftrace broot byobu cage cdist
    cgdb ch-run check_by_ssh chokidar condor_submit cowbuilder crash cronie csysdig ddd delve distrobox-enter
    dlv dollarat dosbox dtrace e3 easyrsa editor elgetpositionals elm elvis emptyenv enroot env_parallel eview
    evim exo-open fcron fcrontab fdmove fetchmail flatpak-builder flatpak-spawn foot forstdin forx fswatch gargs
    gdb-multiarch gdbserver genie getmail ginsh gitui gnome-open gnome-terminal gtester gview gvim helix heredoc
    homeof honggfuzz hping3 hx ifelse importas incrond incrontab injcode inotify-hookable ispell jmacs jove
    jpico jstar jtag k9s kak kde-open kitty knife konsole ksshell latexmk lazygit lf loopwhilex lttng lxc-run
    lxc-start lxc-unshare lxc-usernsexec maildrop mc mcview mg mimeopen minicom mkosi mock msfconsole msfvenom
    multilog multisubstitute mussh mutt ne neomutt nnn nodemon nvi onchange pager parallel-ssh pasta pbuilder
    perlbug pexec pine pipeline pnuke posix-cd powerstat powertop pppd ppss pptp prll procmail prsync pslurp
    qsub r2 radare2 ranger readproctitle redirfd reflex reptyr rgvim rizin rjoe rootlesskit rr rsync-ssl rtcwake
    rtorrent run-mailcap runit runscript runsv runsvchdir runsvdir rush rxvt s6-log s6-notifyoncheck s6-rc
    s6-rc-init s6-supervise s6-svscan s6-tcpserver sarus sash sbatch sbuild scanmem scriptlive select-editor sem
    sensible-browser sensible-editor sensible-pager shifter sipp slattach slirp4netns slsh sqlmap sshuttle stap
    startx stunnel stunnel3 stunnel4 supervise svlogd svscan svscanboot sysdig systemd-dissect systemd-mount
    systemd-notify systemd-vmspawn systemtap tasksh termrec tig tilde tincd tmate trace-cmd ttyrec udocker
    uftrace urxvt vidir vifm vipe vis vise watchman weston when-changed x-terminal-emulator xdg-email xdg-open
    xinit zile zzuf
"""
"""Start what is in a file, a script or an option of their own, or are editors and browsers that can."""


_EXIM = names("-bp -bpc -bpr -bV -bP -bt -Mvh -Mvb -Mvl")


def _exim(args: list[Arg], _inner: Inner) -> None:
    """``-be`` expands a string, which may run programs; other options name configurations."""
    for arg in args:
        if (arg.value or arg.head or "-").startswith("-") and arg.value not in _EXIM:
            raise Denied("this option of exim may start a program", arg.excerpt)


_BROWSER = Forbidden(
    "o", "cfg lss cmd-script cmd-log editor config eval-command config-dir config-file", "", style=Style.ONE_DASH
)


def _browser(args: list[Arg], _inner: Inner) -> None:
    """A text browser that prints one page; the others can start programs."""
    scan("this browser", args, _BROWSER)
    if not any(a.value in ("-dump", "--dump", "-source", "-dump_source", "-version", "--version") for a in args):
        raise Denied("a browser can start programs; only -dump prints a page", args[0].excerpt if args else "")


def _ts(args: list[Arg], inner: Inner) -> None:
    """Moreutils' ts stamps lines with a format, the task spooler of that name starts a command."""
    operands = [a for a in args if not (a.value or "").startswith("-")]
    if operands and "%" not in (operands[0].value or "x"):
        starting("ts", _STARTING["tsp"])(args, inner)


ROWS: Final = {
    **{name: starting(name, row) for keys, row in _STARTING.items() for name in keys.split()},
    **{name: by_verb(name, spec) for keys, spec in _VERBS.items() for name in keys.split()},
    **{name: _never(name) for name in _NEVER.split()},
    "ts": _ts,
    **dict.fromkeys(("lynx", "w3m", "links", "links2", "elinks"), _browser),
    "exim": _exim,
    "exim4": _exim,
}
