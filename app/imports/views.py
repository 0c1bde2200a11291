"""Pages: bring records in, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access import Person, SignedIn
from app.db import SessionDep
from app.errors import BadInput, Conflict, Mistake, TooLarge
from app.forms import RowNumber
from app.imports.queries import import_by_id, recent_imports
from app.imports.reading import records
from app.imports.service import Report, import_records, upload_limit_bytes
from app.imports.uploads import SentForm, Upload
from app.kinds import Kind, kind_named
from app.language import gettext as _
from app.models import Audit, Project
from app.pages import Page, go_to, render
from app.projects.queries import managed_project
from app.settings import get_settings

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class ImportPage(Page):
    project: Project
    kind: Kind
    recent: Sequence[Audit]
    limit_mb: int
    pasted: str = ""
    mistake: Mistake | None = None


@dataclass(frozen=True, kw_only=True)
class ResultPage(Page):
    project: Project
    done: Audit


@router.get("/projects/{slug}/import")
def import_form(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    return render(request, "imports/import.html", import_page(session, person, managed_project(session, person, slug)))


def import_page(
    session: SessionDep, person: Person, project: Project, mistake: Mistake | None = None, pasted: str = ""
) -> ImportPage:
    return ImportPage(
        person=person,
        project=project,
        kind=kind_named(project.kind),
        recent=recent_imports(session, project),
        limit_mb=get_settings().upload_limit_mb,
        pasted=pasted,
        mistake=mistake,
    )


@router.post("/projects/{slug}/import")  # noqa: FAST003 -- `sent` knows the project
def import_items(request: Request, session: SessionDep, sent: SentForm) -> Response:
    person, project = sent.target.person, sent.target.project
    try:
        report = _imported(session, sent)
    except (BadInput, TooLarge, Conflict) as mistake:
        page = import_page(session, person, project, mistake, sent.pasted or "")
        return render(request, "imports/import.html", page, status=mistake.status)
    return go_to(request, f"/projects/{project.slug}/imports/{report.id}")


def _imported(session: SessionDep, sent: Upload) -> Report:
    if sent.pasted is not None and not sent.pasted.strip():
        raise BadInput(_("choose a file, or paste records"))
    stream = records(sent.file, limit_bytes=upload_limit_bytes(), media_type=sent.media_type, name=sent.name)
    return import_records(session, sent.target.project, sent.target.person, stream, source=sent.name)


@router.get("/projects/{slug}/imports/{import_id}")
def import_result(
    request: Request,
    session: SessionDep,
    person: SignedIn,
    slug: str,
    import_id: RowNumber,
) -> Response:
    project = managed_project(session, person, slug)
    page = ResultPage(person=person, project=project, done=import_by_id(session, project, import_id))
    return render(request, "imports/result.html", page)
