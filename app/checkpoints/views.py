"""Pages: the published models, and one of them with how to take it home."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access import Admin
from app.checkpoints.queries import Lineage, checkpoints_page, lineage, other_versions
from app.db import SessionDep
from app.keyset import After, Limit, cut
from app.models import Checkpoint
from app.pages import Page, render
from app.runs.results import Results, results_in_words
from app.settings import get_settings

router = APIRouter()
CLASSES = {"policy": "AutoModelForCausalLM", "reward": "AutoModelForSequenceClassification"}


@dataclass(frozen=True, kw_only=True)
class CheckpointsPage(Page):
    checkpoints: Sequence[Lineage]
    next_after: int | None


@dataclass(frozen=True, kw_only=True)
class CheckpointPage(Page):
    """`address` is this site's own, for commands to copy; `python_class` is what `transformers` loads it with."""

    found: Lineage
    files: Sequence[Mapping[str, Any]]
    n_bytes: int
    results: Results
    others: Sequence[Checkpoint]
    address: str
    python_class: str


@router.get("/checkpoints")
def checkpoints(
    request: Request, session: SessionDep, person: Admin, after: After = None, limit: Limit = 50
) -> Response:
    page = cut(checkpoints_page(session, after=after, limit=limit), limit, key=lambda row: row.checkpoint.id)
    shown = CheckpointsPage(person=person, checkpoints=page.rows, next_after=page.next_after)
    return render(request, "checkpoints/checkpoints.html", shown)


@router.get("/checkpoints/{checkpoint_id}")
def checkpoint(checkpoint_id: int, request: Request, session: SessionDep, person: Admin) -> Response:
    found = lineage(session, checkpoint_id)
    files = found.checkpoint.files
    page = CheckpointPage(
        person=person,
        found=found,
        files=files,
        n_bytes=sum(file["size"] for file in files),
        results=results_in_words(found.checkpoint.metrics),
        others=other_versions(session, found.checkpoint),
        address=get_settings().public_url.rstrip("/") or str(request.base_url).rstrip("/"),
        python_class=CLASSES[found.checkpoint.kind],
    )
    return render(request, "checkpoints/checkpoint.html", page)
