"""Hosts that OpenRC or runit runs: their programs are Debian's, unpacked and laid over /usr and /etc in namespaces of
the sshd's own, which end with it.
"""

from __future__ import annotations

import os
import shutil
from typing import Final

from tests.lab.places import LabError, here
from tests.lab.suites import unpacked
from tests.peers import need
from tests.peers.accounts import peers_dir

_PACKAGES: Final = ("openrc", "librc1", "libeinfo1", "runit")

_OVERLAYS: Final = """
layer=$1 work=$2 && shift 2
mount -t tmpfs none "$work" || exit
for d in usr etc run; do
  mkdir "$work/$d" "$work/$d.work" &&
    mount -t overlay -o "lowerdir=/$d,upperdir=$work/$d,workdir=$work/$d.work" none "/$d" || exit
done
cp -a "$layer/usr/." /usr/ || exit
for d in bin sbin lib; do cp -a "$layer/$d/." "/usr/$d/" || exit; done
rm -rf /run/systemd
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""

_OPENRC: Final = (
    _OVERLAYS
    + """
cp "$layer/etc/rc.conf" /etc/ && mkdir -p /etc/runlevels/default /run/openrc || exit
for s in steady idle broken; do
  printf '%s\\n' '#!/sbin/openrc-run' 'start() { :; }' 'stop() { :; }' >"/etc/init.d/lab-$s"
  chmod 755 "/etc/init.d/lab-$s"
done
exec 3>&1 >/dev/null 2>&1
rc-update add lab-steady default
openrc default
rc-service lab-broken start
# what OpenRC's own start-stop-daemon records of a daemon (Debian's is dpkg's), whose pid file is gone
mkdir -p /run/openrc/daemons/lab-broken
printf '%s\\n' exec=/bin/sleep pidfile=/run/lab-broken.pid >/run/openrc/daemons/lab-broken/001
exec "$@" >&3
"""
)

_RUNIT: Final = (
    _OVERLAYS
    + """
rm -rf /etc/sv /etc/service && mkdir -p /etc/sv /etc/service || exit
service() {
  mkdir "/etc/sv/$1" && printf '#!/bin/sh\\nexec %s\\n' "$2" >"/etc/sv/$1/run" && chmod 755 "/etc/sv/$1/run"
}
service lab-steady 'sleep 100000'
service lab-idle 'sleep 100000'
service lab-spare 'sleep 100000'
touch /etc/sv/lab-idle/down
ln -s /etc/sv/lab-steady /etc/sv/lab-idle /etc/service/
service lab-sshd "$(printf "'%s' " "$@")"
ln -s /etc/sv/lab-sshd /etc/service/
exec runsvdir -P /etc/service
"""
)


def openrc_host() -> tuple[str, ...]:
    """Words before an sshd: lab-steady runs, lab-idle does not, lab-broken crashed."""
    return _inside(_OPENRC)


def runit_host() -> tuple[str, ...]:
    """Words before an sshd, which becomes a service: lab-steady runs, lab-idle is down, lab-spare is not linked."""
    return _inside(_RUNIT)


def _inside(script: str) -> tuple[str, ...]:
    need(os.geteuid() == 0 and shutil.which("unshare"), "namespaces need root and unshare")
    work = peers_dir() / "init-systems"
    work.mkdir(exist_ok=True)
    words = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh")
    try:
        layer = unpacked(here(), "bookworm", _PACKAGES)
    except LabError as error:
        need(False, f"OpenRC and runit cannot be had: {error}")
        raise
    return (*words, str(layer), str(work))
