"""The pages on which an admin publishes a version to a place outside."""

import pytest
from fastapi.testclient import TestClient

from app.models import Checkpoint, Dataset
from app.publications import leases
from tests.app.publications.conftest import gone_through, row_of
from tests.hub_to_write import WRITER, Hub

TO_HUB = {"to": "hub", "repository": "ada/mine", "token": WRITER, "visibility": "private", "tag": "", "hub": ""}
TO_S3 = {"to": "s3", "bucket": "shelf", "access_key_id": "theirs", "secret_access_key": "very-secret", "prefix": ""}


def test_a_form_leads_to_a_page_that_moves_by_itself(ada_browser: TestClient, checkpoint: Checkpoint, elsewhere: Hub):
    assert 'href="/checkpoints/1/publications"' in ada_browser.get("/checkpoints/1").text
    ordered = ada_browser.post("/checkpoints/1/publications", data=TO_HUB | {"hub": elsewhere.address})
    assert (ordered.status_code, ordered.headers["location"]) == (303, "/publications/1")
    page = ada_browser.get("/publications/1").text
    assert 'hx-get="/publications/1"' in page
    assert "0 of 3 files" in page
    assert "hx-refresh" not in ada_browser.get("/publications/1", headers={"HX-Request": "true"}).headers
    gone_through(1)
    last = ada_browser.get("/publications/1", headers={"HX-Request": "true"})
    assert last.headers["hx-refresh"] == "true", "the page has more to say now"
    part = last.text
    assert part.lstrip().startswith('<div id="publication"')
    assert "hx-get" not in part
    assert f'href="{elsewhere.address}/ada/mine/tree/v1"' in part
    assert 'href="/publications/1"' in ada_browser.get("/checkpoints/1/publications").text


def test_a_dataset_goes_to_a_bucket(ada_browser: TestClient, dataset: Dataset):
    assert 'href="/datasets/1/publications"' in ada_browser.get("/datasets/1").text
    assert ada_browser.post("/datasets/1/publications", data=TO_S3).headers["location"] == "/publications/1"
    assert (row_of(1).place, row_of(1).options) == ("shelf/pairs/v1", {"region": "us-east-1"})


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (TO_HUB | {"token": ""}, "please fill this in"),
        (TO_HUB | {"repository": "my thing"}, "owner/name"),
        (TO_HUB | {"hub": "http://10.0.0.1"}, "is not one of the servers"),
        (TO_S3 | {"bucket": ""}, "please fill this in"),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_typed_and_no_secret_is_shown_again(
    ada_browser: TestClient, checkpoint: Checkpoint, form: dict[str, str], words: str
):
    refused = ada_browser.post("/checkpoints/1/publications", data=form | {"prefix": "kept/words", "tag": "kept"})
    assert refused.status_code in {403, 422}
    assert words in refused.text
    assert "kept" in refused.text
    assert not any(secret in refused.text for secret in (WRITER, "very-secret", "theirs"))


def test_it_is_cancelled_and_tried_again(ada_browser: TestClient, checkpoint: Checkpoint, elsewhere: Hub):
    ada_browser.post("/checkpoints/1/publications", data=TO_HUB | {"hub": elsewhere.address})
    assert ada_browser.post("/publications/1/cancel").headers["location"] == "/publications/1"
    page = ada_browser.get("/publications/1").text
    assert "cancelled" in page
    assert 'action="/publications/1/retry"' in page
    assert "please fill this in" in ada_browser.post("/publications/1/retry", data={}).text
    assert ada_browser.post("/publications/1/retry", data={"token": WRITER}).status_code == 303
    assert leases.claim(1) == 1


def test_it_says_when_it_is_too_late_to_cancel(ada_browser: TestClient, checkpoint: Checkpoint, elsewhere: Hub):
    ada_browser.post("/checkpoints/1/publications", data=TO_HUB | {"hub": elsewhere.address})
    gone_through(1)
    ada_browser.post("/publications/1/cancel")
    assert "there is nothing to cancel" in ada_browser.get("/publications/1").text


def test_a_place_that_publishes_nowhere_says_so(
    ada_browser: TestClient, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
):
    from app.settings import get_settings  # noqa: PLC0415 -- beside its use

    monkeypatch.setenv("PUBLISH_HUBS", "")
    monkeypatch.setenv("PUBLISH_S3", "")
    get_settings.cache_clear()
    assert "has allowed no server" in ada_browser.get("/checkpoints/1/publications").text
    assert "has allowed no such server" in ada_browser.post("/checkpoints/1/publications", data=TO_HUB).text
    monkeypatch.undo()
    get_settings.cache_clear()


PATHS = ["/checkpoints/1/publications", "/datasets/1/publications"]


def test_it_is_not_for_annotators(ben_browser: TestClient, nobody: TestClient, checkpoint: Checkpoint):
    assert [ben_browser.get(path).status_code for path in PATHS] == [403] * 2
    assert [nobody.get(path).headers["location"].startswith("/sign-in") for path in PATHS] == [True] * 2
    assert ben_browser.post(PATHS[0], data=TO_HUB).status_code == 403
