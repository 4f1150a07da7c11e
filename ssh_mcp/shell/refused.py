"""Programs whose doing cannot be decided from the text of a command, whatever their arguments are."""

from __future__ import annotations

from ssh_mcp.shell.tree import names

REFUSED = names(
    """
    eval . source alias unalias enable let declare typeset hash bind complete compgen compopt mapfile readarray
    fc history readonly shopt coproc caller fg bg disown suspend logout newgrp sg select function zsh ksh
    ksh93 mksh oksh loksh pdksh yash posh rc es fish csh tcsh rbash rksh elvish nu xonsh pwsh scsh
    start-stop-daemon run-parts proot firejail bwrap entr hyperfine perf valgrind xvfb-run dbus-run-session
    ssh-agent torify torsocks proxychains proxychains4 chpst softlimit setuidgid envdir envuidgid setlock
    cpulimit faketime rlwrap dtach abduco capsh lxc-attach lxc-execute machinectl systemd-nspawn uclampset choom
    coresched sem pee mispipe ifne rsh rlogin rexec remsh mosh dsh pdsh pssh clush ansible salt watchexec socket
    daemonize daemon cgexec catchsegv ld.so runcon setarch linux32 linux64 i386 x86_64 sandbox schroot dchroot
    systemd-socket-activate systemd-activate inetd xinetd tcpserver logsave pexec openvt agetty getty multitime
    vi vim vim.basic vim.tiny vim.nox nvim ex ed red view rview rvim vimdiff emacs emacsclient nano rnano pico joe
    jed mcedit micro visudo vipw vigr sudoedit gdb lldb ctr dbus-send gdbus hush mrsh cttyhack tcpsvd udpsvd aa-exec
    ksu pfexec pbrun gksu gksudo kdesu kdesudo autossh trickle tsocks execlineb xterm
    """
)
"""Start programs, or change what names mean, in ways that this package does not read: always refused."""
