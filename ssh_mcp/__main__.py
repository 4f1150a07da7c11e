"""``python -m ssh_mcp`` is ``ssh-mcp``."""

from ssh_mcp.cli import main

main()
