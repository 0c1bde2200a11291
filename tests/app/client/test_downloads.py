"""Files of checkpoints and datasets: cut off, gone on with, spoilt, and there already."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from app import db
from app.client import (
    Checkpoint,
    ChecksumError,
    Client,
    ConnectionLostError,
    File,
    NotFoundError,
    UnexpectedAnswerError,
)
from app.client.files import download
from app.models import CheckpointAlias, User
from app.storage import store_file
from tests import trained
from tests.line import bad_line

SIZE = 3_000_000
WEIGHTS = bytes(range(256)) * (SIZE // 256)


@pytest.fixture
def large(ada: User, tmp_path: Path) -> str:
    """A checkpoint with a large file and a small one in a folder."""
    (tmp_path / "file").write_bytes(WEIGHTS)
    with db.work_unit() as session:
        checkpoint = trained.make_checkpoint(session, name="large")
        kept = [file for file in checkpoint.files if file["path"] == "original/README.md"]
        checkpoint.files = [store_file(checkpoint.prefix, "model.safetensors", tmp_path / "file").as_json(), *kept]
    return "large"


def ranges(asked: list[str]) -> list[int]:
    """Where each request for the large file began."""
    heads = [head.lower() for head in asked if "/model.safetensors " in head]
    return [int(head.partition("range: bytes=")[2].partition("-")[0]) for head in heads]


def test_it_goes_on_where_the_line_was_cut(server: str, token: str, large: str, tmp_path: Path):
    with bad_line(server, breaks=(1_000_000, 1_000_000)) as line, Client(line.address, token) as client:
        folder = client.checkpoint(large).download(tmp_path / "here", progress=False)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert (folder / "original" / "README.md").read_bytes() == b"# Card\n"
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["README.md", "model.safetensors"]
    first, second, third = ranges(line.asked)
    assert first == 0 < second < third


def test_it_goes_on_from_what_an_earlier_call_left(server: str, token: str, large: str, tmp_path: Path):
    with bad_line(server, breaks=(1_000_000,)) as line, Client(line.address, token, retries=0) as client:
        with pytest.raises(ConnectionLostError):
            client.checkpoint(large).download(tmp_path, progress=False)
        left = (tmp_path / "model.safetensors.partial").stat().st_size
        assert left > 500_000
        client.checkpoint(large).download(tmp_path, progress=False)
    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS
    assert ranges(line.asked) == [0, left]


def test_what_is_there_is_not_fetched_again(server: str, token: str, large: str, tmp_path: Path):
    with bad_line(server) as line, Client(line.address, token) as client:
        checkpoint = client.checkpoint(large)
        checkpoint.download(tmp_path, progress=False)
        (tmp_path / "mine.txt").write_text("kept")
        (tmp_path / "original" / "README.md").write_text("# Lard\n")
        n_asked = len(line.asked)
        checkpoint.download(tmp_path, progress=False)
        (again,) = line.asked[n_asked:]
    assert "/original/README.md " in again
    assert (tmp_path / "original" / "README.md").read_text() == "# Card\n"
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_a_part_that_was_spoilt_is_fetched_anew(client: Client, large: str, tmp_path: Path):
    for spoilt in (b"?" * 1000, b"?" * SIZE * 2, b"?" * len(WEIGHTS)):
        (tmp_path / "model.safetensors").unlink(missing_ok=True)
        (tmp_path / "model.safetensors.partial").write_bytes(spoilt)
        client.checkpoint(large).download(tmp_path, progress=False)
        assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS


def test_a_wrong_sum_is_no_file(client: Client, large: str, tmp_path: Path):
    checkpoint = client.checkpoint(large)
    wrong = replace(checkpoint.files[0], sha256=hashlib.sha256(b"else").hexdigest())
    with pytest.raises(ChecksumError, match=r"model\.safetensors came twice"):
        replace(checkpoint, files=(wrong,)).download(tmp_path / "here", progress=False)
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "..\\out", "c:out", ""])
def test_no_file_lies_outside_of_the_folder(client: Client, tmp_path: Path, path: str):
    file = File(path=path, size=1, sha256="0" * 64)
    with pytest.raises(UnexpectedAnswerError, match="outside"):
        download(client._connection, "checkpoints/1/files", [file], tmp_path / "in", label="", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_a_dataset_come_the_same_way(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    client.create_project("pairs")
    client.push("pairs", ({"prompt": f"{n}?", "chosen": "yes", "rejected": "no"} for n in range(20)))
    dataset = client.freeze("pairs", "pairs", test=0.5, shapes=["preference"])
    monkeypatch.chdir(tmp_path)
    folder = dataset.download(progress=False)
    assert folder == Path("pairs-v1")
    for file in dataset.files:
        assert hashlib.sha256((folder / file.path).read_bytes()).hexdigest() == file.sha256
    assert (folder / "preference" / "train.parquet").exists()


def test_it_shows_how_much_has_come(client: Client, large: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    client.checkpoint(large).download(tmp_path)
    told = capsys.readouterr().err
    assert "large v1" in told
    assert "100%" in told


@pytest.fixture
def helpful(ada: User) -> list[int]:
    """Two versions of a name, and something else that is newer."""
    with db.work_unit() as session:
        ids = [trained.make_checkpoint(session, name="helpful").id for _ in range(2)]
        trained.make_checkpoint(session, name="other")
        session.add(CheckpointAlias(name="helpful", alias="production", version=1, moved_by=ada.id))
    return ids


def test_a_checkpoint_is_asked_for_by_name_version_alias_or_id(client: Client, helpful: list[int]):
    old, new = helpful
    assert client.checkpoint("helpful").id == new
    for version in (1, "v1", "production"):
        assert client.checkpoint("helpful", version).id == old
    found = client.checkpoint(old)
    assert isinstance(found, Checkpoint)
    assert (found.version, found.aliases, found.metrics["after"]["accuracy"]) == (1, ("production",), 0.8)
    assert [one.name for one in client.checkpoints()] == ["other", "helpful", "helpful"]
    with pytest.raises(NotFoundError, match=r"no helpful \(staging\); there is other v1, helpful v2, helpful v1"):
        client.checkpoint("helpful", "staging")
    with pytest.raises(NotFoundError, match="no checkpoint 99"):
        client.checkpoint(99)
