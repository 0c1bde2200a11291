"""Publications for programs."""

import logging

import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from app import db, doorbell
from app.models import Audit, Checkpoint, Dataset, User
from app.publications import leases
from app.publications.places import HubPlace
from app.sealing import FILE, Unreadable, seal, unseal
from app.settings import get_settings
from tests.app.publications.conftest import gone_through, ordered, row_of, to_hub
from tests.conftest import account, token_client
from tests.hub_to_write import WRITER, Hub

HUB = {"hub": {"repository": "ada/mine", "token": WRITER}}
S3 = {"bucket": "shelf", "access_key_id": "theirs", "secret_access_key": "very-secret"}


def test_it_answers_where_to_watch(ada_api: TestClient, checkpoint: Checkpoint, elsewhere: Hub):
    body = {"hub": HUB["hub"] | {"hub": elsewhere.address}}
    made = ada_api.post("/api/v1/checkpoints/1/publications", json=body)
    assert (made.status_code, made.headers["location"]) == (202, "/api/v1/publications/1")
    waiting = ada_api.get(made.headers["location"]).json()
    assert waiting == made.json()
    assert (waiting["state"], waiting["files"], waiting["options"]) == ("queued", 3, {"private": True, "tag": "v1"})
    gone_through(1)
    done = ada_api.get("/api/v1/publications/1").json()
    assert (done["state"], done["done_files"], done["commit"]) == ("finished", 3, elsewhere.repository("ada/mine").head)
    assert [one["id"] for one in ada_api.get("/api/v1/publications?checkpoint=1&state=finished").json()] == [1]
    assert ada_api.get("/api/v1/publications?dataset=1").json() == []


def test_it_publishes_a_dataset(ada_api: TestClient, dataset: Dataset):
    made = ada_api.post("/api/v1/datasets/1/publications", json={"s3": S3}).json()
    assert (made["to"], made["server"], made["place"]) == ("s3", "amazon", "shelf/pairs/v1")
    assert made["files"] == len(dataset.files) + 1


def test_the_secret_is_in_nothing_that_anybody_reads(
    ada_api: TestClient,
    ada_browser: TestClient,
    checkpoint: Checkpoint,
    caplog: pytest.LogCaptureFixture,
    silence: None,
):
    caplog.set_level(logging.DEBUG)
    made = ada_api.post("/api/v1/checkpoints/1/publications", json=HUB)
    again = ada_api.post("/api/v1/checkpoints/1/publications", json=HUB)
    pages = [ada_browser.get(path).text for path in ("/publications/1", "/checkpoints/1/publications")]
    with db.work_unit() as session:
        audits = [orjson.dumps(one.detail).decode() for one in session.scalars(select(Audit))]
        row = session.execute(text("SELECT row_to_json(publication)::text FROM publication")).scalar_one()
        with doorbell.celery.connection_for_write() as connection:
            message = connection.default_channel.basic_get("app", no_ack=True)
    for words in (made.text, again.text, *pages, *audits, row, str(message.body), str(message.headers), caplog.text):
        assert WRITER not in words
        assert WRITER.encode().hex() not in words
    assert (again.status_code, again.json()["field"]) == (409, "repository")
    assert audits, "an audit line says who published what and where to"


def test_a_secret_is_read_with_its_own_key_alone(monkeypatch: pytest.MonkeyPatch, migrated: str):
    sealed = seal(b"theirs")
    assert b"theirs" not in sealed
    assert unseal(sealed) == b"theirs"
    assert (get_settings().home / FILE).stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("SECRET_KEY", "another key, as long as it must be")
    get_settings.cache_clear()
    with pytest.raises(Unreadable):
        unseal(sealed)
    monkeypatch.undo()
    get_settings.cache_clear()


def test_a_worker_with_another_key_says_so(
    ada: User, checkpoint: Checkpoint, elsewhere: Hub, monkeypatch: pytest.MonkeyPatch
):
    one = ordered(ada, checkpoint, to_hub(elsewhere))
    monkeypatch.setenv("SECRET_KEY", "another key, as long as it must be")
    get_settings.cache_clear()
    failed = gone_through(one)
    assert (failed.state, failed.secret, "SECRET_KEY" in (failed.error or "")) == ("failed", None, True)


BAD = [
    ({}, "body"),
    ({"hub": {"repository": "ada/mine"}}, "hub.token"),
    ({"hub": {"repository": "mine", "token": "t"}}, "repository"),
    ({"hub": {"repository": "ada/../mine", "token": "t"}}, "repository"),
    ({"hub": {"repository": "ada/mine", "token": "t", "tag": "a b"}}, "tag"),
    ({"hub": {"repository": "ada/mine", "token": "two\nlines"}}, "token"),
    ({"s3": S3 | {"bucket": "127.0.0.1"}}, "bucket"),
    ({"s3": S3 | {"bucket": "Shelf/.."}}, "bucket"),
    ({"s3": S3 | {"prefix": "../up"}}, "prefix"),
    ({"s3": S3 | {"region": "x.evil.example/"}}, "region"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_what_is_wrong_is_named(ada_api: TestClient, checkpoint: Checkpoint, body: dict[str, object], field: str):
    refused = ada_api.post("/api/v1/checkpoints/1/publications", json=body)
    assert (refused.status_code, refused.json().get("field")) == (422, field)


@pytest.mark.parametrize(
    "body", [{"hub": HUB["hub"] | {"hub": "http://169.254.169.254"}}, {"s3": S3 | {"endpoint": "http://10.0.0.1"}}]
)
def test_nobody_chooses_a_server_that_is_not_allowed(
    ada_api: TestClient, checkpoint: Checkpoint, body: dict[str, object]
):
    refused = ada_api.post("/api/v1/checkpoints/1/publications", json=body)
    assert (refused.status_code, "is not one of the servers" in refused.json()["detail"]) == (403, True)


def test_one_that_waits_is_cancelled_at_once_and_can_be_tried_again(
    ada_api: TestClient, ada: User, checkpoint: Checkpoint, elsewhere: Hub
):
    one = ordered(ada, checkpoint, to_hub(elsewhere))
    assert ada_api.post(f"/api/v1/publications/{one}/retry", json={"hub": {"token": WRITER}}).status_code == 409
    assert ada_api.post(f"/api/v1/publications/{one}/cancel").json()["state"] == "cancelled"
    assert row_of(one).secret is None
    assert ada_api.post(f"/api/v1/publications/{one}/cancel").status_code == 409
    key = {"s3": {"access_key_id": "a", "secret_access_key": "b"}}
    assert ada_api.post(f"/api/v1/publications/{one}/retry", json=key).status_code == 422
    assert ada_api.post(f"/api/v1/publications/{one}/retry", json={"hub": {"token": WRITER}}).status_code == 202
    assert gone_through(one).state == "finished"


def test_one_that_goes_on_is_told(ada_api: TestClient, ada: User, checkpoint: Checkpoint, elsewhere: Hub):
    one = ordered(ada, checkpoint, to_hub(elsewhere))
    fence = leases.claim(one)
    assert fence is not None
    assert ada_api.post(f"/api/v1/publications/{one}/cancel").json()["state"] == "cancelling"
    assert leases.hold(one, fence).is_cancelled
    leases.give_back(one, fence)
    row = row_of(one)
    assert (row.state, row.secret) == ("cancelled", None)


def test_it_is_for_admins_and_their_tokens_without_bounds(ben_api: TestClient, ada: User, checkpoint: Checkpoint):
    place = HubPlace.model_validate(HUB["hub"])
    one = ordered(ada, checkpoint, place)
    reader = token_client(ada, "read")
    for path, program in ((f"/api/v1/publications/{one}", ben_api), ("/api/v1/publications", ben_api)):
        assert program.get(path).status_code == 403
    for program in (ben_api, reader):
        assert program.post("/api/v1/checkpoints/1/publications", json=HUB).status_code == 403
        assert program.post(f"/api/v1/publications/{one}/cancel").status_code == 403
    assert token_client(account("mia", "annotator"), "read").get(f"/api/v1/publications/{one}").status_code == 403


def test_a_checkpoint_on_its_way_is_not_deleted(ada_api: TestClient, ada: User, checkpoint: Checkpoint):
    ordered(ada, checkpoint, HubPlace.model_validate(HUB["hub"]))
    refused = ada_api.delete("/api/v1/checkpoints/1")
    assert (refused.status_code, "on its way to ada/mine" in refused.json()["detail"]) == (409, True)
