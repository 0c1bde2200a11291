"""Alembic's entry: the models are what the tables must be, the settings say where the database is."""

from typing import Any

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.db import psycopg_url
from app.models import Table
from app.models.table import Domain
from app.settings import get_settings


def is_another_type(*compared: Any) -> bool | None:
    """Whether the domain of a column has changed; for other columns Alembic decides itself. The types in table and model come last."""
    there, wanted = compared[-2:]
    return getattr(there, "name", None) != wanted.domain if isinstance(wanted, Domain) else None


engine = create_engine(psycopg_url(get_settings().database_url), poolclass=NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        compare_type=is_another_type,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()
