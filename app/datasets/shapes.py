"""The shapes in which other programs read judgments, each made of rows of groups. Pure.

    preference       {prompt, chosen, rejected} as messages: TRL's RewardTrainer, DPOTrainer and their relatives
    preference_text  the same as text; a prompt of several messages is a transcript that ends with “Assistant:”
    unpaired         {prompt, completion, label}: KTO. The best tier is good, the worst is bad, what lies between is left out;
                     of a tie nothing is said, and all are bad when all were said to be
    prompts          {prompt}: what an online method samples for, each prompt once
    sft              {prompt, completion}: the responses of the best tier
    log              every judgment ever made in the project as it was made, skipped, replaced and withdrawn ones too

The names of columns are those of TRL's dataset formats, and there are no others: its trainers take what they find. The log
has no sides, so it is one file.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from app.datasets.order import Shape
from app.datasets.row import Row, judged
from app.preference import tuples

Record = dict[str, Any]
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}

SCHEMAS: Mapping[Shape, pa.Schema] = {
    "preference": pa.schema([("prompt", MESSAGES), ("chosen", MESSAGES), ("rejected", MESSAGES)]),
    "preference_text": pa.schema([("prompt", pa.string()), ("chosen", pa.string()), ("rejected", pa.string())]),
    "unpaired": pa.schema([("prompt", MESSAGES), ("completion", MESSAGES), ("label", pa.bool_())]),
    "prompts": pa.schema([("prompt", MESSAGES)]),
    "sft": pa.schema([("prompt", MESSAGES), ("completion", MESSAGES)]),
    "log": pa.schema(
        [
            ("judgment", pa.int64()),
            ("group", pa.int64()),
            ("annotator", pa.string()),
            ("judge_kind", pa.string()),
            ("reason", pa.string()),
            ("shown", pa.list_(pa.string())),
            ("outcome", pa.string()),
            ("tiers", pa.string()),
            ("dimensions", pa.string()),
            ("strength", pa.int32()),
            ("comment", pa.string()),
            ("skip_reason", pa.string()),
            ("duration_ms", pa.int64()),
            ("revision", pa.int32()),
            ("current", pa.bool_()),
            ("withdrawn", pa.bool_()),
            ("counted", pa.bool_()),
            ("judged_at", pa.string()),
        ]
    ),
}


def preference(row: Row) -> Iterator[Record]:
    for better, worse in _pairs(row):
        yield {"prompt": row["prompt"], "chosen": _said(row, better), "rejected": _said(row, worse)}


def preference_text(row: Row) -> Iterator[Record]:
    prompt = transcript(row["prompt"])
    for better, worse in _pairs(row):
        yield {"prompt": prompt, "chosen": row["responses"][better], "rejected": row["responses"][worse]}


def unpaired(row: Row) -> Iterator[Record]:
    judged = {tier for tier in row["tiers"] if tier is not None}
    for place, tier in enumerate(row["tiers"]):
        is_best, is_worst = tier == min(judged, default=None), tier == max(judged, default=None)
        if row["outcome"] == "all_bad":
            is_best, is_worst = False, True
        if is_best != is_worst and (tier is not None or row["outcome"] == "all_bad"):
            yield {"prompt": row["prompt"], "completion": _said(row, place), "label": is_best}


def sft(row: Row) -> Iterator[Record]:
    best = min((tier for tier in row["tiers"] if tier is not None), default=None)
    if row["outcome"] != "all_bad" and best is not None:
        for place, tier in enumerate(row["tiers"]):
            if tier == best:
                yield {"prompt": row["prompt"], "completion": _said(row, place)}


def prompts(row: Row) -> Iterator[Record]:
    """One for each row; rows of one prompt come one after the other, and files leave out what stands there already."""
    yield {"prompt": row["prompt"]}


MAKERS: Mapping[Shape, Callable[[Row], Iterator[Record]]] = {
    "preference": preference,
    "preference_text": preference_text,
    "unpaired": unpaired,
    "prompts": prompts,
    "sft": sft,
}


def transcript(messages: list[dict[str, str]]) -> str:
    """A prompt as text: what was asked, or who said what, up to where the assistant goes on."""
    if len(messages) == 1:
        return messages[0]["content"]
    said = (f"{_SPEAKERS.get(one['role'], one['role'])}: {one['content']}" for one in messages)
    return "\n\n".join((*said, "Assistant:"))


def _pairs(row: Row) -> Iterator[tuple[int, int]]:
    """Places of better and worse responses, as the tuples of the row's judgment."""
    return tuples(judged(row))


def _said(row: Row, place: int) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": row["responses"][place]}]
