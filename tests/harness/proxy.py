"""A TCP proxy in front of a server, to cut connections in the middle."""
import contextlib
import socket
import threading


class Proxy:
    """Passes connections on to ``host:port``; ``address`` is where it listens, on loopback."""

    def __init__(self, host: str, port: int):
        self._target = host, port
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.address = '127.0.0.1:%d' % self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._after: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def drop(self) -> None:
        """Cut the connections that there are; new ones are served."""
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            _cut(each)

    def cut_answer(self, after: int) -> None:
        """Cut what there is, and the next connection when the server has answered with so many bytes."""
        with self._lock:
            self._after = after
        self.drop()

    def close(self) -> None:
        """Cut everything and listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                self._sockets |= {client, server}
                after, self._after = self._after, None
            threading.Thread(target=self._pass, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, after), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, most: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if most is not None and passed > most:
                    break
                target.sendall(data)
        for each in (source, target):
            _cut(each)
            with self._lock:
                self._sockets.discard(each)
            each.close()


def _cut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
