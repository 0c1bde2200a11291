"""A line to a server on which things go wrong: it breaks, or somebody on the way answers instead of the server."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_AT_ONCE = 65_536


@dataclass
class Line:
    """`breaks` has, for one connection after the other, after how many bytes of the server's answers it is cut; `says` whole
    answers that are given to the first requests in its place. When both are used up the line is good. `asked` are the
    requests as they came in.
    """

    server: str
    breaks: list[int] = field(default_factory=list)
    says: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    n_cut: int = 0
    address: str = ""

    def carry(self, client: socket.socket) -> None:
        parts = urlsplit(self.server)
        with closing(client):
            if self.says:
                self.asked.append(_whole_request(client).decode("latin-1"))
                client.sendall(self.says.pop(0))
                return
            with socket.create_connection((parts.hostname, parts.port)) as server:
                threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
                self._answers(client, server, self.breaks.pop(0) if self.breaks else None)

    def _answers(self, client: socket.socket, server: socket.socket, left: int | None) -> None:
        while data := server.recv(_AT_ONCE):
            if left is not None and len(data) > left:
                client.sendall(data[:left])
                self.n_cut += 1
                client.shutdown(socket.SHUT_RDWR)
                return
            left = None if left is None else left - len(data)
            client.sendall(data)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(_AT_ONCE):
                self.asked.append(data.decode("latin-1"))
                server.sendall(data)
        except OSError:
            return  # one of the two went away


@contextmanager
def bad_line(server: str, *, breaks: tuple[int, ...] = (), says: tuple[bytes, ...] = ()) -> Iterator[Line]:
    line = Line(server, list(breaks), list(says))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line.address = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def accept() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=_quietly, args=(line, client), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield line
        listening.shutdown(socket.SHUT_RDWR)


def _whole_request(client: socket.socket) -> bytes:
    """To its last byte: a line that is closed with something unread on it loses the answer as well."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(_AT_ONCE)
    head = request.partition(b"\r\n\r\n")[0]
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(request) < len(head) + 4 + int(length[1]):
        request += client.recv(_AT_ONCE)
    return request


def _quietly(line: Line, client: socket.socket) -> None:
    try:
        line.carry(client)
    except OSError:
        return  # the other side went away


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer; `Retry_After="1"` is the header Retry-After."""
    told = {"Content-Length": str(len(body)), "Connection": "close"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body
