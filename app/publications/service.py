"""Verbs on publications: order one, cancel it, order it once more.

What opens the other place is given with the order and travels one way. It is sealed into the row here, unsealed by the one
process that uses it (`push.py`), and taken out of the row by whatever ends the publication, in the same statement. It is in
no message, no log line, no audit line, no answer and no page; so a publication that is over can only go on with the secret
given again. One that nothing takes up is ended after a day (`leases.py`), so that none lies about.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.errors import UniqueViolation
from sqlalchemy import func, null, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.access import Person
from app.doorbell import ring
from app.errors import BadInput, Conflict
from app.language import gettext as _
from app.models import Audit, Checkpoint, Publication
from app.publications.content import Subject, content, subject_of
from app.publications.leases import ENDED, JOB
from app.publications.places import HubSecret, Place, Secret, as_words, check_secret, check_server
from app.sealing import seal


def order(session: Session, person: Person, subject: Subject, place: Place) -> Publication:
    """Raises BadInput, NotAllowed, NotFound, and Conflict where something is on its way to that place already."""
    place.check(f"{subject.name}/v{subject.version}")
    found = content(subject)
    is_checkpoint = isinstance(subject, Checkpoint)
    made = Publication(
        checkpoint_id=subject.id if is_checkpoint else None,
        dataset_id=None if is_checkpoint else subject.id,
        kind=place.kind,
        endpoint=place.server,
        place=place.name,
        options=dict(place.options),
        secret=seal(as_words(place.secret)),
        state="queued",
        paths=found.paths,
        n_bytes=found.n_bytes,
        created_by=person.id,
    )
    with _alone(session, made):
        session.add(made)
        session.flush()
    ring(session, JOB, made.id)
    _tell(session, person, "publication.ordered", made)
    return made


@contextmanager
def _alone(session: Session, publication: Publication) -> Iterator[None]:
    """Of two on their way to the same place, the later one is told so."""
    try:
        with session.begin_nested():
            yield
    except IntegrityError as problem:
        if not isinstance(problem.orig, UniqueViolation):
            raise
        raise Conflict(
            _("something is on its way to %(place)s already; wait for its end, or cancel it", place=publication.place),
            field="repository" if publication.kind == "hub" else "bucket",
        ) from None


def cancel(session: Session, person: Person, publication: Publication) -> None:
    """One that waits ends at once, one that goes on within seconds. Raises Conflict for one that is over."""
    mine = update(Publication).where(Publication.id == publication.id)
    ended = mine.where(Publication.state == "queued").values(state="cancelled", **ENDED)
    asked = mine.where(Publication.state.in_(("running", "cancelling"))).values(state="cancelling")
    if not any(session.execute(one.returning(Publication.id)).all() for one in (ended, asked)):
        raise Conflict(_("this publication is over; there is nothing to cancel"))
    session.refresh(publication)
    _tell(session, person, "publication.cancelled", publication)


def retry(session: Session, person: Person, publication: Publication, secret: Secret) -> None:
    """The same to the same place; what is there already is not sent again. Raises Conflict for one that is not over."""
    if isinstance(secret, HubSecret) != (publication.kind == "hub"):
        raise BadInput(_("a hub wants a token, a bucket an access key and its secret"), field="token")
    check_secret(secret)
    check_server(publication.kind, publication.endpoint)
    content(subject_of(session, publication))
    again: dict[str, Any] = dict.fromkeys(("error", "finished_at", "not_before"), null())
    again |= {"in_vain": 0, "waiting_since": func.now(), "created_by": person.id}
    with _alone(session, publication):
        begun = session.execute(
            update(Publication)
            .where(Publication.id == publication.id, Publication.state.in_(("failed", "cancelled")))
            .values(state="queued", secret=seal(as_words(secret)), **again)
            .returning(Publication.id)
        ).all()
    if not begun:
        raise Conflict(_("this publication is under way, or it is there already"))
    ring(session, JOB, publication.id)
    session.refresh(publication)
    _tell(session, person, "publication.retried", publication)


def _tell(session: Session, person: Person, action: str, publication: Publication) -> None:
    subject = subject_of(session, publication)
    where = {"server": publication.endpoint, "place": publication.place, **publication.options}
    detail = {"publication": publication.id, "version": subject.version, **where}
    session.add(Audit(user_id=person.id, action=action, subject=subject.name, detail=detail))
