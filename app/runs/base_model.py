"""What a run may start from, as far as that can be told without loading it.

    starter             the newest checkpoint named so
    blank               a small new model, built from the dataset; there is nothing to prefer in it yet, so only for sft
    name, name@v3       a checkpoint; while the first of that name is being made by another run, a run waits behind it
    name@production     the version that an alias stands for when the run is ordered, which is what the order then says
    /a/folder           a local folder below one of MODEL_FOLDERS
    org/name, org/name@revision     a model of the hub, fetched by the trainer

The trainer resolves the rest when it claims the run.
"""

import re
from pathlib import Path

from sqlalchemy.orm import Session

from app.access import Person
from app.errors import BadInput
from app.language import gettext as _
from app.runs.methods import Method
from app.runs.queries import aliases_of_name, is_being_made, is_of_others, newest_checkpoint
from app.settings import get_settings

STARTER = "starter"
BLANK = "blank"
_HUB = re.compile(r"\w[\w.-]*/\w[\w.-]*(@\w[\w./-]*)?")
_CHECKPOINT = re.compile(r"(?P<name>[\w.-]+?)(@v(?P<version>\d{1,9}))?")
_ALIAS = re.compile(r"(?P<name>[\w.-]+)@(?P<alias>(?!v\d{1,9}\Z)[\w.-]+)")
_FIELD = "base_model"


def bounded(session: Session, person: Person, words: str, *, field: str) -> str:
    """The same words, for a token that is bound to projects with the version that they mean now.

    So nothing that others publish under the name comes in between; where there is none yet, the bounds that the run keeps see
    to that. What is of others is refused as if it were not there, but for the starter, which every place has.
    """
    found = None if person.projects is None or words == STARTER else _CHECKPOINT.fullmatch(words)
    if found is None:
        return words
    name, version = found["name"], int(found["version"]) if found["version"] else None
    if is_of_others(session, person, name, version):
        raise BadInput(_missing(words), field=field)
    newest = newest_checkpoint(session, name, version)
    return words if newest is None else f"{name}@v{newest.version}"


def check_base_model(session: Session, method: Method, base_model: str) -> None:
    """Raises BadInput that says what to do instead."""
    if base_model == BLANK:
        if method.name != "sft":
            raise BadInput(_("Only sft can start from a blank model; choose “starter” or a checkpoint."), field=_FIELD)
    elif base_model.startswith(("/", ".", "~")):
        _check_folder(base_model)
    elif "/" in base_model:
        if not _HUB.fullmatch(base_model):
            raise BadInput(
                _(
                    "“%(base_model)s” is no hub name; those have the form org/name or org/name@revision.",
                    base_model=base_model,
                ),
                field=_FIELD,
            )
    else:
        _check_checkpoint(session, method, base_model)


def without_alias(session: Session, person: Person, words: str, field: str = _FIELD) -> str:
    """`name@production` as `name@v3`, which stays the same when the alias moves; other words as they are.

    Raises BadInput for a word that is no alias of that name.
    """
    found = _ALIAS.fullmatch(words)
    if found is None:
        return words
    name, alias = found["name"], found["alias"]
    versions = aliases_of_name(session, person, name)
    if alias not in versions:
        there = ", ".join(versions) or _("none")
        words = _("%(name)s has no alias “%(alias)s”; it has: %(there)s.", name=name, alias=alias[:80], there=there)
        raise BadInput(words, field=field)
    return f"{name}@v{versions[alias]}"


def _check_folder(base_model: str) -> None:
    if "\0" in base_model:
        raise BadInput(_("No folder has a NUL character in its name."), field=_FIELD)
    allowed = get_settings().allowed_model_folders
    folder = Path(base_model).resolve()
    if not any(folder.is_relative_to(one) for one in allowed):
        those = ", ".join(str(one) for one in allowed) or "none yet"
        raise BadInput(
            _(
                "“%(base_model)s” is in no folder that base models may be loaded from (%(those)s). Whoever runs this server adds folders with the setting MODEL_FOLDERS.",
                base_model=base_model,
                those=those,
            ),
            field=_FIELD,
        )


def _check_checkpoint(session: Session, method: Method, base_model: str) -> None:
    found = _CHECKPOINT.fullmatch(base_model)
    if found is None:
        raise BadInput(
            _("“%(base_model)s” is neither a checkpoint, nor a folder, nor a hub name.", base_model=base_model),
            field=_FIELD,
        )
    version = int(found["version"]) if found["version"] else None
    checkpoint = newest_checkpoint(session, found["name"], version)
    if checkpoint is None:
        if version is None and is_being_made(session, base_model):
            return
        raise BadInput(_missing(base_model), field=_FIELD)
    if checkpoint.kind == "reward" and method.kind == "policy":
        raise BadInput(
            _(
                "“%(base_model)s” is a reward model: it gives scores and writes no text. %(name)s needs a language model.",
                base_model=base_model,
                name=method.name,
            ),
            field=_FIELD,
        )


def _missing(base_model: str) -> str:
    if base_model == STARTER:
        return (
            "There is no starter model yet. Train it with the command `tiebreak starter`, or choose another base model."
        )
    return (
        f"There is no checkpoint “{base_model}”. The checkpoints page lists those that are there; a local folder is named by "
        "its whole path, as in /models/name, and a model of the hub as org/name."
    )
