"""Runs that wait in the queue, made without the rooms that people would order them through."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.db import work_unit
from app.models import Dataset, Project, Run, User


def ordered_run(by: User, **changes: Any) -> int:
    """Its id. Nothing is rung: the stories do that, or lose the message."""
    with work_unit() as session:
        dataset = Dataset(
            project_id=_project(session),
            name="capitals",
            version=session.scalar(text("SELECT count(*) + 1 FROM dataset")),
            filters={},
            split={},
            counts={},
            sha256="0" * 64,
            prefix="datasets/none",
            files=[],
            created_by=by.id,
        )
        session.add(dataset)
        session.flush()  # the run needs its id
        order = {"method": "sft", "settings": {}, "base_model": "blank", "checkpoint_name": "capitals-sft"}
        run = Run(dataset_id=dataset.id, created_by=by.id, **(order | changes))
        session.add(run)
        session.flush()  # as above
        return run.id


def _project(session: Session) -> int:
    project = Project(slug=f"capitals-{session.scalar(text('SELECT count(*) FROM project'))}", name="C", kind="pair")
    session.add(project)
    session.flush()  # the dataset needs its id
    return project.id


def run_row(run_id: int, columns: Sequence[str] = ("*",)) -> Row[Any]:
    with work_unit() as session:
        return session.execute(text(f"SELECT {', '.join(columns)} FROM run WHERE id = {run_id}")).one()


def change_run(run_id: int, assignments: str) -> None:
    with work_unit() as session:
        session.execute(text(f"UPDATE run SET {assignments} WHERE id = {run_id}"))
