"""Pages: the frozen datasets, one of them, and the form that freezes one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from app.access import Manager
from app.datasets.order import Filters, Order, SplitRule
from app.datasets.queries import dataset_for, datasets_page, other_versions, runs_on
from app.datasets.service import freeze
from app.db import SessionDep
from app.errors import Mistake
from app.keyset import After, Limit, cut
from app.language import gettext as _
from app.models import Dataset, Project, Run
from app.pages import Page, go_to, render
from app.projects.queries import managed_project, managed_projects
from app.settings import get_settings

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class DatasetsPage(Page):
    datasets: Sequence[tuple[Dataset, str]]
    next_after: int | None


@dataclass(frozen=True, kw_only=True)
class DatasetPage(Page):
    dataset: Dataset
    project: Project
    counts: Mapping[str, Any]
    n_bytes: int
    others: Sequence[Dataset]
    runs: Sequence[Run]
    address: str


@dataclass(frozen=True, kw_only=True)
class FreezePage(Page):
    """What was typed stays in the form beside the mistake."""

    projects: Sequence[Project]
    project: str = ""
    name: str = ""
    split: str = "prompt"
    test: float = 0.1
    seed: int = 0
    field: str = "metadata.split"
    only_human: bool = False
    mistake: Mistake | None = None


@router.get("/datasets")
def datasets(
    request: Request, session: SessionDep, person: Manager, after: After = None, limit: Limit = 50
) -> Response:
    page = cut(datasets_page(session, person, after=after, limit=limit), limit, key=lambda row: row[0].id)
    shown = DatasetsPage(person=person, datasets=page.rows, next_after=page.next_after)
    return render(request, "datasets/datasets.html", shown)


@router.get("/datasets/new")
def new_dataset(request: Request, session: SessionDep, person: Manager, project: str = "") -> Response:
    """`project` is chosen already when one comes from its page."""
    page = FreezePage(person=person, projects=managed_projects(session, person), project=project, name=project)
    return render(request, "datasets/new_dataset.html", page)


@router.post("/datasets")
def freeze_dataset(
    request: Request,
    session: SessionDep,
    person: Manager,
    project: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    split: Annotated[str, Form()] = "prompt",
    test: Annotated[float, Form()] = 0.1,
    seed: Annotated[int, Form()] = 0,
    field: Annotated[str, Form()] = "metadata.split",
    only_human: Annotated[bool, Form()] = False,
) -> Response:
    rule = SplitRule(by=field.strip()) if split == "metadata" else SplitRule(test=test, seed=seed)
    filters = Filters(judge_kinds=("human",)) if only_human else Filters()
    order = Order(name=name.strip(), split=rule, filters=filters)
    try:
        frozen = freeze(session, person, managed_project(session, person, project), order)
    except Mistake as mistake:
        page = FreezePage(
            person=person,
            projects=managed_projects(session, person),
            project=project,
            name=name,
            split=split,
            test=test,
            seed=seed,
            field=field,
            only_human=only_human,
            mistake=mistake,
        )
        return render(request, "datasets/new_dataset.html", page, status=422)
    known = "" if frozen.is_new else _("Nothing has changed since this version was frozen, so there is no new one.")
    return go_to(request, f"/datasets/{frozen.dataset.id}", notice=known)


@router.get("/datasets/{dataset_id}")
def dataset(dataset_id: int, request: Request, session: SessionDep, person: Manager) -> Response:
    found, project = dataset_for(session, person, dataset_id)
    page = DatasetPage(
        person=person,
        dataset=found,
        project=project,
        counts=found.counts,
        n_bytes=sum(file["size"] for file in found.files),
        others=other_versions(session, found),
        runs=runs_on(session, found) if person.is_admin else (),
        address=get_settings().public_url.rstrip("/") or str(request.base_url).rstrip("/"),
    )
    return render(request, "datasets/dataset.html", page)
