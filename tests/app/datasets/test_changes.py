"""What differs between two versions."""

from collections.abc import Iterable

import orjson

from app.datasets.changes import Changes, changes, groups, lines_of
from app.datasets.split import Side
from tests.app.datasets.test_files import row


def lines(*found: tuple[str, int, Side, list[int]]) -> dict[Side, Iterable[bytes]]:
    sides: dict[Side, list[bytes]] = {"train": [], "test": []}
    for prompt, group, side, tiers in sorted(found):
        sides[side].append(orjson.dumps(row(group, prompt_hash=prompt, judgment=group, tiers=tiers)))
    return {"train": sides["train"], "test": sides["test"]}


def test_it_counts_what_came_what_went_and_what_moved():
    old = lines(
        ("aa", 1, "train", [1, 2]), ("aa", 2, "train", [1, 2]), ("cc", 5, "test", [1, 2]), ("dd", 6, "train", [2, 1])
    )
    new = lines(
        ("aa", 1, "train", [2, 1]), ("bb", 4, "train", [1, 2]), ("cc", 5, "train", [1, 2]), ("dd", 6, "test", [2, 1])
    )
    assert changes(groups(old), groups(new)) == Changes(added=1, removed=1, changed=1, to_test=1, to_train=1)


def test_equal_versions_have_no_changes():
    one = [("aa", 1, "train", [1, 2]), ("bb", 2, "test", [1, 2]), ("ff", 3, "train", [1, 2])]
    assert changes(groups(lines(*one)), groups(lines(*one))) == Changes()  # type: ignore[arg-type]
    assert changes(groups(lines()), groups(lines(*one))) == Changes(added=3)  # type: ignore[arg-type]


def test_lines_are_found_wherever_the_chunks_are_cut():
    assert list(lines_of([b"on", b"e\ntw", b"o\n", b"three"])) == [b"one", b"two", b"three"]
