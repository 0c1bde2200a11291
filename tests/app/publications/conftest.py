"""A checkpoint to publish, a hub and a bucket of somebody else's to publish it to, and all that is needed to go through with it."""

import warnings
from collections.abc import Iterator
from urllib.request import Request, urlopen

import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from sqlalchemy import select

from app import db
from app.access import Person
from app.datasets.order import Order, SplitRule
from app.datasets.service import freeze
from app.models import Checkpoint, Dataset, Publication, User
from app.publications import leases, service
from app.publications.content import Subject
from app.publications.places import HubPlace, Place, S3Place
from app.publications.push import push
from app.settings import get_settings
from tests import trained
from tests.hub_to_write import WRITER, Hub, hub_to_write
from tests.judged import judged_pairs


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, migrated: str) -> Iterator[Hub]:
    """A hub of somebody else's that may be published to."""
    with hub_to_write() as hub:
        monkeypatch.setenv("PUBLISH_HUBS", f"https://huggingface.co, {hub.address}/")
        get_settings.cache_clear()
        yield hub
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch, migrated: str) -> Iterator[S3Store]:
    """An empty bucket of somebody else's, `shelf`. What this place knows of Amazon for itself would open nothing there."""
    urlopen(Request(f"{s3}/moto-api/reset", method="POST")).close()
    urlopen(Request(f"{s3}/shelf", method="PUT")).close()
    monkeypatch.setenv("PUBLISH_S3", f"amazon,{s3}")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "our-own")
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    get_settings.cache_clear()
    keys = {"access_key_id": "theirs", "secret_access_key": "theirs", "region": "us-east-1"}
    yield S3Store("shelf", endpoint=s3, client_options={"allow_http": True}, **keys)
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def checkpoint(ada: User) -> Checkpoint:
    with db.work_unit() as session:
        return trained.make_checkpoint(session)


@pytest.fixture
def dataset(ada: User) -> Dataset:
    with db.work_unit() as session:
        project = judged_pairs(session, 12)
        order = Order(name="pairs", split=SplitRule(test=0.25, seed=0))
        return freeze(session, person(ada), project, order).dataset


def person(user: User) -> Person:
    return Person(user.id, user.name, user.role)


def to_hub(hub: Hub, token: str = WRITER, **told: object) -> HubPlace:
    return HubPlace.model_validate({"repository": "ada/mine", "hub": hub.address, "token": token, **told})


def to_bucket(s3: str, **told: object) -> S3Place:
    keys = {"access_key_id": "theirs", "secret_access_key": "theirs-too"}
    return S3Place.model_validate({"bucket": "shelf", "endpoint": s3, **keys, **told})


def ordered(user: User, subject: Subject, place: Place) -> int:
    with db.work_unit() as session:
        return service.order(session, person(user), subject, place).id


def gone_through(publication_id: int) -> Publication:
    """One attempt in this process, from its claim to its end."""
    fence = leases.claim(publication_id)
    assert fence is not None
    with warnings.catch_warnings():
        # the Hub's library hands files to its HTTP client in a way that the latter would rather have otherwise
        warnings.filterwarnings("ignore", "Use 'content=<...>'", DeprecationWarning)
        push(publication_id, fence)
    return row_of(publication_id)


def row_of(publication_id: int) -> Publication:
    with db.work_unit() as session:
        return session.scalars(select(Publication).where(Publication.id == publication_id)).one()


def in_bucket(store: S3Store) -> dict[str, bytes]:
    paths = [meta["path"] for batch in obstore.list(store) for meta in batch]
    return {path: bytes(obstore.get(store, path).bytes()) for path in paths}
