"""Who sends the bytes of a stored file."""

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine

from app import db
from app.models import User
from app.settings import ROOT, Settings, get_settings
from app.storage import storage, store_file
from benchmarks.servers import free_port
from tests import trained
from tests.app.hub.conftest import token_of
from tests.serving import served

CONTENT = bytes(range(256)) * 20_000


def large(tmp_path: Path, name: str) -> str:
    """Store a checkpoint with one large file; returns the file's name in storage."""
    (tmp_path / "file").write_bytes(CONTENT)
    with db.work_unit() as session:
        checkpoint = trained.make_checkpoint(session, name=name)
        checkpoint.files = [store_file(checkpoint.prefix, "model.safetensors", tmp_path / "file").as_json()]
        return f"{checkpoint.prefix}/model.safetensors"


def test_it_sends_a_large_file_in_portions(database: Engine, ada: User, tmp_path: Path):
    large(tmp_path, "large")
    with served() as address, client_of(ada) as client:
        whole = f"{address}/tiebreak/large/resolve/main/model.safetensors"
        assert client.get(whole).content == CONTENT
        part = client.get(whole, headers={"Range": "bytes=1048570-2097160"})
        assert (part.status_code, part.content) == (206, CONTENT[1048570:2097161])


def configuration(folder_of_files: Path, server: str, port: int, folder: Path) -> str:
    """What `docs/hub.md` says, with this machine's addresses, as a whole file."""
    shown = (ROOT / "docs" / "hub.md").read_text().partition("```nginx\n")[2].partition("```")[0]
    shown = shown.replace("http://127.0.0.1:8000", server).replace("/var/lib/tiebreak/storage/", f"{folder_of_files}/")
    kept = " ".join(f"{kind}_temp_path {folder}/t;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (
        f"user root; daemon off; pid {folder}/pid; error_log {folder}/log; events {{}}\n"
        f"http {{ access_log off; {kept} {shown.replace('listen 80', f'listen 127.0.0.1:{port}')} }}"
    )


def client_of(user: User) -> httpx.Client:
    return httpx.Client(headers={"Authorization": f"Bearer {token_of(user)}"})


@contextmanager
def nginx(folder_of_files: Path, server: str, folder: Path) -> Iterator[str]:
    port = free_port()
    (folder / "conf").write_text(configuration(folder_of_files, server, port, folder))
    with subprocess.Popen(["nginx", "-c", str(folder / "conf"), "-p", str(folder)]) as child:
        try:
            address = f"http://127.0.0.1:{port}"
            ends = time.monotonic() + 60
            while True:
                try:
                    with urllib.request.urlopen(f"{address}/healthz", timeout=30):
                        break
                except OSError:
                    assert child.poll() is None
                    assert time.monotonic() < ends
                    time.sleep(0.05)
            yield address
        finally:
            child.terminate()


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx on this machine")
def test_nginx_sends_it_with_our_headers(database: Engine, ada: User, ben: User, tmp_path: Path):
    name = large(tmp_path, "large")
    with (
        served(SEND_FILES="nginx") as server,
        nginx(Path(get_settings().storage), server, tmp_path) as address,
        client_of(ada) as client,
    ):
        whole = f"{address}/tiebreak/large/resolve/main/model.safetensors"
        direct = client.get(whole.replace(address, server))
        assert (direct.headers["x-accel-redirect"], direct.content) == (f"/_storage/{name}", b"")
        sent, told = client.get(whole), client.head(whole)
        assert sent.content == CONTENT
        for header in ("etag", "x-repo-commit", "x-linked-etag", "x-linked-size", "content-type", "content-length"):
            assert sent.headers[header] == told.headers[header], header
        assert int(sent.headers["content-length"]) == len(CONTENT)
        part = client.get(whole, headers={"Range": "bytes=4-19", "If-Range": sent.headers["etag"]})
        assert (part.status_code, part.content) == (206, CONTENT[4:20])
        other = client.get(whole, headers={"Range": "bytes=4-19", "If-Range": '"other"'})
        assert (other.status_code, len(other.content)) == (200, len(CONTENT))
        assert client.get(whole, headers={"If-None-Match": sent.headers["etag"]}).status_code == 304
        stranger = httpx.get(whole, headers={"Authorization": f"Bearer {token_of(ben)}"})
        assert (stranger.status_code, stranger.headers["x-error-code"]) == (404, "RepoNotFound")
        assert httpx.get(f"{address}/_storage/{name}").status_code == 404, "nobody reaches the folder past us"


def test_it_wants_a_storage_that_fits():
    with pytest.raises(ValueError, match="only S3 can sign"):
        Settings(SEND_FILES="s3", STORAGE_URL="/somewhere")
    with pytest.raises(ValueError, match="needs a folder"):
        Settings(SEND_FILES="nginx", STORAGE_URL="s3://bucket")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, migrated: str) -> Iterator[dict[str, str]]:
    """Settings of a storage in S3, in force here as well."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/shelf", method="PUT")).close()
    told = {"STORAGE_URL": "s3://shelf/below", "S3_ENDPOINT": address, "AWS_REGION": "us-east-1"}
    told |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    for cached in (get_settings, storage):
        cached.cache_clear()
    yield told
    monkeypatch.undo()
    for cached in (get_settings, storage):
        cached.cache_clear()
    server.stop()


def test_s3_sends_it_by_a_signed_link(database: Engine, ada: User, bucket: dict[str, str], tmp_path: Path):
    name = large(tmp_path, "large")
    with served(**bucket, SEND_FILES="s3") as address, client_of(ada) as client:
        whole = f"{address}/tiebreak/large/resolve/main/model.safetensors"
        answer = client.get(whole)
        assert (answer.status_code, answer.content) == (302, b"")
        assert answer.headers["location"].startswith(f"{bucket['S3_ENDPOINT']}/shelf/below/{name}?")
        assert "X-Amz-Signature=" in answer.headers["location"]
        assert httpx.get(answer.headers["location"]).content == CONTENT
        assert client.head(whole).headers["content-length"] == str(len(CONTENT))
        part = client.get(whole, headers={"Range": "bytes=4-19"}, follow_redirects=True)
        assert (part.status_code, part.content) == (206, CONTENT[4:20])
        hub = HfApi(endpoint=address, token=token_of(ada))
        path = hub.hf_hub_download("tiebreak/large", "model.safetensors", cache_dir=tmp_path / "cache")
        assert Path(path).read_bytes() == CONTENT
    with served(**bucket) as address, client_of(ada) as client:
        whole = f"{address}/tiebreak/large/resolve/main/model.safetensors"
        assert client.get(whole).content == CONTENT, "without the setting it comes through the server"


def test_a_file_that_is_not_what_was_stored_breaks_off(database: Engine, ada: User, tmp_path: Path):
    path = Path(get_settings().storage) / large(tmp_path, "large")
    with served() as address, client_of(ada) as client:
        whole = f"{address}/tiebreak/large/resolve/main/model.safetensors"
        assert client.get(whole).content == CONTENT
        for wrong in (CONTENT[:-1] + b"x", CONTENT[:-1]):
            path.write_bytes(wrong)
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(whole)
