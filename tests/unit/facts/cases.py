"""Which fact reads which stored output.

``tests/data/facts/<fact>/<source>.txt`` is what a real host printed (or, for macOS and the BSDs, what their manuals
and documentation print), ``<source>.json`` beside it the value that must come out.

    python -m tests.unit.facts.cases record NAME SOURCE -- argv…   run it by ``argv… <command>`` and keep the output
    python -m tests.unit.facts.cases accept                        write the .json of every case that has none yet
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ssh_mcp.facts import batch, compose, disk, load, managers, network, processes, system, users
from ssh_mcp.facts import docker as containers
from ssh_mcp.facts import docker_events as events
from ssh_mcp.facts import packages as apt
from ssh_mcp.facts import systemd as units
from ssh_mcp.facts.base import Fact
from ssh_mcp.facts.capabilities import CapabilitiesFact
from ssh_mcp.facts.init_systems import INIT_SYSTEMS

DATA = Path(__file__).resolve().parent.parent.parent / "data" / "facts"
DOCKER = ("docker",)

FACTS: dict[str, Fact[Any]] = {
    "uname": system.Uname(),
    "os_release": system.OsRelease(),
    "uptime": system.Uptime(),
    "cpu_model": system.CpuModel(),
    "cpu_count": system.CpuCount(),
    "fqdn": system.Fqdn(),
    "disk": disk.DiskUsage(),
    "load": load.LoadAverage(),
    "memory": load.Memory(),
    "network": network.Network(),
    "processes": processes.Processes(),
    "passwd": users.PasswdEntry("root"),
    "groups": users.Groups("root"),
    "containers": containers.Containers(DOCKER, everything=True, labels=True),
    "images": containers.Images(DOCKER, labels=True),
    "image_labels": containers.ImageLabels(containers.Images(DOCKER)),
    "volumes": containers.Volumes(DOCKER),
    "stats": containers.Stats(DOCKER),
    "system_df": containers.SystemDf(DOCKER),
    "events": events.Events(DOCKER, "1h", "now"),
    "inspect": containers.Inspect(DOCKER, "volume", "rec-vol"),
    "services": compose.Services(DOCKER, ("docker", "compose"), "/srv/compose.yml", labels=True),
    "unit_state": units.UnitState("lab-ok.service"),
    "unit_file_state": units.UnitFileState("lab-ok.service"),
    "unit_failure": units.UnitFailure("lab-ok.service"),
    "unit_properties": units.UnitProperties("lab-ok.service", ("Id", "ActiveState", "Environment", "ExecStart")),
    "unit_list": units.UnitList(),
    "unit_status": units.UnitStatus("lab-ok.service"),
    "openrc_services": INIT_SYSTEMS["openrc"],
    "runit_services": INIT_SYSTEMS["runit"],
    "journal": units.Journal("lab-chatty.service"),
    "apt_installed": apt.PackageList("installed"),
    "apt_upgradable": apt.PackageList("upgradable"),
    "apt_all": apt.PackageList("all", "lab-*"),
    "apt_search": apt.PackageSearch("lab"),
    "apt_policy": apt.PolicyOf("lab-app"),
    "apt_record": apt.RecordOf("lab-app"),
    "apt_holds": apt.Holds(),
    "capabilities": CapabilitiesFact(),
    "dnf_updates": managers.PackageQuery("dnf", "updates"),
    "dnf_search": managers.PackageQuery("dnf", "search"),
    "rpm_installed": managers.PackageQuery("dnf", "installed"),
    "zypper_updates": managers.PackageQuery("zypper", "updates"),
    "zypper_search": managers.PackageQuery("zypper", "search"),
    "apk_installed": managers.PackageQuery("apk", "installed"),
    "apk_updates": managers.PackageQuery("apk", "updates"),
    "apk_search": managers.PackageQuery("apk", "search"),
    "apk_owner": managers.PackageQuery("apk", "owner"),
    "pacman_installed": managers.PackageQuery("pacman", "installed"),
    "pacman_updates": managers.PackageQuery("pacman", "updates"),
    "pacman_search": managers.PackageQuery("pacman", "search"),
    "pacman_owner": managers.PackageQuery("pacman", "owner"),
    "dpkg_owner": managers.PackageQuery("apt", "owner"),
    "dpkg_installed_rows": managers.PackageQuery("apt", "installed"),
    "apt_updates": managers.PackageQuery("apt", "updates"),
}


def plain(value: object) -> Any:
    """Values, dataclasses and models as JSON can hold them."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def outcome(fact: Fact[Any], output: str) -> dict[str, Any]:
    parsed = fact.parse(output)
    return {"value": plain(parsed.value), "problems": list(parsed.problems)}


def stored() -> list[Path]:
    return sorted(DATA.glob("*/*.txt"))


def read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _record(name: str, source: str, argv: list[str]) -> None:
    script = f"{batch.SETUP} {FACTS[name].command().wire()}"
    done = subprocess.run([*argv, script], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    target = DATA / name / f"{source}.txt"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(done.stdout)
    if done.returncode or done.stderr:
        print(f"{name}/{source}: exit {done.returncode} {done.stderr.decode(errors='replace')[:300]}")


def _accept() -> None:
    for path in stored():
        expected = path.with_suffix(".json")
        if not expected.exists():
            result = outcome(FACTS[path.parent.name], read(path))
            expected.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
            print(f"{path.parent.name}/{path.stem}: {len(result['problems'])} problems")


if __name__ == "__main__":
    if sys.argv[1] == "record":
        _record(sys.argv[2], sys.argv[3], sys.argv[5:])
    else:
        _accept()
