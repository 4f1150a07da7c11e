"""``ssh-mcp`` and its subcommands. Without arguments it serves, and then loads nothing of the command line."""

from __future__ import annotations

import os
import sys

EXIT_USAGE = 64
"""Exit status for a command line that cannot be parsed (sysexits.h EX_USAGE)."""


def main() -> None:
    """Entry point of the console script."""
    # FastMCP would read the ``.env`` of the working directory, which is whatever project a client has open.
    os.environ.setdefault("FASTMCP_ENV_FILE", os.devnull)
    try:
        arguments = take_env_file(sys.argv[1:])
    except ValueError as error:
        sys.stderr.write(f"ssh-mcp: {error}\n")
        sys.exit(EXIT_USAGE)
    if arguments in ([], ["serve"]):
        from ssh_mcp.server.serve import serve

        sys.exit(serve())
    from ssh_mcp.cli.commands import run

    sys.exit(run(arguments))


def take_env_file(arguments: list[str]) -> list[str]:
    """The command line without ``--env-file FILE``, which becomes SSH_ENV_FILE: every command reads the same file.

    What follows ``--`` is a command for a host and is left alone. Raises ValueError where the file's name is missing.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours, rest = arguments[:end], arguments[end:]
    left: list[str] = []
    words = iter(ours)
    for word in words:
        option, equals, file = word.partition("=")
        if option != "--env-file":
            left.append(word)
            continue
        file = file if equals else next(words, "")
        if not file:
            raise ValueError("--env-file needs the name of a file.")
        os.environ["SSH_ENV_FILE"] = file
    return left + rest


if __name__ == "__main__":
    main()
