"""Brings the database to the form of the models: Alembic from pyproject.toml, in this process."""

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import OperationalError

from app.errors import Mistake
from app.settings import ROOT


def migrate() -> None:
    try:
        command.upgrade(Config(toml_file=ROOT / "pyproject.toml"), "head")
    except OperationalError as problem:
        raise Mistake(f"The database does not answer: {problem.orig}") from problem
