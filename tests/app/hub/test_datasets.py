"""Datasets through the Hub's own client, and their card."""

from pathlib import Path

import pytest
import yaml
from huggingface_hub import DatasetCard, HfApi
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from sqlalchemy import update

from app import db
from app.models import Dataset, Membership, User
from tests.app.hub.conftest import Shelf, token_of

NAME = "tiebreak/pairs"


def files_of(shelf: Shelf) -> list[str]:
    return sorted({"README.md", *(file["path"] for file in shelf.dataset.files)})


def test_its_commit_is_the_beginning_of_its_sum(hub: HfApi, shelf: Shelf):
    info = hub.dataset_info(NAME, files_metadata=True)
    assert (info.sha, info.private) == (shelf.dataset.sha256[:40], True)
    assert [one.rfilename for one in info.siblings or ()] == files_of(shelf)
    assert hub.dataset_info(NAME, revision=info.sha).sha == info.sha
    with pytest.raises(RevisionNotFoundError):
        hub.dataset_info(NAME, revision="v2")
    with pytest.raises(EntryNotFoundError):
        hub.hf_hub_download(NAME, "pairs.py", repo_type="dataset")


def test_it_downloads_a_snapshot_that_passes_verification(hub: HfApi, shelf: Shelf, cache: Path):
    folder = Path(hub.snapshot_download(NAME, repo_type="dataset", cache_dir=cache))
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == files_of(shelf)
    found = hub.verify_repo_checksums(NAME, repo_type="dataset", cache_dir=cache)
    assert (found.checked_count, found.mismatches) == (len(files_of(shelf)), [])


def test_its_card_names_its_splits_and_says_how_rows_were_made(hub: HfApi, shelf: Shelf, cache: Path):
    card = DatasetCard.load(hub.hf_hub_download(NAME, "README.md", repo_type="dataset", cache_dir=cache))
    default, *others = yaml.safe_load(card.content.split("---")[1])["configs"]
    assert [default["config_name"], *(one["config_name"] for one in others)] == ["default", "preference"]
    assert {one["split"]: one["path"] for one in default["data_files"]} == {
        "train": "train.parquet",
        "test": "test.parquet",
    }
    assert "| train | " in card.content
    assert shelf.dataset.sha256 in card.content
    assert "- Judgments: every judgment of an item is a row, and they share its weight" in card.content
    assert "slightly, clearly and much better: 1, 2, 3" in card.content


def test_versions_with_the_same_files_are_one_commit_with_one_card(hub: HfApi, shelf: Shelf, cache: Path):
    first = Path(hub.hf_hub_download(NAME, "README.md", repo_type="dataset", cache_dir=cache)).read_bytes()
    with db.work_unit() as session:
        known = session.get_one(Dataset, shelf.dataset.id)
        told = {column.name: getattr(known, column.name) for column in Dataset.__table__.c}
        told |= {"version": 2, "filters": known.filters | {"judge_kinds": ["human"]}}
        session.add(Dataset(**{name: value for name, value in told.items() if name not in {"id", "created_at"}}))
    assert {one.name: one.target_commit for one in hub.list_repo_refs(NAME, repo_type="dataset").tags} == {
        "v1": shelf.dataset.sha256[:40],
        "v2": shelf.dataset.sha256[:40],
    }
    for revision in ("main", "v1", "v2", shelf.dataset.sha256[:40]):
        path = hub.hf_hub_download(NAME, "README.md", repo_type="dataset", revision=revision, cache_dir=cache)
        assert Path(path).read_bytes() == first


def test_it_is_there_for_those_who_manage_its_project_alone(shelf: Shelf, ben: User, cleo: User):
    manager, annotator = (HfApi(endpoint=shelf.address, token=token_of(user)) for user in (ben, cleo))
    with db.work_unit() as session:
        for user in (ben, cleo):
            session.add(Membership(user_id=user.id, project_id=shelf.dataset.project_id, role="annotator"))
        session.flush()
        session.execute(update(Membership).where(Membership.user_id == ben.id).values(role="manager"))
    assert manager.dataset_info(NAME).sha == shelf.dataset.sha256[:40]
    assert [one.id for one in manager.list_datasets(author="tiebreak")] == [NAME]
    with pytest.raises(RepositoryNotFoundError):
        annotator.dataset_info(NAME)
    with pytest.raises(RepositoryNotFoundError):
        manager.model_info("tiebreak/helpful")
