"""Publishing to a hub, by its own client and over real HTTP: what arrives, what is not sent twice, and what is refused."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app import db
from app.models import Checkpoint, Dataset, Publication, Run, User
from app.publications import leases
from app.storage import storage
from tests import trained
from tests.app.publications.conftest import gone_through, ordered, row_of, to_hub
from tests.hub_to_write import READER, Hub


def files_of(subject: Checkpoint | Dataset) -> dict[str, bytes]:
    return {file["path"]: b"".join(storage().read(f"{subject.prefix}/{file['path']}")) for file in subject.files}


def without_attributes(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if path != ".gitattributes"}


def test_a_checkpoint_becomes_one_commit_with_a_tag_in_a_private_repository(
    ada: User, checkpoint: Checkpoint, elsewhere: Hub
):
    done = gone_through(ordered(ada, checkpoint, to_hub(elsewhere)))
    there = elsewhere.repository("ada/mine")
    assert without_attributes(elsewhere.files("ada/mine")) == files_of(checkpoint)
    assert (there.private, there.tags, there.messages[1:]) == (
        True,
        {"v1": there.head},
        ["pairs-dpo v1, published with Tiebreak"],
    )
    assert (done.state, done.error, done.commit) == ("finished", None, there.head)
    assert done.address == f"{elsewhere.address}/ada/mine/tree/v1"
    assert (done.done_files, done.done_bytes) == (3, done.n_bytes)
    assert done.secret is None


def test_a_large_file_goes_up_in_parts(ada: User, elsewhere: Hub):
    with db.work_unit() as session:
        checkpoint = trained.make_checkpoint(session, size=400_001)
    assert gone_through(ordered(ada, checkpoint, to_hub(elsewhere))).state == "finished"
    assert without_attributes(elsewhere.files("ada/mine")) == files_of(checkpoint)
    assert sum(f"{oid}/" in asked for oid in elsewhere.uploads for asked in elsewhere.asked) == 3


def test_what_the_hub_has_is_not_sent_again_and_what_went_since_is_taken_out(
    ada: User, checkpoint: Checkpoint, elsewhere: Hub
):
    gone_through(ordered(ada, checkpoint, to_hub(elsewhere)))
    elsewhere.repository("ada/mine").tree["LICENSE"] = (b"theirs", False)
    with db.work_unit() as session:
        run = session.get_one(Run, checkpoint.run_id)
        second = trained.make_checkpoint(session, trained.make_run(session, checkpoint_name=run.checkpoint_name))
        second.files = [file for file in second.files if file["path"] != "config.json"]
    assert gone_through(ordered(ada, second, to_hub(elsewhere))).state == "finished"
    assert set(elsewhere.files("ada/mine")) == {".gitattributes", "LICENSE", "model.safetensors", "original/README.md"}
    assert list(elsewhere.uploads.values()) == [1]
    assert list(elsewhere.repository("ada/mine").tags) == ["v1", "v2"]


def test_a_dataset_loads_from_there_with_its_card(ada: User, dataset: Dataset, elsewhere: Hub, tmp_path: Path):
    assert gone_through(ordered(ada, dataset, to_hub(elsewhere))).state == "finished"
    sent = elsewhere.files("ada/mine", "datasets")
    assert without_attributes(sent) == files_of(dataset) | {"README.md": sent["README.md"]}
    assert b'load_dataset("ada/mine", revision="v1")' in sent["README.md"]
    told = {"HF_ENDPOINT": elsewhere.address, "HF_TOKEN": READER, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    script = "from datasets import load_dataset; print({k: len(v) for k, v in load_dataset('ada/mine', revision='v1').items()})"
    out = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | told, capture_output=True, text=True, check=False
    )
    expected = {side: dataset.counts[side]["groups"] for side in ("train", "test")}
    assert out.stdout.strip() == str(expected), out.stderr[-2000:]


@pytest.mark.parametrize(
    ("token", "words"),
    [("hf_mistyped", "does not accept this token"), (READER, "lets this token not write to ada/mine")],
)
def test_a_token_that_does_not_reach_so_far_is_told_in_words(
    ada: User, checkpoint: Checkpoint, elsewhere: Hub, token: str, words: str
):
    refused = gone_through(ordered(ada, checkpoint, to_hub(elsewhere, token)))
    assert (refused.state, refused.secret) == ("failed", None)
    assert words in (refused.error or "")
    assert token not in (refused.error or "")


def test_it_makes_nothing_private_public(ada: User, checkpoint: Checkpoint, elsewhere: Hub):
    gone_through(ordered(ada, checkpoint, to_hub(elsewhere, private=False)))
    assert not elsewhere.repository("ada/mine").private
    refused = gone_through(ordered(ada, checkpoint, to_hub(elsewhere, tag="again")))
    assert (refused.state, "is there already, and public" in (refused.error or "")) == ("failed", True)


def test_a_tag_that_stands_for_something_else_is_not_moved(ada: User, checkpoint: Checkpoint, elsewhere: Hub):
    gone_through(ordered(ada, checkpoint, to_hub(elsewhere, tag="best")))
    there = elsewhere.repository("ada/mine")
    there.commit("somebody else's")
    there.tree["config.json"] = (b"theirs", False)
    refused = gone_through(ordered(ada, checkpoint, to_hub(elsewhere, tag="best")))
    assert (refused.state, "“best” is the name of another commit" in (refused.error or "")) == ("failed", True)


def test_it_sends_nothing_that_is_not_what_was_stored(
    ada: User, checkpoint: Checkpoint, elsewhere: Hub, tmp_path: Path
):
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"weIghts " * 5000)
    storage().put(f"{checkpoint.prefix}/model.safetensors", wrong)
    refused = gone_through(ordered(ada, checkpoint, to_hub(elsewhere)))
    assert (refused.state, "does not have the SHA-256" in (refused.error or "")) == ("failed", True)
    assert elsewhere.uploads == {}


def test_a_hub_that_is_away_is_asked_again_later(
    ada: User, checkpoint: Checkpoint, elsewhere: Hub, monkeypatch: pytest.MonkeyPatch
):
    elsewhere.busy = 1
    one = ordered(ada, checkpoint, to_hub(elsewhere))
    waits = gone_through(one)
    assert (waits.state, waits.in_vain, "busy or away (503): " in (waits.error or "")) == ("queued", 1, True)
    assert waits.secret is not None
    assert leases.claim(one) is None, "it is not its time yet"
    with db.work_unit() as session:
        session.execute(update(Publication).values(not_before=None))
    assert gone_through(one).state == "finished"


@pytest.fixture
def cut(ada: User, checkpoint: Checkpoint, elsewhere: Hub) -> tuple[int, Hub]:
    """A publication that was killed while its second large file went up."""
    from app.publications.push import start  # noqa: PLC0415 -- with the settings of this story

    with db.work_unit() as session:
        row = session.get_one(Checkpoint, checkpoint.id)
        row.files = [*row.files, trained.add_file(row.prefix, "zzz.bin", b"more " * 20_000)]
    held = row.files[-1]["sha256"]
    elsewhere.hold = held
    one = ordered(ada, row, to_hub(elsewhere))
    fence = leases.claim(one)
    assert fence is not None
    child = start(one, fence)
    try:
        assert elsewhere.in_the_middle.wait(240)
    finally:
        child.kill()
        child.wait()
    elsewhere.hold = ""
    elsewhere.go_on.set()
    return one, elsewhere


def test_one_that_is_killed_in_the_middle_goes_on_without_sending_a_file_twice(cut: tuple[int, Hub]):
    one, hub = cut
    assert row_of(one).state == "running"
    with db.work_unit() as session:
        assert leases.take_back(session) == 0, "its lease has not run out"
        session.execute(update(Publication).values(lease_until=None))
    with db.work_unit() as session:
        assert leases.take_back(session) == 1
    done = gone_through(one)
    assert (done.state, done.attempt, done.done_files) == ("finished", 2, 4)
    assert set(hub.uploads.values()) == {1}
    assert len(hub.files("ada/mine")) == 5
    with db.work_unit() as session:
        model = session.scalars(select(Checkpoint)).one()
    sums = {hashlib.sha256(data).hexdigest() for data in hub.files("ada/mine").values()}
    assert {file["sha256"] for file in model.files} <= sums
