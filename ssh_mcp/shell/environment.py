"""Which shell and environment variables a permitted command must not set: they decide which program really runs.

The list follows bash(1) "Shell Variables", ld.so(8) and the manuals of the programs that start others at the word of
their environment (pagers, editors, remote shells, start-up files, option variables), and the scripts around gzip,
bzip2 and xz, which start ``$GREP``, ``$CMP`` and ``$DIFF``.
"""

from __future__ import annotations

import re

from ssh_mcp.shell.tree import names

_EXACT = names(
    """
    PATH IFS ENV HOME PWD OLDPWD CDPATH FPATH SHELL SHELLOPTS PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND TIMEFORMAT
    POSIXLY_CORRECT RANDOM SECONDS LINENO SRANDOM EPOCHSECONDS EPOCHREALTIME DIRSTACK FUNCNAME FUNCNEST GROUPS
    UID EUID PPID OPTIND OPTERR EXECIGNORE GLOBIGNORE FIGNORE INPUTRC HISTFILE HISTCMD HISTCONTROL MAIL MAILPATH
    MAILCHECK TMOUT COPROC MAPFILE VISUAL BROWSER EDITOR PAGER SUDO SSH_ASKPASS TERMINFO TERMINFO_DIRS TERMCAP
    TAPE EXINIT NETRC WGETRC SCREENRC CLASSPATH GOPATH GOFLAGS GOROOT NODE_PATH PKG_CONFIG_PATH LIBPATH
    SHLIB_PATH INFOPATH GCONV_PATH LOCPATH NLSPATH KUBECONFIG RIPGREP_CONFIG_PATH CC CXX LD AR AS
    GCC_EXEC_PREFIX COMPILER_PATH LUA_INIT LUA_PATH LUA_CPATH HOSTALIASES RES_OPTIONS FCEDIT HUSHLOGIN LOGNAME
    USER DISPLAY XAUTHORITY GTK_MODULES QT_PLUGIN_PATH RSYNC_RSH CVS_RSH TMPPREFIX NULLCMD READNULLCMD ZDOTDIR
    ARGV0 KSH_VERSION ERRNO PSQLRC PGSYSCONFDIR PGSERVICEFILE SSLKEYLOGFILE NMAPDIR GNUPGHOME HGRCPATH ODBCINI
    ODBCSYSINI ACKRC JQ_LIBRARY_PATH GI_TYPELIB_PATH GIO_EXTRA_MODULES GREP EGREP FGREP CMP DIFF ZIPOPT RSH MAILRC
    MUTTRC PHPRC XZ_DEFAULTS GNUMAKEFLAGS DEBIAN_FRONTEND LSOFDEVCACHE MTOOLSRC
    """
)
_PREFIXES = tuple(
    names(
        """
    LD_ DYLD_ BASH GLIBC_ MALLOC_ GIT_ LESS MANPA MANOPT MANRO MAN_ SYSTEMD_ SUDO_ SSH_ DOCKER_ COMPOSE_ BUILDKIT_
    PYTHON PERL RUBY NODE_ JAVA_ _JAVA JDK_ MAVEN_ GRADLE_ GEM_ BUNDLE_ NPM_ npm_ CARGO_ RUSTC RUSTF RUSTD XDG_
    RSYNC_ TAR_ GREP_ AWK GAWK APT_ DPKG_ DEB_ OPENSSL_ CURL_ SCREEN TMUX VIM PROMPT COMP_ READLINE_ DBUS_ PHP_
    HIST MAKEF MAKE_ R_ FZF_ LUA_ TCL AWS_ GROFF_ XTABLES_ LIBMYSQL WIRESHARK_ RCLONE_ HELM_ TF_ DOTNET_ CORECLR_
    COMPlus_ ERL_ BAT_ ACK_ LYNX_ RESTIC_ BORG_ KUBE NMAP DEBCONF_ MTR_ LVM_ ZYPP_ APK_
    """
    )
)
_PATTERN = re.compile(r".*(?:PAGER|EDITOR|ASKPASS|_SHELL|_COMMAND|_OPTIONS|_OPTS|_OPT|_SSH|_RSH|_HOME|_PRELOAD)\Z")
OURS = "__ssh_mcp"
"""Variables of our own shell sessions (remote/shell_text.py) begin so; some of them hold code that the session runs."""
_PAGERS = frozenset({"PAGER", "GIT_PAGER", "MANPAGER", "SYSTEMD_PAGER"})
_FRONTENDS = frozenset({"noninteractive", "teletype", "readline", "dialog", "text", "editor"})
"""debconf evaluates any other value of DEBIAN_FRONTEND as Perl."""
_HARMLESS = frozenset({"PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE", "SYSTEMD_COLORS"})


def protected(name: str, value: str | None = None) -> bool:
    """Whether setting ``name`` could change which program runs, now or inside of an allowed program.

    ``value`` is the exact new value where it is known: switching a pager off is harmless.
    """
    if name in _HARMLESS or (name in _PAGERS and value in ("", "cat")):
        return False
    if name == "DEBIAN_FRONTEND" and value is not None and value.lower() in _FRONTENDS:
        return False
    if name.startswith(OURS):
        return True
    return name in _EXACT or name.startswith(_PREFIXES) or _PATTERN.match(name) is not None
