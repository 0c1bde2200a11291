"""What every table shares: constraint names that migrations can rely on, and column types that fit Postgres."""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Identity, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

Json = dict[str, Any]
RowId = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]


class Table(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 -- SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        str: Text(),
        int: BigInteger(),
        Json: JSONB(none_as_null=True),  # None is the absence of a value, not the JSON word null
        list[Json]: JSONB(),
    }


class Domain(Text):
    """One of a few words: the domain of Postgres with this name, which a migration makes, refuses all others.

    For the tables that every key press writes to: a check of the table is read as text, parsed and planned again by each
    statement that writes a row, which took a tenth of the time that Postgres spent; a domain's is kept ready.
    """

    cache_ok = True

    def __init__(self, domain: str) -> None:
        super().__init__()
        self.domain = domain
