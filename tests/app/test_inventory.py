"""Stored files are what their rows say, or it is told."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from app import db
from app.cli import main
from app.models import Checkpoint, User
from app.storage import Corrupt, Storage, Stored, verified
from tests.trained import make_checkpoint


@pytest.fixture
def published(ada: User) -> Checkpoint:
    with db.work_unit() as session:
        return make_checkpoint(session)


def verify(*options: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["verify", *options])
    return done.exit_code, done.output


def test_all_is_well(published: Checkpoint):
    code, told = verify()
    assert (code, told.startswith("3 files, ")) == (0, True)
    assert "none of them wrong" in told


def test_it_names_what_is_missing_and_what_has_other_bytes(published: Checkpoint, files: Storage, tmp_path: Path):
    rot = tmp_path / "rot"
    rot.write_bytes(b"weights " * 4999 + b"wEights ")
    files.put(f"{published.prefix}/model.safetensors", rot)
    files.delete_all(f"{published.prefix}/original")
    code, told = verify()
    assert (code, "2 of them wrong" in told) == (1, True)
    assert f"{published.prefix}/model.safetensors has other bytes than were stored (checkpoint pairs-dpo v1)" in told
    assert f"{published.prefix}/original/README.md is missing" in told


def test_a_deleted_checkpoint_is_missed_by_nobody(published: Checkpoint, files: Storage, ada_api: TestClient):
    ada_api.delete(f"/api/v1/checkpoints/{published.id}")
    files.delete_all(published.prefix)
    assert verify()[0] == 0


def test_a_download_of_what_has_changed_breaks_off(
    published: Checkpoint, files: Storage, ada_api: TestClient, tmp_path: Path
):
    rot = tmp_path / "rot"
    rot.write_bytes(b"weights " * 4999 + b"wEights ")
    files.put(f"{published.prefix}/model.safetensors", rot)
    ada_api._transport.raise_server_exceptions = True  # type: ignore[attr-defined]  # what breaks the connection
    with pytest.raises(Corrupt, match="restore it from a backup"):
        ada_api.get(f"/api/v1/checkpoints/{published.id}/files/model.safetensors")


def test_nobody_is_given_the_end_of_a_stream_that_is_wrong():
    good = Stored("one", 6, "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721")  # abcdef
    assert b"".join(verified(iter([b"ab", b"cd", b"ef"]), "one", good.sha256)) == b"abcdef"
    given = []
    with pytest.raises(Corrupt):
        given.extend(verified(iter([b"ab", b"cd", b"eF"]), "one", good.sha256))
    assert b"".join(given) in {b"", b"abcd"}
    assert list(verified(iter([]), "empty", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")) == [
        b""
    ]
