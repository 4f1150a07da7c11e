"""Programs whose own language or configuration starts others: an entry for one permits more than its name says.

They may be allowed (an operator may mean it), so these tables only warn, and they show the ask rules whose arguments
may hold further commands. What can be decided from the text is in ``programs.py`` instead. Sources: the manual pages,
GTFOBins.
"""

from __future__ import annotations

import re
from typing import Final

from ssh_mcp.shell.tree import names

INTERPRETERS: Final = names(
    """
    python python2 python3 pypy pypy3 ipython ipython3 jython micropython perl perl5 raku ruby irb jruby node nodejs
    deno bun ts-node tsx npx lua luajit texlua php php-cli php8 tclsh wish expect expectk Rscript R julia octave
    java jshell groovy scala kotlin clojure clj bb guile racket sbcl clisp ecl ocaml ghci runghc runhaskell stack erl
    escript elixir iex swift go dotnet csi fsi mono gjs qjs js d8 rhino psi pike gforth genius maxima gnuplot
    m4 osascript mysqlsh mongosh mongo cypher-shell gremlin scapy ghc ghci irb pry byebug cobc jjs jrunscript
    """
)
"""Their arguments and standard input are programs."""

STARTERS: Final = names(
    """
    make gmake bmake ninja meson cmake ctest ant mvn gradle sbt rake just task tox nox npm yarn pnpm pip pip3 pipx uv
    poetry gem bundle cargo rustc gcc cc g++ c++ clang tcc ld as composer mix rebar3 cabal opam conan
    terraform tofu packer vagrant pulumi helm helmfile kustomize skaffold nomad consul vault puppet chef-client
    chef-solo cfengine cf-agent salt-call ansible-playbook fab cap
    restic borg borgmatic duplicity duply rdiff-backup rsnapshot bacula bconsole amanda rclone kopia burp
    openvpn vpnc openconnect pppd wg-quick strongswan ipsec xl2tpd dhclient dhcpcd udhcpc dnsmasq unbound named knotd
    kresd pdns_server rndc-confgen certbot acme.sh lego dehydrated
    nginx apachectl apache2ctl httpd apache2 haproxy php-fpm uwsgi gunicorn supervisord supervisorctl monit pm2
    s6-svscan
    runsv runsvdir runit sv svc nagios icinga2 zabbix_agentd snmpd snmptrapd collectd telegraf fluentd logstash
    systemd-analyze udevadm modprobe insmod kmod depmod dkms mount umount exportfs cryptsetup lvm dracut
    update-initramfs mkinitramfs grub-install update-grub kexec rmmod iscsiadm multipath
    dpkg-reconfigure dpkg-buildpackage debuild pbuilder mock alien snap flatpak brew port pkg nix nix-env nix-shell guix
    qemu-system-x86_64 qemu-img virsh virt-install vboxmanage xl
    exim exim4 sendmail postfix procmail maildrop fetchmail mutt neomutt alpine pine
    sa-exec logwatch fail2ban-client auditctl ausearch crash drgn bpftrace bcc stap trace-cmd uftrace rr
    tig lazygit hg svn svnadmin cvs bzr darcs fossil p4 gh glab pre-commit
    ranger nnn mc vifm lf broot ncdu htop btop glances
    gpg gpg2 pass age-plugin w3m lynx links elinks www-browser
    consul-template envconsul chamber aws az gcloud doctl
    """
)
"""Start programs by their configuration, plug-ins, hooks or options in more ways than this package models."""

_VERSIONED = re.compile(r"(?:python|pypy|perl|ruby|lua|php|tclsh|wish|node|java)-?[\d.]+\Z")
"""An interpreter with its version in the name: python3.12, lua5.4."""


def is_interpreter(base: str) -> bool:
    """Whether the program's arguments or input are programs in a language of its own."""
    return base in INTERPRETERS or _VERSIONED.match(base) is not None


def entry_warning(entry: str) -> str | None:
    """Why this entry of command_allowlist permits more than its name says, as a short clause; None: it does not."""
    name, *words = entry.split() or [""]
    base = name.rpartition("/")[2]
    if is_interpreter(base):
        if words and not words[0].startswith("-"):  # python3 /opt/report.py: one program of the operator's
            return None
        return "an interpreter runs whatever its program says"
    if base in STARTERS:
        return "can start other programs by configuration or options, which is not checked"
    return None
