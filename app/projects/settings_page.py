"""Pages: the form of a new project and of the settings of one, with a preview of its guidelines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access import Admin, Manager, SignedIn
from app.db import SessionDep
from app.errors import BadInput, Conflict, Mistake
from app.forms import Lists, whole_number
from app.kinds import KINDS, Kind
from app.kinds.verdict import LONGEST_COMMENT
from app.language import gettext as _
from app.models import Project
from app.models.project import COMMENTS, ORDERS, OUTCOMES
from app.pages import Page, go_to, render
from app.projects import service
from app.projects import settings as rules
from app.projects.queries import managed_project
from app.projects.settings import USUAL, ProjectSettings, settings_of

router = APIRouter()
WORDS = ("name", "guidelines", "comments", "item_order")
NUMBERS = ("judgments_per_item", "lease_minutes", "comment_min_length")
SHARES = ("gold_share", "repeat_share")


@dataclass(frozen=True, kw_only=True)
class PreviewPage(Page):
    """`preview` is what is shown as Markdown; None where nobody has asked."""

    preview: str | None = None


@dataclass(frozen=True, kw_only=True)
class ProjectFormPage(PreviewPage):
    """A new project, when `project` is None, or the settings of one. `entered` is what stands in the fields."""

    project: Project | None
    entered: Mapping[str, Any]
    kinds: Sequence[Kind] = KINDS
    comments: Sequence[str] = COMMENTS
    orders: Sequence[str] = ORDERS
    mistake: Mistake | None = None
    limits: Mapping[str, int] = field(
        default_factory=lambda: {
            "name": rules.LONGEST_NAME,
            "guidelines": rules.LONGEST_GUIDELINES,
            "judgments_per_item": rules.MOST_JUDGMENTS,
            "lease_minutes": rules.LONGEST_LEASE,
            "dimensions": rules.MOST_DIMENSIONS,
            "dimension": rules.LONGEST_DIMENSION,
            "comment_min_length": LONGEST_COMMENT,
            "share": round(rules.LARGEST_SHARE * 100),
        }
    )


def entered_of(settings: ProjectSettings) -> dict[str, Any]:
    """Settings as they stand in the form: shares in percent, dimensions one a line."""
    shares = {name: f"{getattr(settings, name) * 100:g}" for name in SHARES}
    return settings.as_columns() | shares | {"dimensions": "\n".join(settings.dimensions)}


def entered_again(form: Mapping[str, list[str]], kept: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody typed, for a form that is shown again; the rest as it was."""
    typed: dict[str, Any] = {name: values[-1] for name, values in form.items() if values}
    if "boxes" in form:  # a box that is not ticked sends nothing
        typed |= {"outcomes": ["ranked", *form.get("outcomes", ())], "asks_strength": "asks_strength" in form}
    return {**kept, **typed}


def given(form: Mapping[str, list[str]]) -> dict[str, Any]:
    """The settings in a form; those that it does not hold are left out. Raises BadInput that names the field."""
    typed = {name: values[-1] for name, values in form.items() if values}
    found: dict[str, Any] = {name: typed[name] for name in WORDS if name in typed}
    found |= {name: whole_number(typed, name) for name in NUMBERS if name in typed}
    found |= {name: _share(typed[name], name) for name in SHARES if name in typed}
    if "dimensions" in typed:
        found["dimensions"] = typed["dimensions"].splitlines()
    if "boxes" in form:
        found["outcomes"] = ["ranked", *(one for one in form.get("outcomes", ()) if one in OUTCOMES)]
        found["asks_strength"] = "asks_strength" in form
    return found


def _share(words: str, name: str) -> float:
    try:
        return round(float(words.strip().replace(",", ".").removesuffix("%")) / 100, 6)
    except ValueError:
        raise BadInput(_("please enter a number of percent, such as 5"), field=name) from None


@router.get("/projects/new")
def new_project(request: Request, person: Admin) -> Response:
    usual = entered_of(USUAL) | {"kind": KINDS[0].NAME, "slug": ""}
    return render(request, "projects/project_form.html", ProjectFormPage(person=person, project=None, entered=usual))


@router.post("/projects")
def create_project(request: Request, session: SessionDep, person: Admin, form: Lists) -> Response:
    entered = entered_again(form, entered_of(USUAL) | {"kind": "", "slug": ""})
    if "preview" in form:
        page = ProjectFormPage(person=person, project=None, entered=entered, preview=str(entered["guidelines"]))
        return render(request, "projects/project_form.html", page)
    try:
        settings = {"name": ""} | given(form)
        slug = str(entered["slug"]).strip() or service.slug_of(settings["name"])
        project = service.create_project(session, person, slug=slug, kind=str(entered["kind"]), **settings)
    except (BadInput, Conflict) as mistake:
        page = ProjectFormPage(person=person, project=None, entered=entered, mistake=mistake)
        return render(request, "projects/project_form.html", page, status=mistake.status)
    return go_to(request, f"/projects/{project.slug}", notice=_("The project is there. Now bring in its prompts."))


@router.post("/projects/preview")
def preview(request: Request, person: Manager, form: Lists) -> Response:
    """Guidelines as people will read them, while they are written."""
    words = (form.get("guidelines") or [""])[-1][: rules.LONGEST_GUIDELINES]
    return render(request, "projects/_preview.html", PreviewPage(person=person, preview=words))


@router.get("/projects/{slug}/settings")
def settings(request: Request, session: SessionDep, person: SignedIn, slug: str) -> Response:
    project = managed_project(session, person, slug)
    page = ProjectFormPage(person=person, project=project, entered=entered_of(settings_of(project)))
    return render(request, "projects/project_form.html", page)


@router.post("/projects/{slug}/settings")
def change_settings(request: Request, session: SessionDep, person: SignedIn, slug: str, form: Lists) -> Response:
    project = managed_project(session, person, slug)
    entered = entered_again(form, entered_of(settings_of(project)))
    if "preview" in form:
        page = ProjectFormPage(person=person, project=project, entered=entered, preview=str(entered["guidelines"]))
        return render(request, "projects/project_form.html", page)
    try:
        said = service.change_settings(session, person, project, **given(form))
    except BadInput as mistake:
        page = ProjectFormPage(person=person, project=project, entered=entered, mistake=mistake)
        return render(request, "projects/project_form.html", page, status=mistake.status)
    return go_to(request, f"/projects/{slug}", notice=" ".join([_("Saved."), *said]))
