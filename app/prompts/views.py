"""Pages for whoever manages a project: its items, and one of them with all that was said and what can be done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.access import Person, SignedIn
from app.db import SessionDep
from app.errors import BadInput, Conflict, Mistake
from app.forms import Fields, RowNumber, row_number, whole_number
from app.keyset import After
from app.kinds import Verdict
from app.language import gettext as _
from app.models import Item, Project, User
from app.pages import Page, go_to, render
from app.preference import dense, has_order
from app.projects.queries import managed_project
from app.prompts import items, queries
from app.prompts.items import Managed, managed_item
from app.prompts.queries import FILTERS, Found, Which, Whole

router = APIRouter()
SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class ItemsPage(Page):
    project: Project
    found: Found
    which: Which
    words: str
    filters: Sequence[Which] = FILTERS


@dataclass(frozen=True, kw_only=True)
class ItemPage(Page):
    """`entered` is what a refused form held."""

    project: Project
    whole: Whole
    people: Sequence[User]
    entered: Mapping[str, str]
    mistake: Mistake | None = None


@router.get("/projects/{slug}/items")
def list_items(
    request: Request,
    session: SessionDep,
    person: SignedIn,
    slug: str,
    which: str = "all",
    words: str = "",
    after: After = None,
) -> Response:
    project = managed_project(session, person, slug)
    chosen: Which = next((one for one in FILTERS if one == which), "all")
    sought = queries.checked_words(words)
    found = queries.items_page(session, project, chosen, sought, after=after, limit=SHOWN)
    page = ItemsPage(person=person, project=project, found=found, which=chosen, words=sought)
    return render(request, "prompts/items.html", page)


@router.get("/projects/{slug}/items/{item_id}")
def show_item(request: Request, session: SessionDep, person: SignedIn, slug: str, item_id: RowNumber) -> Response:
    project = managed_project(session, person, slug)
    return render(request, "prompts/item.html", item_page(session, person, project, item_id))


def item_page(
    session: Session,
    person: Person,
    project: Project,
    item_id: int,
    mistake: Mistake | None = None,
    entered: Mapping[str, str] | None = None,
) -> ItemPage:
    return ItemPage(
        person=person,
        project=project,
        whole=queries.whole_item(session, project, item_id),
        people=queries.people_of(session, project),
        entered=entered or {},
        mistake=mistake,
    )


@router.post("/projects/{slug}/items/{item_id}/change")
def change_item(
    request: Request, session: SessionDep, person: SignedIn, slug: str, item_id: RowNumber, form: Fields
) -> Response:
    """One form for each thing that can be done; `do` is the button that was pressed."""
    project = managed_project(session, person, slug)
    managed = managed_item(session, person, project, item_id)
    try:
        with session.begin_nested():  # what is refused halfway is shown on a page from this transaction
            notice = _done(managed, form)
    except (BadInput, Conflict) as mistake:
        page = item_page(session, person, project, item_id, mistake, form)
        return render(request, "prompts/item.html", page, status=mistake.status)
    return go_to(request, f"/projects/{slug}/items/{item_id}", notice=notice)


def _done(managed: Managed, form: Mapping[str, str]) -> str:
    """Do what the button says; what to say about it."""
    match form.get("do", ""):
        case "set_aside":
            items.set_aside(managed)
            notice = _("Set aside. Nobody is given it until you open it again.")
        case "open":
            items.open_again(managed)
            notice = _("Open again.")
        case "urgent":
            items.set_priority(managed, items.URGENT)
            notice = _("It comes first now.")
        case "normal":
            items.set_priority(managed, None)
            notice = _("It takes its turn now.")
        case "reserve":
            notice = _reserved(managed, form)
        case "gold" | "training" as do:
            items.make_gold(managed, _answer(managed.item, form), is_training=do == "training")
            notice = _("Saved. It is a known answer now.")
        case "ordinary":
            items.make_ordinary(managed)
            notice = _("Ordinary again.")
        case _other:
            raise BadInput(_("this form is not one that the page made; reload the page and try again"), field="do")
    return notice


def _reserved(managed: Managed, form: Mapping[str, str]) -> str:
    if not form.get("user"):
        items.unreserve(managed)
        return _("It is for everybody now.")
    session = managed.session
    user_id = row_number(form, "user")
    user = next((one for one in queries.people_of(session, managed.project) if one.id == user_id), None)
    if user is None:
        raise BadInput(_("this person may not judge here; let them into the project first"), field="user")
    items.reserve(managed, user)
    return _("It is for %(name)s now, and for nobody else.", name=user.name)


def _answer(item: Item, form: Mapping[str, str]) -> Verdict:
    """The right answer as places, 1 for the best; the outcome follows from them unless all are bad."""
    if form.get("outcome") == "all_bad":
        return Verdict("all_bad")
    places = {key: whole_number(form, f"place.{key}") for key in item.response_ids}
    return Verdict("ranked" if has_order([*places.values()]) else "tie", dense(places))
