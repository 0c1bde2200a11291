"""Alembic's entry: the models are what the tables must be, the settings say where the database is."""

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.db import psycopg_url
from app.models import Table
from app.settings import get_settings

engine = create_engine(psycopg_url(get_settings().database_url), poolclass=NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=Table.metadata, compare_type=True, compare_server_default=True
    )
    with context.begin_transaction():
        context.run_migrations()
