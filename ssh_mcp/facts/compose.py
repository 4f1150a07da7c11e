"""Facts about compose projects, and which program ``docker compose`` is on a host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssh_mcp.facts import json_rows as js
from ssh_mcp.facts.base import Parsed
from ssh_mcp.facts.docker import AS_JSON, engine
from ssh_mcp.facts.json_rows import Row
from ssh_mcp.results.docker import ComposeService
from ssh_mcp.tokens import Command, Token, arg, command

IDS_MARK = "== ids"
ROWS_MARK = "== rows"

_CARRIED = ("-H", "--host", "-c", "--context", "--tlscacert", "--tlscert", "--tlskey")
"""Options of docker that docker-compose knows too; each takes a value."""


def compose_words(
    docker_cmd: Sequence[str], compose_cmd: Sequence[str] | None = None, *, legacy: bool = False
) -> tuple[str, ...]:
    """The program behind compose calls.

    The operator's own ``compose_cmd`` wins. Else the plugin of docker_cmd, or with ``legacy`` docker-compose (or
    podman-compose) with the same words before it (sudo …) and the same engine address behind it.
    """
    if compose_cmd:
        return tuple(compose_cmd)
    if not legacy:
        return (*docker_cmd, "compose")
    at = next((i for i, w in enumerate(docker_cmd) if w.rsplit("/", 1)[-1] in ("docker", "podman")), None)
    if at is None:
        return ("docker-compose",)
    name = docker_cmd[at].rsplit("/", 1)[-1]
    if name == "podman":
        return (*docker_cmd[:at], "podman-compose")
    return (*docker_cmd[:at], "docker-compose", *_carried(docker_cmd[at + 1 :]))


def _carried(options: Sequence[str]) -> list[str]:
    kept: list[str] = []
    position = 0
    while position < len(options):
        word = options[position]
        if word in _CARRIED and position + 1 < len(options):
            kept += [word, options[position + 1]]
            position += 2
            continue
        if word.startswith(tuple(f"{o}=" for o in _CARRIED if o.startswith("--"))):
            kept.append(word)
        elif len(word) > 2 and word[:2] in ("-H", "-c") and not word.startswith("--"):
            kept += [word[:2], word[2:].removeprefix("=")]
        position += 1
    return kept


def compose(words: Sequence[str], file: str) -> tuple[Token, ...]:
    """``… -f FILE``."""
    return (*engine(words), arg("-f"), arg(file))


@dataclass(frozen=True, slots=True)
class Services:
    """``compose ps --all --format json``; where compose cannot (v1, podman-compose), its ids with docker's rows.

    One shell text either way, so that it stays one session. Whether compose can is seen by what it prints: v1 replies
    to ``--format`` with its usage on stderr and exit 0.
    """

    docker: tuple[str, ...]
    compose_cmd: tuple[str, ...]
    file: str
    labels: bool = False
    service: str | None = None
    status: str | None = None
    legacy: bool = False

    def command(self) -> Command:
        program = compose(self.compose_cmd, self.file)
        plain = command(
            f"printf '%s\\n' '{IDS_MARK}';", *program, "ps -q || exit $?;",
            f"printf '%s\\n' '{ROWS_MARK}';", *engine(self.docker), "ps --all --no-trunc", AS_JSON,
        )  # fmt: skip
        if self.legacy:
            return plain
        return command(
            "o=$(", *program, "ps --all --format json 2>/dev/null ) && case $o in '['*|'{'*) : ;; *) false ;; esac;",
            "if [ $? -eq 0 ]; then printf '%s\\n' \"$o\"; else", *plain.tokens, "; fi",
        )  # fmt: skip

    def parse(self, output: str) -> Parsed[tuple[ComposeService, ...]]:
        direct, fell_back, rest = output.partition(f"{IDS_MARK}\n")
        if fell_back:
            listed, _, table = rest.partition(f"{ROWS_MARK}\n")
            ids = {line.strip()[:12] for line in listed.splitlines() if line.strip()}
            parsed = js.rows("compose ps", table, self._from_docker)
            services = tuple(s for s in parsed.value if s.ID in ids)
        else:
            parsed = js.rows("compose ps", direct, self._from_compose)
            services = parsed.value
        wanted = tuple(
            s
            for s in services
            if (self.service is None or s.Service == self.service) and (self.status is None or s.State == self.status)
        )
        return Parsed(wanted, parsed.problems)

    def _from_compose(self, row: Row) -> ComposeService | None:
        if not js.text(row, "ID", "Name"):
            return None
        code = row.get("ExitCode")
        return ComposeService(
            ID=js.text(row, "ID")[:12],
            Name=js.text(row, "Name"),
            Service=js.text(row, "Service"),
            Project=js.text(row, "Project"),
            Image=js.text(row, "Image"),
            Command=js.words(row.get("Command")),
            State=js.text(row, "State"),
            Status=js.text(row, "Status"),
            Health=js.text(row, "Health"),
            ExitCode=code if isinstance(code, int) else None,
            Ports=js.text(row, "Ports") or js.ports(row.get("Publishers")),
            Labels=js.joined(row.get("Labels") or "") if self.labels else None,
        )

    def _from_docker(self, row: Row) -> ComposeService | None:
        identity = js.text(row, "ID", "Id")
        if not identity:
            return None
        labels = js.labels_of(row.get("Labels"))
        code = row.get("ExitCode")
        return ComposeService(
            ID=identity[:12],
            Name=js.text(row, "Names"),
            Service=labels.get("com.docker.compose.service", ""),
            Project=labels.get("com.docker.compose.project", ""),
            Image=js.text(row, "Image"),
            Command=js.words(row.get("Command")),
            State=js.text(row, "State"),
            Status=js.text(row, "Status"),
            ExitCode=code if isinstance(code, int) else None,
            Ports=js.ports(row.get("Ports")),
            Labels=js.joined(row.get("Labels") or "") if self.labels else None,
        )
