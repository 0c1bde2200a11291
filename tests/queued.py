"""A project whose items wait to be judged, written straight into its tables and committed."""

import hashlib
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from app import db
from app.access import Person
from app.judgments import service as judgments
from app.judgments.service import Stored
from app.kinds import Verdict
from app.models import Item, Project, Prompt, Response, User
from app.people import service as people
from app.queue.service import Turn, claim


def queued(*members: User, slug: str = "words", items: int = 3, responses: int = 2, **settings: Any) -> Project:
    """A project with items; `wanted` is how many judgments each wants."""
    wanted = settings.pop("wanted", 1)
    settings = {"kind": "pair" if responses == 2 else "ranking", "judgments_per_item": wanted} | settings
    with db.work_unit() as session:
        project = Project(slug=slug, name=slug.title(), **settings)
        session.add(project)
        session.flush()
        for member in members:
            people.join(session, member.id, project.id)
        for number in range(items):
            words = f"{slug} {number}"
            prompt = Prompt(
                project_id=project.id, messages=[{"role": "user", "content": words}], content_hash=digest(words)
            )
            session.add(prompt)
            session.flush()
            keys = [uuid4() for _ in range(responses)]
            session.add_all(
                Response(
                    id=key, prompt_id=prompt.id, text=f"{words}.{place}", model=f"m{place}", content_hash=key.bytes
                )
                for place, key in enumerate(keys)
            )
            session.add(
                Item(
                    project_id=project.id,
                    prompt_id=prompt.id,
                    response_ids=keys,
                    content_hash=digest(words),
                    wanted=wanted,
                    open_slots=wanted,
                )
            )
    return project


def digest(words: str) -> bytes:
    return hashlib.sha256(words.encode()).digest()


def person_of(user: User) -> Person:
    return Person(user.id, user.name, user.role)


def asked(user: User, project: Project) -> Turn | None:
    with db.work_unit() as session:
        return claim(session, user.id, project.id)


def claimed(user: User, project: Project) -> Turn:
    turn = asked(user, project)
    assert turn, "something is left to judge"
    return turn


def judged(user: User, turn: Turn, *, key: str | None = None, **verdict: Any) -> Stored:
    """The response shown first is the best, unless another verdict is given."""
    verdict = verdict or {"outcome": "ranked", "tiers": first_shown_is_best(turn)}
    with db.work_unit() as session:
        return judgments.judge(session, person_of(user), turn.assignment_id, Verdict(**verdict), key=key or uuid4().hex)


def undone(user: User, stored: Stored, *, key: str | None = None) -> Stored:
    with db.work_unit() as session:
        return judgments.withdraw(session, person_of(user), stored.judgment["id"], key=key or uuid4().hex)


def first_shown_is_best(turn: Turn) -> dict[UUID, int]:
    return {UUID(key): place for place, (key, _) in enumerate(turn.responses, start=1)}


def leases_run_out() -> None:
    with db.work_unit() as session:
        session.execute(text("UPDATE assignment SET expires_at = now() - interval '1 second' WHERE state = 'open'"))


def value(statement: str, **values: Any) -> Any:
    with db.work_unit() as session:
        return session.execute(text(statement), values).scalar()


def write(statement: str, **values: Any) -> None:
    with db.work_unit() as session:
        session.execute(text(statement), values)


def make_gold(*item_ids: int, training: bool = False) -> None:
    """The first response of each is the right answer."""
    write(
        """UPDATE item SET wanted = 0, open_slots = 0, is_training = :training, gold = jsonb_build_object(
            'outcome', 'ranked', 'tiers', jsonb_build_object(response_ids[1], 1, response_ids[2], 2))
        WHERE id = ANY(:ids)""",
        ids=list(item_ids),
        training=training,
    )


def slots_that_do_not_add_up() -> list[tuple[int, ...]]:
    """Items where open slots + open turns + counted judgments is not what was wanted, or something is there twice.

    Gold and repeats want nothing and have no slots; nothing that is said about them counts or makes tuples.
    """
    with db.work_unit() as session:
        rows = session.execute(
            text("""
            SELECT item.id, wanted, open_slots,
                (SELECT count(*) FROM assignment WHERE item_id = item.id AND state = 'open') AS turns,
                (SELECT count(*) FROM judgment WHERE item_id = item.id AND is_current AND counted) AS judgments
            FROM item WHERE wanted > 0
            """)
        ).all()
        tests = session.execute(
            text("""
            SELECT (SELECT count(*) FROM item WHERE wanted = 0 AND open_slots <> 0), (
                SELECT count(*) FROM judgment JOIN item ON item.id = item_id
                WHERE wanted = 0 AND judgment.is_current AND counted), (
                SELECT count(*) FROM preference JOIN item ON item.id = item_id WHERE wanted = 0 AND preference.is_current)
            """)
        ).one()
        done = session.execute(
            text("""
            SELECT (SELECT count(*) FROM assignment WHERE state = 'done'),
                (SELECT count(DISTINCT assignment_id) FROM judgment WHERE is_current),
                (SELECT count(*) FROM judgment WHERE is_current)
            """)
        ).one()
        copies = session.execute(
            text("""
            SELECT
                (SELECT count(*) FROM assignment JOIN item ON item.id = item_id
                    WHERE assignment.project_id <> item.project_id),
                (SELECT count(*) FROM judgment AS said JOIN assignment AS turn ON turn.id = assignment_id
                    WHERE (said.project_id, said.item_id, said.user_id) <> (turn.project_id, turn.item_id, turn.user_id)),
                (SELECT count(*) FROM preference AS pair
                    JOIN judgment AS said ON said.id = judgment_id LEFT JOIN item ON item.id = said.item_id
                    WHERE (pair.project_id, pair.item_id, pair.prompt_id)
                        IS DISTINCT FROM (said.project_id, item.id, item.prompt_id))
            """)
        ).one()
    assert tuple(copies) == (0, 0, 0), "what a row copies is what the row above it says"
    assert tuple(tests) == (0, 0, 0), "slots, counted judgments and tuples of gold and repeats"
    assert len(set(done)) == 1, "a turn is done when it has a judgment in force, and it has one"
    return [tuple(row) for row in rows if row.open_slots + row.turns + row.judgments != row.wanted]
