"""Running the server: stdio by default, HTTP where the operator asked for it. Loads as little as it can."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.errors import ConfigError, Refusal, public_text
from ssh_mcp.settings import load_settings
from transports.errors import TransportError

if TYPE_CHECKING:
    from ssh_mcp.app import App

EXIT_CONFIG = 2
"""Exit status where a setting or hosts.toml stops the start."""


def serve() -> int:
    """Serve until the client leaves or a signal asks us to stop. Answers the exit status."""
    try:
        settings, warnings = load_settings()
        _log_to_stderr(settings.log_level)
        from ssh_mcp.app import build
        from ssh_mcp.telemetry import set_up

        set_up(settings)

        app = build(settings, warnings)
        anyio.run(_main, app)
    except ConfigError as error:
        sys.stderr.write(f"ssh-mcp: {error}\n")
        return EXIT_CONFIG
    except (Refusal, TransportError) as error:
        sys.stderr.write(f"ssh-mcp: {public_text(error)}\n")
        return EXIT_CONFIG
    except KeyboardInterrupt:
        return 130
    return 0


def _log_to_stderr(level: str) -> None:
    """Stdout is the protocol: nothing of ours may ever be written there."""
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
    for name in ("mcp", "fastmcp", "docket", "uvicorn.access"):
        logging.getLogger(name).setLevel(max(logging.getLevelName(level), logging.WARNING))


async def _main(app: App) -> None:
    from ssh_mcp.app import check_pinned_keys

    await check_pinned_keys(app)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, tasks.cancel_scope)
        if app.settings.mcp_transport == "stdio":
            await app.server.run_stdio_async(show_banner=False)
        else:
            await _serve_http(app)
        tasks.cancel_scope.cancel()
    if app.settings.mcp_transport == "stdio":
        # A thread may still be blocked reading stdin; everything of ours is closed by now.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    if sys.platform == "win32":
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for _ in signals:
            scope.cancel()
            return


async def _serve_http(app: App) -> None:
    from ssh_mcp.http import http_options

    await app.server.run_http_async(show_banner=False, **http_options(app.settings))
