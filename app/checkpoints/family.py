"""What a checkpoint came from besides its own run's dataset, and what was made from it: bases, descendants, and what it wrote.

The facts of a run name what it started from or asked with the sum of its manifest (`Checkpoint.exactly`), so these
questions are answered by what was really used, whatever the order's words mean by now.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, literal_column, or_, select
from sqlalchemy.orm import Session

from app.access import Person, within
from app.models import Checkpoint, Dataset, Project, Prompt, Response, Run
from app.models.checkpoint import HUB_OWNER
from app.runs.queries import newest_checkpoint

ROLES = ("started_from", "reference", "scored_by")
SETTINGS = ("reference", "scores")
MOST_SHOWN = 100
DEEPEST = 20
_EXACTLY = re.compile(r"(?P<name>\S+) v(?P<version>\d{1,9}), manifest (?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Child:
    """A run that used a checkpoint: as its start, as the reference, or for its scores; and what it left, if it did."""

    run: Run
    role: str
    checkpoint: Checkpoint | None


@dataclass(frozen=True, slots=True)
class Written:
    """Responses that a checkpoint wrote and that are judged in a project now, with the datasets frozen since."""

    project: Project
    n_responses: int
    datasets: Sequence[Dataset]


@dataclass(frozen=True, slots=True)
class Family:
    bases: Sequence[Checkpoint]
    children: Sequence[Child]
    written: Sequence[Written]


def family(session: Session, person: Person, checkpoint: Checkpoint, run: Run) -> Family:
    """As far as the person's token reaches."""
    theirs = [base for base in bases(session, run) if _reaches(session, person, base)]
    return Family(theirs, children(session, person, checkpoint), written(session, person, checkpoint))


def _reaches(session: Session, person: Person, base: Checkpoint) -> bool:
    if person.projects is None:
        return True
    made_on = session.get_one(Dataset, session.get_one(Run, base.run_id).dataset_id)
    return person.reaches(made_on.project_id)


def bases(session: Session, run: Run) -> Sequence[Checkpoint]:
    """The checkpoint that the run started from, the one that that one's run started from, and so on: nearest first."""
    found: list[Checkpoint] = []
    while len(found) < DEEPEST and (base := _named(session, str(run.facts.get("started_from", "")))) is not None:
        found.append(base)
        run = session.get_one(Run, base.run_id)
    return found


def _named(session: Session, exactly: str) -> Checkpoint | None:
    words = _EXACTLY.fullmatch(exactly)
    if words is None:
        return None
    same = (Checkpoint.name == words["name"], Checkpoint.version == int(words["version"]))
    return session.scalars(select(Checkpoint).where(*same, Checkpoint.sha256 == words["sha256"])).one_or_none()


def children(session: Session, person: Person, checkpoint: Checkpoint) -> Sequence[Child]:
    """Newest first; a run that was extended comes once for each version that it left."""
    rows = session.execute(
        select(Run, Checkpoint)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .outerjoin(Checkpoint, Checkpoint.run_id == Run.id)
        .where(used_by_run(checkpoint), within(person, Dataset.project_id))
        .order_by(Run.id.desc(), Checkpoint.version.desc())
        .limit(MOST_SHOWN)
    )
    return [Child(run, _role(run, checkpoint), made) for run, made in rows]


def used_by_run(checkpoint: Checkpoint) -> ColumnElement[bool]:
    """Whether a run has loaded it."""
    return or_(*(Run.facts[role].astext == checkpoint.exactly for role in ROLES))


def _role(run: Run, checkpoint: Checkpoint) -> str:
    return next(role for role in ROLES if run.facts.get(role) == checkpoint.exactly)


def named_by_order(session: Session, checkpoint: Checkpoint) -> ColumnElement[bool]:
    """Whether the order of a run means it: by its version, or by its bare name while it is the newest."""
    words = [f"{checkpoint.name}@v{checkpoint.version}"]
    newest = newest_checkpoint(session, checkpoint.name)
    if newest is not None and newest.id == checkpoint.id:
        words.append(checkpoint.name)
    return or_(Run.base_model.in_(words), *(Run.settings[name].astext.in_(words) for name in SETTINGS))


def written(session: Session, person: Person, checkpoint: Checkpoint) -> Sequence[Written]:
    """By project, for responses whose model is named as the hub names this version: `tiebreak/name@v3`."""
    model = f"{HUB_OWNER}/{checkpoint.name}@v{checkpoint.version}"
    # Said as the index of such responses says it, so that it is used.
    is_ours: ColumnElement[bool] = literal_column(f"response.model LIKE '{HUB_OWNER}/%'")
    counted = (
        select(Project, func.count(Response.id.distinct()), func.min(Response.created_at))
        .select_from(Response)
        .join(Prompt, Prompt.id == Response.prompt_id)
        .join(Project, Project.id == Prompt.project_id)
        .where(and_(Response.model == model, is_ours), within(person, Prompt.project_id))
        .group_by(Project.id)
        .order_by(Project.name)
    )
    return [
        Written(project, n, _frozen_since(session, project, since)) for project, n, since in session.execute(counted)
    ]


def _frozen_since(session: Session, project: Project, since: object) -> Sequence[Dataset]:
    later = select(Dataset).where(Dataset.project_id == project.id, Dataset.created_at >= since)
    return session.scalars(later.order_by(Dataset.id.desc()).limit(MOST_SHOWN)).all()
