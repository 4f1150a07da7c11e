"""Network systems by scrapli: their prompts, modes, pagers and errors are its definitions', the connection is ours.

scrapli's ``bin`` transport starts a small program in a terminal. It gets one that opens a session on the live master,
so that ciphers, jump hosts, agent and host keys stay ssh's, and no second login happens.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ssh_mcp.errors import CommandNotAllowed, InvalidArgument, PlatformNotSupported
from ssh_mcp.policy.devices import PermittedDeviceCommand, permit
from ssh_mcp.remote.confirming import tool_matches
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.sudo.password import from_command, from_keyring
from ssh_mcp.results.devices import DeviceConfigured, DeviceOutput, DeviceResult
from ssh_mcp.runtime import runtime_directory
from transports.errors import RemoteError

if TYPE_CHECKING:
    from scrapli import Cli

    from ssh_mcp.inventory.model import DevicePolicy
    from ssh_mcp.remote.host import RemoteHost

KEYRING: Final = "ssh-mcp-enable"
"""Keyring service of enable secrets; the user is the host's alias."""
_ENABLE: Final = "the enable secret comes from device_enable_cmd or the keyring."
MAX_LINES: Final = 200
_OPEN_SECONDS: Final = 30
_READING_MODES: Final = frozenset({"exec", "privileged_exec", "operational", "user_view", "cli"})
"""Modes that commands may be run in: none in which the same words mean something else, such as a Unix shell."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """How a system with a candidate configuration shows, drops and takes it."""

    diff: str
    discard: str
    commit: str


_CANDIDATES: Final = {
    "juniper_junos": Candidate("show | compare", "rollback 0", "commit"),
    "vyos_vyos": Candidate("compare", "discard", "commit"),
}
_SAVE: Final = {
    **dict.fromkeys(("cisco_iosxe", "arista_eos", "cumulus_vtysh", "dell_emc", "ruijie_rgos"), "write memory"),
    "cisco_nxos": "copy running-config startup-config",
    "cisco_asa": "write memory",
    "vyos_vyos": "save",
}
"""What makes the running configuration outlive a reboot, where a commit does not do so."""


async def run(host: RemoteHost, commands: Sequence[str], mode: str | None, timeout: float | None) -> DeviceResult:
    """Raises CommandNotAllowed, InvalidArgument, PlatformNotSupported, RemoteError, and what connecting raises."""
    policy = _device(host)
    permitted = _permitted(host, commands, policy)
    if mode is not None and mode not in _READING_MODES:
        raise CommandNotAllowed(
            f"Commands are not run in mode {mode[:40]!r}.", "Leave mode out; ssh_device_configure configures."
        )
    await _confirm(host, permitted)
    seconds = host.commands.timeout(timeout)
    async with _cli(host, policy, seconds) as cli:
        outputs = [await _send(cli, policy, each.text, mode or "", seconds) for each in permitted]
        prompt = await _prompt(cli)
    now = _mode(policy, prompt)
    wanted = mode or _definition(policy)["default_mode"]
    remarks = [] if now == wanted else [f"The commands ran in mode {now}, not {wanted}: {_ENABLE}"]
    return DeviceResult(host=host.name, outputs=outputs, prompt=prompt, mode=now, output_warnings=remarks)


async def configure(host: RemoteHost, lines: Sequence[str], *, dry_run: bool, save: bool) -> DeviceConfigured:
    """Raises as ``run``. A line that fails ends it; with a candidate configuration nothing is in force then."""
    policy = _device(host)
    permitted = _permitted(host, lines, policy)
    definition = _definition(policy)
    mode = next((m["name"] for m in definition["modes"] if m["name"].startswith(("config", "system_view"))), None)
    if mode is None:
        raise PlatformNotSupported(f"{policy.definition} has no configuration mode.", "Use ssh_device_run.")
    if save and policy.definition not in _SAVE:
        raise InvalidArgument(f"How {policy.definition} saves is not known.", "Use save=false.")
    candidate = _CANDIDATES.get(policy.definition)
    await _confirm(host, permitted)
    if dry_run and candidate is None:
        return DeviceConfigured(
            host=host.name,
            mode=mode,
            output_warnings=[
                f"{policy.definition} has no candidate configuration: the lines are permitted, not tried."
            ],
        )
    seconds = host.commands.timeout(None)
    done = DeviceConfigured(host=host.name, mode=mode)
    async with _cli(host, policy, seconds) as cli:
        for each in permitted:
            done.outputs.append(await _send(cli, policy, each.text, mode, seconds))
            if done.outputs[-1].failed is True:
                break
        failed = any(each.failed is True for each in done.outputs)
        if candidate is not None:
            done.diff = (await _send(cli, policy, candidate.diff, mode, seconds)).text
            end = candidate.discard if failed or dry_run else candidate.commit
            done.outputs.append(await _send(cli, policy, end, mode, seconds))
        done.applied = not dry_run and not (candidate is not None and failed)
        if save and not failed and not dry_run:
            done.outputs.append(await _send(cli, policy, _SAVE[policy.definition], "", seconds))
            done.saved = done.outputs[-1].failed is not True
        done.prompt = await _prompt(cli)
    return done


def _device(host: RemoteHost) -> DevicePolicy:
    if host.policy.device is None:
        raise PlatformNotSupported(
            f"{host.name} is no network device.", "The operator names its system as platform in hosts.toml."
        )
    return host.policy.device


def _permitted(host: RemoteHost, lines: Sequence[str], policy: DevicePolicy) -> list[PermittedDeviceCommand]:
    if len(lines) > MAX_LINES:
        raise InvalidArgument(f"{len(lines)} lines at once.", f"Send at most {MAX_LINES}.")
    host.call.note_command("\n".join(lines))
    return [permit(line, policy.allow) for line in lines]


async def _confirm(host: RemoteHost, permitted: Sequence[PermittedDeviceCommand]) -> None:
    await host.call.confirm(tool_matches(host.call), "\n".join(each.text for each in permitted))


@asynccontextmanager
async def _cli(host: RemoteHost, policy: DevicePolicy, seconds: float) -> AsyncIterator[Cli]:
    """An open CLI in its default mode. Errors of scrapli's become RemoteError."""
    try:
        from scrapli import Cli, auth, session, transport
        from scrapli.exceptions import ScrapliException
    except ImportError:
        raise PlatformNotSupported(
            "This server cannot drive network devices.", "The operator installs it: pip install 'ssh-mcp[network]'."
        ) from None
    argv, env = await connection_of(host).terminal_program()
    secret = await from_keyring(KEYRING, host.alias)
    if secret is None and policy.enable_cmd is not None:
        secret = await from_command("device_enable_cmd", policy.enable_cmd)
    lookups = [] if secret is None else [auth.LookupKeyValue("enable", secret.decode())]
    if secret is not None:
        host.call.known_secrets.add(secret.decode())
    with tempfile.TemporaryDirectory(dir=runtime_directory()) as directory:
        cli = Cli(
            host.alias,
            definition_file_or_name=policy.definition,
            auth_options=auth.Options(username="-", lookups=lookups, bypass_in_session_auth=True),
            session_options=session.Options(operation_timeout_s=int(min(seconds, _OPEN_SECONDS)) or 1),
            transport_options=transport.BinOptions(bin=str(_program(Path(directory), argv, env)), term_width=512),
        )
        try:
            async with cli:
                yield cli
        except ScrapliException as error:
            raise RemoteError(
                f"{host.name} did not act as {policy.definition} does ({str(error)[:160]}).",
                f"Look at it with ssh_terminal_open; {_ENABLE}",
            ) from None


def _program(directory: Path, argv: Sequence[str], env: dict[str, str] | None) -> Path:
    """A program that ignores its arguments: scrapli appends those of an ssh of its own."""
    changed = {k: v for k, v in (env or {}).items() if os.environ.get(k) != v}
    exports = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in changed.items())
    path = directory / "terminal"
    path.write_text(f"#!/bin/sh\n{exports}exec {shlex.join(argv)}\n", encoding="utf-8")
    path.chmod(0o700)
    return path


async def _send(cli: Cli, policy: DevicePolicy, line: str, mode: str, seconds: float) -> DeviceOutput:
    began = time.monotonic()
    done = await cli.send_input_async(line, requested_mode=mode, operation_timeout_ns=int(seconds * 1e9))
    return DeviceOutput(
        command=line,
        text=done.result,
        failed=bool(done.failed) if _definition(policy).get("failure_indicators") else "unknown",
        duration_ms=round((time.monotonic() - began) * 1000),
    )


def _mode(policy: DevicePolicy, prompt: str) -> str | None:
    """The mode whose prompt that is."""
    for mode in _definition(policy)["modes"]:
        if re.search(mode["prompt_pattern"], prompt) and not any(x in prompt for x in mode.get("prompt_excludes", ())):
            return str(mode["name"])
    return None


async def _prompt(cli: Cli) -> str:
    return str((await cli.get_prompt_async()).result).strip()


def _definition(policy: DevicePolicy) -> dict[str, Any]:
    """The file of scrapli about a system."""
    import importlib.resources

    import yaml

    text = importlib.resources.files("scrapli.definitions").joinpath(f"{policy.definition}.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded
