"""Several judgments of one item, and several items of one prompt: what becomes a row of a dataset, and what it weighs.

    each       every judgment is a row; the judgments of an item share its weight of 1
    majority   one row: of each two responses the one that more judges put higher is better, and the responses are put in
               order by such wins less losses (Copeland), which for a pair is the plain majority; equal numbers tie.
               “All bad” is the answer when more than half said so
    weights    one row for each different answer, which weighs the share of the judges who gave it

With balance “item” every item weighs 1, however many judged it: were each judgment to count as one, the items that were
judged again because people disagreed would outweigh the rest. With “prompt” the items of a prompt share a weight of 1.

Pure: rows in, rows out. Agreement is the share of an item's judgments that gave its most frequent answer.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean

from app.datasets.order import Order
from app.datasets.row import Row, judged
from app.preference import dense

Answer = tuple[str, tuple[int | None, ...]]


def rows_of_prompt(items: Sequence[Sequence[Row]], order: Order) -> list[Row]:
    """The rows of one prompt's items, each given as its judgments; items that the filters keep out have none."""
    kept = [rows for judgments in items if (rows := rows_of_item(judgments, order))]
    if order.balance == "prompt":
        for rows in kept:
            for row in rows:
                row["weight"] /= len(kept)
    return [row for rows in kept for row in rows]


def rows_of_item(judgments: Sequence[Row], order: Order) -> list[Row]:
    """Agreement is that of the judgments that the other filters let through."""
    sorts = answers(judgments)
    agreement = max(map(len, sorts)) / len(judgments)
    if len(judgments) < order.filters.min_judgments or agreement < order.filters.min_agreement:
        return []
    if order.combine == "each":
        rows = [row | {"weight": 1 / len(judgments)} for row in judgments]
    elif order.combine == "weights":
        rows = [_one(same, same[0]["outcome"], same[0]["tiers"], len(same) / len(judgments)) for same in sorts]
    else:
        outcome, tiers = majority(judgments)
        agreeing = [row for row in judgments if answer(row) == (outcome, tuple(tiers))]
        rows = [_one(judgments, outcome, tiers, 1.0, agreeing)]
    return [row | {"agreement": agreement} for row in rows if row["outcome"] in order.filters.outcomes]


def answer(row: Row) -> Answer:
    """What was said, so that equal answers are equal: the outcome and the weak order without gaps."""
    given = dense(judged(row))
    return row["outcome"], tuple(given.get(place) for place in range(len(row["tiers"])))


def answers(judgments: Iterable[Row]) -> list[list[Row]]:
    """The judgments by what they say, each kind in the order in which it was first said."""
    sorts: dict[Answer, list[Row]] = {}
    for row in judgments:
        sorts.setdefault(answer(row), []).append(row)
    return list(sorts.values())


def majority(judgments: Sequence[Row]) -> tuple[str, list[int | None]]:
    """The outcome and the tiers that most judges are for, response by response."""
    bad = [row for row in judgments if row["outcome"] == "all_bad"]
    if 2 * len(bad) > len(judgments):
        return "all_bad", list(answer(bad[0])[1])
    orders = [row["tiers"] for row in judgments if row["outcome"] != "all_bad"]
    score: dict[int, int] = {
        place: 0 for place in range(len(judgments[0]["tiers"])) if any(tiers[place] is not None for tiers in orders)
    }
    for one in score:
        for other in score:
            if one < other:
                lead = _lead(orders, one, other)
                score[one] += lead
                score[other] -= lead
    tiers = dense({place: -wins for place, wins in score.items()})
    outcome = "ranked" if len(set(tiers.values())) > 1 else "tie"
    return outcome, [tiers.get(place) for place in range(len(judgments[0]["tiers"]))]


def _lead(orders: Iterable[Sequence[int | None]], one: int, other: int) -> int:
    """1 when more judges put `one` above `other` than below it, −1 when fewer, else 0."""
    above = 0
    for tiers in orders:
        first, second = tiers[one], tiers[other]
        if first is not None and second is not None:
            above += (first < second) - (first > second)
    return (above > 0) - (above < 0)


def _one(
    judgments: Sequence[Row],
    outcome: str,
    tiers: Sequence[int | None],
    weight: float,
    agreeing: Sequence[Row] | None = None,
) -> Row:
    """One row for several judgments: named after the first of them, with the mean margin of those that agree with it."""
    margins = [row["margin"] for row in (judgments if agreeing is None else agreeing) if row["margin"] is not None]
    kinds = {row["judge_kind"] for row in judgments}
    return judgments[0] | {
        "outcome": outcome,
        "tiers": list(tiers),
        "margin": fmean(margins) if margins else None,
        "weight": weight,
        "judge_kind": kinds.pop() if len(kinds) == 1 else "mixed",
        "judgments": len(judgments),
        "annotator": judgments[0]["annotator"] if len(judgments) == 1 else None,
    }
