"""Preferences of a project and of a dataset, typed, and streams that break off."""

from itertools import chain

import pytest

from app.client import Client, CutStreamError, Dataset, Preference
from app.client.preferences import records
from tests.line import bad_line

N = 200


@pytest.fixture
def project(client: Client) -> str:
    """Pairs, and one group of three of which two are as good."""
    best = {"prompt": "Which is\u2028best?", "metadata": {"tags": ["three"]}}
    best["responses"] = [{"text": text, "tier": tier, "model": text} for text, tier in (("a", 2), ("b", 1), ("c", 2))]
    pairs = ({"prompt": f"Question {n}?", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(N))
    slug = client.create_project("pairs", kind="ranking").slug
    assert client.push(slug, chain(pairs, [best])).judgments == N + 1
    return slug


@pytest.fixture
def dataset(client: Client, project: str) -> Dataset:
    return client.freeze(project, "pairs", test=0.25, seed=3)


def test_a_project_gives_records_with_types(client: Client, project: str):
    found = list(client.preferences(project))
    assert len(found) == N + 2
    last = found[-1]
    assert last.prompt + last.chosen == [
        {"role": "user", "content": "Which is\u2028best?"},
        {"role": "assistant", "content": "b"},
    ]
    assert (last.metadata, last.judge_kind, last.chosen_model) == ({"tags": ["three"]}, "imported", "b")
    assert last.judged_at is not None
    assert last.judged_at.tzinfo is not None


def test_a_stream_that_breaks_off_is_not_taken_for_a_whole_one(server: str, token: str, project: str):
    with bad_line(server, breaks=(50_000,)) as line, Client(line.address, token) as client:
        read: list[Preference] = []
        with pytest.raises(CutStreamError) as cut:
            read.extend(client.preferences(project))
        assert 0 < cut.value.n_read == len(read) < N
        assert len(list(client.preferences(project))) == N + 2


def test_a_stream_may_be_left_early(client: Client, project: str):
    first = next(iter(client.preferences(project)))
    assert first.chosen[0]["content"] == "good 0"


def test_a_dataset_gives_what_was_frozen(client: Client, project: str, dataset: Dataset):
    for side in ("train", "test"):
        assert len(list(dataset.groups(side))) == dataset.counts[side]["groups"] > 0
        assert len(list(client.preferences(dataset, side))) == dataset.counts[side]["tuples"]
    now = {(one.judgment, one.chosen[0]["content"], one.rejected[0]["content"]) for one in client.preferences(project)}
    frozen = list(dataset.preferences())
    assert {(one.judgment, one.chosen[0]["content"], one.rejected[0]["content"]) for one in frozen} == now
    assert [one.metadata for one in frozen if one.metadata] == [{"tags": ["three"]}] * 2


def test_a_frozen_file_is_read_on_where_the_line_was_cut(server: str, token: str, dataset: Dataset):
    with bad_line(server, breaks=(20_000, 10_000)) as line, Client(line.address, token) as client:
        assert list(client.dataset("pairs").groups()) == list(dataset.groups())
    assert line.n_cut == 2


def test_a_side_belongs_to_a_dataset(client: Client, project: str):
    with pytest.raises(ValueError, match="freeze a dataset"):
        client.preferences(project, "train")


def test_lines_are_whole_however_the_bytes_come():
    text = '{"a": "x\u2028y"}\n{"b": 2}\n{"c": 3'.encode()
    for size in range(1, len(text)):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        assert list(records(chunks)) == [{"a": "x\u2028y"}, {"b": 2}]
