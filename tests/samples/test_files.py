"""What ships in samples/ must be importable as it is, pleasant to judge, and what its README says it is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.imports.formats import recognise
from app.settings import ROOT
from samples.task import part_of, quality_of

SAMPLES = ROOT / "samples"
FILES = ("everyday.jsonl", "everyday_rankings.jsonl", "words_and_numbers.jsonl")
BY_HAND = FILES[:2]


def records(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines()]


def texts(record: dict[str, Any]) -> list[str]:
    return [response["text"] for response in record["responses"]]


def last_words(record: dict[str, Any]) -> str:
    prompt = record["prompt"]
    return prompt if isinstance(prompt, str) else prompt[-1]["content"]


@pytest.mark.parametrize("name", FILES)
def test_it_is_taken_by_the_importer_line_by_line(name: str) -> None:
    for record in records(name):
        taken = recognise(record)
        assert [response.text for response in taken.group.responses] == texts(record)
        assert taken.group.external_id == record["id"]
        assert taken.tiers == tuple(response["tier"] for response in record["responses"] if "tier" in response)


@pytest.mark.parametrize("name", FILES)
def test_it_has_no_id_and_no_prompt_twice(name: str) -> None:
    found = records(name)
    assert len({record["id"] for record in found}) == len(found)
    assert len({json.dumps(record["prompt"]) for record in found}) == len(found)


@pytest.mark.parametrize("name", FILES)
def test_it_has_different_and_tidy_responses_by_named_styles(name: str) -> None:
    for record in records(name):
        assert all(text and text == text.strip() for text in texts(record)), record["id"]
        assert len(set(texts(record))) == len(record["responses"]), record["id"]
        assert len({text.casefold().strip(" .!") for text in texts(record)}) > 1 or "rule" in record["metadata"]
        assert all(re.fullmatch("[a-z]+", response["model"]) for response in record["responses"]), record["id"]


@pytest.mark.parametrize("name", BY_HAND)
def test_it_shows_two_different_styles_side_by_side(name: str) -> None:
    for record in records(name):
        models = [response["model"] for response in record["responses"]]
        assert len(set(models)) == len(models), record["id"]


@pytest.mark.parametrize("name", BY_HAND)
def test_it_can_be_read_in_a_minute(name: str) -> None:
    for record in records(name):
        for text in texts(record):
            prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
            assert len(re.findall(r"[.!?…؟](?:\s|$)", prose)) <= 16, record["id"]
            assert len(text) <= 900, record["id"]


@pytest.mark.parametrize("name", BY_HAND)
def test_it_does_not_always_show_the_careful_response_first(name: str) -> None:
    places = [
        place
        for record in records(name)
        for place, response in enumerate(record["responses"])
        if response["model"] in {"careful", "warm"}
    ]
    assert 0.1 < sum(place == 0 for place in places) / len(places) < 0.7


def test_it_gives_people_pairs_and_rankings_to_judge() -> None:
    pairs, rankings = (records(name) for name in BY_HAND)
    assert len(pairs) >= 60
    assert {len(record["responses"]) for record in pairs} == {2}
    assert 12 <= len(rankings) <= 20
    assert {len(record["responses"]) for record in rankings} == {3, 4}
    assert not any("tier" in response for record in pairs + rankings for response in record["responses"])


def test_it_shows_the_pages_everything_they_must_render() -> None:
    found = records("everyday.jsonl")
    prompts = "\n".join(last_words(record) for record in found)
    responses = "\n".join(text for record in found for text in texts(record))
    for pattern in (r"```python\n", r"\n\|---", r"\$\$", r"^- ", r"^1\. ", r"\*\*", r"^> ", "\N{PERSONAL COMPUTER}|☕"):
        assert re.search(pattern, responses, re.MULTILINE), pattern
    for script in ("[\u0590-\u05ff]", "[\u0600-\u06ff]"):  # Hebrew, Arabic
        assert re.search(script, prompts)
        assert re.search(script, responses)
    assert {"German", "French", "Spanish"} <= {record["metadata"]["topic"] for record in found}
    roles = {message["role"] for record in found if isinstance(record["prompt"], list) for message in record["prompt"]}
    assert roles == {"system", "user", "assistant"}


def test_it_ships_the_checkable_task_judged_by_its_rule() -> None:
    found = records("words_and_numbers.jsonl")
    assert 1500 <= len(found) <= 3000
    order = ("right", "sloppy", "wrong")
    for record in found:
        assert part_of(record["prompt"]) == "judge"
        places = [order.index(quality_of(record["metadata"]["answer"], text)) for text in texts(record)]
        tiers = [response["tier"] for response in record["responses"]]
        assert (tiers[0] < tiers[1]) == (places[0] < places[1]), record["id"]
        assert sorted(tiers) == [1, 2], record["id"]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.*")), ids=lambda path: path.name)
def test_it_stays_small(path: Path) -> None:
    assert path.stat().st_size < 600_000


def test_its_readme_counts_right_and_names_every_file() -> None:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    for name, count in zip(FILES, ("70 prompts", "17 prompts", "2,000 prompts"), strict=True):
        assert len(records(name)) == int(count.split()[0].replace(",", ""))
        assert re.search(rf"`{name}` \| {count} ", readme), name
    for path in SAMPLES.glob("*.*"):
        assert path.name in {"README.md", "__init__.py"} or f"`{path.name}`" in readme, path.name
