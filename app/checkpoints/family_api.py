"""A checkpoint's family for programs: what it was made from, what was made from it, and what it wrote."""

from fastapi import APIRouter
from pydantic import BaseModel

from app.access import MayReadAll
from app.checkpoints.family import family
from app.checkpoints.queries import lineage
from app.db import SessionDep
from app.forms import RowNumber
from app.models import Checkpoint, Dataset

router = APIRouter(tags=["checkpoints"])


class VersionAnswer(BaseModel):
    id: int
    name: str
    version: int


class RelativeAnswer(BaseModel):
    """`role` is what the run used it as: started_from, reference or scored_by; `checkpoint` what the run left, if it did."""

    run: int
    role: str
    checkpoint: VersionAnswer | None


class WrittenAnswer(BaseModel):
    """Responses of it that are judged in a project, and the datasets frozen there since."""

    project: str
    responses: int
    datasets: list[VersionAnswer]


class FamilyAnswer(BaseModel):
    """`bases` go back from the nearest; `dataset` and `run` are those it was made by itself."""

    dataset: VersionAnswer
    run: int
    bases: list[VersionAnswer]
    descendants: list[RelativeAnswer]
    written: list[WrittenAnswer]


def _version(one: Checkpoint | Dataset) -> VersionAnswer:
    return VersionAnswer(id=one.id, name=one.name, version=one.version)


@router.get("/checkpoints/{checkpoint_id}/family")
def show_family(checkpoint_id: RowNumber, person: MayReadAll, session: SessionDep) -> FamilyAnswer:
    """Show what a published model was made from, what was made from it, and what it wrote that people judge.

    What lies beyond the bounds of a token is left out.
    """
    found = lineage(session, person, checkpoint_id)
    told = family(session, person, found.checkpoint, found.run)
    return FamilyAnswer(
        dataset=_version(found.dataset),
        run=found.run.id,
        bases=[_version(base) for base in told.bases],
        descendants=[
            RelativeAnswer(
                run=one.run.id, role=one.role, checkpoint=_version(one.checkpoint) if one.checkpoint else None
            )
            for one in told.children
        ],
        written=[
            WrittenAnswer(
                project=one.project.slug, responses=one.n_responses, datasets=[_version(each) for each in one.datasets]
            )
            for one in told.written
        ],
    )
