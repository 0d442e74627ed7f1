"""A connection pooler in little: it answers each statement from another server process, as transaction pooling does.

It speaks just enough of the protocol: it replays the client's start to several server connections, forwards the
first one's greeting with a process id of its own making, and hands each simple query to the next connection.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Iterator
from types import TracebackType


class Pooler:
    """Listens on a port of 127.0.0.1 before a server's Unix socket.

    :param backends: server connections of each client; with 1 only the process id differs, as with session pooling.
    """

    def __init__(self, server: str, backends: int = 2) -> None:
        self._server = server
        self._backends = backends
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Pooler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            start = _packet(client)
            while struct.unpack("!i", start[4:8])[0] in {80877103, 80877104}:  # asks for TLS or GSS
                client.sendall(b"N")
                start = _packet(client)
            servers = [self._connect(start) for _ in range(self._backends)]
            for number, server in enumerate(servers):
                for kind, body in _messages(server):
                    if number == 0:
                        told = struct.pack("!i", 1) + body[4:] if kind == b"K" else body
                        client.sendall(_framed(kind, told))
            turns = itertools.cycle(servers)
            for kind, body in _messages(client, until=b"X"):
                server = next(turns)
                server.sendall(_framed(kind, body))
                for answer, content in _messages(server):
                    client.sendall(_framed(answer, content))
        except OSError:
            return
        finally:
            client.close()

    def _connect(self, start: bytes) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server)
        server.sendall(start)
        self._open.append(server)
        return server


def _messages(connection: socket.socket, until: bytes = b"Z") -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each message, up to and with the kind ``until``."""
    kind = b""
    while kind != until:
        kind = _exactly(connection, 1)
        yield kind, _packet(connection)[4:]


def _packet(connection: socket.socket) -> bytes:
    length = _exactly(connection, 4)
    return length + _exactly(connection, struct.unpack("!i", length)[0] - 4)


def _framed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return data
