"""ssh without a master: one login per session, for clients whose OpenSSH cannot multiplex (Windows).

Jump hosts are then logged in to for each session, each by its own fragment: ``ssh -W`` inside ssh.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace

from transports.api import Destination
from transports.errors import ConnectError, LocalError
from transports.openssh.local.control_dir import ControlDir
from transports.openssh.local.launch import environment
from transports.openssh.local.single_flight import SingleFlight
from transports.openssh.login import argv as build
from transports.openssh.login import askpass
from transports.openssh.login.config import via_lines
from transports.openssh.login.failures import Attempt, login_error
from transports.openssh.login.log import read
from transports.openssh.login.plan import LaunchContext, LoginPlan, make_plan


@dataclass(frozen=True, slots=True)
class Prepared:
    """What ``argv`` needs: a fragment on disk, the helper's variables, and the plan for error texts.

    ``through`` is a ProxyCommand that logs in to this host and opens a channel from there.
    """

    plan: LoginPlan
    fragment: str
    through: str
    environment: tuple[tuple[str, str], ...]


def private_directory() -> ControlDir:
    """A fresh directory for fragments; there is no socket in it and so no limit on its length."""
    return ControlDir(tempfile.mkdtemp(prefix="ssh-mcp-"))


class Unmultiplexed:
    """Prepares hosts for direct sessions and builds their command lines."""

    def __init__(self) -> None:
        self._directory: ControlDir | None = None
        self._prepared: dict[Destination, Prepared] = {}
        self._flights: SingleFlight[Destination, Prepared] = SingleFlight()

    def directory(self) -> ControlDir:
        if self._directory is None:
            self._directory = private_directory()
        return self._directory

    async def prepare(self, context: LaunchContext, destination: Destination) -> None:
        """Write the fragments for a host and its jump hosts. Raises ConnectError, LocalError."""
        known = self._prepared.get(destination)
        if known is None or not known.plan.resolved.fresh():
            here = replace(context, directory=self.directory())
            self._prepared[destination] = await self._flights.run(destination, lambda: self._prepare(here, destination))

    async def _prepare(self, context: LaunchContext, destination: Destination) -> Prepared:
        proxy: str | None = None
        prompts: list[askpass.Prompt] = []
        hops = await context.evaluator.chain(destination, context.binaries, context.directory)
        path = ""
        plan: LoginPlan | None = None
        for stop in [*hops, destination]:
            plan = await make_plan(context, stop)
            prompts += plan.prompts()
            login = replace(await plan.login(), verbose=False, proxy=proxy)
            path = context.directory.write(f"{plan.identity(0, proxy or '')}.conf", await plan.text(login))
            forward = build.ssh_argv(context.binaries.ssh, path, stop.name, extra=("-W", "[%h]:%p"))
            proxy = via_lines(forward)
        assert plan is not None
        variables: tuple[tuple[str, str], ...] = ()
        if prompts:
            made = askpass.make(tuple(prompts), context.binaries, context.directory.path, once=False)
            variables = made.environment
        return Prepared(plan, path, proxy or "", variables)

    async def through(self, context: LaunchContext, hop: Destination) -> str:
        """The ProxyCommand by which targets behind ``hop`` are reached."""
        await self.prepare(context, hop)
        return self._ready(hop).through

    def argv(
        self, destination: Destination, *, subsystem: str | None, command: str | None, tty: bool = False
    ) -> tuple[list[str], dict[str, str]]:
        """Argv and environment of one session. Raises LocalError where ``prepare`` did not run."""
        ready = self._ready(destination)
        words = build.ssh_argv(
            ready.plan.context.binaries.ssh,
            ready.fragment,
            destination.name,
            subsystem=subsystem,
            command=command,
            tty=tty,
        )
        return words, environment(ready.environment)

    def explain(self, destination: Destination, stderr: str) -> ConnectError | LocalError | None:
        """The error in an ssh's stderr. None where it shows nothing that ssh itself would say about a failed login."""
        ready = self._ready(destination)
        report = read(stderr)
        attempt: Attempt = ready.plan.attempt()
        evidence = (
            report.verdict, report.denied, report.too_many, report.no_match, report.unresolved, report.connect,
            report.timed_out, report.configuration, report.loop, report.ended,
        )  # fmt: skip
        return login_error(report, attempt) if any(evidence) else None

    def _ready(self, destination: Destination) -> Prepared:
        try:
            return self._prepared[destination]
        except KeyError:
            raise LocalError(f"{destination.name} was not prepared for a direct session.", sent=False) from None

    def close(self) -> None:
        """Remove fragments and helpers."""
        self._prepared.clear()
        if self._directory is not None:
            shutil.rmtree(self._directory.path, ignore_errors=True)
            self._directory = None
