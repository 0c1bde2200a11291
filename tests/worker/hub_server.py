"""A hub of one model on this machine: the few routes that the libraries read it through, from a folder."""

import hashlib
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FILE = re.compile(r"/(?P<name>[\w-]+/[\w-]+)/resolve/(?P<revision>[\w.-]+)/(?P<path>[\w./-]+)")
TREE = re.compile(r"/api/models/(?P<name>[\w-]+/[\w-]+)/tree/(?P<revision>[\w.-]+)/(?P<path>[\w./-]+)")
Answer = tuple[int, dict[str, str], bytes]


class Hub(ThreadingHTTPServer):
    """`commits` says what each revision stands for; every commit stands for itself."""

    def __init__(self, folder: Path, name: str, commits: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.folder, self.name = folder, name
        self.commits = {**commits, **{commit: commit for commit in commits.values()}}

    def answer(self, path: str) -> Answer:
        asked = FILE.fullmatch(path) or TREE.fullmatch(path)
        if asked is None or asked["name"] != self.name:
            return refused("RepoNotFound")
        if asked["revision"] not in self.commits:
            return refused("RevisionNotFound")
        told = {"X-Repo-Commit": self.commits[asked["revision"]]}
        file = self.folder / asked["path"]
        if not file.is_file():
            return refused("EntryNotFound", told)
        body = file.read_bytes()
        return 200, told | {"ETag": f'"{hashlib.sha256(body).hexdigest()}"'}, body


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        status, told, body = self.server.answer(self.path.partition("?")[0])
        self.send_response(status)
        for header, value in (told | {"Content-Length": str(len(body))}).items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def refused(why: str, told: Mapping[str, str] = {}) -> Answer:
    return 404, {**told, "X-Error-Code": why}, b""


@contextmanager
def hub(folder: Path, name: str, commits: Mapping[str, str]) -> Iterator[str]:
    """Its address."""
    server = Hub(folder, name, commits)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
