"""Pages of a list by the id where the last one ended: as quick at the end as at the beginning, and nothing is shown twice.

Queries fetch one row more than `limit`; `cut` takes it off again and knows from it whether there is a next page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Query, Request, Response

Row = TypeVar("Row")

After = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="Go on after the row with this id.")]
Limit = Annotated[int, Query(ge=1, le=500, description="How many rows at most.")]


@dataclass(frozen=True, slots=True)
class Cut(Generic[Row]):
    rows: Sequence[Row]
    next_after: int | None


def cut(rows: Sequence[Row], limit: int, *, key: Callable[[Row], int]) -> Cut[Row]:
    shown = rows[:limit]
    return Cut(shown, key(shown[-1]) if len(rows) > limit else None)


def link_next(request: Request, response: Response, next_after: int | None) -> None:
    """Tell a program where the next page is (RFC 8288); nothing is said on the last page."""
    if next_after is not None:
        response.headers["Link"] = f'<{request.url.include_query_params(after=next_after)}>; rel="next"'
