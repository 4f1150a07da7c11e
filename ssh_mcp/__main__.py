"""``python -m ssh_mcp`` is ``ssh-mcp``."""

import os
import sys

# ``-m`` puts the working directory first on the search path: a project that a client has open must not lend us modules.
if sys.path and sys.path[0] == os.getcwd() and not os.path.isdir(os.path.join(sys.path[0], "ssh_mcp")):  # noqa: PTH109, PTH112, PTH118
    del sys.path[0]

from ssh_mcp.cli import main

main()
