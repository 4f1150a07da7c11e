"""A TCP proxy between ssh and sshd, as a process of its own, that does harm at an exact byte.

Run by ``Proxy`` in this file; talks JSON lines over stdin and stdout. Bytes are counted over both directions together
and over all connections since the last ``arm``: so one number runs from the first byte of the greeting through key
exchange, login, channel, data and close.

TCP segments cannot be reordered by anything above TCP: what a reader can notice is how the bytes are cut and when they
come, and that is what ``chunked`` does (odd sizes, the two directions interleaved by small delays).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import random
import socket
import struct
import subprocess
import sys
import threading
from typing import Any

ABORT = struct.pack("ii", 1, 0)


class Line:
    """One connection: two sockets, two pumps."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)

    def cut(self, *, reset: bool = True) -> None:
        for end in self.ends:
            if reset:
                with contextlib.suppress(OSError):
                    end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                end.transport.abort()
            else:
                end.close()


class Switch:
    """One listening port and its victim. ``at`` None: nothing is armed."""

    def __init__(self, name: str, target: tuple[str, int]) -> None:
        self.name = name
        self.target = target
        self.seen = 0
        self.at: int | None = None
        self.do = ""
        self.open = asyncio.Event()
        self.open.set()
        self.lines: set[Line] = set()
        self.chunked: random.Random | None = None
        self.delay = 0.0
        self.server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", self.port, reuse_address=True)
        self.port = self.server.sockets[0].getsockname()[1]

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        line = Line(writer, far_writer)
        self.lines.add(line)
        for end in line.ends:
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pumps = [
            asyncio.ensure_future(self.pump(reader, far_writer)),
            asyncio.ensure_future(self.pump(far_reader, writer)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
        self.lines.discard(line)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        line.cut(reset=False)

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while True:
            await self.open.wait()
            size = self.chunked.choice((1, 2, 3, 7, 13, 64, 511, 4096)) if self.chunked else 65536
            data = await source.read(size)
            if not data:
                with contextlib.suppress(OSError):
                    sink.write_eof()
                return
            if self.delay:
                await asyncio.sleep(self.delay)
            elif self.chunked and self.chunked.random() < 0.02:
                await asyncio.sleep(self.chunked.random() / 200)
            await self.pass_on(data, sink)

    async def pass_on(self, data: bytes, sink: asyncio.StreamWriter) -> None:
        while data:
            await self.open.wait()
            part = data
            if self.at is not None:
                part = data[: max(0, self.at - self.seen)]
            self.seen += len(part)
            data = data[len(part) :]
            if part:
                sink.write(part)
                await sink.drain()
            if self.at is not None and self.seen >= self.at:
                self.strike()

    def strike(self) -> None:
        self.at = None
        said = self.do
        if said == "cut":
            self.cut()
        else:  # stall, and hold: nothing more passes until told
            self.open.clear()
        tell({"event": "struck", "port": self.port, "did": said})

    def cut(self, *, reset: bool = True) -> None:
        for line in list(self.lines):
            line.cut(reset=reset)
        self.open.set()

    def arm(self, at: int | None, do: str) -> None:
        self.seen, self.at, self.do = 0, at, do
        self.open.set()

    async def obey(self, order: dict[str, Any]) -> Any:
        match order["order"]:
            case "arm":
                self.arm(order["at"], order["do"])
            case "go":
                self.open.set()
            case "hold":
                self.open.clear()
            case "cut":
                self.cut(reset=order.get("reset", True))
            case "shape":
                self.delay = order["delay"]
                self.chunked = None if order["seed"] is None else random.Random(order["seed"])
            case "unlisten":
                assert self.server is not None
                self.server.close()
                self.cut()
            case "listen":
                await self.listen()
            case "seen":
                return self.seen
        return None


def tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def serve() -> None:
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    switches: dict[int, Switch] = {}
    while line := await orders.readline():
        order = json.loads(line)
        if order["order"] == "new":
            switch = Switch(order["name"], ("127.0.0.1", order["target"]))
            await switch.listen()
            switches[switch.port] = switch
            tell({"answer": switch.port})
        else:
            tell({"answer": await switches[order["port"]].obey(order)})
    os._exit(0)  # with lines still open, asyncio would say much about each


# --- the test's side ------------------------------------------------------------------------------------------------


class Proxy:
    """The process. Its methods block for a moment; a reader thread collects what it reports."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._answers: queue.Queue[Any] = queue.Queue()
        self._lock = threading.Lock()
        self.struck: dict[int, threading.Event] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "event" in message:
                self.struck[message["port"]].set()
            else:
                self._answers.put(message["answer"])

    def _ask(self, **order: Any) -> Any:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return self._answers.get(timeout=10)

    def new(self, name: str, target: int) -> Port:
        port = int(self._ask(order="new", name=name, target=target))
        self.struck[port] = threading.Event()
        return Port(self, port)

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and stream is self._process.stdin:
                stream.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()


class Port:
    """One port of the proxy."""

    def __init__(self, proxy: Proxy, number: int) -> None:
        self._proxy = proxy
        self.number = number

    @property
    def struck(self) -> threading.Event:
        """Set once what was armed has happened."""
        return self._proxy.struck[self.number]

    def arm(self, at: int | None, do: str = "hold") -> None:
        """After ``at`` more bytes ``cut`` (RST both ways), or ``hold`` everything until ``go``. None: only count."""
        self.struck.clear()
        self._proxy._ask(order="arm", port=self.number, at=at, do=do)

    def go(self) -> None:
        self._proxy._ask(order="go", port=self.number)

    def hold(self) -> None:
        self._proxy._ask(order="hold", port=self.number)

    def cut(self, *, reset: bool = True) -> None:
        """Cut all connections now; what was held back is open again."""
        self._proxy._ask(order="cut", port=self.number, reset=reset)

    def shape(self, *, delay: float = 0.0, seed: int | None = None) -> None:
        """``delay`` seconds before every piece; ``seed``: odd chunks at odd times."""
        self._proxy._ask(order="shape", port=self.number, delay=delay, seed=seed)

    def unlisten(self) -> None:
        """Nobody listens any more, and every connection is cut."""
        self._proxy._ask(order="unlisten", port=self.number)

    def listen(self) -> None:
        self._proxy._ask(order="listen", port=self.number)

    def seen(self) -> int:
        """Bytes since ``arm``."""
        return int(self._proxy._ask(order="seen", port=self.number))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
