"""Groups in, items out: what is the same is stored once."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Item, Project, Prompt, Response
from app.prompts.groups import GivenResponse, Group
from app.prompts.service import StoredItem, store


def project(session: Session, slug: str = "p", wanted: int = 2) -> Project:
    row = Project(slug=slug, name=slug, kind="pair", judgments_per_item=wanted)
    session.add(row)
    session.flush()
    return row


def group(prompt: str, *texts: str, external_id: str | None = None, model: str | None = None) -> Group:
    responses = tuple(GivenResponse(text, model) for text in texts)
    return Group([{"role": "user", "content": prompt}], responses, external_id)


def numbers(session: Session) -> tuple[int | None, ...]:
    return tuple(session.scalar(select(func.count()).select_from(table)) for table in (Prompt, Response, Item))


def stored(session: Session, into: Project, *groups: Group) -> list[StoredItem]:
    items = store(session, into, groups)
    assert None not in items
    return [item for item in items if item is not None]


def test_it_stores_a_group_with_all_it_carries(session: Session):
    into = project(session)
    response = GivenResponse("a", "m1", 0.5, {"temperature": 1.0})
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}]
    (item,) = stored(session, into, Group(prompt, (response, GivenResponse("b")), "q1", {"split": "test"}))
    row = session.get_one(Item, item.id)
    assert (row.external_id, row.record_metadata, row.wanted, row.open_slots) == ("q1", {"split": "test"}, 2, 2)
    assert row.response_ids == list(item.response_ids)
    assert session.get_one(Prompt, item.prompt_id).messages == prompt
    first, second = (session.get_one(Response, key) for key in item.response_ids)
    assert (first.text, first.model, first.score, first.sampling) == ("a", "m1", 0.5, {"temperature": 1.0})
    assert (second.text, second.model, second.score, second.sampling) == ("b", None, None, None)
    assert session.scalar(select(Response.sampling.is_(None)).where(Response.id == second.id))


def test_the_same_group_is_the_same_item_whatever_the_order_of_its_responses(session: Session):
    into = project(session)
    first, turned = stored(session, into, group("p", "a", "b"), group("p", "b", "a"))
    (again,) = stored(session, into, group("p", "b", "a"))
    assert first.id == turned.id == again.id
    assert [first.is_new, turned.is_new, again.is_new] == [True, False, False]
    assert turned.response_ids == again.response_ids == first.response_ids[::-1]
    assert numbers(session) == (1, 2, 1)


def test_items_share_prompts_and_responses(session: Session):
    into = project(session)
    first, second = stored(session, into, group("p", "a", "b"), group("p", "a", "c"))
    (third,) = stored(session, into, group("p", "c", "b"))
    assert first.prompt_id == second.prompt_id == third.prompt_id
    assert first.response_ids[0] == second.response_ids[0]
    assert third.response_ids == (second.response_ids[1], first.response_ids[1])
    assert numbers(session) == (1, 3, 3)


def test_two_models_that_say_the_same_stay_two_responses(session: Session):
    into = project(session)
    one, other = stored(session, into, group("p", "a", "b", model="m1"), group("p", "a", "b", model="m2"))
    assert one.id != other.id
    assert not set(one.response_ids) & set(other.response_ids)


def test_projects_share_nothing(session: Session):
    (here,) = stored(session, project(session, "here"), group("p", "a", "b", external_id="q"))
    (there,) = stored(session, project(session, "there"), group("p", "a", "b", external_id="q"))
    assert here.is_new
    assert there.is_new
    assert here.prompt_id != there.prompt_id


def test_an_id_belongs_to_one_content(session: Session):
    into = project(session)
    items = store(
        session,
        into,
        [
            group("p", "a", "b", external_id="q1"),
            group("other", "a", "b", external_id="q1"),
            group("p", "b", "a", external_id="q1"),
            group("p", "b", "a", external_id="q2"),
            group("third", "a", "b", external_id="q2"),
        ],
    )
    assert [item.is_new if item else None for item in items] == [True, None, False, False, True]
    assert store(session, into, [group("fourth", "a", "b", external_id="q2")]) == [None]
    assert numbers(session) == (2, 4, 2)


def test_it_stores_nothing_of_nothing(session: Session):
    assert store(session, project(session), []) == []
