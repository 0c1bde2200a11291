"""What people decided elsewhere, decided again through the pages by as many at once: the database ends up saying the same.

The small story makes its own votes. The large ones read public data, which is not part of the project: the folder that
holds `llmfao_crowd/` and `oasst_en_trees/` is named by the environment variable `VOTES`.
"""

import csv
import gzip
import json
import os
import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app import db
from app.models import Project, User
from app.people import service as people
from benchmarks.servers import served
from tests.annotator import Annotator, text_key
from tests.conftest import password_hash, token_client
from tests.queued import slots_that_do_not_add_up
from tests.voted import Ballots, Voted, assert_equal_to_source, tuples_that_differ

LATER_LOOKS = 20


@pytest.fixture
def address(database: Engine, tmp_path: Path) -> Iterator[str]:
    """The web server as `tiebreak up` starts it, with two processes."""
    with served("app.main:app", 2, tmp_path / "web.log") as (port, _):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def votes() -> Path:
    folder = os.environ.get("VOTES", "")
    if not folder:
        pytest.skip("VOTES does not name the folder with llmfao_crowd/ and oasst_en_trees/: nothing to give again")
    return Path(folder)


def opened(ada: User, kind: str, items: Collection[Voted], crowd: Sequence[User]) -> list[str]:
    """Projects for these items, imported as anybody would: one for each number of votes, since a project wants so many."""
    groups: dict[int, list[Voted]] = defaultdict(list)
    for item in items:
        groups[len(item.votes)].append(item)
    program = token_client(ada, "admin", "import")
    for wanted, group in groups.items():
        slug = f"{kind}-{wanted}"
        project = {"slug": slug, "name": slug, "kind": kind, "judgments_per_item": wanted}
        assert program.post("/api/v1/projects", json=project).status_code == 201
        lines = "\n".join(json.dumps(one.record()) for one in group)
        answer = program.post(
            f"/api/v1/projects/{slug}/items", content=lines, headers={"Content-Type": "application/x-ndjson"}
        )
        assert answer.json() | {"imported": len(group), "errors": []} == answer.json(), answer.text[:1000]
    with db.work_unit() as session:
        for project in session.query(Project):
            for user in crowd:
                people.join(session, user.id, project.id)
    return [f"{kind}-{wanted}" for wanted in groups]


def crowd_of(size: int) -> list[User]:
    with db.work_unit() as session:
        crowd = [
            User(email=f"w{n}@example.org", name=f"W{n}", role="annotator", password_hash=password_hash("crowd"))
            for n in range(size)
        ]
        session.add_all(crowd)
    return crowd


def work(annotator: Annotator, slugs: Sequence[str], ballots: Ballots) -> None:
    """Through all projects, and once more for items that others were holding at the time."""
    decide, note = partial(ballots.decide, annotator.email), partial(ballots.note, annotator.email)
    for slug in slugs:
        annotator.judge_all(slug, decide, lambda turn, _: note(turn))


def replay(address: str, ada: User, kind: str, items: Collection[Voted], crowd: Sequence[User]) -> None:
    """Every second browser works without a script."""
    slugs = opened(ada, kind, items, crowd)
    ballots = Ballots(items)
    with ExitStack() as stack, ThreadPoolExecutor(len(crowd)) as desks:
        browsers = [stack.enter_context(signed_in(address, user, at)) for at, user in enumerate(crowd)]
        for _ in range(LATER_LOOKS):
            list(desks.map(lambda one: work(one, slugs, ballots), browsers))
            if not ballots.n_left:
                break
    assert_equal_to_source(items, ballots, slugs)
    assert tuples_that_differ() == []
    assert slots_that_do_not_add_up() == []


def signed_in(address: str, user: User, at: int) -> Annotator:
    return Annotator(address, user.email or "", "crowd-password", is_htmx=at % 2 == 0)


def made_up(kind: str, n_items: int, n_votes: int) -> list[Voted]:
    """Votes with ties and without, on texts whose Markdown a page must not lose."""
    draw = random.Random(7)
    made = []
    for n in range(n_items):
        size = 2 if kind == "pair" else 2 + n % 4
        texts = tuple(f"**Answer {n}.{place}**\n\n- `a < b` & *c*\n- $x^{place}$ …" for place in range(size))
        orders = [[1, 2], [2, 1], [1, 1]] if size == 2 else [[draw.randint(1, size) for _ in texts] for _ in range(5)]
        votes = tuple(tuple(dense(draw.choice(orders))) for _ in range(n_votes))
        made.append(Voted(f"Question {n}?", texts, votes))
    return made


def dense(places: Sequence[int]) -> list[int]:
    ordered = sorted(set(places))
    return [ordered.index(one) + 1 for one in places]


def test_votes_given_again_through_the_pages_are_stored_as_they_were_given(address: str, ada: User) -> None:
    crowd = crowd_of(6)
    for kind in ("pair", "ranking"):
        replay(address, ada, kind, made_up(kind, 10, 2) + made_up(kind, 15, 3)[10:], crowd)


def crowd_comparisons(folder: Path, n_items: int) -> tuple[list[Voted], int]:
    """Items whose two texts are there, differ and belong to no other item, with all of their votes; and how many voted."""
    votes: dict[int, list[dict[str, str]]] = defaultdict(list)
    with gzip.open(folder / "crowd-comparisons.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            votes[int(row["id"])].append(row)
    items, seen, workers = [], set(), set()
    with gzip.open(folder / "pairs-crowd.jsonl.gz", "rt") as file:
        for line in file:
            pair = json.loads(line)
            texts = {pair["model_x"]: pair["result_x"], pair["model_y"]: pair["result_y"]}
            shown = frozenset(text_key(words or "") for words in texts.values())
            if len(shown) < 2 or "" in shown or shown in seen or not votes[pair["id"]]:
                continue
            seen.add(shown)
            said = [order(row) for row in votes[pair["id"]]]
            items.append(Voted(pair["text"], (texts[pair["model_x"]], texts[pair["model_y"]]), tuple(said)))
            workers |= {row["worker"] for row in votes[pair["id"]]}
            if len(items) == n_items:
                break
    return items, len(workers)


NAMES: dict[str, int] = {}


def order(row: dict[str, str]) -> tuple[int, int]:
    """Tiers of the texts of `model_x` and `model_y`. `left` and `right` are names of models, drawn anew for each vote."""
    if row["winner"] == "tie":
        return 1, 1
    return (1, 2) if NAMES[row[row["winner"]]] == int(row["model_x"]) else (2, 1)


def ranked_lists(folder: Path, n_items: int) -> list[Voted]:
    items, seen = [], set()
    with gzip.open(folder / "ranked_lists.jsonl.gz", "rt") as file:
        for line in file:
            one = json.loads(line)
            texts = tuple(reply["text"] for reply in one["replies"])
            shown = frozenset(map(text_key, texts))
            if len(shown) == len(texts) and shown not in seen and len(items) < n_items:
                seen.add(shown)
                places = tuple(dense([reply["rank"] for reply in one["replies"]]))
                items.append(Voted(one["history"][-1]["text"], texts, (places,)))
    return items


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_pairs_are_judged_as_a_crowd_judged_them(address: str, ada: User, votes: Path) -> None:
    folder = votes / "llmfao_crowd"
    NAMES.update(
        (one["name"], one["id"]) for one in map(json.loads, (folder / "models.jsonl").read_text().splitlines())
    )
    items, n_workers = crowd_comparisons(folder, 1000)
    assert len(items) == 1000
    replay(address, ada, "pair", items, crowd_of(n_workers))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_rankings_are_judged_as_they_were_ranked(address: str, ada: User, votes: Path) -> None:
    items = ranked_lists(votes / "oasst_en_trees", 200)
    assert len(items) == 200
    replay(address, ada, "ranking", items, crowd_of(16))
