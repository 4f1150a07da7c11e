"""Where audit lines go: always the logger ``ssh_mcp.audit``, and with SSH_AUDIT_FILE a chained file.

The registry's wrapper opens one call with ``begin`` and closes it with ``finish``; what happens deeper down is noted
on that call (``current()`` finds it from any task that the call started).

Where the file cannot be written, ``require`` refuses every tier but read. A line that could not be written is kept
(up to ``MAX_PENDING``) and goes first when writing works again, so that a full disk delays lines and loses none
unless the process ends meanwhile.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ssh_mcp.errors import AuditUnavailable, Refusal
from transports.errors import TransportError

from .files import LOCK_PATIENCE, ChainFile
from .formats import Format, rendered
from .record import FAN_OUT, ApprovalNote, AuditRecord, hash_text

MAX_PENDING: Final = 10_000
_SHORT_PATIENCE: Final = 0.02  # seconds
_TEXT_LIMIT: Final = 4_096  # characters of a command or path in a line
_DETAIL_LIMIT: Final = 2_000  # characters of an error's text at DEBUG
logger = logging.getLogger("ssh_mcp.audit")
_log = logging.getLogger("ssh_mcp.audit_file")
_current: ContextVar[AuditCall | None] = ContextVar("ssh_mcp_audit_call", default=None)


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended, and where. ``tier`` is that of its start."""

    id: str
    exit_code: int | None
    duration_ms: int
    tier: str
    host: str
    alias: str
    user: str | None
    port: int | None


class AuditCall:
    """One call under way. Setters may be used from any task; the last word counts, except that paths add up."""

    __slots__ = ("_audit", "_finished", "_paths", "_record", "_started", "_token", "masked_command")

    def __init__(self, audit: Audit, record: AuditRecord) -> None:
        self._audit = audit
        self._record = record
        self._paths: list[str] = []
        self._started = time.perf_counter()
        self._finished = False
        self.masked_command: str | None = None
        self._token: Token[AuditCall | None] | None = None

    @property
    def correlation_id(self) -> str:
        """16 hex digits, the same in the audit line, in the DEBUG log and in hooks."""
        return self._record.correlation_id

    def host(self, canonical: str) -> None:
        """The canonical hostname."""
        self._record.host = canonical

    def login(self, alias: str, user: str | None, port: int | None) -> None:
        """Where the call goes beside the hostname; None: only ssh's own configuration knows."""
        self._record.alias, self._record.user, self._record.port = alias, user, port

    def caller(self, identity: str, client: str | None, session: str) -> None:
        """Who calls. ``client`` is what the client says of itself."""
        self._record.identity, self._record.client, self._record.session = identity, client, session

    def parent(self, correlation_id: str) -> None:
        """The call that made this one."""
        self._record.parent = correlation_id

    def job(self, job_id: str) -> None:
        """The job that this call starts, or whose end it sees first."""
        self._record.job = job_id

    def approval(self, note: ApprovalNote) -> None:
        """What became of the question whether this call may run."""
        self._record.approval = note

    def recording(self, name: str, sha256: str) -> None:
        """Where the call was recorded, and the recording's SHA-256 (hex) with this call in it."""
        self._record.recording, self._record.recording_hash = name, f"sha256:{sha256}"

    def hosts(self, canonical: list[str] | tuple[str, ...]) -> None:
        """A fan-out: ``host`` becomes ``?`` and these are listed beside it."""
        self._record.host = FAN_OUT
        self._record.hosts = tuple(canonical)

    def path(self, canonical: str) -> None:
        """A canonical path that the call touches; its hash is kept, its text with SSH_AUDIT_DETAIL=masked only."""
        digest = hash_text(canonical)
        if digest not in self._paths:
            self._paths.append(digest)
            if self._audit.masked:
                self._record.paths += (canonical[:_TEXT_LIMIT],)

    def command(self, masked: str) -> None:
        """The command with its secrets masked; its hash is kept, its text with SSH_AUDIT_DETAIL=masked only."""
        self.masked_command = masked
        self._record.command_hash = hash_text(masked)
        if self._audit.masked:
            self._record.command = masked[:_TEXT_LIMIT]

    def exit_code(self, code: int | None) -> None:
        self._record.exit_code = code

    def cheatsheet_pattern_id(self, pattern_id: str) -> None:
        self._record.cheatsheet_pattern_id = pattern_id

    def redact_bypass(self) -> None:
        """A redact-listed path was delivered raw under the policy audit_only (or warn)."""
        self._record.redact_bypass = True

    def job_ended(self, end: JobEnd) -> None:
        """A line of its own about a job whose end this call is the first to see; ``parent`` names the call."""
        own = self._record
        line = AuditRecord(_now(), secrets.token_hex(8), "ssh_job_end", end.tier, parent=own.correlation_id)
        line.host, line.alias, line.user, line.port = end.host, end.alias, end.user, end.port
        line.identity, line.client, line.session = own.identity, own.client, own.session
        line.job, line.exit_code, line.duration_ms = end.id, end.exit_code, end.duration_ms
        self._audit.write(line)

    def finish(self, error: BaseException | None = None) -> AuditRecord:
        """Write the line, once: a second call changes nothing. Never raises."""
        record = self._record
        if self._finished:
            return record
        self._finished = True
        record.duration_ms = round((time.perf_counter() - self._started) * 1000)
        record.path_hash = self._paths[0] if self._paths else None
        record.path_hashes = tuple(self._paths) if len(self._paths) > 1 else ()
        if error is not None:
            record.result = "error"
            record.error = error_name(error)
            record.cheatsheet_pattern_id = getattr(error, "pattern_id", None) or record.cheatsheet_pattern_id
        if self._token is not None:
            _leave(self._token)
        self._audit.write(record, error)
        return record


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error_name(error: BaseException) -> str:
    """The class name that clients see too."""
    return getattr(error, "public_name", "") or type(error).__name__


def current() -> AuditCall | None:
    """The call that the running task belongs to, or None outside of one."""
    return _current.get()


def _leave(token: Token[AuditCall | None]) -> None:
    try:
        _current.reset(token)
    except ValueError:  # finished in another context than it began in: nothing of ours remains set here
        _current.set(None)


class Audit:
    """The audit of one server. Thread-safe; writing takes some tens of microseconds, so that nothing awaits."""

    def __init__(self, file: Path | None = None, *, masked: bool = False, form: Format = "native") -> None:
        self._form: Format = form
        self.masked = masked
        """Whether lines hold masked commands and paths beside their hashes."""
        self._file = ChainFile(file) if file is not None else None
        self._pending: deque[str] = deque()
        self._lost = 0
        self._problem: str | None = None
        self._lock = threading.Lock()
        self._watchers: list[Callable[[str], object]] = []
        if logger.level == logging.NOTSET:
            # LOG_LEVEL=ERROR must not silence the audit.
            logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
        if self._file is not None:
            self.writable()

    @property
    def file(self) -> Path | None:
        return self._file.path if self._file else None

    @property
    def problem(self) -> str | None:
        """Why the file could not be written when last tried, or None."""
        return self._problem

    def begin(self, tool: str, tier: str) -> AuditCall:
        """Open a call and make it the ``current()`` one of this task and its children."""
        call = AuditCall(self, AuditRecord(_now(), secrets.token_hex(8), tool, str(tier)))
        call._token = _current.set(call)  # noqa: SLF001 - the two are one mechanism
        return call

    def require(self, tier: str) -> None:
        """Raise AuditUnavailable where a call of this tier must not run because it could not be audited."""
        if str(tier) != "read" and not self.writable():
            raise AuditUnavailable(
                f"The audit file {self.file} cannot be written ({self._problem}), so only read tools run.",
                "Make it writable for this server (ssh-mcp doctor checks it) and call again.",
            )

    def writable(self) -> bool:
        """Whether a line could be written now; lines that are still due are written first."""
        if self._file is None:
            return True
        with self._lock:
            return self._flush() and self._attempt(self._file.probe)

    def write(self, record: AuditRecord, error: BaseException | None = None) -> None:
        """Log and append one finished record. Never raises: what fails shows in ``problem`` and in ``require``."""
        line = native = record.to_json()
        if self._form != "native":
            line = rendered(record, self._form)
        if logger.isEnabledFor(logging.INFO):  # made by hand: nobody asks which line of this file logged it
            logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, line, (), None))
        for watcher in tuple(self._watchers):
            watcher(native)
        if error is not None and logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s", _detail(record.correlation_id, error))
        if self._file is None:
            return
        with self._lock:
            if len(self._pending) >= MAX_PENDING:
                self._pending.popleft()
                self._lost += 1
            self._pending.append(line)
            self._flush()

    @contextmanager
    def watched(self, watcher: Callable[[str], object]) -> Iterator[None]:
        """``watcher`` gets each line, in our own fields, while the block lasts. It must neither block nor raise."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def close(self) -> None:
        """Write what is due, sync, and let go of the file."""
        if self._file is None:
            return
        with self._lock:
            if not self._flush() or self._lost:
                _log.error("%d audit lines could not be written to %s", len(self._pending) + self._lost, self.file)
            self._file.close()

    def _flush(self) -> bool:
        while self._pending:
            if not self._attempt(self._append_first):
                return False
            self._pending.popleft()
        return True

    def _append_first(self) -> None:
        if self._file is not None:
            self._file.append(self._pending[0])

    def _attempt(self, operation: Callable[[], None]) -> bool:
        """Run one file operation; the first failure of a row is logged, and so is its end."""
        if self._file is not None:  # a process stopped while it holds the lock must not cost every call the full wait
            self._file.patience = LOCK_PATIENCE if self._problem is None else _SHORT_PATIENCE
        try:
            operation()
        except OSError as error:
            if self._problem is None:
                _log.error("the audit file %s cannot be written: %s", self.file, _reason(error))
            self._problem = _reason(error)
            return False
        if self._problem is not None:
            _log.warning("the audit file %s can be written again", self.file)
            self._problem = None
        return True


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__)[:200]


def _detail(correlation_id: str, error: BaseException) -> str:
    """A JSON line for DEBUG. Our own errors are sentences without secrets; of any other only its place is shown, since
    its text may hold an argument's value.
    """
    if isinstance(error, Refusal | TransportError):
        text = str(error)[:_DETAIL_LIMIT]
    else:
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        text = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return json.dumps({"correlation_id": correlation_id, "error": error_name(error), "detail": text})
