"""A download that is cut off goes on where it was, with the Hub's own client."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import HfApi

from app import db
from app.models import User
from app.storage import store_file
from tests import trained
from tests.app.hub.conftest import Shelf, token_of

SIZE = 24_000_000
CUT_AFTER = 15_000_000  # the client keeps what it has in portions of 10 MB


class CutLine:
    """A line to the server that breaks once, in the middle of the first long answer. `asked` are the requests' heads."""

    def __init__(self, server: str) -> None:
        self.server = (urlsplit(server).hostname, urlsplit(server).port)
        self.asked: list[str] = []
        self.was_cut = False

    def carry(self, client: socket.socket) -> None:
        with closing(client), socket.create_connection(self.server) as server:
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            n_bytes = 0
            while data := server.recv(65_536):
                n_bytes += len(data)
                client.sendall(data)
                if n_bytes > CUT_AFTER and not self.was_cut:
                    self.was_cut = True
                    client.shutdown(socket.SHUT_RDWR)
                    return

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(65_536):
                self.asked.append(data.decode("latin-1"))
                server.sendall(data)
        except OSError:
            return


@contextmanager
def cut_line(server: str) -> Iterator[tuple[str, CutLine]]:
    line = CutLine(server)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=_quietly, args=(line, client), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", line
        listening.shutdown(socket.SHUT_RDWR)


def _quietly(line: CutLine, client: socket.socket) -> None:
    try:
        line.carry(client)
    except OSError:
        return  # the other side went away


@pytest.fixture
def weights(tmp_path: Path, shelf: Shelf) -> bytes:
    content = bytes(range(256)) * (SIZE // 256)
    (tmp_path / "file").write_bytes(content)
    with db.work_unit() as session:
        run = trained.make_run(session, state="finished")
        checkpoint = trained.make_checkpoint(session, run, name="large")
        checkpoint.files = [store_file(checkpoint.prefix, "model.safetensors", tmp_path / "file").as_json()]
    return content


def test_it_goes_on_where_the_line_was_cut(shelf: Shelf, ada: User, weights: bytes, cache: Path):
    with cut_line(shelf.address) as (address, line):
        path = HfApi(endpoint=address, token=token_of(ada)).hf_hub_download(
            "tiebreak/large", "model.safetensors", cache_dir=cache
        )
    assert Path(path).read_bytes() == weights
    assert line.was_cut
    (resumed,) = (head for head in line.asked if "\r\nrange: bytes=" in head.lower() and head.startswith("GET"))
    start = int(resumed.lower().partition("range: bytes=")[2].partition("-")[0])
    assert start > 0
