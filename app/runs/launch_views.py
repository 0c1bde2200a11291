"""Pages: the form that launches runs, and what a trainer says about one before it is launched."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.access import Admin, Person
from app.datasets.queries import dataset_named, newest_datasets
from app.db import SessionDep
from app.errors import BadInput, Mistake, NotFound
from app.forms import Fields, RowNumber
from app.language import gettext as _
from app.language import ngettext
from app.models import Dataset, Preflight, Trainer
from app.pages import Page, go_to, is_fragment_wanted, render
from app.runs.base_model import BLANK, STARTER
from app.runs.form import Field, fields, priority_typed, settings_typed, settled, typed_like
from app.runs.methods import Method
from app.runs.preflight import OVER, ask, preflight_by_id
from app.runs.preflight_words import Told, told
from app.runs.queries import announced, checkpoint_names, is_being_made, live_trainers, run_by_id
from app.runs.service import method_named, order_run, set_priority
from app.runs.sweep import Variant, order_sweep, read_vary, variants

router = APIRouter()
PATIENCE_S = 30
"""After so long without an answer the page says what may be missing."""
VARYING = ("vary.1", "vary.2")


@dataclass(frozen=True, kw_only=True)
class PreflightPage(Page):
    asked: Preflight | None
    told: Told | None
    is_waiting: bool
    is_late: bool


@dataclass(frozen=True, kw_only=True)
class LaunchPage(PreflightPage):
    """`method` is the chosen one; without any announced method there is only a sentence to show. What was not typed is empty in
    `typed`. `planned` are the runs of a sweep that somebody is about to start.
    """

    trainers: Sequence[Trainer]
    methods: Sequence[Method]
    method: Method | None
    fields: Sequence[Field]
    datasets: Sequence[Dataset]
    bases: Sequence[str]
    typed: Mapping[str, str]
    planned: Sequence[Variant] = ()
    mistake: Mistake | None = None


def preflight_page(person: Person, asked: Preflight | None) -> dict[str, Any]:
    is_waiting = asked is not None and asked.state not in OVER
    since = (datetime.now(UTC) - asked.created_at).total_seconds() if asked is not None else 0
    return {
        "person": person,
        "asked": asked,
        "told": told(asked) if asked is not None else None,
        "is_waiting": is_waiting,
        "is_late": is_waiting and since > PATIENCE_S,
    }


def launch_page(session: Session, person: Person, typed: Mapping[str, str], **more: Any) -> LaunchPage:
    there = announced(session)
    methods = there.live or there.known
    chosen = methods.get(typed.get("method", "")) or next(iter(methods.values()), None)
    typed = settled(chosen, typed) if chosen is not None else typed
    mistake = more.get("mistake")
    wrong = mistake if isinstance(mistake, BadInput) else None
    return LaunchPage(
        **preflight_page(person, _asked(session, typed)),
        trainers=live_trainers(session),
        methods=list(methods.values()),
        method=chosen,
        fields=fields(chosen, typed, wrong) if chosen is not None else (),
        datasets=_datasets(session, typed),
        bases=_bases(session, chosen),
        typed=defaultdict(str, typed),
        **more,
    )


def _asked(session: Session, typed: Mapping[str, str]) -> Preflight | None:
    number = typed.get("preflight", "")
    return session.get(Preflight, int(number)) if number.isdecimal() and len(number) < 19 else None


def _datasets(session: Session, typed: Mapping[str, str]) -> Sequence[Dataset]:
    """The newest of each name, and the one that was chosen, which may be an older one."""
    newest = newest_datasets(session)
    try:
        chosen = dataset_named(session, typed["dataset"]) if typed.get("dataset") else None
    except (NotFound, BadInput):
        chosen = None
    return newest if chosen is None or chosen in newest else [chosen, *newest]


def _bases(session: Session, method: Method | None) -> list[str]:
    """What the base model's input suggests; anything else that `base_model.py` knows can be typed."""
    there = [name for name, kind in checkpoint_names(session) if not (method and method.kind != kind == "reward")]
    starter = [STARTER] if STARTER not in there and is_being_made(session, STARTER) else []
    blank = [BLANK] if method is not None and method.name == "sft" else []
    return sorted({*starter, *there}, key=lambda name: name != STARTER) + blank


@router.get("/runs/new")
def new_run(request: Request, session: SessionDep, person: Admin) -> Response:
    """Empty, with what an address without a script carries, or as another run was: `?like=ID`."""
    typed = dict(request.query_params)
    if (like := typed.pop("like", "")).isdecimal() and len(like) < 19:
        typed = _typed_like(session, person, int(like)) | typed
    return render(request, "runs/new_run.html", launch_page(session, person, typed))


def _typed_like(session: Session, person: Person, run_id: int) -> dict[str, str]:
    run = run_by_id(session, person, run_id)
    order = {"method": run.method, "dataset": str(run.dataset_id), "base_model": run.base_model}
    return order | {"name": run.checkpoint_name} | typed_like(run.settings)


@router.get("/runs/new/launch_form")
def launch_form(request: Request, session: SessionDep, person: Admin) -> Response:
    """The form for the method and the preset that were chosen, with what was typed so far."""
    typed = {name: value for name, value in request.query_params.items() if name != "preflight"}
    return render(request, "runs/_launch_form.html", launch_page(session, person, typed))


@router.post("/runs/preflight")
def check_first(request: Request, session: SessionDep, person: Admin, typed: Fields) -> Response:
    """Asks a trainer; the form comes back with the place where its answer will stand."""
    try:
        asked = ask(session, person, **_order(session, typed))
    except Mistake as mistake:
        return _form(request, launch_page(session, person, typed, mistake=mistake), status=422)
    typed = {**typed, "preflight": str(asked.id)}
    if not is_fragment_wanted(request):
        return go_to(request, f"/runs/new?{urlencode(typed)}#preflight")
    session.refresh(asked)  # what the database filled in
    return _form(request, launch_page(session, person, typed))


@router.get("/runs/preflight/{preflight_id}")
def preflight(preflight_id: RowNumber, request: Request, session: SessionDep, person: Admin) -> Response:
    """Asked for every second until there is an answer."""
    page = PreflightPage(**preflight_page(person, preflight_by_id(session, person, preflight_id)))
    return render(request, "runs/_preflight.html", page)


@router.post("/runs")
def start_run(request: Request, session: SessionDep, person: Admin, typed: Fields) -> Response:
    """Starts one run, or a sweep once somebody has seen of which runs it consists."""
    try:
        order = _order(session, typed) | {"name": typed.get("name", "").strip() or None}
        order |= {"priority": priority_typed(typed)}
        method = method_named(session, typed.get("method", ""))
        vary = read_vary({typed.get(one, ""): typed.get(f"{one}.values", "") for one in VARYING}, method)
        if not vary:
            return go_to(request, f"/runs/{order_run(session, person, **order).id}")
        planned = variants(method, order["name"] or f"{order['dataset'].name}-{method.name}", vary)
        if typed.get("confirmed") != str(len(planned)):
            return _form(request, launch_page(session, person, typed, planned=planned))
        runs = order_sweep(session, person, vary=vary, **order)
    except Mistake as mistake:
        return _form(request, launch_page(session, person, typed, mistake=mistake), status=422)
    return go_to(request, "/runs", notice=ngettext("%(num)d run is queued.", "%(num)d runs are queued.", len(runs)))


def _form(request: Request, page: LaunchPage, status: int = 200) -> Response:
    template = "runs/_launch_form.html" if is_fragment_wanted(request) else "runs/new_run.html"
    return render(request, template, page, status=status)


def _order(session: Session, typed: Mapping[str, str]) -> dict[str, Any]:
    """What the form says, read but not yet checked: that is `service.checked`'s."""
    method = method_named(session, typed.get("method", ""))
    if not typed.get("dataset"):
        raise BadInput(_("Choose a dataset."), field="dataset")
    return {
        "method": method.name,
        "dataset": dataset_named(session, typed["dataset"]),
        "base_model": typed.get("base_model", "").strip(),
        "settings": settings_typed(method, settled(method, typed)),
    }


@router.post("/runs/{run_id}/priority")
def change_priority(run_id: RowNumber, request: Request, session: SessionDep, person: Admin, typed: Fields) -> Response:
    """Of a run that waits."""
    set_priority(session, person, run_by_id(session, person, run_id), priority_typed(typed))
    return go_to(request, f"/runs/{run_id}")
