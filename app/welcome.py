"""The first start: an admin, an annotator, sample projects to judge, and a starter model that begins to train.

It runs after the migrations, before anything is served, and does nothing once there is an account.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import Person
from app.datasets.order import Order
from app.datasets.queries import dataset_named
from app.datasets.service import freeze
from app.db import work_unit
from app.errors import NotFound
from app.imports.service import import_file
from app.models import Project, User
from app.people import service as people
from app.projects.service import create_project
from app.runs.service import queue_run
from app.settings import ROOT, get_settings

ADMIN = "admin@localhost"
ANNOTATOR = "annotator@localhost"
SAMPLES = ROOT / "samples"
TASK = "words-and-numbers"
STUDY = "words-and-numbers-study"
# slug, name, kind, file, guidelines
PROJECTS = (
    ("everyday", "Everyday questions", "pair", "everyday.jsonl", "everyday.md"),
    ("everyday-rankings", "Everyday questions, ranked", "ranking", "everyday_rankings.jsonl", "everyday.md"),
    (TASK, "Words and numbers", "pair", "words_and_numbers.jsonl", "words_and_numbers.md"),
    (STUDY, "Words and numbers: what the starter model learns from", "pair", "words_and_numbers_study.jsonl", ""),
)


def prepare() -> list[str]:
    """Fill an empty database; returns the lines that tell how to sign in, which are shown this once."""
    with work_unit() as session:
        if session.scalar(select(User.id).limit(1)) is not None:
            return []
        passwords = {ADMIN: _account(session, ADMIN, "admin"), ANNOTATOR: _account(session, ANNOTATOR, "annotator")}
        admin = _person(session, ADMIN)
        annotator = _person(session, ANNOTATOR)
        for slug, name, kind, file, guidelines in PROJECTS:
            words = (SAMPLES / guidelines).read_text() if guidelines else ""
            project = create_project(session, admin, slug=slug, name=name, kind=kind, guidelines=words)
            import_file(session, project, admin, SAMPLES / file)
            if slug != STUDY:
                people.join(session, annotator.id, project.id)
        run_id = order_starter(session, admin)
    return [
        "Sign in with one of these accounts; the passwords are shown this once, `tiebreak user password EMAIL` sets new ones:",
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
    try:
        dataset = dataset_named(session, STUDY)
    except NotFound:
        project = session.scalars(select(Project).where(Project.slug == STUDY)).one_or_none()
        if project is None:
            raise NotFound(
                f"the starter learns from the sample project “{STUDY}”, which is not here; make it again with "
                f"`tiebreak import {STUDY} samples/words_and_numbers_study.jsonl`"
            ) from None
        dataset = freeze(session, person, project, Order(name=STUDY)).dataset
    run = queue_run(
        session, person, method="sft", dataset=dataset, base_model="blank", settings={}, checkpoint_name="starter"
    )
    return run.id
