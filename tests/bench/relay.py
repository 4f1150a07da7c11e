"""A link with a round-trip time, in user space: TCP relays that hand every byte on half a round trip later.

Only time is added: what is under way is unbounded (64 MiB a direction), segments are not joined or cut by a timer, and
Nagle's algorithm is off. Opening a connection costs what it would: the far end is asked one and a half round trips
after the near one, when the handshake of a real link would have reached it. ``tc netem`` does the same in the kernel,
where the kernel has it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence

_CHUNK = 1 << 18
_UNDER_WAY = 64 << 20


class _Way:
    """One direction of one connection: bytes with the time at which they arrive."""

    def __init__(self, source: socket.socket, sink: socket.socket, since: float) -> None:
        self.source, self.sink, self.since = source, sink, since
        self.queue: deque[tuple[float, memoryview]] = deque()
        self.size = 0
        self.ended = self.done = self.blocked = False

    def read(self, now: float, delay: float) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                data = self.source.recv(_CHUNK)
            except OSError as error:
                if isinstance(error, BlockingIOError):
                    raise
                data = b""
            self.ended = not data
            self.queue.append((max(now + delay, self.since), memoryview(data)))
            self.size += len(data)

    def write(self, now: float) -> None:
        self.blocked = False
        while self.queue and self.queue[0][0] <= now:
            at, data = self.queue.popleft()
            if not data:
                self.done = True
                with contextlib.suppress(OSError):
                    self.sink.shutdown(socket.SHUT_WR)
                return
            try:
                sent = self.sink.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.ended = self.done = True
                return
            self.size -= sent
            if sent < len(data):
                self.queue.appendleft((at, data[sent:]))
                self.blocked = True
                return


class _Relay:
    def __init__(self, rtt: float, targets: Sequence[int]) -> None:
        self.delay = rtt / 2
        self.doors: dict[socket.socket, int] = {}
        self.waiting: deque[tuple[float, socket.socket, int]] = deque()
        self.ways: list[_Way] = []
        for target in targets:
            door = socket.create_server(("127.0.0.1", 0), backlog=256)
            door.setblocking(False)
            self.doors[door] = target

    def run(self) -> None:
        while True:
            now = time.monotonic()
            self._connect(now)
            for way in self.ways:
                if not way.done:
                    way.write(now)
            self._sweep()
            readers = [*self.doors, *(w.source for w in self.ways if not w.ended and w.size < _UNDER_WAY)]
            writers = [w.sink for w in self.ways if w.blocked and not w.done]
            times = [w.queue[0][0] for w in self.ways if w.queue and not w.blocked and not w.done]
            times += [at for at, _, _ in self.waiting]
            timeout = max(0.0, min(times) - time.monotonic()) if times else None
            ready = set(select.select(readers, writers, [], timeout)[0])  # microseconds; epoll rounds to milliseconds
            now = time.monotonic()
            for door, target in self.doors.items():
                if door in ready:
                    self._accept(door, target, now)
            for way in self.ways:
                if way.source in ready:
                    way.read(now, self.delay)

    def _accept(self, door: socket.socket, target: int, now: float) -> None:
        with contextlib.suppress(OSError):
            near, _ = door.accept()
            self.waiting.append((now + 3 * self.delay, near, target))

    def _connect(self, now: float) -> None:
        while self.waiting and self.waiting[0][0] <= now:
            _, near, target = self.waiting.popleft()
            try:
                far = socket.create_connection(("127.0.0.1", target))
            except OSError:
                near.close()
                continue
            for end in (near, far):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ways += [_Way(near, far, now), _Way(far, near, now)]

    def _sweep(self) -> None:
        for near, far in zip(self.ways[::2], self.ways[1::2], strict=True):
            if near.done and far.done:
                near.source.close()
                far.source.close()
        self.ways = [w for w in self.ways if w.source.fileno() >= 0]


@contextlib.contextmanager
def relays(rtt_ms: float, ports: Sequence[int]) -> Iterator[list[int]]:
    """A port of its own before each of ``ports`` of this machine, ``rtt_ms`` away from it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.relay", str(rtt_ms), *map(str, ports)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(os.path.dirname(__file__)))},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield [int(word) for word in process.stdout.readline().split()]
    finally:
        process.kill()
        process.wait()


def main() -> None:
    relay = _Relay(float(sys.argv[1]) / 1000, [int(word) for word in sys.argv[2:]])
    print(*(door.getsockname()[1] for door in relay.doors), flush=True)
    relay.run()


if __name__ == "__main__":
    main()
