"""What a forward leads to: ``U`` and a length (8 bytes) takes so many bytes and replies ``k``; ``D`` sends them.

Prints its port. A process of its own, so that its work is not ours.
"""

from __future__ import annotations

import socketserver
import struct

BLOCK = bytes(1 << 20)


class FarEnd(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        kind, left = struct.unpack(">cQ", self.request.recv(9, 256))  # MSG_WAITALL
        if kind == b"D":
            while left:
                self.request.sendall(BLOCK[:left])
                left -= min(left, len(BLOCK))
            return
        buffer = bytearray(1 << 20)
        while left and (count := self.request.recv_into(buffer)):
            left -= count
        self.request.sendall(b"k")


def main() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), FarEnd) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
