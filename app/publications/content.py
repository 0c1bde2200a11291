"""What is sent: every file of one version, with a card that names the place it goes to, and its checksums.

A checkpoint's files are what its trainer published, its model card among them. A dataset gets its data card, by whose head
`load_dataset` finds the splits. Annotators are in neither by more than the pseudonyms that the files have already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.checkpoints.queries import there
from app.hub.commits import CARD
from app.hub.dataset_card import card
from app.models import Checkpoint, Dataset, Publication
from app.storage import Stored

Subject = Checkpoint | Dataset
LAST = (CARD, "manifest.json")
"""What says that the rest is there comes after it, where files arrive one by one."""


@dataclass(frozen=True)
class Content:
    """`stored` are files in storage below `prefix`; `made` are bytes by path that follow from the row."""

    prefix: str
    stored: Sequence[Stored]
    made: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        return sorted([*(file.path for file in self.stored), *self.made])

    @property
    def n_bytes(self) -> int:
        return sum(file.size for file in self.stored) + sum(map(len, self.made.values()))


def content(subject: Subject, loads: Sequence[str] = ()) -> Content:
    """`loads` is what a dataset's card tells to load. Raises NotFound for a checkpoint whose files are gone."""
    made = {}
    if isinstance(subject, Checkpoint):
        there(subject)
    elif all(file["path"] != CARD for file in subject.files):
        made[CARD] = card(subject, loads or (f"{subject.name}-v{subject.version}",))
    stored = [Stored(file["path"], file["size"], file["sha256"]) for file in subject.files]
    return Content(subject.prefix, sorted(stored, key=lambda file: (file.path in LAST, file.path)), made)


def subject_of(session: Session, publication: Publication) -> Subject:
    if publication.checkpoint_id is not None:
        return session.get_one(Checkpoint, publication.checkpoint_id)
    assert publication.dataset_id is not None, "the database sees that a publication has a subject"
    return session.get_one(Dataset, publication.dataset_id)
