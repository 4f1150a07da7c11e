"""``ssh-mcp init``: hosts.toml from the hosts of an ssh_config. Only names are taken: ssh keeps reading the rest."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

MAX_INCLUDES = 16
"""How deep Include may nest, as in ssh."""

_ALIAS = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*")
_SPLIT = re.compile(r"\s*=\s*|\s+")

CASES = "policy-cases.toml"
"""The file of policy cases, beside hosts.toml."""

HEAD = """\
# Written by `ssh-mcp init`. Your ssh_config says the rest about these names: HostName, User, Port, keys, ProxyJump.
# Paths and commands are closed until you open them, here for all hosts or below for one.
# What else can be said: hosts.toml.example and docs/configuration.md. Check with: ssh-mcp doctor

[defaults]
# path_allowlist = ["/var/log", "/etc/nginx"]         # directories the file tools may touch
# command_allowlist = ["uptime", "df", "journalctl"]  # programs that commands may use
"""


def write_inventory(config: Path | None, output: Path | None, *, take_all: bool) -> int:
    """Ask which hosts to take and write the file. Never overwrites one. Answers the exit status."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    source = (config or Path.home() / ".ssh" / "config").expanduser()
    target = (output or _default_output()).expanduser()
    if target.exists():
        console.print(f"{target} exists already and is left as it is. Add to it, or name another file with --output.")
        return 1
    names = _candidates(console, source)
    chosen = names if take_all else _ask(console, names)
    if not chosen:
        return 1
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as file:
        file.write(render(chosen))
    console.print(f"{target}: {len(chosen)} host{'s' if len(chosen) != 1 else ''}.")
    write_first_cases(console, target.parent / CASES, chosen)
    if output is not None:
        console.print(f"The server reads it only where SSH_HOSTS_FILE={target} is set.")
    if config is not None:
        console.print(f"ssh reads {source} only where SSH_CONFIG_FILE={source} is set for the server.")
    console.print("Next: `ssh-mcp doctor` shows whether each can be logged in to.")
    return 0


def write_first_cases(console: Console, file: Path, hosts: list[str]) -> None:
    """A first file for `ssh-mcp policy test`, unless there is one."""
    from ssh_mcp.cli.policy_cases import first_cases

    if not file.exists():
        file.write_text(first_cases(hosts), encoding="utf-8")
        console.print(f"{file}: what policy must refuse; `ssh-mcp policy test {file}` checks it.")


def _default_output() -> Path:
    """Where the server looks whatever its working directory is: a client may start it anywhere."""
    from platformdirs import user_config_path

    return user_config_path("ssh-mcp", appauthor=False) / "hosts.toml"


def _candidates(console: Console, source: Path) -> list[str]:
    if not source.is_file():
        console.print(f"There is no {source}. Write hosts.toml by hand, as hosts.toml.example shows.")
        return []
    names = list(dict.fromkeys(host_names(source)))
    if not names:
        console.print(f"{source} names no single host, only patterns. Write hosts.toml as hosts.toml.example shows.")
    return names


def host_names(file: Path, *, depth: int = 0) -> Iterator[str]:
    """Names of ``Host`` lines without patterns, in order, Include followed as ssh_config(5) says."""
    if depth > MAX_INCLUDES or not file.is_file():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        keyword, rest = _keyword(line)
        if keyword == "include":
            for pattern in _words(rest):
                yield from _included(pattern, depth)
        elif keyword == "host":
            yield from (word for word in _words(rest) if _ALIAS.fullmatch(word))


def _keyword(line: str) -> tuple[str, str]:
    parts = _SPLIT.split(line.strip(), maxsplit=1)
    return parts[0].lower(), parts[1] if len(parts) > 1 else ""


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []


def _included(pattern: str, depth: int) -> Iterator[str]:
    """Files of an Include; relative ones of a user's configuration are in ~/.ssh, wherever the including file is."""
    path = Path(pattern).expanduser()
    base = Path(path.anchor) if path.is_absolute() else Path.home() / ".ssh"
    relative = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
    for found in sorted(base.glob(relative)):
        yield from host_names(found, depth=depth + 1)


def _ask(console: Console, names: list[str]) -> list[str]:
    if not names:
        return []
    if not sys.stdin.isatty():
        console.print("There is no terminal to ask on. Use --all to take every host.")
        return []
    for number, name in enumerate(names, 1):
        console.print(f"{number:4}  {name}")
    answer = console.input("Which hosts? Numbers like 1,3-5, names, or all: ").strip()
    chosen, unknown = choose(answer, names)
    for word in unknown:
        console.print(f"{word} is neither a number nor a name of this list; nothing was written.")
    if not answer:
        console.print("No host was chosen; nothing was written.")
    return [] if unknown else chosen


def choose(answer: str, names: list[str]) -> tuple[list[str], list[str]]:
    """``1,3-5``, names or ``all`` → the names in the list's order, and the words that mean nothing."""
    words = answer.replace(",", " ").split()
    if [word.lower() for word in words] == ["all"]:
        return list(names), []
    picked: set[int] = set()
    unknown = []
    for word in words:
        numbers = range(names.index(word) + 1, names.index(word) + 2) if word in names else _range(word)
        if numbers and numbers[0] >= 1 and numbers[-1] <= len(names):
            picked.update(numbers)
        else:
            unknown.append(word)
    return [name for number, name in enumerate(names, 1) if number in picked], unknown


def _range(word: str) -> range:
    """``3`` or ``3-5``; empty for anything else."""
    low, _, high = word.partition("-")
    if len(word) > 12 or not low.isdecimal() or not (high or low).isdecimal():
        return range(0)
    return range(int(low), int(high or low) + 1)


def render(names: list[str]) -> str:
    """The file's text: one empty table a host. Without ``hostname`` ssh is asked for the name, so ssh_config counts."""
    return HEAD + "".join(f'\n[hosts."{name}"]\n' for name in names)
