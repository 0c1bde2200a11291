"""Publications for programs: order one, watch it, cancel it, order it once more."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, model_validator

from app.access import MayExport, MayReadAll, Person, unbound
from app.db import SessionDep
from app.errors import NotAllowed
from app.forms import RowNumber
from app.idempotency import once
from app.keyset import Paging
from app.language import gettext as _
from app.publications import service
from app.publications.places import HubPlace, HubSecret, Place, S3Place, S3Secret, Secret
from app.publications.queries import Seen, publication_by_id, publications_page, seen, subject_by_id

router = APIRouter(tags=["publications"])
State = Literal["queued", "running", "cancelling", "cancelled", "failed", "finished"]


def _publishes(person: MayExport) -> Person:
    if not person.is_admin:
        raise NotAllowed(_("only admins publish to places outside; ask one of them"))
    return unbound(person)


MayPublish = Annotated[Person, Depends(_publishes)]


class PublicationAnswer(BaseModel):
    """`checkpoint` or `dataset` is the id of what is published. `address` and `commit` are there once it has arrived;
    `error` says in words why it has not, or why it waits for its next attempt (`not_before`).
    """

    id: int
    checkpoint: int | None
    dataset: int | None
    name: str
    version: int
    to: Literal["hub", "s3"]
    server: str
    place: str
    options: dict[str, Any]
    state: State
    attempt: int
    files: int
    bytes: int
    done_files: int
    done_bytes: int
    doing: str
    error: str | None
    address: str | None
    commit: str | None
    not_before: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class OneOfTwo(BaseModel):
    """Says something of a hub or of S3, of exactly one of them."""

    hub: BaseModel | None = None
    s3: BaseModel | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.hub is None) == (self.s3 is None):
            raise ValueError("say one of the two: hub or s3")
        return self


class Destination(OneOfTwo):
    """One of the two: a repository of a hub, or a prefix of a bucket. What opens it is used for this and then forgotten."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"hub": {"repository": "ada/helpful", "token": "hf_…", "private": True}},
                {
                    "s3": {
                        "bucket": "models",
                        "prefix": "helpful/v1",
                        "region": "eu-central-1",
                        "access_key_id": "AKIA…",
                        "secret_access_key": "…",
                    }
                },
            ]
        },
    )

    hub: HubPlace | None = None
    s3: S3Place | None = None

    @property
    def place(self) -> Place:
        place = self.hub or self.s3
        assert place is not None, "the model sees that there is one"
        return place


class Opened(OneOfTwo):
    """What opens the place, once more: it was forgotten at the end of the publication."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"hub": {"token": "hf_…"}}]})

    hub: HubSecret | None = None
    s3: S3Secret | None = None

    @property
    def secret(self) -> Secret:
        secret = self.hub or self.s3
        assert secret is not None, "the model sees that there is one"
        return secret


def answer(found: Seen) -> PublicationAnswer:
    row = found.row
    told = {name: getattr(row, name) for name in PublicationAnswer.model_fields if hasattr(row, name)}
    about = {"name": found.subject.name, "version": found.subject.version, "to": row.kind, "server": row.endpoint}
    counted = {"checkpoint": row.checkpoint_id, "dataset": row.dataset_id, "files": found.files, "bytes": row.n_bytes}
    return PublicationAnswer.model_validate(told | about | counted)


def _ordered(
    session: SessionDep, person: Person, kind: str, row_id: int, given: Destination, response: Response
) -> PublicationAnswer:
    row = service.order(session, person, subject_by_id(session, person, kind, row_id), given.place)
    session.refresh(row)
    response.headers["Location"] = f"/api/v1/publications/{row.id}"
    return answer(seen(session, person, row.id))


@router.post("/checkpoints/{checkpoint_id}/publications", status_code=202)
@once
def publish_checkpoint(
    checkpoint_id: RowNumber, given: Destination, person: MayPublish, session: SessionDep, response: Response
) -> PublicationAnswer:
    """Send this version's files to a hub or a bucket of your own. `Location` says where to watch it."""
    return _ordered(session, person, "checkpoints", checkpoint_id, given, response)


@router.post("/datasets/{dataset_id}/publications", status_code=202)
@once
def publish_dataset(
    dataset_id: RowNumber, given: Destination, person: MayPublish, session: SessionDep, response: Response
) -> PublicationAnswer:
    """Send the files of a dataset's version to a hub or a bucket of your own, with its data card."""
    return _ordered(session, person, "datasets", dataset_id, given, response)


@router.get("/publications")
def list_publications(
    person: MayReadAll,
    session: SessionDep,
    paging: Paging,
    checkpoint: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Of this checkpoint alone.")] = None,
    dataset: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Of this dataset alone.")] = None,
    state: Annotated[State | None, Query(description="In this state alone.")] = None,
) -> list[PublicationAnswer]:
    """List what was published outward, newest first."""
    found = publications_page(
        session, person, after=paging.after, limit=paging.limit, checkpoint=checkpoint, dataset=dataset, state=state
    )
    rows = paging.cut(found, key=lambda one: one.row.id)
    return [answer(one) for one in rows]


@router.get("/publications/{publication_id}")
def show_publication(publication_id: RowNumber, person: MayReadAll, session: SessionDep) -> PublicationAnswer:
    """Show how far a publication is, and where it is once it has arrived."""
    return answer(seen(session, person, publication_id))


@router.post("/publications/{publication_id}/cancel")
def cancel_publication(publication_id: RowNumber, person: MayPublish, session: SessionDep) -> PublicationAnswer:
    """Cancel a publication. One that waits ends at once, one that goes on within seconds. What arrived by then stays where it is."""
    service.cancel(session, person, publication_by_id(session, person, publication_id))
    return answer(seen(session, person, publication_id))


@router.post("/publications/{publication_id}/retry", status_code=202)
@once
def retry_publication(
    publication_id: RowNumber, given: Opened, person: MayPublish, session: SessionDep
) -> PublicationAnswer:
    """Publish once more what failed or was cancelled. What is there already is not sent again."""
    service.retry(session, person, publication_by_id(session, person, publication_id), given.secret)
    return answer(seen(session, person, publication_id))
