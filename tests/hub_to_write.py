"""A small hub that can be written to: the Hugging Face Hub's write protocol over real HTTP, keeping what it receives.

It makes repositories, says which files go up as Git LFS objects, takes those whole or in parts and only with the sum that they
were announced with, and makes commits and tags. What was committed it also serves, as far as a download needs it. Stories may
have it hold an upload in the middle, answer that it is busy, or ask what it has seen.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

WRITER, READER = "hf_may_write", "hf_may_only_read"
LARGE = 20_000
PART = 150_000
REPO = r"/api/(models|datasets)/([\w.-]+/[\w.-]+)"


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


@dataclass
class Repository:
    """`tree` is path → (bytes, whether by LFS) as it is now; `commits` are the trees by their names, in their order."""

    private: bool
    tree: dict[str, tuple[bytes, bool]] = field(default_factory=dict)
    commits: dict[str, dict[str, tuple[bytes, bool]]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, message: str) -> str:
        name = hashlib.sha1(f"{message}{len(self.commits)}".encode(), usedforsecurity=False).hexdigest()
        self.commits[name] = dict(self.tree)
        self.messages.append(message)
        return name

    @property
    def head(self) -> str:
        return list(self.commits)[-1]


@dataclass
class Hub:
    """`uploads` counts the whole objects that came in by their sum. `hold` names one whose upload waits for `go_on`."""

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    uploads: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)
    busy: int = 0
    hold: str = ""
    in_the_middle: Event = field(default_factory=Event)
    go_on: Event = field(default_factory=Event)

    def repository(self, name: str, kind: str = "models") -> Repository:
        return self.repositories[f"{kind}/{name}"]

    def files(self, name: str, kind: str = "models") -> dict[str, bytes]:
        return {path: data for path, (data, _) in self.repository(name, kind).tree.items()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, *args: object) -> None:
        """Nothing: stories look at what was asked."""

    def say(self, body: object = None, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def json(self) -> Any:
        return json.loads(self.body() or b"{}")

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        if match := re.fullmatch(r"/objects/(\w+)(?:/(\d+))?", path):
            self._take(match[1], match[2])
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in {WRITER, READER}:
            self.body()
            self.say({"error": "Invalid username or password."}, 401)
        elif self.command == "POST" and token == READER:
            self.body()
            self.say({"error": "You don't have the rights to do this"}, 403)
        elif self.hub.busy > 0:
            self.hub.busy -= 1
            self.body()
            self.say({"error": "come back later"}, 503)
        else:
            self._route(path)

    def _route(self, path: str) -> None:
        for pattern, name in ROUTES:
            if match := re.fullmatch(pattern, path):
                getattr(self, name)(*match.groups())
                return
        self.body()
        self.say({"error": f"no such page {path}"}, 404)

    def find(self, kind: str, name: str) -> Repository | None:
        found = self.hub.repositories.get(f"{kind}/{name}")
        if found is None:
            self.body()
            self.say({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        return found

    def create(self) -> None:
        told = self.json()
        key = f"{told.get('type', 'model')}s/{told['organization']}/{told['name']}"
        if key in self.hub.repositories:
            self.say({"error": "You already created this repo", "url": f"{self.hub.address}/{key}"}, 409)
            return
        made = self.hub.repositories[key] = Repository(told.get("visibility") == "private" or bool(told.get("private")))
        made.tree[".gitattributes"] = (b"*.bin filter=lfs\n", False)
        made.commit("initial commit")
        self.say({"url": f"{self.hub.address}/{key.removeprefix('models/')}"})

    def info(self, kind: str, name: str, revision: str | None = None) -> None:
        if (found := self.find(kind, name)) and (commit := self.named(found, revision)):
            self.say(
                {
                    "id": name,
                    "private": found.private,
                    "sha": commit,
                    "tags": [],
                    "downloads": 0,
                    "siblings": [{"rfilename": path} for path in found.commits[commit]],
                }
            )

    def named(self, found: Repository, revision: str | None) -> str | None:
        commit = found.head if revision in {None, "main"} else found.tags.get(revision or "", revision)
        if commit in found.commits:
            return commit
        self.say({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        return None

    def tree(self, kind: str, name: str, revision: str) -> None:
        if (found := self.find(kind, name)) and (commit := self.named(found, revision)):
            self.say([self.entry(path, *file) for path, file in found.commits[commit].items()])

    def entry(self, path: str, data: bytes, is_large: bool) -> dict[str, Any]:
        told: dict[str, Any] = {"type": "file", "oid": git_hash(data), "size": len(data), "path": path}
        lfs = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return told | ({"lfs": lfs} if is_large else {})

    def paths_info(self, kind: str, name: str, revision: str) -> None:
        wanted = self.json()["paths"]
        if (found := self.find(kind, name)) and (commit := self.named(found, revision)):
            tree = found.commits[commit]
            self.say([self.entry(path, *tree[path]) for path in wanted if path in tree])

    def refs(self, kind: str, name: str) -> None:
        if found := self.find(kind, name):
            tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": to} for tag, to in found.tags.items()]
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": found.head}
            self.say({"branches": [main], "converts": [], "tags": tags})

    def tag(self, kind: str, name: str, revision: str) -> None:
        told = self.json()
        if found := self.find(kind, name):
            taken = told["tag"] in found.tags
            if not taken:
                found.tags[told["tag"]] = self.named(found, revision) or ""
            self.say({"error": "exists"} if taken else {}, 409 if taken else 200)

    def preupload(self, kind: str, name: str, revision: str) -> None:
        del revision
        told = self.json()
        if found := self.find(kind, name):
            self.say({"files": [self.mode(found, file) for file in told["files"]]})

    def mode(self, found: Repository, file: dict[str, Any]) -> dict[str, Any]:
        known = found.tree.get(file["path"])
        large = file["size"] > LARGE
        oid = None if known is None else hashlib.sha256(known[0]).hexdigest() if known[1] else git_hash(known[0])
        mode = "lfs" if large else "regular"
        return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def batch(self, *_: str | None) -> None:
        self.say({"transfer": "basic", "objects": [self.action(one) for one in self.json()["objects"]]})

    def action(self, wanted: dict[str, Any]) -> dict[str, Any]:
        oid, size = wanted["oid"], wanted["size"]
        if oid in self.hub.objects:
            return wanted
        upload: dict[str, Any] = {"href": f"{self.hub.address}/objects/{oid}"}
        if size > PART:
            count = -(-size // PART)
            parts = {str(n): f"{self.hub.address}/objects/{oid}/{n}" for n in range(1, count + 1)}
            upload["header"] = {"chunk_size": str(PART), **parts}
        return wanted | {"actions": {"upload": upload}}

    def _take(self, oid: str, part: str | None) -> None:
        if self.command == "POST":  # all of its parts are here
            self.json()
            data = b"".join(piece for _, piece in sorted(self.hub.parts.pop(oid).items()))
        else:
            length = int(self.headers["Content-Length"])
            data = self.rfile.read(length // 2)
            if oid == self.hub.hold:
                self.hub.in_the_middle.set()
                self.hub.go_on.wait()
            data += self.rfile.read(length - len(data))
            if len(data) < length:
                self.close_connection = True
                return
        if part is not None:
            self.hub.parts.setdefault(oid, {})[int(part)] = data
        elif hashlib.sha256(data).hexdigest() == oid:
            self.hub.uploads[oid] += 1
            self.hub.objects[oid] = data
        else:
            self.say({"error": "not what was announced"}, 400)
            return
        self.say({}, ETag=f'"{len(data)}"')

    def commit(self, kind: str, name: str, revision: str) -> None:
        del revision
        lines = [json.loads(line) for line in self.body().splitlines()]
        if not (found := self.find(kind, name)):
            return
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                found.tree[value["path"]] = (base64.b64decode(value["content"]), False)
            elif line["key"] == "lfsFile":
                found.tree[value["path"]] = (self.hub.objects[value["oid"]], True)
            else:
                del found.tree[value["path"]]
        made = found.commit(lines[0]["value"]["summary"])
        self.say({"success": True, "commitUrl": f"{self.hub.address}/{name}/commit/{made}", "commitOid": made})

    def validate(self) -> None:
        self.json()
        self.say({"errors": [], "warnings": []})

    def resolve(self, folder: str | None, name: str, revision: str, path: str) -> None:
        found = self.find("datasets" if folder else "models", name)
        if not found or not (commit := self.named(found, revision)):
            return
        if path not in found.commits[commit]:
            self.say({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
            return
        data, is_large = found.commits[commit][path]
        etag = hashlib.sha256(data).hexdigest() if is_large else git_hash(data)
        self.say(data, ETag=f'"{etag}"', X_Repo_Commit=commit, Accept_Ranges="bytes")


ROUTES = (
    (r"/api/repos/create", "create"),
    (r"/api/validate-yaml", "validate"),
    (REPO, "info"),
    (REPO + r"/revision/(.+)", "info"),
    (REPO + r"/tree/([^/]+)", "tree"),
    (REPO + r"/paths-info/(.+)", "paths_info"),
    (REPO + r"/refs", "refs"),
    (REPO + r"/tag/(.+)", "tag"),
    (REPO + r"/preupload/(.+)", "preupload"),
    (REPO + r"/commit/(.+)", "commit"),
    (r"/(datasets/)?([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch", "batch"),
    (r"/(datasets/)?([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", "resolve"),
)


@contextmanager
def hub_to_write() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
