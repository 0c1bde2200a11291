"""What the client makes of refusals, of lines that break and of servers that are busy."""

import time
from dataclasses import replace

import pytest

from app.client import (
    ApiError,
    BadInputError,
    Client,
    ConflictError,
    ConnectionLostError,
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
    ServerError,
    TiebreakError,
    TooManyRequestsError,
    UnexpectedAnswerError,
)
from app.models import User
from benchmarks.servers import free_port
from tests.app.client.conftest import token_of
from tests.line import answer, bad_line
from tests.queued import queued

PROBLEM = {"Content_Type": "application/problem+json"}
BUSY = answer("429 Too Many Requests", b'{"title": "Too many", "detail": "slower"}', Retry_After="1", **PROBLEM)
AWAY = answer("503 Service Unavailable", b"<html>starting</html>", Content_Type="text/html")


def test_it_reads_where_and_who_from_the_environment(server: str, token: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIEBREAK_URL", f"{server}/")
    monkeypatch.setenv("TIEBREAK_TOKEN", f"{token}\n")
    with Client() as client:
        assert list(client.projects()) == []
        assert token not in repr(client)


def test_it_says_what_is_missing_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TIEBREAK_TOKEN", raising=False)
    with pytest.raises(TiebreakError, match="TIEBREAK_TOKEN"):
        Client()
    with pytest.raises(TiebreakError, match="no address"):
        Client("localhost:8000", "tbk_x")


def test_refusals_have_their_kinds_and_the_words_of_the_server(client: Client, server: str, ben: User):
    client.create_project("words")
    with pytest.raises(ConflictError) as conflict:
        client.create_project("words")
    assert (conflict.value.status, conflict.value.field) == (409, "slug")
    with pytest.raises(NotFoundError, match="no project"):
        client.project("none")
    with pytest.raises(BadInputError) as bad:
        client.create_project("other", kind="pair", judgments_per_item="many", nonsense=1)
    assert {one.field for one in bad.value.errors} == {"judgments_per_item", "nonsense"}
    assert all(one.message in str(bad.value) for one in bad.value.errors)
    with Client(server, token_of(ben, "judge")) as other, pytest.raises(NotAllowedError):
        list(other.checkpoints())
    with Client(server, "tbk_wrong") as nobody, pytest.raises(NotSignedInError):
        list(nobody.projects())


def test_it_waits_for_as_long_as_it_is_told(server: str, token: str):
    with bad_line(server, says=(BUSY, AWAY)) as line, Client(line.address, token) as client:
        began = time.monotonic()
        assert list(client.projects()) == []
        assert time.monotonic() - began > 1
    assert len(line.asked) == 3


def test_it_gives_up_in_the_words_of_the_last_answer(server: str, token: str):
    with bad_line(server, says=(AWAY, AWAY)) as line, Client(line.address, token, retries=1) as client:
        with pytest.raises(ServerError) as away:
            list(client.projects())
        assert (away.value.status, away.value.detail) == (503, "<html>starting</html>")
    long = answer("429 Too Many Requests", Retry_After="3600")
    with bad_line(server, says=(long,)) as line, Client(line.address, token) as client:
        with pytest.raises(TooManyRequestsError) as busy:
            list(client.projects())
        assert busy.value.retry_after_s == 3600


def test_a_refusal_is_not_tried_again(server: str, token: str):
    with bad_line(server) as line, Client(line.address, token) as client, pytest.raises(NotFoundError):
        client.project("none")
    assert len(line.asked) == 1


def test_what_is_sent_twice_since_its_answer_was_lost_is_done_once(server: str, client: Client, ada: User, token: str):
    queued(ada, items=1)
    turn = client.claim("words")
    assert turn is not None
    with bad_line(server, breaks=(0, 0)) as line, Client(line.address, token) as unlucky:
        again = unlucky.claim("words")
    assert again is not None
    assert (again.assignment, line.n_cut) == (turn.assignment, 2)
    with bad_line(server, breaks=(0, 0)) as line, Client(line.address, token) as unlucky:
        replace(turn, _connection=unlucky._connection).judge([2, 1])
    assert line.n_cut == 2
    assert client.project("words").counts.judgments == 1


def test_a_project_whose_making_was_not_heard_of_is_made_once(server: str, token: str):
    at_work = answer("409 Conflict", b"{}", Retry_After="0", **PROBLEM)
    with bad_line(server, breaks=(0, 0), says=(at_work,)) as line, Client(line.address, token) as unlucky:
        assert unlucky.create_project("words").slug == "words"
        assert [one.slug for one in unlucky.projects()] == ["words"]
    assert line.n_cut == 2


def test_an_address_where_nobody_listens_is_told_soon(token: str):
    nowhere = Client(f"http://127.0.0.1:{free_port()}", token)
    with nowhere as client, pytest.raises(ConnectionLostError, match="Is this its address"):
        list(client.projects())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer("200 OK", b"<html>Welcome</html>", Content_Type="text/html"), "text/html, not with JSON"),
        (answer("301 Moved Permanently", Location="https://elsewhere"), "the server is at https://elsewhere"),
        (answer("200 OK", b'[{"id": 1}]', Content_Type="application/json"), "it has no “slug”"),
    ],
)
def test_another_kind_of_server_is_told(server: str, token: str, said: bytes, words: str):
    with bad_line(server, says=(said,)) as line, Client(line.address, token) as client:
        with pytest.raises(UnexpectedAnswerError) as other:
            list(client.projects())
        assert words in str(other.value)


def test_a_list_is_fetched_page_after_page_as_it_is_read(server: str, client: Client, token: str):
    for number in range(3):
        client.create_project(f"words-{number}")
    with bad_line(server) as line, Client(line.address, token) as other:
        rows = other._connection.pages("projects", {"limit": 2})
        assert next(rows)["slug"] == "words-2"
        assert len(line.asked) == 1
        assert [row["slug"] for row in rows] == ["words-1", "words-0"]
        assert len(line.asked) == 2


def test_an_error_without_a_document_is_told_in_its_own_words(server: str, token: str):
    teapot = answer("418 I'm a Teapot", b"short and stout")
    with bad_line(server, says=(teapot,)) as line, Client(line.address, token) as client:
        with pytest.raises(ApiError) as refused:
            list(client.projects())
        assert str(refused.value) == "I'm a Teapot (418): short and stout"
