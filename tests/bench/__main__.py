"""Measure against bare OpenSSH in the same run: medians, spread and ratios as a table, and as JSON with --json FILE.

scripts/bench                 everything (about 6 minutes)
scripts/bench --quick         fewer rounds, smaller files, 10 hosts
scripts/bench --only calls,fan_out
scripts/bench --only log --log-mib 100    a log of another size than 1 GiB
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench import auditing, catalogue, fleet, forwards, interactive, latency, rows, searching, shares
from tests.bench.lab import BenchLab, bench_lab
from tests.bench.measure import Figure, Row, table


def machine() -> str:
    ssh = subprocess.run(["ssh", "-V"], check=False, capture_output=True, text=True).stderr.split(",")[0]
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}, {ssh}; "
        f"load at start {load:.1f}"
    )


def measured(lab: BenchLab, part: str, quick: bool, log_mib: int | None) -> Iterator[Row | Figure]:
    rounds = 15 if quick else 60
    size = (64 if quick else 1024) << 20
    if part == "calls":
        yield from rows.calls(lab, rounds)
    elif part == "sessions":
        yield from rows.sessions(lab, rounds)
    elif part == "listings":
        yield from rows.listings(lab, rounds)
    elif part == "searching":
        yield from searching.searching(lab, rounds, sizes=searching.SIZES[:2] if quick else searching.SIZES)
    elif part == "log":
        yield from searching.log(lab, 5, log_mib or size >> 20)
    elif part == "files":
        yield from rows.files(lab, rounds, size)
    elif part == "transfer":
        yield from rows.host_to_host(lab, size // 2)
    elif part == "directories":
        yield from rows.directories(lab, 1000 if quick else 10_000, size)
    elif part == "forwards":
        yield from forwards.forwards(lab, rounds, size)
    elif part == "concurrent":
        yield from fleet.concurrent_on_one(lab, 5 if quick else 15)
    elif part == "fan_out":
        yield from fleet.fan_out(lab, 3 if quick else 8)
    elif part == "memory":
        yield from fleet.memory_after_a_mix(lab, 500 if quick else 5000)
    elif part == "start_up":
        yield from rows.start_up(lab, 3 if quick else 8)
    elif part == "long_output":
        yield from rows.long_output(lab, rounds // 3)
    elif part == "jobs":
        yield from rows.jobs(lab, rounds)
    elif part == "audit":
        yield from auditing.reading(lab, 100_000 if quick else 1_000_000)
    elif part == "catalogue":
        yield from catalogue.sizes(lab)
    elif part == "interactive":
        yield from interactive.interactive(lab, rounds // 3)
    elif part == "shares":
        yield from shares.guard_and_audit(lab, rounds)


PARTS = (
    "calls",
    "sessions",
    "listings",
    "searching",
    "log",
    "files",
    "transfer",
    "directories",
    "forwards",
    "concurrent",
    "fan_out",
    "memory",
    "start_up",
    "long_output",
    "jobs",
    "audit",
    "catalogue",
    "interactive",
    "shares",
)
SPECIAL = {"bastion": latency.bastion, "latency": latency.over_the_wire}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--log-mib", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    chosen = [p for p in options.only.split(",") if p] or [*PARTS, *SPECIAL]
    about = machine()
    print(about, flush=True)
    found: list[Row | Figure] = []
    hosts = 10 if options.quick else 50
    for part in chosen:
        print(f"-- {part}", flush=True)
        if part in SPECIAL:
            new = list(SPECIAL[part](quick=options.quick))
        else:
            with bench_lab(hosts if part == "fan_out" else 2) as lab:
                new = list(measured(lab, part, options.quick, options.log_mib))
        print("\n".join(table(new).splitlines()[2:]), flush=True)
        found += new
    print("\n" + table(found))
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "rows": [r.as_json() for r in found]}, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(f"{about}\n\n{table(found)}\n")


if __name__ == "__main__":
    main()
