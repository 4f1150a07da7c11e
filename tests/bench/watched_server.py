"""A server that reports how long the guard and the audit took in each call: a line for each in the file named last.

Run as ``python -m tests.bench.watched_server FILE``. It is the server itself, in its own process with a client at the
other end, because the same code run over and over in a loop finds everything in the processor's caches.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ssh_mcp.audit.sinks import Audit, AuditCall
from ssh_mcp.guard.guard import Guard

WATCHED: tuple[tuple[type, str], ...] = ((Guard, "result"), (Guard, "text"), (Audit, "begin"), (AuditCall, "finish"))


class _Watch:
    """Seconds spent in the methods of ``WATCHED``, calls from one of them to another not counted twice."""

    def __init__(self, file: Path) -> None:
        self._out = file.open("w", buffering=1)
        self._spent = 0.0
        self._depth = 0

    def around(self, method: Callable[..., Any], *, last: bool) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            self._depth += 1
            try:
                return method(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self._spent += time.perf_counter() - began
                if last:
                    self._out.write(f"{self._spent * 1000}\n")
                    self._spent = 0.0

        return timed


def main() -> None:
    """Watch, then be the server."""
    from ssh_mcp.cli import main as serve

    watch = _Watch(Path(sys.argv.pop()))
    for cls, name in WATCHED:
        setattr(cls, name, watch.around(getattr(cls, name), last=name == "finish"))
    serve()


if __name__ == "__main__":
    main()
