"""Recipes for container engines and compose; see ``recipes.py``."""

from __future__ import annotations

from ssh_mcp.shell.recipes import Recipe, Value, recipe
from ssh_mcp.tokens import quote

_LIFECYCLE = frozenset({"start", "stop", "restart"})
_COMPOSE = frozenset({"ps", "logs", "up", "down", "pull", "restart", "start", "stop"})
_PRUNABLE = frozenset({"container", "image", "volume", "network", "system"})
_VALUED = frozenset(
    {
        "-f", "--filter", "--format", "-n", "--last", "--tail", "--since", "--until", "-t", "--time", "--type",
        "--platform", "--timeout", "-s", "--signal",
    }
)  # fmt: skip


def docker(args: list[str]) -> Recipe | None:
    """``docker VERB …``; global options (another engine, another context) are left alone."""
    if not args or args[0].startswith("-"):
        return None
    verb, *rest = args
    if verb in ("container", "image") and rest:
        return docker([{"ls": "ps" if verb == "container" else "images"}.get(rest[0], rest[0]), *rest[1:]])
    if verb == "compose":
        return compose(rest)
    names, options = _operands(rest)
    if verb in _READERS:
        return _READERS[verb](names, options)
    if verb in _PRUNABLE and names == ["prune"]:
        return recipe("docker-prune", "ssh_docker_prune", scope=verb)
    if verb in _LIFECYCLE and len(names) == 1:
        return recipe(f"docker-{verb}", f"ssh_docker_{verb}", container=names[0])
    return _changing(verb, names, options, rest)


def _operands(args: list[str]) -> tuple[list[str], dict[str, str]]:
    """Operands and options, read generously: only which tool it is matters, not each flag."""
    names: list[str] = []
    options: dict[str, str] = {}
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and len(word) > 1:
            name, equals, value = word.partition("=")
            takes = name in _VALUED and not equals and bool(rest)
            options[name] = rest.pop(0) if takes else value
        else:
            names.append(word)
    return names, options


def _ps(names: list[str], options: dict[str, str]) -> Recipe | None:
    everything = {"-a", "--all", "-aq", "-qa"} & set(options)
    return None if names else recipe("docker-ps", "ssh_docker_ps", **({"all_": True} if everything else {}))


def _images(names: list[str], _options: dict[str, str]) -> Recipe | None:
    if len(names) > 1:
        return None
    return recipe("docker-images", "ssh_docker_images", **({"reference": names[0]} if names else {}))


def _logs(names: list[str], options: dict[str, str]) -> Recipe | None:
    if len(names) != 1 or {"-f", "--follow"} & set(options):
        return None
    params: dict[str, Value] = {"container": names[0]}
    tail = options.get("--tail") or options.get("-n") or ""
    if tail.isdigit():
        params["tail"] = int(tail)
    if options.get("--since"):
        params["since"] = options["--since"]
    return recipe("docker-logs", "ssh_docker_logs", **params)


def _inspect(names: list[str], _options: dict[str, str]) -> Recipe | None:
    return recipe("docker-inspect", "ssh_docker_inspect", target=names[0]) if len(names) == 1 else None


def _stats(_names: list[str], _options: dict[str, str]) -> Recipe | None:
    return recipe("docker-stats", "ssh_docker_stats")


def _top(names: list[str], _options: dict[str, str]) -> Recipe | None:
    return recipe("docker-top", "ssh_docker_top", container=names[0]) if names else None


def _volume(names: list[str], _options: dict[str, str]) -> Recipe | None:
    if names == ["ls"]:
        return recipe("docker-volumes", "ssh_docker_volumes")
    if names == ["prune"]:
        return recipe("docker-prune", "ssh_docker_prune", scope="volume")
    if len(names) == 2 and names[0] == "inspect":
        return recipe("docker-inspect", "ssh_docker_inspect", target=names[1], kind="volume")
    return None


def _system(names: list[str], _options: dict[str, str]) -> Recipe | None:
    if names == ["df"]:
        return recipe("docker-system-df", "ssh_docker_system_df")
    return recipe("docker-prune", "ssh_docker_prune", scope="system") if names == ["prune"] else None


def _events(names: list[str], options: dict[str, str]) -> Recipe | None:
    if names or "--until" not in options:  # without an end it runs for ever
        return None
    params = {k: options[f"--{k}"] for k in ("since", "until") if options.get(f"--{k}")}
    return recipe("docker-events", "ssh_docker_events", **params)


_READERS = {
    "ps": _ps,
    "images": _images,
    "logs": _logs,
    "inspect": _inspect,
    "stats": _stats,
    "top": _top,
    "volume": _volume,
    "system": _system,
    "events": _events,
}


def _changing(verb: str, names: list[str], options: dict[str, str], rest: list[str]) -> Recipe | None:
    force: dict[str, Value] = {"force": True} if {"-f", "--force"} & set(options) else {}
    if verb == "rm" and len(names) == 1 and not {"-v", "-l"} & set(options):
        return recipe("docker-rm", "ssh_docker_rm", container=names[0], **force)
    if verb == "rm" and not names and options.get("-f"):  # -f here takes no value
        return recipe("docker-rm", "ssh_docker_rm", container=options["-f"], force=True)
    if verb == "rmi" and len(names) == 1:
        return recipe("docker-rmi", "ssh_docker_rmi", image=names[0], **force)
    if verb == "pull" and len(names) == 1:
        return recipe("docker-pull", "ssh_docker_pull", image=names[0])
    if verb == "run" and names:
        return recipe("docker-run", "ssh_docker_run", image=None, args=None)
    if verb == "exec":
        return _exec(rest)
    if verb == "cp" and len(names) == 2:
        return _copy(names)
    return None


def _exec(rest: list[str]) -> Recipe | None:
    words = list(rest)
    while words and words[0] in ("-i", "-t", "-it", "-ti", "--interactive", "--tty"):
        words.pop(0)
    if len(words) < 2 or words[0].startswith("-"):
        return None
    container, *command = words
    text = command[2] if command[:2] == ["sh", "-c"] and len(command) == 3 else " ".join(quote(w) for w in command)
    return recipe("docker-exec", "ssh_docker_exec", container=container, command=text)


def _copy(names: list[str]) -> Recipe | None:
    source, target = names
    inside, outside = (source, target) if ":" in source else (target, source)
    container, colon, path = inside.partition(":")
    if not colon or "-" in (source, target):
        return None
    direction = "from_container" if inside is source else "to_container"
    return recipe(
        "docker-cp",
        "ssh_docker_cp",
        container=container,
        container_path=path,
        host_path=outside,
        direction=direction,
    )


def compose(args: list[str]) -> Recipe | None:
    """``docker compose [-f FILE] VERB``; several files, profiles or projects are left alone."""
    words, file = list(args), None
    while words and words[0].startswith("-"):
        option = words.pop(0)
        name, equals, value = option.partition("=")
        if name not in ("-f", "--file") or file is not None or (not equals and not words):
            return None
        file = value if equals else words.pop(0)
    if not words or words[0] not in _COMPOSE:
        return None
    verb = words[0]
    names, options = _operands(words[1:])
    if (names and verb not in ("ps", "logs")) or len(names) > 1 or {"-f", "--follow"} & set(options):
        return None
    params: dict[str, Value] = {"compose_file": file}
    if names:
        params["service"] = names[0]
    return recipe(f"compose-{verb}", f"ssh_docker_compose_{verb}", **params)
