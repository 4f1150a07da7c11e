"""What ends commands whose link is lost, as shell text, pure.

sshd does not signal a command without a terminal when its connection breaks: a silent one runs on. So it is hung
up on as a terminal's end would do it: HUP, two seconds of grace in which TERM and then KILL follow, for all that is
left of the frame's process group and session but what ignores HUP (nohup(1)) or has left it (setsid(1), a daemon).

``hang_up_script`` does it when the host is reached again. ``watch_script`` waits on the host itself: it is a session of
the same master whose stdin ends with the link (watch.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from transports.openssh.shell.frame import Processes
from transports.openssh.shell.programs import program, with_parameters


def hang_up_script(lost: Iterable[tuple[str, Processes | None]]) -> str:
    """Shell text that hangs up on lost frames, by nonce and process ids, all at once. Exit status 0."""
    frames = tuple(":".join((nonce, *_ids(processes))) for nonce, processes in lost)
    return with_parameters(frames, "walk", "processes", "hang_up", "hang_up_now")


def _ids(processes: Processes | None) -> tuple[str, str]:
    return (str(processes.parent), str(processes.child)) if processes else ("0", "0")


def watch_script() -> str:
    """Shell text that takes lines of ``watch_line`` from stdin and, at its end, hangs up on those it then watches."""
    return program("walk", "processes", "hang_up", "watch")


def watch_line(nonce: str, processes: Processes, *, watched: bool) -> bytes:
    """A line for ``watch_script``: watch a frame from now on, or no longer."""
    return " ".join(("+" if watched else "-", nonce, *_ids(processes))).encode() + b"\n"


WATCH_NO_MORE: Final = b".\n"
"""The line that ends ``watch_script`` without any harm to whom it watches."""
