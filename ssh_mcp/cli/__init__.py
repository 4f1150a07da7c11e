"""``ssh-mcp`` and its subcommands. Without arguments it serves, and then loads nothing of the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the console script."""
    if sys.argv[1:] in ([], ["serve"]):
        from ssh_mcp.server.serve import serve

        sys.exit(serve())
    from ssh_mcp.cli.commands import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
