"""Pages: the frozen datasets, one of them, and the form that freezes one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access import Manager, Person
from app.datasets.form import USUAL, read
from app.datasets.order import check
from app.datasets.preview import Preview, preview
from app.datasets.queries import dataset_for, datasets_page, other_versions, runs_on
from app.datasets.service import freeze
from app.db import SessionDep
from app.download_counts import downloads
from app.errors import Mistake
from app.forms import Lists, RowNumber, Typed, last
from app.keyset import After, Limit, cut
from app.language import gettext as _
from app.models import Dataset, Project, Run
from app.pages import Page, address_of_site, go_to, render
from app.projects.queries import managed_project, managed_projects

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
    n_downloads: int
    others: Sequence[Dataset]
    runs: Sequence[Run]
    address: str


@dataclass(frozen=True, kw_only=True)
class PreviewPage(Page):
    preview: Preview | None
    mistake: Mistake | None = None


@dataclass(frozen=True, kw_only=True)
class FreezePage(PreviewPage):
    """What was typed stays in the form beside the mistake."""

    projects: Sequence[Project]
    typed: Typed


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
    projects = managed_projects(session, person)
    chosen = project or (projects[0].slug if projects else "")
    typed = USUAL | {"project": [chosen], "name": [project]}
    return render(request, "datasets/new_dataset.html", freeze_page(session, person, projects, typed))


@router.get("/datasets/new/preview")
def preview_dataset(request: Request, session: SessionDep, person: Manager) -> Response:
    """A fragment beside the form: what would be frozen now. Asked at every change of the form."""
    typed = {name: request.query_params.getlist(name) for name in request.query_params}
    seen, mistake = previewed(session, person, typed)
    return render(request, "datasets/_preview.html", PreviewPage(person=person, preview=seen, mistake=mistake))


@router.post("/datasets")
def freeze_dataset(request: Request, session: SessionDep, person: Manager, typed: Lists) -> Response:
    try:
        project = managed_project(session, person, last(typed, "project"))
        frozen = freeze(session, person, project, read(session, typed))
    except Mistake as mistake:
        page = freeze_page(session, person, managed_projects(session, person), typed, mistake)
        return render(request, "datasets/new_dataset.html", page, status=422)
    known = "" if frozen.is_new else _("Nothing has changed since this version was frozen, so there is no new one.")
    return go_to(request, f"/datasets/{frozen.dataset.id}", notice=known)


def freeze_page(
    session: SessionDep,
    person: Person,
    projects: Sequence[Project],
    typed: Typed,
    mistake: Mistake | None = None,
) -> FreezePage:
    seen = previewed(session, person, typed)[0] if projects and mistake is None else None
    return FreezePage(person=person, preview=seen, mistake=mistake, projects=projects, typed=typed)


def previewed(session: SessionDep, person: Person, typed: Typed) -> tuple[Preview | None, Mistake | None]:
    """What would be frozen, or what is wrong with the form. A name is not needed for that yet."""
    try:
        project = managed_project(session, person, last(typed, "project"))
        order = read(session, {**typed, "name": ["preview"]})
        check(order)
    except Mistake as mistake:
        return None, mistake
    return preview(session, project, order), None


@router.get("/datasets/{dataset_id}")
def dataset(dataset_id: RowNumber, request: Request, session: SessionDep, person: Manager) -> Response:
    found, project = dataset_for(session, person, dataset_id)
    page = DatasetPage(
        person=person,
        dataset=found,
        project=project,
        counts=found.counts,
        n_bytes=sum(file["size"] for file in found.files),
        n_downloads=downloads(session, found),
        others=other_versions(session, found),
        runs=runs_on(session, found) if person.is_admin else (),
        address=address_of_site(request),
    )
    return render(request, "datasets/dataset.html", page)
