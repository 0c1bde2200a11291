"""Keyset pages: each begins after the id where the last one ended, so the end is as quick as the beginning and nothing comes twice.

Queries fetch one row more than `limit`; `cut` takes it off again and knows from it whether there is a next page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query, Request, Response

Row = TypeVar("Row")

After = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="Go on after the row with this id.")]
Limit = Annotated[int, Query(ge=1, le=500, description="How many rows at most.")]
Named = Annotated[str, Query(max_length=100, description="Only versions of this name.")]


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


class AskedFor:
    """The page of a list that a program asks for; tells it where the next one is."""

    def __init__(self, request: Request, response: Response, after: After = None, limit: Limit = 100) -> None:
        self.after, self.limit = after, limit
        self._request, self._response = request, response

    def cut(self, rows: Sequence[Row], *, key: Callable[[Row], int]) -> Sequence[Row]:
        """Of ``limit`` rows or more, those of this page."""
        page = cut(rows, self.limit, key=key)
        self.link(page.next_after)
        return page.rows

    def link(self, next_after: int | None) -> None:
        link_next(self._request, self._response, next_after)


Paging = Annotated[AskedFor, Depends()]
