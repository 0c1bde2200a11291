"""How often something was downloaded."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app import db
from app.download_counts import downloads, lately
from app.models import Checkpoint, DownloadCount
from tests import trained

WEIGHTS = "/tiebreak/pairs-dpo/resolve/main/model.safetensors"
BY_ID = "/api/v1/checkpoints/{}/files/model.safetensors"


@pytest.fixture
def checkpoint(ada_api: TestClient) -> Checkpoint:
    with db.work_unit() as session:
        return trained.make_checkpoint(session)


def counted(checkpoint: Checkpoint) -> int:
    with db.work_unit() as session:
        return downloads(session, checkpoint)


def test_a_whole_folder_is_one_download(ada_api: TestClient, checkpoint: Checkpoint):
    for file in checkpoint.files:
        assert ada_api.get(f"/tiebreak/pairs-dpo/resolve/main/{file['path']}").status_code == 200
    assert counted(checkpoint) == 1
    ada_api.get(BY_ID.format(checkpoint.id))
    assert counted(checkpoint) == 2


@pytest.mark.parametrize(
    ("asked", "n"),
    [("bytes=0-", 1), ("bytes=0-9", 1), ("bytes=4-9", 1), ("bytes=0-3", 0), ("bytes=5-", 0), ("bytes=-8", 0)],
)
def test_in_ranges_the_beginning_counts(ada_api: TestClient, checkpoint: Checkpoint, asked: str, n: int):
    assert ada_api.get(WEIGHTS, headers={"Range": asked}).status_code == 206
    assert counted(checkpoint) == n


def test_looking_is_no_download(ada_api: TestClient, ben_api: TestClient, checkpoint: Checkpoint):
    ada_api.head(WEIGHTS)
    ada_api.get(WEIGHTS.replace("model.safetensors", "config.json"))
    ada_api.get("/api/models/tiebreak/pairs-dpo")
    ben_api.get(WEIGHTS)
    assert counted(checkpoint) == 0


def test_each_day_has_its_number(ada_api: TestClient, checkpoint: Checkpoint):
    ada_api.get(WEIGHTS)
    with db.work_unit() as session:
        session.execute(update(DownloadCount).values(day=datetime.now(UTC).date() - timedelta(days=40), n=5))
    ada_api.get(WEIGHTS)
    ada_api.get(WEIGHTS)
    with db.work_unit() as session:
        assert (lately(session, checkpoint), downloads(session, checkpoint)) == (2, 7)
    told = ada_api.get("/api/models/tiebreak/pairs-dpo").json()
    assert (told["downloads"], told["downloadsAllTime"]) == (2, 7)


def test_its_page_says_how_often(ada_browser: TestClient, checkpoint: Checkpoint):
    for _ in range(12):
        ada_browser.get(WEIGHTS)
    page = ada_browser.get(f"/checkpoints/{checkpoint.id}").text
    assert "<dd>12</dd>" in page.replace("\n", "").replace(" ", "")
    assert 'from_pretrained("tiebreak/pairs-dpo", revision="v1")' in page
