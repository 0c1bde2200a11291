"""Verb on a run's tags and its note: what people want to find it by, and to remember of it. Nothing that determines a run."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.access import Person
from app.errors import BadInput
from app.language import gettext as _
from app.models import Audit, Run

MOST_TAGS = 12
LONGEST_TAG = 40
LONGEST_NOTE = 4000


def label_run(
    session: Session, person: Person, run: Run, *, tags: Sequence[str] | None = None, note: str | None = None
) -> Run:
    """What is None stays as it is. Raises BadInput that names the field."""
    before = (run.tags, run.note)
    if tags is not None:
        run.tags = checked_tags(tags)
    if note is not None:
        if len(note) > LONGEST_NOTE:
            raise BadInput(_("A note has %(n)d characters at most.", n=LONGEST_NOTE), field="note")
        run.note = note.replace("\0", "").strip()
    if (run.tags, run.note) != before:
        session.add(
            Audit(user_id=person.id, action="run.labelled", subject=run.checkpoint_name, detail={"run": run.id})
        )
    return run


def checked_tags(tags: Sequence[str]) -> list[str]:
    """Each once, without space around it, in the order they were given."""
    kept = list(dict.fromkeys(tag for each in tags if (tag := " ".join(each.replace("\0", "").split()))))
    if len(kept) > MOST_TAGS:
        raise BadInput(_("A run has %(n)d tags at most.", n=MOST_TAGS), field="tags")
    for tag in kept:
        if len(tag) > LONGEST_TAG or "," in tag:
            raise BadInput(
                _("A tag has %(n)d characters at most, and no comma: “%(tag)s”.", n=LONGEST_TAG, tag=tag[:60]),
                field="tags",
            )
    return kept
