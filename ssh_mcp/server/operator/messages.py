"""The protocol of the runtime socket: what the operator's commands and the console ask a running server. Pure.

Line-delimited JSON in UTF-8 over a Unix socket: one request per line, one reply line for each, in order. Only ``watch``
has a stream of ``line`` replies, until the peer closes. The reply to what cannot be read is ``error``. Unknown fields
are ignored, so that a newer side can talk to an older one; times are seconds.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

MAX_LINE: Final = 1 << 20
"""Bytes that one message may have."""

MAX_MINUTES: Final = 1440


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


# --- requests ---------------------------------------------------------------------------------------------------------


class StatusRequest(_Message):
    """What the server is doing now."""

    request: Literal["status"] = "status"


class ApprovalsRequest(_Message):
    """Questions that wait for a decision."""

    request: Literal["approvals"] = "approvals"


class DecideRequest(_Message):
    """A yes or no to one question; ``minutes``: a yes for equal calls until then, too."""

    request: Literal["decide"] = "decide"
    id: str = Field(max_length=64)
    yes: bool
    minutes: int | None = Field(default=None, ge=1, le=MAX_MINUTES)


class GrantsRequest(_Message):
    """Grants in force."""

    request: Literal["grants"] = "grants"


class RevokeRequest(_Message):
    """Withdraw one grant."""

    request: Literal["revoke"] = "revoke"
    id: str = Field(max_length=64)


class WatchRequest(_Message):
    """The audit's lines from now on."""

    request: Literal["watch"] = "watch"


Request = Annotated[
    StatusRequest | ApprovalsRequest | DecideRequest | GrantsRequest | RevokeRequest | WatchRequest,
    Field(discriminator="request"),
]


# --- replies ----------------------------------------------------------------------------------------------------------


class RunningCall(_Message):
    """A tool call under way. ``id`` is the correlation id of its audit line."""

    id: str
    tool: str
    tier: str
    hosts: list[str]
    identity: str
    client: str | None
    seconds: float


class LiveConnection(_Message):
    """A master; ``via`` names its jump hosts, nearest first."""

    user: str
    host: str
    port: int
    via: list[str]
    idle_seconds: float
    channels: int
    pid: int | None


class OpenShell(_Message):
    """A shell session."""

    id: str
    host: str
    cwd: str
    idle_seconds: float
    age_seconds: float


class SeenJob(_Message):
    """A job as its host described it when this server last looked; ``command`` is masked."""

    id: str
    host: str
    name: str
    command: str
    state: str
    root: bool
    started: float


class OpenForward(_Message):
    """A forward; ``connections`` and ``idle_seconds`` are not known of a remote one."""

    id: str
    kind: str
    listen: str
    target: str
    host: str
    identity: str
    connections: int | None
    idle_seconds: float | None
    seconds_left: float


class PendingApproval(_Message):
    """A question without a decision; ``waiting``: a call waits for it now. ``text`` is all that the person is shown."""

    id: str
    tool: str
    hosts: list[str]
    identity: str
    summary: str
    text: str
    waiting: bool
    seconds: float


class GrantInForce(_Message):
    """A yes that is good for ``seconds`` more: ``once``, or for each equal call."""

    id: str
    identity: str
    summary: str
    who: str
    once: bool
    seconds: float


class StatusReply(_Message):
    """One server process. ``started`` is in seconds since the epoch."""

    reply: Literal["status"] = "status"
    pid: int
    version: str
    transport: str
    started: float
    calls: list[RunningCall]
    connections: list[LiveConnection]
    shells: list[OpenShell]
    jobs: list[SeenJob] = []
    forwards: list[OpenForward] = []
    approvals: list[PendingApproval]


class ApprovalsReply(_Message):
    """Oldest first."""

    reply: Literal["approvals"] = "approvals"
    approvals: list[PendingApproval]


class DecidedReply(_Message):
    """``runs``: the waiting call goes on. ``grant``: the id of a grant that was made."""

    reply: Literal["decided"] = "decided"
    yes: bool
    runs: bool
    grant: str | None
    summary: str


class GrantsReply(_Message):
    """Soonest to end first."""

    reply: Literal["grants"] = "grants"
    grants: list[GrantInForce]


class RevokedReply(_Message):
    """False: there was no such grant."""

    reply: Literal["revoked"] = "revoked"
    revoked: bool


class LineReply(_Message):
    """One audit line as JSON text; ``lost``: how many went by before it because this reader was too slow."""

    reply: Literal["line"] = "line"
    line: str
    lost: int = 0


class ErrorReply(_Message):
    """``error`` is unreadable, unknown_id or failed; ``text`` a sentence."""

    reply: Literal["error"] = "error"
    error: Literal["unreadable", "unknown_id", "failed"]
    text: str


Reply = Annotated[
    StatusReply | ApprovalsReply | DecidedReply | GrantsReply | RevokedReply | LineReply | ErrorReply,
    Field(discriminator="reply"),
]

_REQUESTS: Final[TypeAdapter[Request]] = TypeAdapter(Request)
_REPLIES: Final[TypeAdapter[Reply]] = TypeAdapter(Reply)


def encode(message: BaseModel) -> bytes:
    """One line, its newline included."""
    return message.model_dump_json().encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises ValueError with one sentence."""
    try:
        return _REQUESTS.validate_json(line)
    except ValidationError:
        raise ValueError("This is not a request of the runtime socket.") from None


def decode_reply(line: bytes) -> Reply:
    """Raises ValueError with one sentence."""
    try:
        return _REPLIES.validate_json(line)
    except ValidationError:
        raise ValueError("The server sent something that is not a reply of the runtime socket.") from None
