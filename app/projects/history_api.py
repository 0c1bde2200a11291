"""What was done to a project, and how it is getting on, for programs of whoever manages it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from app.access import MayRead
from app.db import SessionDep
from app.deeds import told
from app.keyset import Paging
from app.projects.live import live
from app.projects.queries import history, managed_project

router = APIRouter(tags=["projects"])


class ProjectDeed(BaseModel):
    """`words` say it in a sentence; `user_name` is null for the command line."""

    id: int
    at: datetime
    user_name: str | None
    action: str
    words: str
    detail: dict[str, Any]


class StandingAnswer(BaseModel):
    """In judgments: wanted = done + leased + open + set_aside."""

    items: int
    wanted: int
    done: int
    leased: int
    open: int
    set_aside: int


class AnnotatorAnswer(BaseModel):
    """`recently` is in the last 24 hours; shares are of all they judged; `median_s` is of their newest judgments."""

    name: str
    is_disabled: bool
    in_all: int
    today: int
    recently: int
    tie_share: float
    skip_share: float
    median_s: float | None
    last: datetime


class ProgressAnswer(BaseModel):
    """`rate` is judgments an hour in the last day; `end` when that will be all of them, null while nobody can tell."""

    standing: StandingAnswer
    rate: float
    end: datetime | None
    annotators: list[AnnotatorAnswer]


@router.get("/projects/{slug}/history")
def list_project_history(slug: str, person: MayRead, session: SessionDep, paging: Paging) -> list[ProjectDeed]:
    """List what was done to the project and by whom, newest first. Judgments are not in it."""
    project = managed_project(session, person, slug)
    rows = paging.cut(history(session, project, after=paging.after, limit=paging.limit), key=lambda row: row[0].id)
    return [
        ProjectDeed(
            id=row.id, at=row.at, user_name=name, action=row.action, words=told(row, name).words, detail=row.detail
        )
        for row, name in rows
    ]


@router.get("/projects/{slug}/progress")
def show_progress(slug: str, person: MayRead, session: SessionDep) -> ProgressAnswer:
    """Show what is done, how fast, by whom, and when it will be over."""
    now = live(session, managed_project(session, person, slug))
    return ProgressAnswer(
        standing=StandingAnswer.model_validate(asdict(now.standing)),
        rate=now.rate,
        end=now.end,
        annotators=[AnnotatorAnswer.model_validate(asdict(one)) for one in now.annotators],
    )
