"""Debian's podman, rootful, with storage of the lab's own behind a wrapper script that is the host's docker_cmd."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab.needs import find
from tests.lab.places import LabError, Places, run, works, write_script

# runc because crun refuses hybrid cgroups; limits because a sandbox may not raise them.
# Networks are kept in the lab, not in /etc/containers.
_CONTAINERS_CONF = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
cgroupns = "host"
log_driver = "k8s-file"
[network]
network_backend = "netavark"
network_config_dir = "{networks}"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def set_up(places: Places, busybox: Path) -> dict[str, str] | None:
    """Write wrapper and configuration and load the image; None where podman is missing or cannot run here."""
    real = find("podman")
    if real is None or find("runc") is None:
        return None
    conf = places.state_dir / "containers.conf"
    conf.write_text(_CONTAINERS_CONF.format(networks=places.state_dir / "podman-networks"))
    words = f"{real} --root {places.big}/podman --runroot {places.run}/podman"
    wrapper = write_script(
        places.state_dir / "bin" / "podman", [f"CONTAINERS_CONF={conf}; export CONTAINERS_CONF", f'exec {words} "$@"']
    )
    try:
        if not works(wrapper, "image", "exists", "lab/busybox:1"):
            run(wrapper, "import", busybox, "lab/busybox:1")
        run(wrapper, "run", "--rm", "lab/busybox:1", "true", timeout=60)
    except LabError:
        return None
    found = {"cmd": str(wrapper)}
    compose = find("podman-compose")
    if compose is not None:
        script = [f"PATH={wrapper.parent}:$PATH; export PATH", f'exec {compose} --podman-path {wrapper} "$@"']
        found["compose"] = str(write_script(places.state_dir / "bin" / "podman-compose", script))
    return found


def remove(places: Places) -> None:
    wrapper = places.state_dir / "bin" / "podman"
    if wrapper.exists():
        run(wrapper, "rm", "-af", "-t", "0", check=False)
        run(wrapper, "rmi", "-af", check=False)
    shutil.rmtree(places.big / "podman", ignore_errors=True)
