"""A network in little, between Lockgate and a server: it forwards, and can cut, freeze and lose answers."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_PIECE = 65536


@dataclass(eq=False)
class _Link:
    """One connection: the client's side and the server's."""

    client: socket.socket
    server: socket.socket
    ended: threading.Event = field(default_factory=threading.Event)
    loses_answers: bool = False

    def cut(self) -> None:
        """End both sides at once, as a reset does: nobody says good-bye."""
        self.ended.set()
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


class Proxy:
    """Listens on a port of 127.0.0.1 before a server's Unix socket. As a context manager it ends at the end.

    :param server: path of the server's socket.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: set[_Link] = set()
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._refuses = False
        self._lost: list[tuple[bytes, int]] = []
        self.cuts = 0
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flows.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    # --- what can go wrong --------------------------------------------------------------------------------

    def cut(self) -> int:
        """Cut every connection; new ones are let through. How many there were."""
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.cut()
        self.cuts += len(links)
        return len(links)

    def lose_answer(self, to: bytes, number: int = 1) -> None:
        """Cut a connection after its server has answered a message that contains ``to``, which nobody then hears.

        :param number: which of the messages that contain it, from now on.
        """
        with self._lock:
            self._lost.append((to, number))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let nothing through for the length of the block; nobody is told, and nothing is lost."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Cut every connection, and refuse new ones for the length of the block."""
        self._refuses = True
        self.cut()
        try:
            yield
        finally:
            self._refuses = False

    # --- forwarding ---------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._server)
            except OSError:
                client.close()
                server.close()
                continue
            link = _Link(client, server)
            with self._lock:
                self._links.add(link)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(link, source, sink), daemon=True).start()

    def _forward(self, link: _Link, source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(_PIECE):
                self._flows.wait()
                if source is link.client:
                    link.loses_answers = link.loses_answers or self._is_lost(piece)
                elif link.loses_answers:
                    break
                sink.sendall(piece)
        except OSError:
            pass
        finally:
            if not link.ended.is_set():
                if link.loses_answers:
                    self.cuts += 1
                link.cut()
            with self._lock:
                self._links.discard(link)

    def _is_lost(self, piece: bytes) -> bool:
        with self._lock:
            for place, (text, number) in enumerate(self._lost):
                if text in piece:
                    if number > 1:
                        self._lost[place] = (text, number - 1)
                        return False
                    del self._lost[place]
                    return True
        return False
