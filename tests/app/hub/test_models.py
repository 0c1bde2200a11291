"""Checkpoints through the Hub's own client, over HTTP."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from app import db
from app.models import Checkpoint, CheckpointAlias, User
from tests.app.hub.conftest import Shelf, token_of

NAME = "tiebreak/helpful"
FILES = ["config.json", "model.safetensors", "original/README.md"]


def test_it_downloads_a_snapshot_with_the_bytes_of_the_row(hub: HfApi, shelf: Shelf, cache: Path):
    folder = Path(hub.snapshot_download(NAME, cache_dir=cache))
    for file in shelf.new.files:
        assert hashlib.sha256((folder / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert folder.name == shelf.new.sha256[:40]
    assert hub.snapshot_download(NAME, cache_dir=cache) == str(folder), "what is there is not fetched again"


def test_it_says_what_a_model_is(hub: HfApi, shelf: Shelf):
    info = hub.model_info(NAME, files_metadata=True)
    assert (info.id, info.author, info.sha, info.private) == (NAME, "tiebreak", shelf.new.sha256[:40], True)
    assert (info.library_name, info.gated, info.created_at) == ("transformers", False, info.last_modified)
    assert [one.rfilename for one in info.siblings or ()] == FILES
    weights = (info.siblings or ())[1]
    assert (weights.size, weights.lfs.sha256) == (40_000, shelf.new.files[1]["sha256"])
    some = hub.model_info(NAME, expand=["tags"])
    assert (some.tags, some.sha) == (["tiebreak", "transformers"], None)


@pytest.mark.parametrize(("revision", "version"), [("main", 2), ("v1", 1), ("v2", 2), ("1" * 40, 1), ("2" * 40, 2)])
def test_a_revision_is_a_version(hub: HfApi, shelf: Shelf, revision: str, version: int):
    wanted = {1: shelf.old, 2: shelf.new}[version]
    assert hub.model_info(NAME, revision=revision).sha == wanted.sha256[:40]
    assert hub.list_repo_files(NAME, revision=revision) == FILES


@pytest.mark.parametrize("revision", ["v3", "v0", "v01", "3" * 40, "1" * 39, "refs/pr/1", "v1 ", "%", "v" + "9" * 30])
def test_a_revision_that_is_none_is_named(hub: HfApi, cache: Path, revision: str):
    with pytest.raises(RevisionNotFoundError):
        hub.model_info(NAME, revision=revision)
    with pytest.raises(RevisionNotFoundError):
        hub.hf_hub_download(NAME, "config.json", revision=revision, cache_dir=cache)
    assert not hub.revision_exists(NAME, revision)


def test_it_lists_folders_and_what_is_in_them(hub: HfApi, shelf: Shelf):
    assert [one.path for one in hub.list_repo_tree(NAME)] == ["config.json", "model.safetensors", "original"]
    assert [one.path for one in hub.list_repo_tree(NAME, recursive=True)][2:] == ["original", "original/README.md"]
    (card,) = hub.list_repo_tree(NAME, "original", expand=True)
    assert (card.path, card.size, card.last_commit.oid) == ("original/README.md", 7, shelf.new.sha256[:40])
    with pytest.raises(EntryNotFoundError):
        list(hub.list_repo_tree(NAME, "orig"))


def test_it_tells_the_paths_that_are_there(hub: HfApi):
    found = hub.get_paths_info(NAME, ["original", "config.json", "none.json"], expand=True)
    assert [(one.path, one.last_commit.title) for one in found] == [("config.json", "v2"), ("original", "v2")]


def test_it_says_whether_a_file_is_there(hub: HfApi, cache: Path):
    assert hub.file_exists(NAME, "original/README.md")
    assert not hub.file_exists(NAME, "pytorch_model.bin")
    assert not hub.file_exists("tiebreak/other", "config.json")
    assert not hub.file_exists(NAME, "config.json", revision="v9")
    assert not hub.file_exists(NAME, "no\x1bfile")  # said in a header, where it cannot stand
    with pytest.raises(EntryNotFoundError):
        hub.hf_hub_download(NAME, "original", cache_dir=cache)


def test_its_versions_are_tags_and_commits(hub: HfApi):
    refs = hub.list_repo_refs(NAME)
    assert [(one.name, one.target_commit) for one in refs.branches] == [("main", "2" * 40)]
    assert [(one.name, one.target_commit) for one in refs.tags] == [("v2", "2" * 40), ("v1", "1" * 40)]
    assert [one.commit_id for one in hub.list_repo_commits(NAME)] == ["2" * 40, "1" * 40]
    assert [one.title for one in hub.list_repo_commits(NAME, revision="v1")] == ["v1"]


def test_an_alias_is_a_branch(hub: HfApi, shelf: Shelf, ada: User, cache: Path):
    with db.work_unit() as session:
        session.add(CheckpointAlias(name="helpful", alias="production", version=1, moved_by=ada.id))
    assert hub.model_info(NAME, revision="production").sha == shelf.old.sha256[:40]
    path = hub.hf_hub_download(NAME, "config.json", revision="production", cache_dir=cache)
    assert Path(path).parent.name == shelf.old.sha256[:40]
    branches = {one.name: one.target_commit for one in hub.list_repo_refs(NAME).branches}
    assert branches == {"main": "2" * 40, "production": "1" * 40}
    with pytest.raises(RevisionNotFoundError):
        hub.model_info(NAME, revision="candidate")


def test_a_version_that_was_deleted_is_none(hub: HfApi, shelf: Shelf):
    with db.work_unit() as session:
        session.get_one(Checkpoint, shelf.new.id).deleted_at = datetime.now(UTC)
    assert hub.model_info(NAME).sha == shelf.old.sha256[:40]
    assert not hub.revision_exists(NAME, "v2")
    assert not hub.revision_exists(NAME, "2" * 40)


def test_it_lists_what_there_is(hub: HfApi, shelf: Shelf):
    assert [(one.id, one.sha) for one in hub.list_models(author="tiebreak")] == [(NAME, "2" * 40)]
    assert [one.id for one in hub.list_models(search="elp", limit=5)] == [NAME]
    assert list(hub.list_models(search="none")) == []
    assert [one.id for one in hub.list_datasets(author="tiebreak")] == ["tiebreak/pairs"]
    assert list(hub.list_models(author="others")) == []


def test_what_was_downloaded_passes_the_clients_own_verification(hub: HfApi, cache: Path):
    hub.snapshot_download(NAME, cache_dir=cache)
    found = hub.verify_repo_checksums(NAME, cache_dir=cache)
    assert (found.checked_count, found.mismatches, found.missing_paths) == (3, [], [])


def test_it_introduces_whoever_asks(hub: HfApi, ada: User):
    told = hub.whoami()
    assert (told["name"], told["orgs"][0]["name"]) == (ada.name, "tiebreak")
    hub.auth_check(NAME)
    with pytest.raises(HfHubHTTPError, match="403"):
        hub.auth_check(NAME, write=True)


def test_a_wrong_token_is_told_so(shelf: Shelf, cache: Path):
    for token in ("tbk_wrong", "hf_other"):
        stranger = HfApi(endpoint=shelf.address, token=token)
        with pytest.raises(HfHubHTTPError, match="401") as refused:
            stranger.model_info(NAME)
        assert not isinstance(refused.value, RepositoryNotFoundError)
        with pytest.raises(HfHubHTTPError, match="Invalid user token"):
            stranger.whoami()
        with pytest.raises(HfHubHTTPError, match="401"):
            stranger.snapshot_download(NAME, cache_dir=cache)


def test_whoever_says_nothing_finds_nothing(shelf: Shelf, cache: Path):
    nobody = HfApi(endpoint=shelf.address, token=False)
    assert not nobody.repo_exists(NAME)
    assert not nobody.file_exists(NAME, "config.json")
    with pytest.raises(RepositoryNotFoundError, match="401"):
        nobody.hf_hub_download(NAME, "config.json", cache_dir=cache)


def test_who_may_not_see_it_is_answered_as_if_there_were_none(shelf: Shelf, ben: User, cache: Path):
    stranger = HfApi(endpoint=shelf.address, token=token_of(ben))
    answers = []
    for name in (NAME, "tiebreak/none", "others/helpful", "gpt2"):
        with pytest.raises(RepositoryNotFoundError, match="404") as refused:
            stranger.model_info(name)
        answers.append((refused.value.response.headers["x-error-message"], refused.value.response.content))
    assert len(set(answers)) == 1
    with pytest.raises(RepositoryNotFoundError):
        stranger.dataset_info("tiebreak/pairs")
    with pytest.raises(RepositoryNotFoundError):
        stranger.hf_hub_download(NAME, "config.json", cache_dir=cache)
    assert list(stranger.list_models(author="tiebreak")) == list(stranger.list_datasets(author="tiebreak")) == []


def test_a_token_without_the_scope_is_told_which_it_lacks(shelf: Shelf, ada: User):
    with pytest.raises(HfHubHTTPError, match="lacks the scope read"):
        HfApi(endpoint=shelf.address, token=token_of(ada, "judge", "train")).model_info(NAME)
