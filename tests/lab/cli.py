"""``scripts/lab up|down|status|packages``."""

from __future__ import annotations

import shutil
import sys
import time

from tests.lab import images, podman, systemd_host
from tests.lab.engine import Engine
from tests.lab.needs import PACKAGES, find, why_not
from tests.lab.places import LabError, Places, here, read_state, write_state

USAGE = """usage: scripts/lab up|down [--all]|status|packages

up        build and start: a Docker engine of its own, a booted systemd host with an apt repository, podman storage
down      stop and remove all of it; with --all the cached Debian tarball too
status    what runs; exit code 0 where the lab is up, 3 where it is not, 4 where it cannot be had on this machine
packages  the Debian packages it needs, one a line
"""


def main(argv: list[str]) -> int:
    """Run one subcommand; returns the exit code."""
    places = here()
    verbs = {"up": up, "down": down, "status": status, "packages": packages}
    if not argv or argv[0] not in verbs or (argv[1:] and argv != ["down", "--all"]):
        print(USAGE, end="", file=sys.stderr)
        return 2
    try:
        return verbs[argv[0]](places, argv[1:])
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def packages(_places: Places, _argv: list[str]) -> int:
    print("\n".join(PACKAGES))
    return 0


def status(places: Places, _argv: list[str]) -> int:
    reason = why_not()
    if reason:
        print(f"lab: not possible here: {reason}")
        return 4
    state = read_state(places)
    engine = Engine(places)
    if state is None or not engine.alive():
        print("lab: down")
        return 3
    print(f"lab: up\n  engine  {' '.join(engine.command)}")
    print(engine.docker("ps", "-a", "--format", "  {{.Names}}\t{{.Image}}\t{{.Status}}"), end="")
    print(f"  podman  {state['podman']['cmd'] if state['podman'] else 'not to be had'}")
    print(f"  compose {state['compose'] or 'not to be had'}")
    return 0


def up(places: Places, _argv: list[str]) -> int:
    """Safe to run twice: what is there and alive stays."""
    reason = why_not()
    if reason:
        print(f"lab: not possible here: {reason}", file=sys.stderr)
        return 4
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"lab: {time.monotonic() - started:5.1f} s  {what}", flush=True)

    places.state_dir.mkdir(parents=True, exist_ok=True)
    say("Debian root (debootstrap from this machine's own mirror, cached)")
    tarball = images.debian_tarball(places)
    busybox = images.busybox_tarball(places)
    engine = Engine(places)
    say("Docker engine")
    engine.start()
    say("images")
    for name, source, changes in (
        (systemd_host.BASE, tarball, ()),
        ("lab/busybox:1", busybox, ('CMD ["/bin/sh"]', "LABEL lab.role=busybox", "LABEL lab.generation=1")),
        ("lab/busybox:2", busybox, ('CMD ["/bin/sh"]', "ENV API_TOKEN=lab-image-canary-51d0")),
    ):
        if not engine.has_image(name):
            engine.import_image(source, name, *changes)
    if not engine.has_image(systemd_host.IMAGE):
        systemd_host.build_image(places, engine)
    say("systemd host")
    systemd_host.boot(engine)
    say("podman")
    found_podman = podman.set_up(places, busybox)
    compose = find("docker-compose")
    if compose:
        engine.add_compose_plugin(compose)
    write_state(
        places,
        {
            "docker": {"address": engine.address, "cmd": engine.command, "images": ["lab/busybox:1", "lab/busybox:2"]},
            "systemd": systemd_host.write_ssh_files(places, engine),
            "podman": found_podman,
            "compose": compose,
        },
    )
    say("up" if found_podman else "up (podman cannot run here)")
    return 0


def down(places: Places, argv: list[str]) -> int:
    engine = Engine(places)
    if read_state(places) is not None or engine.pid() is not None or places.big.exists():
        podman.remove(places)
        engine.remove_everything()
    shutil.rmtree(places.big, ignore_errors=True)
    shutil.rmtree(places.state_dir, ignore_errors=True)
    if argv:
        shutil.rmtree(places.cache, ignore_errors=True)
    print("lab: down")
    return 0
