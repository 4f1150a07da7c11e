"""``ssh-mcp console``."""

from __future__ import annotations

import sys
from pathlib import Path

from ssh_mcp.cli.output import console, say
from ssh_mcp.settings.model import load_settings


def run(*, web: bool, port: int) -> int:
    """Show the console in this terminal, or serve it to a browser on loopback until Ctrl+C."""
    import os

    if web:
        from ssh_mcp.console.web import serve

        return serve(port)
    if "TEXTUAL_DRIVER" not in os.environ and not (sys.stdin.isatty() and sys.stdout.isatty()):
        say(
            console(stderr=True),
            "The console needs a terminal. `ssh-mcp status` prints the same once; --web serves it.",
        )
        return 1
    from ssh_mcp.console.app import Console

    settings, _ = load_settings()
    app = Console(Path(settings.ssh_audit_file) if settings.ssh_audit_file else None)
    app.run()
    return app.return_code or 0
