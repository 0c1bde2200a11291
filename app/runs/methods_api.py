"""Methods and their settings, for programs that make up an order: what the launch form is drawn from."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from app.access import MayReadAll
from app.db import SessionDep
from app.runs.methods import Method
from app.runs.queries import announced

router = APIRouter(tags=["runs"])


class SettingAnswer(BaseModel):
    """`type` is int, float, str or bool; `low` and `high` are the least and the largest value; `choices` are all there are, if any."""

    name: str
    type: str
    default: Any
    low: float | None
    high: float | None
    choices: list[str]
    help: str


class PresetAnswer(BaseModel):
    name: str
    help: str
    settings: dict[str, Any]


class MethodAnswer(BaseModel):
    """`kind` is what it makes, policy or reward; `needs` what a group must have: a best response, or an order."""

    name: str
    title: str
    kind: str
    needs: str
    objective: str
    is_live: bool
    settings: list[SettingAnswer]
    presets: list[PresetAnswer]


def answer(method: Method, *, is_live: bool) -> MethodAnswer:
    return MethodAnswer(
        name=method.name,
        title=method.title,
        kind=method.kind,
        needs=method.needs,
        objective=method.objective,
        is_live=is_live,
        settings=[
            SettingAnswer.model_validate(asdict(one) | {"choices": list(one.choices)}) for one in method.settings
        ],
        presets=[PresetAnswer(name=one.name, help=one.help, settings=dict(one.settings)) for one in method.presets],
    )


@router.get("/methods")
def list_methods(_: MayReadAll, session: SessionDep) -> list[MethodAnswer]:
    """List the methods that trainers announce, by name; `is_live` where one of them is running now."""
    there = announced(session)
    return [answer(method, is_live=name in there.live) for name, method in sorted(there.known.items())]
