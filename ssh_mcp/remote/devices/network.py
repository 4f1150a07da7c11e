"""Network systems: commands and configuration over one terminal of the live connection.

No second login happens: ciphers, jump hosts, agent and host keys stay ssh's. Modes, prompts and errors are those of
scrapli's definitions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import CommandNotAllowed, InvalidArgument, PlatformNotSupported
from ssh_mcp.policy.devices import PermittedDeviceCommand, permit
from ssh_mcp.policy.switches import require_device
from ssh_mcp.remote.confirming import tool_matches
from ssh_mcp.remote.devices.definitions import Definition, definition
from ssh_mcp.remote.devices.session import COLUMNS, ROWS, DeviceSession, NoPrompt
from ssh_mcp.remote.exec.partial_output import partial_output_in_errors
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.sudo.password import from_command, from_keyring
from ssh_mcp.results.devices import DeviceConfigured, DeviceOutput, DeviceResult
from transports.errors import MasterLost, PartialOutput, RemoteError

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import DevicePolicy
    from ssh_mcp.remote.host import RemoteHost

KEYRING: Final = "ssh-mcp-enable"
"""Keyring service of enable secrets; the user is the host's alias."""
_ENABLE: Final = "the enable secret comes from device_enable_cmd or the keyring."
MAX_LINES: Final = 200
_OPEN_SECONDS: Final = (5.0, 30.0)
"""The least and the most that a device gets to show its prompt and to take the opening lines."""
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
    "cisco_iosxr": Candidate("show commit changes diff", "clear", "commit"),
    "nokia_sros": Candidate("compare", "discard", "commit"),
    "nokia_srlinux": Candidate("diff", "discard stay", "commit stay"),
}
_OTHER_CANDIDATES: Final = frozenset(
    {"paloalto_panos", "versa_flexvnf", "siemens_roxii", "datacom_dmos", "eltex_esr", "cisco_ftd"}
)
"""Systems whose lines are not in force until a commit whose form is not known here."""


@dataclass(frozen=True, slots=True)
class Save:
    """The command that makes the running configuration outlive a reboot, where a commit does not do so."""

    command: str
    configuring: bool = False
    """It belongs to the configuration mode."""


_WRITE_MEMORY: Final = Save("write memory")
_SAVE: Final = {
    **dict.fromkeys(
        ("cisco_iosxe", "cisco_asa", "arista_eos", "aruba_aoscx", "cumulus_vtysh", "dell_emc", "ruijie_rgos"),
        _WRITE_MEMORY,
    ),
    "cisco_nxos": Save("copy running-config startup-config"),
    "vyos_vyos": Save("save", configuring=True),
}


async def run(host: RemoteHost, commands: Sequence[str], mode: str | None, timeout: float | None) -> DeviceResult:
    """Raises CommandNotAllowed, InvalidArgument, PlatformNotSupported, RemoteError, and what connecting raises."""
    policy = require_device(host.policy)
    permitted = _permitted(host, commands, policy)
    if mode is not None and mode not in _READING_MODES:
        raise CommandNotAllowed(
            f"Commands are not run in mode {mode[:40]!r}.", "Leave mode out; ssh_device_configure configures."
        )
    seconds = host.commands.timeout(timeout)
    await _confirm(host, permitted)
    done = DeviceResult(host=host.name)
    async with _session(host, policy, seconds, done) as device:
        wanted = mode or device.definition.default_mode
        if mode is not None and not await device.session.enter(mode, seconds):
            raise RemoteError(f"{host.name} did not enter mode {mode}.", "Leave mode out.")
        if device.session.mode != wanted:
            done.output_warnings.append(f"The commands ran in mode {device.session.mode}, not {wanted}: {_ENABLE}")
        for each in permitted:
            await device.send(each.text, seconds)
            if device.stopped:
                break
            if device.session.mode not in _READING_MODES | {wanted}:
                done.output_warnings.append(
                    f"`{each.text}` left the mode that commands run in, and ended the call; "
                    "ssh_device_configure configures."
                )
                break
        if left := len(permitted) - len(done.outputs):
            done.output_warnings.append(f"{left} more commands were not sent.")
        device.close()
    return done


async def configure(host: RemoteHost, lines: Sequence[str], *, dry_run: bool, save: bool) -> DeviceConfigured:
    """Raises as ``run``. A line that fails ends it; with a candidate configuration nothing is in force then."""
    policy = require_device(host.policy)
    permitted = _permitted(host, lines, policy)
    mode = _configuration(policy, save=save)
    candidate = _CANDIDATES.get(policy.definition)
    await _confirm(host, permitted)
    done = DeviceConfigured(host=host.name, mode=mode)
    if dry_run and candidate is None:
        done.output_warnings.append(
            f"{policy.definition} has no candidate configuration: the lines are permitted, not tried."
        )
        return done
    seconds = host.commands.timeout(None)
    async with _session(host, policy, seconds, done) as device:
        try:
            await _enter_lines(device, permitted, mode, seconds)
            if candidate is not None:
                await _settle(device, done, candidate, seconds, dry_run=dry_run)
        except BaseException:
            if candidate is not None:
                await device.session.abandon([candidate.discard])
            raise
        if candidate is None:
            done.applied = any(each.failed is not True for each in done.outputs)
        if save and done.applied and not device.failed:
            await _save(device, done, _SAVE[policy.definition], mode, seconds)
        if not device.stopped:
            await device.session.enter(device.definition.default_mode, seconds)
        device.close()
    done.mode = mode
    return done


async def _enter_lines(device: _Device, permitted: Sequence[PermittedDeviceCommand], mode: str, seconds: float) -> None:
    """Until one fails. A line such as ``exit`` may leave the mode, and the next enters it again."""
    for number, each in enumerate(permitted):
        if not await device.session.enter(mode, seconds):
            raise RemoteError(
                f"{device.name} did not enter its configuration mode; {number} lines were sent.",
                f"Look at it with ssh_terminal_open; {_ENABLE}",
            )
        await device.send(each.text, seconds)
        if device.failed or device.stopped:
            return


async def _settle(
    device: _Device, done: DeviceConfigured, candidate: Candidate, seconds: float, *, dry_run: bool
) -> None:
    """Take the candidate configuration, or drop it: after a failure, for a dry run, and where it is not taken."""
    if device.stopped:
        return
    failed = device.failed
    done.diff = (await device.exchange(candidate.diff, seconds)).text
    if not failed and not dry_run and not device.stopped:
        done.applied = (await device.send(candidate.commit, seconds)).failed is not True
    if not done.applied and not device.stopped:
        await device.send(candidate.discard, seconds)


async def _save(device: _Device, done: DeviceConfigured, save: Save, mode: str, seconds: float) -> None:
    where = mode if save.configuring else device.definition.default_mode
    if await device.session.enter(where, seconds):
        done.saved = (await device.send(save.command, seconds)).failed is not True and not device.stopped
    if not done.saved:
        done.output_warnings.append("The configuration was not saved: it does not outlive a reboot.")


def _configuration(policy: DevicePolicy, *, save: bool) -> str:
    """The name of the configuration mode. Raises PlatformNotSupported, InvalidArgument."""
    mode = definition(policy.definition).configuration
    if mode is None:
        raise PlatformNotSupported(f"{policy.definition} has no configuration mode.", "Use ssh_device_run.")
    if policy.definition in _OTHER_CANDIDATES:
        raise PlatformNotSupported(
            f"How {policy.definition} commits its configuration is not known.", "Use ssh_terminal_open."
        )
    if save and policy.definition not in _SAVE:
        raise InvalidArgument(f"How {policy.definition} saves is not known.", "Use save=false.")
    return mode


def _permitted(host: RemoteHost, lines: Sequence[str], policy: DevicePolicy) -> list[PermittedDeviceCommand]:
    if len(lines) > MAX_LINES:
        raise InvalidArgument(f"{len(lines)} lines at once.", f"Send at most {MAX_LINES}.")
    host.call.note_command("\n".join(lines))
    return [permit(line, policy.allow, policy.definition) for line in lines]


async def _confirm(host: RemoteHost, permitted: Sequence[PermittedDeviceCommand]) -> None:
    await host.call.confirm(tool_matches(host.call), "\n".join(each.text for each in permitted))


class _Device:
    """An open session, and the result that its outputs go into."""

    def __init__(self, name: str, session: DeviceSession, known: Definition, done: DeviceResult) -> None:
        self.name = name
        self.session = session
        self.definition = known
        self.done = done
        self.stopped = False
        """The device did not come back to its prompt: nothing more can be sent."""

    @property
    def failed(self) -> bool:
        return any(each.failed is True for each in self.done.outputs)

    async def exchange(self, line: str, seconds: float) -> DeviceOutput:
        """Send a line. Raises MasterLost."""
        try:
            output = await self.session.send(line, seconds)
        except MasterLost as lost:
            lost.partial = _all_output(self.done, line, lost.partial)
            raise
        failed = any(error in output.text for error in self.definition.errors)
        shown = DeviceOutput(
            command=line,
            text=output.text,
            failed=failed if self.definition.errors else "unknown",
            duration_ms=round(output.seconds * 1000),
        )
        if output.replaced:
            shown.output_warnings.append("Bytes that are no UTF-8 were replaced.")
        if output.stopped is not None:
            self.stopped = True
            shown.failed = True
            remark = f"`{line}` has no end: {output.stopped}. The session is closed; its text is what came until then."
            self.done.output_warnings.append(remark)
        return shown

    async def send(self, line: str, seconds: float) -> DeviceOutput:
        """``exchange``, kept among the outputs."""
        self.done.outputs.append(await self.exchange(line, seconds))
        return self.done.outputs[-1]

    def close(self) -> None:
        """Note where the device is left."""
        if not self.stopped:
            self.done.prompt = self.session.prompt
            self.done.mode = self.session.mode


def _all_output(done: DeviceResult, line: str, last: PartialOutput | None) -> PartialOutput:
    """What all commands of a lost session had printed."""
    parts = [f"> {each.command}\n{each.text}" for each in done.outputs]
    text = "\n".join([*parts, f"> {line}\n{last.stdout.decode() if last is not None else ''}"]).encode()
    return PartialOutput(text, b"", len(text), 0)


@asynccontextmanager
async def _session(
    host: RemoteHost, policy: DevicePolicy, seconds: float, done: DeviceResult
) -> AsyncIterator[_Device]:
    """The device at the prompt of its default mode, or of the one that it was reached in without an enable secret."""
    known = definition(policy.definition)
    secret = await from_keyring(KEYRING, host.alias)
    if secret is None and policy.enable_cmd is not None:
        secret = await from_command("device_enable_cmd", policy.enable_cmd)
    if secret is not None:
        host.call.known_secrets.add(secret.decode())
    least, most = _OPEN_SECONDS
    with partial_output_in_errors(host):
        terminal = await connection_of(host).terminal(None, COLUMNS, ROWS)
        try:
            session = DeviceSession(terminal, known, None if secret is None else secret.decode())
            try:
                with anyio.fail_after(max(least, min(seconds, most))):
                    await session.begin()
            except (NoPrompt, TimeoutError):
                raise RemoteError(
                    f"{host.name} showed no prompt of {policy.definition}.",
                    f"Look at it with ssh_terminal_open; {_ENABLE}",
                ) from None
            yield _Device(host.name, session, known, done)
        finally:
            await terminal.aclose()
