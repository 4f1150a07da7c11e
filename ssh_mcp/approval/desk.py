"""Questions that wait for a person, and what was decided about them. One desk per server.

Nothing here permits a call that policy refuses: a call comes here after policy permitted it, and goes on only with a
yes for exactly what it does. A yes without a waiting call becomes a grant for the same call within ten minutes.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import anyio

from ssh_mcp.approval.channels import ClientChannel, QuestionForClient, Reply
from ssh_mcp.approval.question import Question, Subject
from ssh_mcp.approval.store import SEAL_SECONDS, ApprovalStore, Grant
from ssh_mcp.audit.record import ApprovalNote
from ssh_mcp.errors import ApprovalDenied, ApprovalPending, ApprovalRequired

if TYPE_CHECKING:
    from ssh_mcp.policy.approval import AskMatch

MAX_PENDING: Final = 64
"""Questions of one identity that may wait at once, so that nobody is buried in questions."""

logger = logging.getLogger("ssh_mcp")

_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
_ID_CHARS: Final = 6

Channel = Literal["client", "operator", "auto"]


def new_id() -> str:
    """Six characters that can be read aloud and typed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person (or a client for one) said. ``yes`` None: the client could not show the question."""

    yes: bool | None
    channel: Literal["client", "operator"]
    who: str
    grant: str | None = None
    dismissed: bool = False


@dataclass(slots=True)
class Pending:
    """A question without a decision. ``waiting``: a call still waits for it."""

    question: Question
    fingerprint: str
    asked: float
    waiting: bool = True
    decision: Decision | None = None
    decided: anyio.Event = field(default_factory=anyio.Event)

    def settle(self, decision: Decision) -> bool:
        """The first decision counts. False: there was one already."""
        if self.decision is not None:
            return False
        self.decision = decision
        self.decided.set()
        return True


class Approvals:
    """The desk. ``seconds``: how long a call waits. ``operator_reachable``: the runtime socket listens."""

    def __init__(self, store: ApprovalStore, *, channel: Channel = "auto", seconds: float = 50.0) -> None:
        self.store = store
        self.channel = channel
        self.seconds = seconds
        self.operator_reachable = False
        self._pending: dict[str, Pending] = {}
        self._denied: dict[str, tuple[float, str]] = {}

    # --- the operator's side ------------------------------------------------------------------------------------------

    def pending(self) -> list[Pending]:
        """Undecided questions, oldest first."""
        now = time.monotonic()
        for key, each in list(self._pending.items()):
            if not each.waiting and now - each.asked > SEAL_SECONDS:
                del self._pending[key]
        return sorted(self._pending.values(), key=lambda p: p.asked)

    def decide(self, question_id: str, *, yes: bool, who: str, minutes: int | None = None) -> Pending | None:
        """Settle a question for the operator; ``minutes`` grants equal calls for so long. None: no such question.

        Raises OSError where a grant cannot be kept; then nothing is decided.
        """
        self.pending()
        found = self._pending.get(question_id)
        if found is None:
            return None
        grant = self._granted(found, who, minutes) if yes and (minutes or not found.waiting) else None
        if not yes and not found.waiting:
            self._denied[found.fingerprint] = (time.monotonic() + SEAL_SECONDS, who)
        self.drop(found)
        found.settle(Decision(yes, "operator", who, grant))
        return found

    def _granted(self, found: Pending, who: str, minutes: int | None) -> str:
        grant = Grant(
            id=new_id(),
            fingerprint=found.fingerprint,
            identity=found.question.subject.identity,
            summary=found.question.summary(),
            who=who,
            expires=time.time() + (minutes * 60 if minutes else SEAL_SECONDS),
            once=not minutes,
        )
        self.store.keep(grant)
        return grant.id

    # --- the call's side ----------------------------------------------------------------------------------------------

    def take_grant(self, fingerprint: str) -> Grant | None:
        """A grant for this subject, used up if it is for one call."""
        for grant in self.store.grants():
            if grant.fingerprint == fingerprint and (not grant.once or self.store.remove(grant.id)):
                return grant
        return None

    def take_denial(self, fingerprint: str) -> str | None:
        """Who refused this subject after its call had ended; returned once."""
        until, who = self._denied.pop(fingerprint, (0.0, ""))
        return who if until > time.monotonic() else None

    def register(self, subject: Subject, matches: tuple[AskMatch, ...], *, waiting: bool) -> Pending:
        """The question for ``subject``: one of a call that gave up waiting is taken over. Raises ApprovalRequired."""
        fingerprint = subject.fingerprint()
        for each in self.pending():
            if each.fingerprint == fingerprint and not each.waiting:
                each.waiting = waiting
                each.asked = time.monotonic()
                return each
        self._make_room(subject.identity)
        made = Pending(Question(new_id(), subject, matches), fingerprint, time.monotonic(), waiting)
        self._pending[made.question.id] = made
        logger.info("question %s waits for a person: %s", made.question.id, made.question.summary())
        return made

    def _make_room(self, identity: str) -> None:
        """Drop the oldest question that no call waits for, where there are too many. Raises ApprovalRequired."""
        theirs = [p for p in self.pending() if p.question.subject.identity == identity]
        if len(theirs) < MAX_PENDING:
            return
        left = [p for p in theirs if not p.waiting]
        if not left:
            raise ApprovalRequired(
                f"{MAX_PENDING} calls wait for a decision already; nothing was run.",
                "Wait until some are decided (ssh-mcp approve --list shows them).",
            )
        self.drop(left[0])

    def find(self, question_id: str) -> Pending | None:
        """An undecided question by its id."""
        return self._pending.get(question_id)

    def drop(self, pending: Pending) -> None:
        """Forget a question whose call has ended for good."""
        self._pending.pop(pending.question.id, None)

    async def wait(self, pending: Pending, client: ClientChannel | None, who: str) -> Decision | None:
        """The decision, or None after ``seconds``; then the question stays for the operator. ``client``: asked too."""

        async def push(channel: ClientChannel) -> None:
            reply = await channel.ask(pending.question.text())
            if reply is not Reply.FAILED or self.channel == "client" or not self.operator_reachable:
                pending.settle(decision_of(reply, who))

        try:
            with anyio.move_on_after(self.seconds):
                async with anyio.create_task_group() as tasks:
                    if client is not None:
                        tasks.start_soon(push, client)
                    await pending.decided.wait()
                    tasks.cancel_scope.cancel()
        except anyio.get_cancelled_exc_class():
            self.drop(pending)
            raise
        pending.waiting = False
        if pending.decision is not None:
            self.drop(pending)
        return pending.decision


def decision_of(reply: Reply, who: str) -> Decision:
    """What a client's reply decides."""
    yes = {Reply.YES: True, Reply.NO: False, Reply.DISMISSED: False, Reply.FAILED: None}[reply]
    return Decision(yes, "client", who, dismissed=reply is Reply.DISMISSED)


@dataclass(slots=True)
class CallApproval:
    """The questions of one call: each subject is asked about once, and a yes is never used for another."""

    desk: Approvals
    client: ClientChannel
    who: str
    """How the client names itself, for the audit."""
    note: ApprovalNote | None = None
    _accepted: set[str] = field(default_factory=set)
    _refused: dict[str, Decision] = field(default_factory=dict)
    _opened: bool = False

    async def confirm(self, subject: Subject, matches: tuple[AskMatch, ...]) -> None:
        """Return once a person said yes to ``subject``. Raises ApprovalDenied, ApprovalPending, ApprovalRequired,
        QuestionForClient; in each case nothing may be run.
        """
        began = time.monotonic()
        fingerprint = subject.fingerprint()
        self._open_returned()
        # before what the client brought back: a no of the operator came while the question was on its way
        if (who := self.desk.take_denial(fingerprint)) is not None:
            self._refused[fingerprint] = Decision(yes=False, channel="operator", who=who)
            self._settle(self._refused[fingerprint], "", began)
        if (decision := self._refused.get(fingerprint)) is not None:
            raise _denied(decision)
        if fingerprint in self._accepted:
            return
        if (grant := self.desk.take_grant(fingerprint)) is not None:
            self._settle(Decision(yes=True, channel="operator", who=grant.who, grant=grant.id), "", began)
        else:
            await self._ask(subject, matches, began)
        self._accepted.add(fingerprint)

    async def _ask(self, subject: Subject, matches: tuple[AskMatch, ...], began: float) -> None:
        client = self.client if self.desk.channel != "operator" and self.client.can_ask else None
        if client is None and (self.desk.channel == "client" or not self.desk.operator_reachable):
            self.note = ApprovalNote("unavailable", self.desk.channel, "")
            raise _required(matches[0], self.desk.channel)
        pending = self.desk.register(subject, matches, waiting=client is None or not client.by_result)
        if client is not None and client.by_result:
            self.note = ApprovalNote("pending", "client", pending.question.id)
            raise QuestionForClient(pending.question.text(), self._state(pending))
        self.note = ApprovalNote("pending", self._asked_through(client), pending.question.id)
        decision = await self.desk.wait(pending, client, self.who)
        if decision is None:
            waited = round((time.monotonic() - began) * 1000)
            self.note = ApprovalNote("pending", self._asked_through(client), pending.question.id, waited_ms=waited)
            raise _still_pending(pending, self.desk)
        if decision.yes is None:
            self.note = ApprovalNote("unavailable", "client", pending.question.id)
            raise _required(matches[0], self.desk.channel)
        self._settle(decision, pending.question.id, began)

    def _asked_through(self, client: ClientChannel | None) -> str:
        return "operator" if client is None else "client"

    def _settle(self, decision: Decision, question_id: str, began: float) -> None:
        """Note a decision; raise ApprovalDenied where it is no yes."""
        self.note = ApprovalNote(
            "granted" if decision.yes else "denied",
            decision.channel,
            question_id,
            who=decision.who,
            grant=decision.grant,
            waited_ms=round((time.monotonic() - began) * 1000),
        )
        if not decision.yes:
            raise _denied(decision)

    # --- the state of MCP 2026-07-28 ----------------------------------------------------------------------------------

    def _state(self, pending: Pending) -> str:
        """What the client brings back, sealed on its way by the server: usable once, for this subject alone."""
        return json.dumps(
            {
                "nonce": secrets.token_hex(16),
                "id": pending.question.id,
                "asked": pending.fingerprint,
                "accepted": sorted(self._accepted),
            }
        )

    def _open_returned(self) -> None:
        """Read what the client brought back, once per call. Raises ApprovalRequired where it was used before."""
        if self._opened or (returned := self.client.returned) is None:
            return
        self._opened = True
        state = json.loads(returned.state)
        if not self.desk.store.use(state["nonce"]):
            raise ApprovalRequired(
                "The approval that came with this call has been used; nothing was run.",
                "Make the call without it to be asked again.",
            )
        self._accepted.update(state["accepted"])
        if returned.reply is None:
            return
        decision = decision_of(returned.reply, self.who)
        waited = 0
        if (pending := self.desk.find(state["id"])) is not None:
            waited = round((time.monotonic() - pending.asked) * 1000)
            self.desk.drop(pending)
        self.note = ApprovalNote(
            "granted" if decision.yes else "denied", "client", state["id"], who=self.who, waited_ms=waited
        )
        if decision.yes:
            self._accepted.add(state["asked"])
        else:
            self._refused[state["asked"]] = decision


_UNREACHABLE: Final = "why ssh-mcp approve cannot reach this server is in its log."
_NO_CHANNEL: Final[dict[Channel, str]] = {
    "client": "Use a client that supports elicitation, or the operator sets SSH_ASK_CHANNEL to operator or auto.",
    "operator": f"Ask the operator: {_UNREACHABLE}",
    "auto": f"Use a client that supports elicitation, or ask the operator: {_UNREACHABLE}",
}


def _required(match: AskMatch, channel: Channel) -> ApprovalRequired:
    return ApprovalRequired(
        f"The operator wants to be asked first ({match.rule}), and there is no way to ask: this client cannot show a "
        "question; nothing was run.",
        _NO_CHANNEL[channel],
    )


def _still_pending(pending: Pending, desk: Approvals) -> ApprovalPending:
    question_id = pending.question.id
    how = (
        f"The operator types: ssh-mcp approve {question_id}. Then make the same call within ten minutes."
        if desk.operator_reachable
        else "Make the same call again to be asked again."
    )
    return ApprovalPending(
        f"Nobody approved this call within {desk.seconds:g} seconds (question {question_id}); nothing was run.", how
    )


def _denied(decision: Decision) -> ApprovalDenied:
    how = "dismissed the question" if decision.dismissed else "refused this call"
    by = f" (operator {decision.who})" if decision.channel == "operator" else ""
    return ApprovalDenied(f"The user{by} {how}; nothing was run.", "Do not repeat it; ask what to do instead.")
