"""Ordering runs."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import Person
from app.checkpoints.aliases import point
from app.errors import BadInput, NoTrainer
from app.models import Audit, Dataset, User
from app.runs.preflight import ask
from app.runs.service import order_run, queue_run
from app.settings import get_settings
from tests.trained import METHODS, make_checkpoint, make_dataset, make_run, make_trainer

TIES_ALONE = {"prompts": 3, "groups": 3, "tuples": 0, "outcomes": {"tie": 3}}


@pytest.fixture
def admin(session: Session) -> Person:
    user = User(email="dora@example.org", name="Dora", password_hash="", role="admin")
    session.add(user)
    session.flush()
    return Person(user.id, user.name, "admin")


@pytest.fixture
def dataset(session: Session) -> Dataset:
    return make_dataset(session)


@pytest.fixture
def starter(session: Session) -> None:
    make_checkpoint(session, make_run(session, state="finished", checkpoint_name="starter"))


def rung(session: Session) -> list[tuple[str, int]]:
    return list(session.info.get("doorbells", []))


def test_it_queues_a_run_and_rings(session: Session, admin: Person, dataset: Dataset, starter: None):
    make_trainer(session)
    run = order_run(session, admin, method="dpo", dataset=dataset, settings={"max_steps": 4})
    session.refresh(run)
    assert (run.state, run.base_model, run.checkpoint_name) == ("queued", "starter", "pairs-dpo")
    assert run.settings == {"max_steps": 4, "learning_rate": 0.0, "seed": 0, "loss": "logistic", "beta": 0.1}
    assert ("runs.train", run.id) in rung(session)
    assert session.scalars(select(Audit.subject).where(Audit.action == "run.ordered")).one() == "pairs-dpo"


def test_it_names_the_methods_that_live_trainers_know(session: Session, admin: Person, dataset: Dataset):
    make_trainer(session)
    with pytest.raises(BadInput, match="the methods are dpo, reward, sft") as caught:
        order_run(session, admin, method="banana", dataset=dataset)
    assert caught.value.field == "method"


def test_it_names_the_methods_last_announced_when_no_trainer_lives(session: Session, admin: Person, dataset: Dataset):
    make_trainer(session, seen_s_ago=3600)
    with pytest.raises(BadInput, match="the methods are dpo, reward, sft"):
        order_run(session, admin, method="banana", dataset=dataset)


def test_it_says_that_no_trainer_is_running(session: Session, admin: Person, dataset: Dataset):
    make_trainer(session, seen_s_ago=3600)
    with pytest.raises(NoTrainer, match="tiebreak worker train"):
        order_run(session, admin, method="dpo", dataset=dataset)


def test_it_says_that_no_trainer_ever_came(session: Session, admin: Person, dataset: Dataset):
    with pytest.raises(NoTrainer, match="tiebreak worker train"):
        order_run(session, admin, method="banana", dataset=dataset)


def test_it_says_when_only_a_trainer_that_is_gone_could_do_it(session: Session, admin: Person, dataset: Dataset):
    make_trainer(session, "gone", seen_s_ago=3600)
    make_trainer(session, "here", methods=METHODS[:1])
    with pytest.raises(NoTrainer, match="they can do sft") as caught:
        order_run(session, admin, method="dpo", dataset=dataset)
    assert caught.value.field == "method"


def test_it_believes_the_trainer_that_was_seen_last(session: Session, admin: Person, dataset: Dataset, starter: None):
    make_trainer(session, "new", seen_s_ago=1, methods=[METHODS[0]])
    make_trainer(session, "old", seen_s_ago=5, methods=[METHODS[0] | {"settings": []}])
    run = order_run(session, admin, method="sft", dataset=dataset, settings={"seed": 7})
    assert run.settings["seed"] == 7


@pytest.mark.parametrize(
    ("method", "outcomes", "tuples", "words"),
    [
        ("dpo", {"tie": 3}, 0, "no group in which one response is better"),
        ("reward", {"all_bad": 3}, 0, "no group in which one response is better"),
        ("sft", {"all_bad": 3}, 0, "no good response"),
    ],
)
def test_it_says_when_there_is_nothing_to_learn_from(
    session: Session, admin: Person, starter: None, method: str, outcomes: dict[str, int], tuples: int, words: str
):
    make_trainer(session)
    side = {"prompts": 3, "groups": 3, "tuples": tuples, "outcomes": outcomes}
    dataset = make_dataset(session, "thin", {"train": side, "test": side})
    with pytest.raises(BadInput, match=words) as caught:
        order_run(session, admin, method=method, dataset=dataset)
    assert caught.value.field == "dataset"


@pytest.mark.parametrize("settings", [{}, {"ties": "left_out"}])
def test_it_says_under_which_settings_ties_would_teach_something(
    session: Session, admin: Person, starter: None, settings: dict[str, Any]
):
    make_trainer(session)
    dataset = make_dataset(session, "level", {"train": TIES_ALONE, "test": TIES_ALONE})
    with pytest.raises(BadInput, match="loss=davidson, ties=half") as caught:
        order_run(session, admin, method="reward", dataset=dataset, settings=settings)
    assert caught.value.field == "dataset"


def test_it_takes_nothing_but_ties_where_ties_count(session: Session, admin: Person, starter: None):
    make_trainer(session)
    dataset = make_dataset(session, "level", {"train": TIES_ALONE, "test": TIES_ALONE})
    assert order_run(session, admin, method="reward", dataset=dataset, settings={"ties": "half"}).state == "queued"


def test_it_learns_the_best_of_ties(session: Session, admin: Person, starter: None):
    make_trainer(session)
    dataset = make_dataset(session, "level", {"train": TIES_ALONE, "test": TIES_ALONE})
    assert order_run(session, admin, method="sft", dataset=dataset)


@pytest.mark.parametrize(
    ("method", "base_model"),
    [
        ("dpo", "starter"),
        ("dpo", "starter@v1"),
        ("reward", "scores"),
        ("reward", "starter"),
        ("sft", "blank"),
        ("dpo", "org/model"),
        ("dpo", "org/model.v2@refs/pr/1"),
    ],
)
def test_it_starts_from_what_is_there(
    session: Session, admin: Person, dataset: Dataset, starter: None, method: str, base_model: str
):
    make_trainer(session)
    make_checkpoint(session, make_run(session, dataset, checkpoint_name="scores"), kind="reward")
    assert order_run(session, admin, method=method, dataset=dataset, base_model=base_model).base_model == base_model


@pytest.mark.parametrize(
    ("method", "base_model", "words"),
    [
        ("dpo", "blank", "Only sft can start from a blank model"),
        ("dpo", "nothing", "no checkpoint “nothing”.* a local folder is named by its whole path"),
        ("dpo", "starter@v9", "no checkpoint “starter@v9”"),
        ("dpo", "scores", "is a reward model"),
        ("dpo", "", "neither a checkpoint"),
        ("dpo", "two words", "neither a checkpoint"),
        ("dpo", "a/b/c", "no hub name"),
        ("dpo", "org/../x", "no hub name"),
        ("dpo", "/etc", "MODEL_FOLDERS"),
        ("dpo", "../secret", "MODEL_FOLDERS"),
        ("dpo", "~/models", "MODEL_FOLDERS"),
    ],
)
def test_it_says_what_to_start_from_instead(
    session: Session, admin: Person, dataset: Dataset, starter: None, method: str, base_model: str, words: str
):
    make_trainer(session)
    make_checkpoint(session, make_run(session, dataset, checkpoint_name="scores"), kind="reward")
    with pytest.raises(BadInput, match=words) as caught:
        order_run(session, admin, method=method, dataset=dataset, base_model=base_model)
    assert caught.value.field == "base_model"


def test_an_alias_becomes_the_version_that_it_stands_for_when_the_run_is_ordered(
    session: Session, admin: Person, dataset: Dataset, starter: None
):
    text = {"name": "reference", "type": "str", "default": "start"}
    dpo = METHODS[2] | {"settings": [*METHODS[2]["settings"], text]}
    make_trainer(session, methods=[dpo])
    make_checkpoint(session, make_run(session, dataset, checkpoint_name="starter"))
    point(session, admin, "starter", "production", 1)
    told: dict[str, Any] = {"method": "dpo", "dataset": dataset, "base_model": "starter@production"}
    run = order_run(session, admin, **told, settings={"reference": "starter@production"})
    point(session, admin, "starter", "production", 2)
    assert (run.base_model, run.settings["reference"]) == ("starter@v1", "starter@v1")
    ordered = select(Audit.detail["base"].astext).where(Audit.action == "run.ordered")
    assert session.scalars(ordered).one() == "starter@v1"
    assert ask(session, admin, **told).base_model == "starter@v2"


@pytest.mark.parametrize(
    ("base_model", "settings", "field"),
    [("starter@candidate", {}, "base_model"), ("starter", {"reference": "starter@candidate"}, "reference")],
)
def test_it_names_the_aliases_that_are_there(
    session: Session,
    admin: Person,
    dataset: Dataset,
    starter: None,
    base_model: str,
    settings: dict[str, Any],
    field: str,
):
    text = {"name": "reference", "type": "str", "default": "start"}
    make_trainer(session, methods=[METHODS[2] | {"settings": [text]}])
    point(session, admin, "starter", "production", 1)
    with pytest.raises(BadInput, match="starter has no alias “candidate”; it has: production") as caught:
        order_run(session, admin, method="dpo", dataset=dataset, base_model=base_model, settings=settings)
    assert caught.value.field == field


def test_it_starts_from_allowed_folders_only(
    session: Session, admin: Person, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make_trainer(session)
    monkeypatch.setenv("MODEL_FOLDERS", str(tmp_path / "models"))
    get_settings.cache_clear()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "way-out").symlink_to("/etc")
    try:
        inside = str(tmp_path / "models" / "tiny")
        assert order_run(session, admin, method="dpo", dataset=dataset, base_model=inside).base_model == inside
        for outside in (str(tmp_path / "models" / ".." / "other"), str(tmp_path / "models" / "way-out")):
            with pytest.raises(BadInput, match="MODEL_FOLDERS"):
                order_run(session, admin, method="dpo", dataset=dataset, base_model=outside)
    finally:
        get_settings.cache_clear()


def test_it_waits_behind_a_run_that_makes_its_base_model(session: Session, admin: Person, dataset: Dataset):
    make_trainer(session)
    make_run(session, dataset, checkpoint_name="warm", state="running")
    assert order_run(session, admin, method="dpo", dataset=dataset, base_model="warm").base_model == "warm"
    with pytest.raises(BadInput, match="no checkpoint “warm@v1”"):
        order_run(session, admin, method="dpo", dataset=dataset, base_model="warm@v1")


def test_it_waits_behind_the_starter_while_that_is_trained(session: Session, admin: Person, dataset: Dataset):
    make_trainer(session)
    with pytest.raises(BadInput, match="tiebreak starter"):
        order_run(session, admin, method="dpo", dataset=dataset)
    make_run(session, dataset, checkpoint_name="starter")
    assert order_run(session, admin, method="dpo", dataset=dataset).base_model == "starter"


@pytest.mark.parametrize("name", ["Not so", "../x", "-a", "a" * 97])
def test_it_wants_a_name_that_can_stand_in_an_address(
    session: Session, admin: Person, dataset: Dataset, starter: None, name: str
):
    make_trainer(session)
    with pytest.raises(BadInput) as caught:
        order_run(session, admin, method="dpo", dataset=dataset, name=name)
    assert caught.value.field == "name"


def test_it_makes_a_name_that_is_not_too_long(session: Session, admin: Person, starter: None):
    make_trainer(session)
    dataset = make_dataset(session, "a" * 96)
    assert len(order_run(session, admin, method="dpo", dataset=dataset).checkpoint_name) == 96


def test_it_queues_the_starter_before_there_is_a_trainer(session: Session, admin: Person, dataset: Dataset):
    told: dict[str, Any] = {"method": "sft", "base_model": "blank", "settings": {}, "checkpoint_name": "starter"}
    run = queue_run(session, admin, dataset=dataset, **told)
    assert rung(session) == [("runs.train", run.id)]
