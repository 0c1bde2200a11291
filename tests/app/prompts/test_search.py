"""Words are found whatever the case of their letters, in a database that knows no language."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from app import db
from app.models import User
from app.prompts.search import has
from tests.queued import claimed, judged
from tests.unjudged import open_item, open_project

SAME = [
    ("über", "Alles ÜBER Äpfel"),
    ("ÜBER", "alles über Äpfel"),
    ("üBeR", "Über"),
    ("ПРИВЕТ", "скажи привет миру"),
    ("σίσυφος", "ΣΊΣΥΦΟΣ"),
    ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
    ("STRASSE", "in der Straße"),
    ("straße", "IN DER STRASSE"),
    ("two words", "two\n\twords"),
    ("100 % (sure)", "100 % (SURE)"),
    ("a.b*c[d]^$\\e|{f}?+", "x A.B*C[D]^$\\E|{F}?+ x"),
    ("日本", "日本語"),
]


@pytest.mark.parametrize(("words", "text"), SAME)
def test_words_are_found_in_any_case_of_letters(session: Session, words: str, text: str):
    assert session.scalar(select(has(literal(text), words)))


@pytest.mark.parametrize(
    ("words", "text"), [("a.c", "abc"), ("über", "uber"), ("two words", "twowords"), ("(?i)x", "X"), ("***=x", "x")]
)
def test_no_sign_stands_for_another(session: Session, words: str, text: str):
    assert not session.scalar(select(has(literal(text), words)))


def test_the_lists_of_items_and_of_ones_own_judgments_find_the_same(
    ada: User, ben: User, ada_browser: TestClient, ben_browser: TestClient
):
    with db.work_unit() as session:
        project = open_project(session, "words", "pair", ben)
        open_item(session, project, "Was heißt GROẞ auf Français?", ["one", "two"])
        open_item(session, project, "Something else?", ["three", "four"])
    for _ in range(2):
        judged(ben, claimed(ben, project))
    for words in ("HEISST gross", "heißt groß AUF", "FRANÇAIS"):
        items = ada_browser.get("/projects/words/items", params={"words": words}).text
        mine = ben_browser.get("/projects/words/mine", params={"q": words}).text
        assert ("FRANÇAIS".lower() in items.lower(), "Something else" in items) == (True, False)
        assert ("FRANÇAIS".lower() in mine.lower(), "Something else" in mine) == (True, False)
