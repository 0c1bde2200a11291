"""Take records in: groups become items, tiers become judgments of an imported judge, bad ones are named."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import exists, or_, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.access import Person
from app.db import among, insert_rows
from app.errors import BadInput, BadJudgment, BadRecord, Conflict
from app.imports.formats import Record, recognise
from app.imports.found import Found
from app.imports.reading import records
from app.imports.transcripts import printable
from app.judgments.bulk import Fate, Judged, store_imported
from app.kinds import Asked, Kind, Verdict, kind_named
from app.language import gettext
from app.models import Audit, Item, Membership, Project, User
from app.models.table import Json
from app.preference import dense, has_order
from app.prompts.service import StoredItem, right_answer, store
from app.settings import get_settings

BATCH = 500
MOST_ERRORS = 1000
WAIT_S = 30
UNNAMED = "imported"
ACTION = "items.imported"
_T = TypeVar("_T")
_Placed = tuple[Found, Record, StoredItem]


@dataclass(slots=True)
class Report:
    """What became of a file. `errors` names the first thousand bad lines; `failed` counts them all."""

    id: int = 0
    imported: int = 0
    duplicates: int = 0
    judgments: int = 0
    failed: int = 0
    errors: list[Json] = field(default_factory=list)

    def fail(self, found: Found, message: str) -> None:
        self.failed += 1
        if len(self.errors) < MOST_ERRORS:
            where = "" if found.element is None else gettext("record %(n)s:", n=found.element) + " "
            self.errors.append({"line": found.line, "message": where + printable(message)})


def import_file(session: Session, project: Project, person: Person, path: Path) -> Report:
    """Import a file of this machine. Raises BadInput, TooLarge, Conflict; then nothing is stored."""
    try:
        file = path.open("rb")
    except OSError as problem:
        raise BadInput(
            gettext("%(path)s cannot be read: %(problem)s", path=path, problem=problem.strerror), field="file"
        ) from None
    with file:
        stream = records(file, limit_bytes=upload_limit_bytes(), name=path.name)
        return import_records(session, project, person, stream, source=path.name)


def upload_limit_bytes() -> int:
    return get_settings().upload_limit_mb << 20


def import_records(
    session: Session, project: Project, person: Person, stream: Iterable[Found], *, source: str = ""
) -> Report:
    """Store what a stream brings, all of it or, when the stream raises, nothing. Importing it again adds nothing."""
    _wait_for_turn(session, project)
    report = Report()
    judges: dict[str, int] = {}
    with session.begin_nested():
        for batch in _batches(stream, BATCH):
            _import_batch(session, project, batch, judges, report)
    detail = {
        "source": printable(source[:200]),
        "imported": report.imported,
        "duplicates": report.duplicates,
        "judgments": report.judgments,
        "failed": report.failed,
        "errors": report.errors,
    }
    audit = Audit(user_id=person.id, action=ACTION, subject=project.slug, detail=detail)
    session.add(audit)
    session.flush()  # the page of this import is addressed by the row's id
    report.id = audit.id
    return report


def _wait_for_turn(session: Session, project: Project) -> None:
    """One import at a time into a project: two that bring the same content would else both think it new.

    The lock leaves judging alone, which only asks that the project's row stays.
    """
    try:
        with session.begin_nested():  # whoever is told to come back later is shown the page, from this transaction
            session.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": f"{WAIT_S}s"})
            session.execute(select(Project.id).where(Project.id == project.id).with_for_update(key_share=True))
            session.execute(text("SELECT set_config('lock_timeout', '0', true)"))
    except OperationalError as problem:
        if isinstance(problem.orig, LockNotAvailable):
            raise Conflict(
                gettext("another import into this project is still going on; try again when it is done")
            ) from None
        raise


def _batches(stream: Iterable[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(stream)
    while batch := list(islice(rest, size)):
        yield batch


def _import_batch(
    session: Session, project: Project, batch: Sequence[Found], judges: dict[str, int], report: Report
) -> None:
    kept = list(_reserved(session, project, list(_recognised(project, batch, report)), report))
    stored = store(session, project, [replace(record.group, placing=record.placing) for _, record in kept])
    placed = []
    for (found, record), item in zip(kept, stored, strict=True):
        if item is None:
            name = record.group.external_id
            report.fail(
                found,
                gettext(
                    "the id “%(name)s” belongs to an item with other content already; give this one its own", name=name
                ),
            )
        else:
            placed.append((found, record, item))
    placed = list(_as_gold(session, placed, report))
    with_verdict = [one for one in placed if one[1].is_judged]
    _find_judges(session, project, {record.annotator or UNNAMED for _, record, _ in with_verdict}, judges)
    judged = [_judged(record, item, judges) for _, record, item in with_verdict]
    fates = iter(store_imported(session, project, judged))
    for found, record, item in placed:
        fate = next(fates) if record.is_judged else None
        if fate is Fate.CONTRADICTS:
            who = record.annotator or UNNAMED
            report.fail(
                found,
                gettext("“%(who)s” has judged these responses otherwise already; name another “annotator”", who=who),
            )
            continue
        report.imported += item.is_new
        report.duplicates += not item.is_new
        report.judgments += fate is Fate.STORED


def _reserved(
    session: Session, project: Project, kept: Sequence[tuple[Found, Record]], report: Report
) -> Iterator[tuple[Found, Record]]:
    """With the person that an item is reserved for, who must be let into the project first."""
    named = {record.reserved_for.lower() for _, record in kept if record.reserved_for}
    member = exists().where(Membership.user_id == User.id, Membership.project_id == project.id)
    people: dict[str | None, int] = {}
    if named:
        may_judge = or_(User.role == "admin", member)
        people = dict(session.execute(select(User.email, User.id).where(among(User.email, named), may_judge)).all())
    for found, record in kept:
        if not record.reserved_for:
            yield found, record
        elif (person := people.get(record.reserved_for.lower())) is not None:
            yield found, replace(record, placing=replace(record.placing, reserved_for=person))
        else:
            report.fail(
                found,
                gettext(
                    "“reserved_for”: nobody with the address %(email)s may judge here; let them in first",
                    email=record.reserved_for,
                ),
            )


def _as_gold(session: Session, placed: Sequence[_Placed], report: Report) -> Iterator[_Placed]:
    """Without those that call an item gold which is there already and is not, or has another answer."""
    known = {item.id for _, record, item in placed if record.placing.gold and not item.is_new}
    golds = dict(session.execute(select(Item.id, Item.gold).where(among(Item.id, known))).all()) if known else {}
    for found, record, item in placed:
        gold = golds.get(item.id)
        if item.id not in golds or not record.placing.gold:
            yield found, record, item
        elif gold is None:
            report.fail(
                found, gettext("this item is there already and is not gold; make it a known answer on its page")
            )
        elif gold != right_answer(dict(zip(item.response_ids, record.tiers, strict=True))):
            report.fail(found, gettext("this item is gold already, with another answer; change it on its page"))
        else:
            yield found, record, item


def _recognised(project: Project, batch: Sequence[Found], report: Report) -> Iterator[tuple[Found, Record]]:
    kind = kind_named(project.kind)
    for found in batch:
        if found.problem is not None:
            report.fail(found, found.problem)
            continue
        try:
            record = recognise(found.value)
            _check_fits(record, kind, project)
        except (BadRecord, BadJudgment) as problem:
            report.fail(found, problem.message)
        else:
            yield found, record


def _check_fits(record: Record, kind: Kind, project: Project) -> None:
    """Whether the project's kind takes this many responses, and its rules this verdict."""
    count = len(record.group.responses)
    if count not in kind.SIZES:
        low, high = kind.SIZES.start, kind.SIZES.stop - 1
        wanted = gettext("exactly %(n)s", n=low) if low == high else gettext("%(low)s to %(high)s", low=low, high=high)
        raise BadRecord(
            gettext(
                "this record has %(n)s responses; a project of the kind “%(kind)s” takes %(wanted)s",
                n=count,
                kind=kind.NAME,
                wanted=wanted,
            )
        )
    if record.tiers:
        places = [UUID(int=place) for place in range(count)]
        kind.check(_verdict(record, places), places, Asked(project.outcomes))


def _verdict(record: Record, response_ids: Sequence[UUID]) -> Verdict:
    tiers = dense(dict(zip(response_ids, record.tiers, strict=True)))
    return Verdict("ranked" if has_order(record.tiers) else "tie", tiers)


def _judged(record: Record, item: StoredItem, judges: dict[str, int]) -> Judged:
    judge = judges[record.annotator or UNNAMED]
    return Judged(item.id, item.prompt_id, judge, _verdict(record, item.response_ids))


def _find_judges(session: Session, project: Project, names: set[str], judges: dict[str, int]) -> None:
    """Rows for annotators that are met for the first time; `judges` remembers them over the batches."""
    missing = names - judges.keys()
    if not missing:
        return
    rows = [{"name": name, "judge_kind": "imported", "project_id": project.id} for name in sorted(missing)]
    session.execute(insert_rows(User, rows).on_conflict_do_nothing())
    found = select(User.name, User.id).where(
        User.project_id == project.id, User.judge_kind == "imported", among(User.name, missing)
    )
    judges.update(session.execute(found).all())
