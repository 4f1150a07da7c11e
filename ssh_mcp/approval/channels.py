"""How a question reaches a person: through the client that calls, or through the operator's terminal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Reply(StrEnum):
    """What came back from a client. ``FAILED``: it declared forms and could not show this one."""

    YES = "yes"
    NO = "no"
    DISMISSED = "dismissed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Returned:
    """What a repeated call carries in MCP 2026-07-28: the state that this server sealed, and the form's reply."""

    state: str
    reply: Reply | None


class ClientChannel(Protocol):
    """The client of one call, as far as it can ask its user."""

    @property
    def can_ask(self) -> bool:
        """Whether it declared that it shows forms."""
        ...

    @property
    def by_result(self) -> bool:
        """True: the question is this call's result and the client calls again (2026-07-28). False: it is pushed."""
        ...

    @property
    def returned(self) -> Returned | None:
        """What this call brings back of an earlier question."""
        ...

    async def ask(self, text: str) -> Reply:
        """Push the form and wait for the reply, for as long as the caller lets it."""
        ...


class NoClient:
    """A call that comes from no client that could be asked: a resource, a task's worker, a test."""

    can_ask = False
    by_result = False
    returned: Returned | None = None

    async def ask(self, text: str) -> Reply:
        """Nobody is there."""
        del text
        return Reply.FAILED


class QuestionForClient(Exception):
    """Ends a call whose question is its result: the client shows ``text`` and calls again with ``state``.

    No failure of the call, but it has not run either: the audit records it as pending.
    """

    public_name = "ApprovalPending"

    def __init__(self, text: str, state: str) -> None:
        super().__init__("A question for the client's user.")
        self.text = text
        self.state = state
