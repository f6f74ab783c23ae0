"""A TCP relay in front of a server, which a test can cut: what it takes for that server to be away, or to go away."""
import contextlib
import socket
import threading


class Relay:
    """Passes connections on to a server.

    :param host: name or address of the server
    """

    def __init__(self, host: str, port: int):
        self._server = (host, port)
        self._up = True
        self._flowing = threading.Event()
        self._flowing.set()
        self._limit: int | None = None
        self._answer_limit: int | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.cuts = 0
        self.refused = threading.Event()
        """Set when a connection was refused."""
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections and refuse new ones, as a server that died does."""
        with self._lock:
            self._up, ended = False, list(self._open)
            self.cuts += 1
        for connection in ended:
            _end(connection)

    def cut_after(self, count: int) -> None:
        """Cut as soon as so many more bytes have passed, in either direction."""
        self._limit = count

    def lose_answer(self, after: int = 0) -> None:
        """End all connections, and the next one as soon as the server answers with more bytes than so many there."""
        with self._lock:
            self._answer_limit, ended = after, list(self._open)
        for connection in ended:
            _end(connection)

    def stall(self) -> None:
        """From here on pass nothing, and tell nobody."""
        self._flowing.clear()

    def mend(self) -> None:
        """Pass everything on again."""
        self._limit, self._up = None, True
        self._flowing.set()

    def close(self) -> None:
        """End everything."""
        _end(self._listener)
        self.cut()
        self._flowing.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self._up:
                    client.close()
                    self.refused.set()
                    continue
                try:
                    server = socket.create_connection(self._server, timeout=60)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                with self._lock:
                    self._open.update((client, server))
                    most, self._answer_limit = self._answer_limit, None
                for source, target, limit in ((client, server, None), (server, client, most)):
                    threading.Thread(target=self._pass, args=(source, target, limit), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, most: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if most is not None and passed > most:
                    break
                with self._lock:
                    if self._limit is not None:
                        self._limit -= len(data)
                    reached = self._limit is not None and self._limit <= 0
                if reached:
                    self.cut()
                self._flowing.wait()
                target.sendall(data)
        with self._lock:
            self._open -= {source, target}
        _end(source)
        _end(target)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
