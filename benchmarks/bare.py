"""The other side of `judging.py`: a bare FastAPI route that does one INSERT and commits, and nothing else.

Async SQLAlchemy on asyncpg; no account, no queue, no tuples, no next item. What it does per second is a ceiling.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import BigInteger, Column, Identity, MetaData, Table, Text, insert, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

metadata = MetaData()
bare_judgment = Table(
    "bare_judgment",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("assignment", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("tiers", JSONB, nullable=False),
    Column("comment", Text, nullable=False),
)
engine = create_async_engine(
    make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+asyncpg"), pool_size=20, max_overflow=20
)


@asynccontextmanager
async def table(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(1)"))  # both processes start at once
        await connection.run_sync(metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=table)


class Judgment(BaseModel):
    outcome: str
    tiers: dict[UUID, int]
    comment: str = ""


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/judgments/{assignment}")
async def store(assignment: int, judgment: Judgment) -> dict[str, Any]:
    tiers = {str(key): tier for key, tier in judgment.tiers.items()}
    values = {"assignment": assignment, "outcome": judgment.outcome, "tiers": tiers, "comment": judgment.comment}
    async with engine.begin() as connection:
        stored = await connection.execute(insert(bare_judgment).values(values).returning(bare_judgment.c.id))
        return {"id": stored.scalar_one()}
