"""Peers for the SFTP client: a real sftp-server over pipes, and a scripted one in memory."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence

from tests.peers import need
from transports.errors import MasterLost
from transports.sftp import messages as m
from transports.sftp.codec import RequestReader, encode

SFTP_SERVER = "/usr/lib/openssh/sftp-server"


def server_argv(*options: str, user: str | None = None) -> list[str]:
    """How to start the real server, as another user if asked (needs root and setpriv)."""
    need(os.path.exists(SFTP_SERVER), f"{SFTP_SERVER} is not installed")
    argv = [SFTP_SERVER, *options]
    if user is None:
        return argv
    need(os.geteuid() == 0 and shutil.which("setpriv"), "running the server as another user needs root and setpriv")
    return ["setpriv", f"--reuid={user}", "--regid=65534", "--clear-groups", "--", *argv]


class PipedServer:
    """A process spoken to over two pipes, as a session over a master is; its pipes may be handed out."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.read_fd, child_out = os.pipe()
        child_in, self.write_fd = os.pipe()
        self.process = subprocess.Popen(argv, stdin=child_in, stdout=child_out, stderr=subprocess.PIPE)
        os.close(child_in)
        os.close(child_out)
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)
        self.closed = False

    def pipe_fds(self) -> tuple[int, int] | None:
        return self.read_fd, self.write_fd

    async def silence(self) -> None:
        return None

    def stderr_text(self) -> str:
        return ""

    async def read(self, n: int) -> bytes:
        loop = asyncio.get_running_loop()
        while not self.closed:
            try:
                return os.read(self.read_fd, n)
            except BlockingIOError:
                ready = asyncio.Event()
                loop.add_reader(self.read_fd, ready.set)
                try:
                    await ready.wait()
                finally:
                    loop.remove_reader(self.read_fd)
        return b""

    def write(self, data: bytes) -> None:
        if not self.closed:
            os.set_blocking(self.write_fd, True)
            os.write(self.write_fd, data)
            os.set_blocking(self.write_fd, False)

    async def drain(self) -> None:
        """Nothing is queued here."""

    async def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        os.close(self.read_fd)
        os.close(self.write_fd)
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


class ChannelOnly(PipedServer):
    """The same without handing out its pipes: the client then reads and writes through the channel."""

    def pipe_fds(self) -> tuple[int, int] | None:
        return None


Script = Callable[[m.Init | m.Request], Iterable[m.Version | m.Reply | bytes | None]]
"""Answers to one request: messages, raw bytes, or None, which cuts the channel."""


class ScriptedPeer:
    """A server in memory that replies as its script says."""

    def __init__(self, script: Script, *, stderr: str = "") -> None:
        self._script = script
        self._stderr = stderr
        self._reader = RequestReader()
        self._incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._cut = False
        self.requests: list[m.Init | m.Request] = []
        self.closed = False

    def say(self, *replies: m.Version | m.Reply | bytes | None) -> None:
        """Send without having been asked."""
        for reply in replies:
            if reply is None or isinstance(reply, bytes):
                self._incoming.put_nowait(reply)
            else:
                self._incoming.put_nowait(encode(reply))

    async def read(self, n: int) -> bytes:
        if self._cut:
            raise MasterLost("The connection ended.")
        piece = await self._incoming.get()
        if piece is None:
            self._cut = True
            raise MasterLost("The connection ended.")
        return piece

    def write(self, data: bytes) -> None:
        for request in self._reader.feed(data):
            self.requests.append(request)
            self.say(*self._script(request))

    async def drain(self) -> None:
        """Nothing is queued here."""

    async def close(self) -> None:
        self.closed = True

    async def silence(self) -> None:
        return None

    def stderr_text(self) -> str:
        return self._stderr

    def asked(self, kind: type) -> list[m.Init | m.Request]:
        """The requests of one type."""
        return [r for r in self.requests if isinstance(r, kind)]
