"""Pushing items: any number of them, with word of each."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete

from app import db
from app.client import Client, NotFoundError, NotSignedInError
from app.models import ApiToken
from samples.task import pair_records


@pytest.fixture
def project(client: Client) -> str:
    return client.create_project("words").slug


def test_it_says_what_was_new_what_was_there_and_what_was_bad(client: Client, project: str):
    good = list(pair_records(0, 7))
    items = [
        *good[:5],
        {"prompt": "alone"},
        {"prompt": {1, 2}, "responses": []},
        *good[3:],
        {"n": float("nan")},
        "text",
    ]
    pushed = client.push(project, items, batch=3)
    assert (pushed.imported, pushed.duplicates, pushed.failed) == (7, 2, 4)
    assert [bad.index for bad in pushed.bad] == [5, 6, 11, 12]
    assert "responses" in pushed.bad[0].message
    assert "JSON" in pushed.bad[1].message
    assert client.project(project).counts.items == 7


def test_records_with_a_choice_become_judgments(client: Client, project: str):
    assert client.push(project, pair_records(0, 4, judged=True)).judgments == 4


def test_it_takes_no_more_than_a_batch_at_a_time(client: Client, project: str):
    """When the source fails in the middle, all whole batches before are there."""
    seen: list[int] = []

    def source() -> Iterator[dict[str, Any]]:
        for record in pair_records(0, 5):
            seen.append(client.project(project).counts.items)
            yield record
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        client.push(project, source(), batch=2)
    assert seen == [0, 0, 2, 2, 4]
    assert client.project(project).counts.items == 4


def test_an_error_in_the_middle_says_what_is_there(client: Client, project: str):
    def source() -> Iterator[dict[str, Any]]:
        yield from pair_records(0, 3)
        with db.work_unit() as session:
            session.execute(delete(ApiToken))
        yield from pair_records(3, 4)

    with pytest.raises(NotSignedInError) as problem:
        client.push(project, source(), batch=3)
    assert problem.value.__notes__ == ["3 items are stored already; pushing all of them again adds none twice."]


def test_what_is_not_many_records_is_refused(client: Client, project: str):
    with pytest.raises(TypeError, match="list of dictionaries"):
        client.push(project, {"prompt": "one", "responses": ["a", "b"]})  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        client.push("elsewhere", pair_records(0, 1))


def test_it_shows_how_far_it_is(client: Client, project: str, capsys: pytest.CaptureFixture[str]):
    client.push(project, list(pair_records(0, 4)), batch=2, progress=True)
    assert "items to words" in capsys.readouterr().err
