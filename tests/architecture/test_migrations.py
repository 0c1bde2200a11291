"""The migrations run up from nothing and match the models."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, inspect

from app.models import Table
from app.settings import ROOT


def test_migrations_lead_to_the_models(database: Engine):
    assert set(Table.metadata.tables) <= set(inspect(database).get_table_names())
    command.check(Config(toml_file=ROOT / "pyproject.toml"))
