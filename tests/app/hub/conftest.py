"""A served place with a checkpoint of two versions and a dataset, and the Hub's own client to ask for them."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from app import db
from app.access import Person
from app.datasets.order import Order, SplitRule
from app.datasets.service import freeze
from app.models import Checkpoint, Dataset, User
from app.people import service as people
from tests import trained
from tests.judged import judged_pairs


@dataclass(frozen=True)
class Shelf:
    """`old` and `new` are versions 1 and 2 of `helpful`; `dataset` is version 1 of `pairs`."""

    address: str
    old: Checkpoint
    new: Checkpoint
    dataset: Dataset


@pytest.fixture
def shelf(server: str, ada: User) -> Shelf:
    order = Order(name="pairs", split=SplitRule(test=0.25, seed=0))
    with db.work_unit() as session:
        project = judged_pairs(session, 40)
        dataset = freeze(session, Person(ada.id, ada.name, ada.role), project, order).dataset
        old, new = (
            trained.make_checkpoint(
                session, trained.make_run(session, dataset, state="finished"), name="helpful", sha256=digit * 64
            )
            for digit in "12"
        )
    return Shelf(server, old, new, dataset)


def token_of(user: User, *scopes: str) -> str:
    with db.work_unit() as session:
        return people.make_token(session, user, scopes or ("read",))


@pytest.fixture
def hub(shelf: Shelf, ada: User) -> HfApi:
    """The Hub's client with a token of the admin."""
    return HfApi(endpoint=shelf.address, token=token_of(ada))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
