"""A device's command line over one remote terminal: log in, change modes, send lines, read replies to their prompt."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from ssh_mcp.remote.devices.definitions import Definition, Step
from ssh_mcp.remote.devices.dialogue import Known, Reply, State
from transports.api import Terminal
from transports.errors import MasterLost, PartialOutput, RemoteError, TransportError

COLUMNS: Final = 511
"""Wide, so that no device wraps the echo; IOS takes at most 512."""
ROWS: Final = 255
_RETURN: Final = "\n"
_QUIET: Final = 0.3
"""Seconds without output after which what only looks like the prompt is taken for it."""
_LOGIN_QUIET: Final = 0.05
"""The same at the login, when no prompt is known: a line of a banner that was taken for it does no harm, for the reply
to the next line shows the real one."""
_LOGGED: Final = 1.0
"""Seconds without output after which a device whose prompt is above log lines is asked for another."""
_TRIES: Final = 3
"""Times that a device asks for a password."""
_NEVER: Final = 3600.0
"""Seconds for what the caller bounds."""


class NoPrompt(RemoteError):
    """The device showed no prompt of its definition."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a device printed in reply to a line. ``stopped`` says why it has no end, None where it has."""

    text: str
    seconds: float
    replaced: bool = False
    stopped: str | None = None


class DeviceSession:
    """One login. ``secret`` replies to the question of an ``ask`` step. Not for concurrent use."""

    def __init__(self, terminal: Terminal, definition: Definition, secret: str | None) -> None:
        self._terminal = terminal
        self._definition = definition
        self._secret = secret
        self._known = Known()
        self.open = True
        """Whether the device is at a prompt, and can be sent a line."""

    @property
    def prompt(self) -> str:
        """The last row of the prompt, as it was shown last."""
        return self._known.prompt.split("\n")[-1].strip()

    @property
    def mode(self) -> str | None:
        return self._definition.mode_of(self._known.prompt)

    async def begin(self) -> None:
        """Wait for the prompt, go to the default mode, and send the definition's opening lines.

        Raises NoPrompt, MasterLost. Where the default mode is not reached the opening lines are sent all the same.
        """
        await self._step(None, _NEVER)
        await self.enter(self._definition.default_mode, _NEVER)
        await self._take(self._definition.opening, _NEVER)

    async def enter(self, mode: str, seconds: float) -> bool:
        """Go to a mode; whether it is reached. Raises NoPrompt, MasterLost."""
        deadline = time.monotonic() + seconds
        for following, steps in self._definition.route(self.mode or "", mode) or ():
            await self._take(steps, deadline - time.monotonic())
            reached = self._definition.mode(following)
            if reached is None or not reached.shows(self._known.prompt):
                break
        wanted = self._definition.mode(mode)
        return wanted is not None and wanted.shows(self._known.prompt)

    async def send(self, line: str, seconds: float) -> Output:
        """One line, and what it prints until the prompt is back. Raises MasterLost with what had come.

        A device that does not come back within ``seconds``, or ends the session, is closed.
        """
        began = time.monotonic()
        reply, stopped = await self._read(line, seconds)
        text, replaced = reply.text()
        return Output(text, time.monotonic() - began, replaced, stopped)

    async def abandon(self, lines: Sequence[str]) -> None:
        """Send lines without waiting for what they print. Never raises."""
        try:
            with anyio.move_on_after(1, shield=True):
                await self._terminal.write("".join(line + _RETURN for line in lines).encode())
        except TransportError:
            pass  # it has ended: the device drops what it had

    async def _take(self, steps: Sequence[Step], seconds: float) -> None:
        for step in steps:
            if step.kind == "write":
                await self._write(step.text, seconds)
            elif step.ask is not None:
                await self._ask(step, step.ask, seconds)
            else:
                await self._step(step.text, seconds)

    async def _ask(self, step: Step, question: re.Pattern[str], seconds: float) -> None:
        """Send a line, and the secret where it is asked for it. Without one, or a right one, an empty line."""
        secrets = [] if self._secret is None else [self._secret]
        reply = await self._step(step.text, seconds, ask=question)
        for _ in range(_TRIES + 1):
            if reply.state() is not State.ASKED:
                return
            # A password has no echo; the name of the device is known already.
            reply = await self._step(None, seconds, ask=question, typed=secrets.pop() if secrets else "")
        raise NoPrompt("The device goes on asking for a password.", "Look at it with ssh_terminal_open.")

    async def _write(self, text: str, seconds: float) -> None:
        await self._terminal.write((text + _RETURN).encode())
        with anyio.move_on_after(max(seconds, 0)):
            while True:
                with anyio.move_on_after(_QUIET) as quiet:
                    if not await self._terminal.read():
                        return
                if quiet.cancelled_caught:
                    return

    async def _step(
        self, line: str | None, seconds: float, *, ask: re.Pattern[str] | None = None, typed: str | None = None
    ) -> Reply:
        reply, stopped = await self._read(line, seconds, ask=ask, typed=typed)
        if stopped is not None:
            raise NoPrompt(f"The device showed no prompt: {stopped}.", "Look at it with ssh_terminal_open.")
        return reply

    async def _read(
        self, line: str | None, seconds: float, *, ask: re.Pattern[str] | None = None, typed: str | None = None
    ) -> tuple[Reply, str | None]:
        """The reply to ``line`` (which is echoed) or ``typed`` (which is not), and why it has no end."""
        reply = Reply(self._definition, self._known, line, ask)
        text = line if typed is None else typed
        stopped: str | None = f"it did not return to its prompt within {seconds:.3g} s"
        try:
            if text is not None:
                await self._terminal.write((text + _RETURN).encode())
            with anyio.move_on_after(max(seconds, 0)):
                stopped = await self._until_over(reply)
        except TransportError:
            stopped = "it ended the session"
        if stopped is None and reply.prompt:
            self._known = Known(reply.prompt)
        elif stopped is not None:
            self.open = False
            try:
                await self._terminal.check_lost()
            except MasterLost as lost:
                came = reply.text()[0].encode()
                lost.partial = PartialOutput(came, b"", len(came), 0)
                raise
        return reply, stopped

    async def _until_over(self, reply: Reply) -> str | None:
        state, nudged = State.OPEN, False
        while True:
            data: bytes | None = None
            with anyio.move_on_after(self._pause(state, nudged=nudged)):
                data = await self._terminal.read()
            if data is None and state is State.PROMPTED:
                return None
            if data is None:
                nudged = True
                await self._terminal.write(_RETURN.encode())
                continue
            if not data:
                return "it ended the session"
            state = reply.feed(data)
            if state in {State.OVER, State.ASKED}:
                return None
            if state is State.PAGED:
                await self._terminal.write(b" ")
            if reply.too_long:
                return "it printed more than is read of one command"

    def _pause(self, state: State, *, nudged: bool) -> float | None:
        """Seconds without output that decide; None: only more output does."""
        if state is State.PROMPTED:
            return _QUIET if self._known.prompt else _LOGIN_QUIET
        return _LOGGED if state is State.LOGGED and not nudged else None
