"""``ssh-mcp init``: hosts.toml from the hosts of an ssh_config. Only names are taken: ssh keeps reading the rest."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.prompt import Prompt

MAX_INCLUDES = 16
"""How deep Include may nest, as in ssh."""

_ALIAS = re.compile(r"[A-Za-z0-9._-]+")
_SPLIT = re.compile(r"\s*=\s*|\s+")

HEAD = """\
# Written by `ssh-mcp init`. ssh itself still reads your ssh_config for user, port, key and jump hosts of these names.
# Paths and commands are closed until you open them; see hosts.toml.example and docs/configuration.md.

[defaults]
# path_allowlist = ["/var/log", "/etc/nginx"]     # directories the file tools may touch; [] = none, ["*"] = all
# command_allowlist = ["uptime", "df", "journalctl"]  # programs the exec tools may run
"""


def write_inventory(config: Path | None, output: Path, *, take_all: bool) -> int:
    """Ask which hosts to take and write the file. Never overwrites one. Answers the exit status."""
    console = Console(highlight=False, markup=False)
    source = (config or Path.home() / ".ssh" / "config").expanduser()
    if output.exists():
        console.print(
            f"{output} exists already and is left as it is. Move it away, or give another name with --output."
        )
        return 1
    if not source.is_file():
        console.print(f"There is no {source}. Write hosts.toml by hand from hosts.toml.example.")
        return 1
    names = list(dict.fromkeys(host_names(source)))
    if not names:
        console.print(f"{source} names no single host (only patterns). Write hosts.toml from hosts.toml.example.")
        return 1
    chosen = names if take_all else _ask(console, names)
    if not chosen:
        console.print("No host was chosen; nothing was written.")
        return 1
    output.write_text(render(chosen), encoding="utf-8")
    console.print(f"{output}: {len(chosen)} hosts. Next: `ssh-mcp doctor` shows whether each can be logged in to.")
    return 0


def host_names(file: Path, *, depth: int = 0) -> Iterator[str]:
    """Names of ``Host`` lines without patterns, in order, Include followed as ssh_config(5) says."""
    if depth > MAX_INCLUDES or not file.is_file():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        keyword, _, rest = _keyword(line)
        if keyword == "include":
            for pattern in _words(rest):
                yield from _included(pattern, file, depth)
        elif keyword == "host":
            words = _words(rest)
            yield from (w for w in words if _ALIAS.fullmatch(w))


def _keyword(line: str) -> tuple[str, str, str]:
    parts = _SPLIT.split(line.strip(), maxsplit=1)
    return parts[0].lower(), " ", parts[1] if len(parts) > 1 else ""


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []


def _included(pattern: str, file: Path, depth: int) -> Iterator[str]:
    path = Path(pattern).expanduser()
    base = Path("/") if path.is_absolute() else file.parent
    relative = str(path.relative_to("/")) if path.is_absolute() else str(path)
    for found in sorted(base.glob(relative)):
        yield from host_names(found, depth=depth + 1)


def _ask(console: Console, names: list[str]) -> list[str]:
    if not sys.stdin.isatty():
        console.print("This is no terminal to ask on. Use --all to take every host.")
        return []
    for number, name in enumerate(names, 1):
        console.print(f"{number:4}  {name}")
    answer = Prompt.ask("Which hosts? Numbers like 1,3-5, or all", default="all")
    return choose(answer, names)


def choose(answer: str, names: list[str]) -> list[str]:
    """``1,3-5`` or ``all`` → the names; what is no number of the list is passed over."""
    if answer.strip().lower() == "all":
        return names
    picked: set[int] = set()
    for part in answer.replace(" ", ",").split(","):
        low, _, high = part.partition("-")
        if low.isdigit() and (high.isdigit() or not high):
            picked.update(range(int(low), int(high or low) + 1))
    return [name for number, name in enumerate(names, 1) if number in picked]


def render(names: list[str]) -> str:
    """The file's text: one table a host, ``hostname`` being the name that ssh_config knows."""
    tables = [f'[hosts."{name}"]\nhostname = "{name}"\n' for name in names]
    return HEAD + "\n" + "\n".join(tables)
