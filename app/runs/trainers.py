"""Trainers as people and programs see them: alive, at work on what, with how much memory free; and what waits in each queue."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.access import Admin, MayReadAll, Person, within
from app.db import SessionDep
from app.doorbell import QUEUES, messages_waiting
from app.models import Dataset, Preflight, Run, Trainer
from app.pages import Page, render
from app.run_states import LIVE
from app.runs.queries import LIVE_FOR
from app.runs.usage import Facts, of_machine

api = APIRouter(tags=["runs"])
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Seen:
    trainer: Trainer
    is_live: bool
    runs: Sequence[Run]
    usage: Facts


class QueueAnswer(BaseModel):
    """`rows` are runs or questions that wait, which is the truth; `messages` what the broker holds, null when it is away."""

    name: str
    rows: int | None
    messages: int | None


class RunOfTrainer(BaseModel):
    id: int
    checkpoint_name: str
    state: str
    step: int
    total_steps: int | None


class TrainerAnswer(BaseModel):
    """`usage` is what its machine has: memory and memory_free in bytes, cores, load, and the same of each GPU."""

    name: str
    device: str
    is_live: bool
    last_seen_at: datetime
    started_at: datetime
    methods: list[str]
    versions: dict[str, Any]
    usage: dict[str, Any]
    runs: list[RunOfTrainer]


class TrainersAnswer(BaseModel):
    trainers: list[TrainerAnswer]
    queues: list[QueueAnswer]


@dataclass(frozen=True, kw_only=True)
class TrainersPage(Page):
    seen: Sequence[Seen]
    queues: Sequence[QueueAnswer]


def trainers_seen(session: Session, person: Person) -> list[Seen]:
    """Those that live first; with the runs that each holds now, as far as the person's token reaches."""
    held: dict[str, list[Run]] = defaultdict(list)
    theirs = select(Run).join(Dataset, Dataset.id == Run.dataset_id).where(within(person, Dataset.project_id))
    for run in session.scalars(theirs.where(Run.state.in_(LIVE)).order_by(Run.id)):
        held[run.owner or ""].append(run)
    is_live = (Trainer.last_seen_at > func.now() - LIVE_FOR).label("is_live")
    rows = session.execute(select(Trainer, is_live).order_by(is_live.desc(), Trainer.name))
    return [Seen(trainer, lives, held[trainer.name], of_machine(trainer.usage)) for trainer, lives in rows]


def queues(session: Session, person: Person) -> Iterator[QueueAnswer]:
    """What waits, as far as the person's token reaches; a message says of no project, so bounds leave them out."""
    waiting = {"train": _waiting(session, person, Run), "quick": _waiting(session, person, Preflight)}
    for name in dict.fromkeys(QUEUES.values()):
        messages = _messages(name) if person.projects is None else None
        yield QueueAnswer(name=name, rows=waiting.get(name), messages=messages)


def _waiting(session: Session, person: Person, table: type[Run] | type[Preflight]) -> int:
    theirs = select(func.count()).select_from(table).join(Dataset, Dataset.id == table.dataset_id)
    return session.scalars(theirs.where(table.state == "queued", within(person, Dataset.project_id))).one()


def _messages(queue: str) -> int | None:
    """None while the broker is away: rows and trainers are still worth showing."""
    try:
        return messages_waiting(queue)
    except SQLAlchemyError:
        raise
    except Exception:  # noqa: BLE001 -- each kind of broker has errors of its own
        return None


@router.get("/trainers")
def trainers(request: Request, session: SessionDep, person: Admin) -> Response:
    shown = TrainersPage(person=person, seen=trainers_seen(session, person), queues=list(queues(session, person)))
    return render(request, "runs/trainers.html", shown)


@api.get("/trainers")
def list_trainers(person: MayReadAll, session: SessionDep) -> TrainersAnswer:
    """List the trainers that were seen within a week, with what they work on, and what waits in each queue."""
    return TrainersAnswer(
        trainers=[_answer(seen) for seen in trainers_seen(session, person)],
        queues=list(queues(session, person)),
    )


def _answer(seen: Seen) -> TrainerAnswer:
    trainer = seen.trainer
    return TrainerAnswer(
        name=trainer.name,
        device=trainer.device,
        is_live=seen.is_live,
        last_seen_at=trainer.last_seen_at,
        started_at=trainer.started_at,
        methods=[method["name"] for method in trainer.methods],
        versions=trainer.versions,
        usage=trainer.usage,
        runs=[RunOfTrainer.model_validate(run, from_attributes=True) for run in seen.runs],
    )
