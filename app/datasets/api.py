"""Datasets for programs: freeze one, list them, fetch their files."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.access import MayExport, MayReadData
from app.datasets.order import Order, check
from app.datasets.preview import preview
from app.datasets.queries import dataset_for, datasets_page
from app.datasets.service import freeze
from app.db import SessionDep
from app.download_counts import count
from app.downloads import download, listed
from app.forms import RowNumber
from app.idempotency import once
from app.keyset import Named, Paging
from app.models import Dataset
from app.projects.queries import managed_project

router = APIRouter(tags=["datasets"])


class DatasetAnswer(BaseModel):
    id: int
    name: str
    version: int
    project: str
    filters: dict[str, Any]
    split: dict[str, Any]
    settings: dict[str, Any]
    counts: dict[str, Any]
    summary: dict[str, Any]
    sha256: str
    files: list[dict[str, Any]]
    created_at: datetime


class PreviewAnswer(BaseModel):
    """`per_item` is {judgments: items}, `agreement` {tenths: items that several people judged}."""

    prompts: int
    items: int
    judgments: int
    rows: int
    annotators: int
    outcomes: dict[str, int]
    per_item: dict[int, int]
    agreement: dict[int, int]


def answer(dataset: Dataset, project: str) -> DatasetAnswer:
    return DatasetAnswer(
        id=dataset.id,
        name=dataset.name,
        version=dataset.version,
        project=project,
        filters=dataset.filters,
        split=dataset.split,
        settings=dataset.settings,
        counts=dataset.counts,
        summary=dataset.summary,
        sha256=dataset.sha256,
        files=dataset.files,
        created_at=dataset.created_at,
    )


@router.post("/projects/{slug}/datasets", status_code=201)
@once
def freeze_dataset(
    slug: str, order: Order, person: MayExport, session: SessionDep, response: Response
) -> DatasetAnswer:
    """Freeze a version of a dataset. It is 201 for a new version, 200 with the newest one when nothing has changed since."""
    project = managed_project(session, person, slug)
    frozen = freeze(session, person, project, order)
    if not frozen.is_new:
        response.status_code = 200
    return answer(frozen.dataset, project.slug)


@router.post("/projects/{slug}/datasets/preview")
def preview_dataset(slug: str, order: Order, person: MayExport, session: SessionDep) -> PreviewAnswer:
    """Count what this order would freeze now. Nothing is stored."""
    check(order)
    return PreviewAnswer(**asdict(preview(session, managed_project(session, person, slug), order)))


@router.get("/datasets")
def list_datasets(person: MayReadData, session: SessionDep, paging: Paging, name: Named = "") -> list[DatasetAnswer]:
    """List the frozen versions of datasets, newest first."""
    found = datasets_page(session, person, name=name, after=paging.after, limit=paging.limit)
    return [answer(dataset, slug) for dataset, slug in paging.cut(found, key=lambda row: row[0].id)]


@router.get("/datasets/{dataset_id}")
def show_dataset(dataset_id: RowNumber, person: MayReadData, session: SessionDep) -> DatasetAnswer:
    """Show a frozen version with its settings, counts and files."""
    dataset, project = dataset_for(session, person, dataset_id)
    return answer(dataset, project.slug)


@router.head("/datasets/{dataset_id}/files/{path:path}", response_class=Response, include_in_schema=False)
@router.get("/datasets/{dataset_id}/files/{path:path}", response_class=Response)
def dataset_file(
    dataset_id: RowNumber, path: str, person: MayReadData, session: SessionDep, request: Request
) -> Response:
    """Download a file of a frozen version, with `ETag` and `Range`."""
    dataset, _ = dataset_for(session, person, dataset_id)
    name = f"{dataset.name}-v{dataset.version}-{path}"
    file = listed(dataset.files, path)
    count(session, request, dataset, path)
    return download(request, dataset.prefix, file, save_as=name)
