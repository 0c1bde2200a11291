"""The first start: an admin, an annotator, sample projects to judge, and a starter model that begins to train.

It runs after the migrations, before anything is served, and does nothing once there is an account.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import Person
from app.datasets.order import Order
from app.datasets.queries import dataset_named
from app.datasets.service import freeze
from app.db import work_unit
from app.errors import NotFound
from app.imports.service import import_file
from app.models import Dataset, Project, User
from app.people import service as people
from app.projects.service import create_project
from app.runs.service import queue_run
from app.settings import ROOT, get_settings
from samples.task import study_records

ADMIN = "admin@localhost"
ANNOTATOR = "annotator@localhost"
SAMPLES = ROOT / "samples"
TASK = "words-and-numbers"
STUDY = "words-and-numbers-study"
STUDY_GROUPS = 7_000
STARTER_SETTINGS = {"epochs": 3, "groups_per_step": 32, "learning_rate": 1.5e-3}


@dataclass(frozen=True, slots=True)
class Sample:
    """A project that is there from the start, with the names of its files in samples/."""

    slug: str
    name: str
    kind: str
    file: str
    guidelines: str


FOR_PEOPLE = (
    Sample("everyday", "Everyday questions", "pair", "everyday.jsonl", "everyday.md"),
    Sample("everyday-rankings", "Everyday questions, ranked", "ranking", "everyday_rankings.jsonl", "everyday.md"),
    Sample(TASK, "Words and numbers", "pair", "words_and_numbers.jsonl", "words_and_numbers.md"),
)


def prepare() -> list[str]:
    """Fill an empty database; returns the lines that tell how to sign in, which are shown this once."""
    with work_unit() as session:
        if session.scalar(select(User.id).limit(1)) is not None:
            return []
        passwords = {ADMIN: _account(session, ADMIN, "admin"), ANNOTATOR: _account(session, ANNOTATOR, "annotator")}
        admin = _person(session, ADMIN)
        annotator = _person(session, ANNOTATOR)
        for sample in FOR_PEOPLE:
            words = (SAMPLES / sample.guidelines).read_text(encoding="utf-8")
            project = create_project(
                session, admin, slug=sample.slug, name=sample.name, kind=sample.kind, guidelines=words
            )
            import_file(session, project, admin, SAMPLES / sample.file)
            people.join(session, annotator.id, project.id)
        run_id = order_starter(session, admin)
    return [
        "Sign in with one of these accounts; the passwords are shown this once, `.venv/bin/tiebreak user password EMAIL` sets new ones:",
        *(f"    {email:<24}{password}" for email, password in passwords.items()),
        f"The starter model is being trained from scratch: {get_settings().address}/runs/{run_id}",
    ]


def _account(session: Session, email: str, role: str) -> str:
    password = people.add_user(session, email, role=role)
    session.flush()  # the account is looked up right after
    return password


def _person(session: Session, email: str) -> Person:
    user = people.user_by_email(session, email)
    return Person(user.id, user.name, user.role)


def order_starter(session: Session, person: Person) -> int:
    """Queue the run that trains the starter from scratch; it waits for a trainer if there is none yet."""
    run = queue_run(
        session,
        person,
        method="sft",
        dataset=_study(session, person),
        base_model="blank",
        settings=STARTER_SETTINGS,
        checkpoint_name="starter",
    )
    return run.id


def _study(session: Session, person: Person) -> Dataset:
    """What the starter learns from: generated, judged by the rule, imported and frozen on first use."""
    try:
        return dataset_named(session, STUDY)
    except NotFound:
        pass
    project = session.scalars(select(Project).where(Project.slug == STUDY)).one_or_none()
    if project is None:
        name = "Words and numbers: what the starter model learns from"
        project = create_project(session, person, slug=STUDY, name=name, kind="pair")
        with TemporaryDirectory(prefix="tiebreak-study-") as folder:
            file = Path(folder) / "study.jsonl"
            file.write_text("".join(json.dumps(record) + "\n" for record in study_records(0, STUDY_GROUPS)))
            import_file(session, project, person, file)
    return freeze(session, person, project, Order(name=STUDY)).dataset
