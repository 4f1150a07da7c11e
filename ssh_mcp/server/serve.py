"""Running the server: stdio by default, HTTP where the operator asked for it. Loads as little as it can.

Start-up is nearly all imports, during which the garbage collector finds nothing and costs a sixth of the time: it is
off until the server is put together, and what exists by then is left out of all later collections.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.errors import ConfigError, Refusal, public_text
from ssh_mcp.server.allocator import hold_little
from ssh_mcp.settings.model import given_settings, load_settings
from transports.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from ssh_mcp.server.app import App
    from ssh_mcp.server.http import HttpPlan
    from ssh_mcp.settings.model import Settings

EXIT_CONFIG = 2
"""Exit status where a setting or hosts.toml stops the start."""
EXIT_BUG = 70
"""Exit status where something failed that nobody thought of (sysexits.h EX_SOFTWARE)."""
EXIT_INTERRUPTED = 130

IN_A_TERMINAL = (
    "ssh-mcp speaks MCP on stdin: a client starts it (ssh-mcp client NAME). For all else: ssh-mcp help\n"
    "It waits for a client's messages now. End it with Ctrl-D or Ctrl-C.\n"
)
"""For a person who typed the bare command."""

logger = logging.getLogger("ssh_mcp")


def serve() -> int:
    """Serve until the client leaves or a signal asks us to stop. Returns the exit status."""
    gc.disable()
    hold_little()
    try:
        settings, warnings = load_settings()
        _log_to_stderr(settings, audit="LOG_LEVEL" in given_settings()[0])
        if settings.mcp_transport == "stdio" and sys.stdin.isatty():
            sys.stderr.write(IN_A_TERMINAL)
        http = _http(settings)
        from ssh_mcp.server.app import build
        from ssh_mcp.server.telemetry import set_up

        end_telemetry = set_up(settings)
        app = build(settings, warnings)
        _quiet(settings.log_level)
        _collect_garbage()
        anyio.run(_main, app, http, end_telemetry)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - one line, whatever it was
        return _say(_only(error))
    return 0


def _http(settings: Settings) -> HttpPlan | None:
    """How to serve HTTP; None: stdio. Before all else, so that a start refused for it says nothing but that."""
    if settings.mcp_transport == "stdio":
        return None
    from ssh_mcp.server.http import http_plan

    return http_plan(settings)


_GARBAGE_AFTER = (10_000, 20, 20)
"""A listing makes thousands of objects that are all wanted: looking through them each 700 cost a third of its time."""


def _collect_garbage() -> None:
    gc.enable()
    gc.set_threshold(*_GARBAGE_AFTER)
    gc.freeze()


def _only(error: Exception) -> Exception:
    """What a task group wrapped, where it is one error."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _say(error: Exception) -> int:
    """One line for the operator; the traceback only with LOG_LEVEL=DEBUG. Returns the exit status."""
    if isinstance(error, ConfigError):
        sys.stderr.write(f"ssh-mcp: {error}\n")
        return EXIT_CONFIG
    if isinstance(error, (Refusal, TransportError)):
        sys.stderr.write(f"ssh-mcp: {public_text(error)}\n")
        return EXIT_CONFIG
    logger.debug("the server ended", exc_info=error)
    sys.stderr.write(f"ssh-mcp: the server ended: {type(error).__name__}. LOG_LEVEL=DEBUG shows more.\n")
    return EXIT_BUG


def _log_to_stderr(settings: Settings, *, audit: bool) -> None:
    """Stdout is the protocol: nothing of ours may ever be written there.

    Clients in a terminal show stderr to a person. ``audit``: LOG_LEVEL is set, so somebody reads the log; then audit
    lines are part of it where they go to no file.
    """
    from ssh_mcp.audit.log_masking import MaskingFormatter

    logging.basicConfig(stream=sys.stderr, level=settings.log_level, force=True)
    handler = logging.getLogger().handlers[0]
    handler.setFormatter(MaskingFormatter("%(levelname)s %(name)s: %(message)s"))
    if not audit or settings.ssh_audit_file:
        handler.addFilter(_no_audit_line)


def _no_audit_line(record: logging.LogRecord) -> bool:
    """All but audit lines; the details that LOG_LEVEL=DEBUG adds to them stay."""
    return record.name != "ssh_mcp.audit" or record.levelno < logging.INFO


def _quiet(level: str) -> None:
    """Libraries speak up from WARNING on. After they were imported, since FastMCP sets its own level then."""
    for name in ("mcp", "fastmcp", "docket", "uvicorn"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.getLevelName(level), logging.WARNING) if level != "DEBUG" else logging.DEBUG)
    fastmcp = logging.getLogger("fastmcp")
    fastmcp.handlers.clear()  # lines of its own shape; ours go through the root logger
    fastmcp.propagate = True
    if level != "DEBUG":
        logging.getLogger("uvicorn.error").addFilter(_one_line)


def _one_line(record: logging.LogRecord) -> bool:
    """A client that leaves in mid-stream is an exception with forty lines of traceback to uvicorn."""
    if record.exc_info and record.exc_info[1]:
        record.msg, record.args = f"{record.getMessage().strip()}: {record.exc_info[1]!r}", None
        record.exc_info = record.exc_text = None
    return True


async def _main(app: App, http: HttpPlan | None, end_telemetry: Callable[[], None]) -> None:
    from ssh_mcp.server.app import check_pinned_keys
    from ssh_mcp.server.preload import preload

    await check_pinned_keys(app)
    if http is not None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(preload, app.fleet)
            await _serve_http(app, http)
            tasks.cancel_scope.cancel()
        end_telemetry()
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(preload, app.fleet)
        if sys.platform == "win32":
            await app.server.run_stdio_async(show_banner=False)
        else:
            await _serve_stdio(app, tasks)
        tasks.cancel_scope.cancel()
    end_telemetry()
    # A thread may still be blocked (on Windows reading stdin); everything of ours is closed by now.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _serve_stdio(app: App, tasks: TaskGroup) -> None:
    from ssh_mcp.server.stdio import claim, hand_over

    reading, writing = claim()
    tasks.start_soon(_stop_on_signal, reading.end)
    hand_over(reading, writing)
    try:
        await app.server.run_stdio_async(show_banner=False)
    finally:
        writing.restore()


async def _stop_on_signal(stop: Callable[[], None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for _ in signals:
            stop()


async def _serve_http(app: App, plan: HttpPlan) -> None:
    """Until a signal: uvicorn ends by itself at one, raises it again when it is done, and then our part is closed."""
    from ssh_mcp.server.http import HEALTH, health, listen

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    settings = app.settings
    app.server.custom_route(HEALTH, methods=["GET"])(health)
    app.server.auth = plan.auth
    with listen(settings.mcp_http_host, settings.mcp_http_port) as listener:
        host, port = listener.getsockname()[:2]
        path = "sse" if settings.mcp_transport == "sse" else "mcp"
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/{path}"
        try:
            token = f" (token in {plan.fresh.write(port)})" if plan.fresh else ""
            logger.info("listening on %s%s", address, token)
            await app.server.run_http_async(show_banner=False, sockets=[listener], **plan.options)
        finally:
            if plan.fresh:
                plan.fresh.remove()
