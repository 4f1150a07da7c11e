"""Programs that start others inside of a container: what runs there is decided like what runs on the host.

``ssh_docker_exec`` compares its command with the same allowlist, so a permission for ``docker`` is none for everything
that ``docker exec`` could start. ``run`` takes only options that keep the container to itself; ``ssh_docker_run`` has
a policy for the others. Sources: docker(1), podman(1), crictl(1), kubectl(1), lxc(1).
"""

from __future__ import annotations

import re
from typing import Final

from ssh_mcp.shell.environment import protected
from ssh_mcp.shell.inner import Inner, rows
from ssh_mcp.shell.options import Denied, Forbidden, Options, leading, scan, settings_file
from ssh_mcp.shell.tree import names
from ssh_mcp.shell.values import Arg

_RUN_REMEDY = "use ssh_docker_run, which decides about each option"
_GLOBAL = Options(
    "Drv", "Hcl",
    long="debug tls tlsverify version help remote",
    long_valued="context log-level tlscacert tlscert tlskey host connection namespace address",
)  # fmt: skip
_COMPOSE = Options(
    "", "fp",
    long="compatibility dry-run all-resources no-ansi",
    long_valued="file project-name profile project-directory env-file progress parallel ansi",
)  # fmt: skip
_EXEC = Options(
    "ditT", "euw",
    long="detach interactive tty no-tty no-TTY latest sync",
    long_valued="env env-file user workdir detach-keys index",
)  # fmt: skip
_RUN = Options(
    "ditTq", "ehlmpuw",
    long="detach interactive tty no-tty no-TTY rm init read-only quiet no-deps publish-all no-healthcheck",
    long_valued="env env-file hostname label memory publish user workdir name network pull platform cpus restart",
)  # fmt: skip
_STARTING = {"exec": _EXEC, "run": _RUN, "create": _RUN}
_GROUPS = names("container pod")
_ELSEWHERE = names("unshare runlabel play kube machine stack plugin swarm")
"""Start programs on the host itself, or containers from a file that nobody read."""
_BUILD = Forbidden(
    "ov",
    "output volume device cap-add security-opt isolation pid ipc userns cgroupns uts hooks-dir runtime allow iidfile"
    " metadata-file cache-to",
    "tfmc",
)
"""Options that give the steps of a build a part of the host, or write files on it."""
_BUILDX = names("build ls inspect du version")


def docker(args: list[Arg], inner: Inner) -> None:
    """docker, podman, nerdctl and crictl. Raises Denied."""
    _, rest = leading("docker", args, _GLOBAL)
    _no_ssh(args)
    while rest and rest[0].value in _GROUPS:
        rest = rest[1:]
    if rest and rest[0].value == "compose":
        compose(rest[1:], inner)
        return
    _starting(rest, inner)


def compose(args: list[Arg], inner: Inner) -> None:
    """docker-compose, and what follows ``docker compose``. Raises Denied."""
    options, rest = leading("compose", args, _COMPOSE)
    for option, value in options:
        text = value.value or value.head if value else ""
        if option in ("-f", "--file") and (text[:1] in ("", "-") or text.startswith(("/dev/", "/proc/"))):
            raise Denied("a compose file must be a file", option, "use ssh_docker_compose_up with compose_file")
    _starting(rest, inner)  # its verbs are fewer, and mean the same


def _starting(rest: list[Arg], inner: Inner) -> None:
    if not rest:
        return
    verb = rest[0].value
    if verb is None:
        raise Denied("the command of the container engine must be written in the text", rest[0].excerpt)
    following = rest[1].value if rest[1:] else ""
    if verb in _ELSEWHERE or (verb == "service" and following not in ("ls", "ps", "inspect", "logs", "")):
        raise Denied(f"what `{verb}` starts is not in the command", verb)
    _preparing(verb, rest)
    spec = _STARTING.get(verb)
    if spec is None:
        return
    try:
        options, rest = leading(verb, rest[1:], spec)
    except Denied as denied:
        raise Denied(denied.what, denied.part, _RUN_REMEDY if verb != "exec" else "use ssh_docker_exec") from None
    for option, value in options:
        name = (value.value or value.head if value else "").partition("=")[0]
        if option in ("-e", "--env") and protected(name):
            raise Denied(f"setting {name} can change which program runs", f"{name}=")
        if option == "--network" and (not name or name == "host" or ":" in name):
            raise Denied("the container would share the network of another", f"--network {name}", _RUN_REMEDY)
    if rest and rest[0].multi:
        raise Denied("it cannot be decided what the container starts", rest[0].excerpt)
    if rest[1:]:
        inner.run(rest[1:])


def _preparing(verb: str, rest: list[Arg]) -> None:
    """Verbs that start nothing for now but make images and volumes: these may not hold the host."""
    if verb in ("image", "builder") and rest[1:] and rest[1].value == "build":
        verb, rest = "build", rest[1:]
    if verb == "buildx":
        leading("buildx", rest[1:2], Options(long="version help"))
        if rest[1:] and rest[1].value not in _BUILDX:
            raise Denied("what this form of `buildx` does is not in the command", rest[1].excerpt)
        verb, rest = (rest[1].value or "") if rest[1:] else "", rest[1:]
    if verb == "build":
        scan("build", rest[1:], _BUILD)
    elif verb == "volume" and rest[1:] and rest[1].value == "create":
        scan("volume create", rest[2:], Forbidden("od", "opt driver", ""))


def _no_ssh(args: list[Arg]) -> None:
    """An engine behind ``ssh://`` is reached by starting ssh."""
    for arg in args:
        if "ssh://" in (arg.value or arg.head).lower():
            raise Denied("an engine on another host is reached through ssh", arg.excerpt)


_STARTS = names("exec rsh")


def kubectl(args: list[Arg], inner: Inner) -> None:
    """kubectl, oc, lxc and incus: options may be anywhere, so that only what follows ``--`` is surely the command."""
    cut = next((i for i, a in enumerate(args) if a.value == "--"), len(args))
    if any(a.value is None and not a.anchored for a in args[:cut]):
        raise Denied("an expansion could become a command of this program", args[0].excerpt)
    _kube_settings(args[:cut])
    starts = next((a for a in args[:cut] if a.value in _STARTS), None)
    if args[cut + 1 :]:
        inner.run(args[cut + 1 :])
    elif starts is not None:
        raise Denied("what runs in the container must follow `--`", starts.excerpt)


_KUBE_FILES = names("--kubeconfig --kuberc")
_KUBE_STARTING = re.compile(r"--(?:exec-|helm-command|enable-exec|enable-alpha-plugins|overrides)|users\.")


def _kube_settings(args: list[Arg]) -> None:
    """A kubeconfig names the program that gets the credentials, kustomize starts helm, --overrides holds a command."""
    for index, arg in enumerate(args):
        text = arg.value or arg.head
        if _KUBE_STARTING.match(text):
            raise Denied("this makes kubectl start a program", arg.excerpt)
        name, equals, value = text.partition("=")
        if name not in _KUBE_FILES:
            continue
        file = Arg(value, value) if equals and arg.value is not None else args[index + 1] if args[index + 1 :] else None
        if not settings_file(file):
            raise Denied("a kubeconfig names programs to start; it must be one of the operator's", arg.excerpt)


ROWS: Final = rows(
    ("docker podman nerdctl crictl", docker),
    ("docker-compose podman-compose", compose),
    ("kubectl oc lxc incus", kubectl),
)
