"""Publishing to a bucket, over real HTTP to moto's server: what arrives, what is not sent twice, and what is refused."""

from pathlib import Path
from urllib.request import Request, urlopen

import obstore
import pytest
from obstore.store import S3Store

from app import db
from app.models import Checkpoint, Dataset, User
from app.storage import storage
from tests import trained
from tests.app.publications.conftest import gone_through, in_bucket, ordered, to_bucket
from tests.app.publications.test_hub import files_of


def let_in(s3: str, requests: int) -> None:
    """After so many requests moto asks who is there; it knows nobody."""
    told = {"Content-Type": "text/plain"}
    urlopen(Request(f"{s3}/moto-api/reset-auth", data=str(requests).encode(), headers=told, method="POST")).close()


def test_every_file_arrives_below_its_prefix(ada: User, checkpoint: Checkpoint, bucket: S3Store, s3: str):
    done = gone_through(ordered(ada, checkpoint, to_bucket(s3)))
    assert (done.state, done.error, done.address) == ("finished", None, "s3://shelf/pairs-dpo/v1")
    assert in_bucket(bucket) == {f"pairs-dpo/v1/{path}": data for path, data in files_of(checkpoint).items()}
    assert (done.done_files, done.done_bytes, done.secret) == (3, done.n_bytes, None)
    told = obstore.get(bucket, "pairs-dpo/v1/model.safetensors", options={"head": True}).attributes
    assert told["sha256"] in {file["sha256"] for file in checkpoint.files}


def test_a_large_file_goes_up_in_parts(ada: User, bucket: S3Store, s3: str):
    with db.work_unit() as session:
        checkpoint = trained.make_checkpoint(session, size=(17 << 20) + 1)
    assert gone_through(ordered(ada, checkpoint, to_bucket(s3))).state == "finished"
    assert in_bucket(bucket)["pairs-dpo/v1/model.safetensors"] == files_of(checkpoint)["model.safetensors"]


def test_a_dataset_arrives_with_its_card(ada: User, dataset: Dataset, bucket: S3Store, s3: str):
    assert gone_through(ordered(ada, dataset, to_bucket(s3, prefix="some/where"))).state == "finished"
    there = in_bucket(bucket)
    card = there.pop("some/where/README.md")
    assert there == {f"some/where/{path}": data for path, data in files_of(dataset).items()}
    assert b'load_dataset("pairs-v1")' in card


def test_what_is_there_already_is_not_sent_again(ada: User, checkpoint: Checkpoint, bucket: S3Store, s3: str):
    gone_through(ordered(ada, checkpoint, to_bucket(s3)))
    obstore.put(bucket, "pairs-dpo/v1/config.json", b"{}")
    before = {path: obstore.head(bucket, path)["last_modified"] for path in in_bucket(bucket)}
    marked = "pairs-dpo/v1/model.safetensors"
    obstore.put(bucket, marked, b"x" * 40_000, attributes=obstore.get(bucket, marked).attributes)
    gone_through(ordered(ada, checkpoint, to_bucket(s3)))
    after = in_bucket(bucket)
    assert set(after) == set(before)
    assert after[marked] == b"x" * 40_000, "it says that it is the same, so it was left alone"
    assert "sha256" in obstore.get(bucket, "pairs-dpo/v1/config.json").attributes, "it did not say so"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"bucket": "elsewhere"}, "There is no bucket elsewhere."),
        ({"access_key_id": "unknown"}, "S3 does not know this access key."),
    ],
)
def test_what_s3_refuses_is_told_in_words(
    ada: User, checkpoint: Checkpoint, bucket: S3Store, s3: str, told: dict[str, str], words: str
):
    place = to_bucket(s3, **told)
    if "access_key_id" in told:
        let_in(s3, 0)
    try:
        refused = gone_through(ordered(ada, checkpoint, place))
    finally:
        let_in(s3, 1_000_000)
    assert (refused.state, refused.secret) == ("failed", None)
    assert words in (refused.error or "")
    assert "theirs-too" not in (refused.error or "")


def test_a_bucket_that_is_away_is_asked_again_later(
    ada: User, checkpoint: Checkpoint, bucket: S3Store, monkeypatch: pytest.MonkeyPatch
):
    from app.settings import get_settings  # noqa: PLC0415 -- beside its use

    monkeypatch.setenv("PUBLISH_S3", "http://127.0.0.1:9")
    get_settings.cache_clear()
    waits = gone_through(ordered(ada, checkpoint, to_bucket("http://127.0.0.1:9")))
    assert (waits.state, waits.in_vain, waits.secret is None) == ("queued", 1, False)
    assert "cannot be reached" in (waits.error or "")


def test_a_file_that_is_wrong_here_never_appears_there(
    ada: User, checkpoint: Checkpoint, bucket: S3Store, s3: str, tmp_path: Path
):
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"weIghts " * 5000)
    storage().put(f"{checkpoint.prefix}/model.safetensors", wrong)
    refused = gone_through(ordered(ada, checkpoint, to_bucket(s3)))
    assert (refused.state, "does not have the SHA-256" in (refused.error or "")) == ("failed", True)
    assert "pairs-dpo/v1/model.safetensors" not in in_bucket(bucket)
