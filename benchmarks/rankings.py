"""Plackett–Luce beside the logistic loss of all pairs, on people's rankings: which of the two learns more from them?

    python -m benchmarks.rankings FILE.jsonl.gz [FILE …] [--folds N] [--seed N] [--model words|reward]

A line of a file is `{history: [{role, text}], replies: [{text, rank}]}`, `{instruction, responses: {name: text}, rankings:
[{order: [name, …]}]}`, or `{prompt, responses: [{text, tier}]}` as Tiebreak imports it. Each file is gone through by cross-validation:
prompts are held out once each, all rankings of one together, and a conversation's turns with it.

`words` is the linear model of `words.py`: convex, so what differs between the two is the loss and nothing else; each loss
chooses its own penalty on the training side. `reward` is the worker's reward model from a small language model that `sft` made of
the training side's responses, where luck weighs more.

Both losses are asked about the same held-out rankings. The figures are differences, Plackett–Luce less logistic, ranking by
ranking (accuracy: pair by pair), with 95 % intervals clustered by prompt. The bar is that Plackett–Luce is not shown to be worse.
"""

import argparse
import gzip
import json
import math
import os
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.recipe import (
    BLANK_RATE,
    as_gain,
    as_share,
    blank,
    loaded,
    one_thread,
    reward_scores,
    saved,
    scored_by,
    trained,
)
from benchmarks.report import Figure, command_line, finish, give_up, print_table
from benchmarks.words import WordModel, best_penalty
from worker.agreement import Scored, kendall, pairs_of
from worker.groups import Group
from worker.objectives.ranking import TIE

LOSSES = ("plackett_luce", "logistic")
VOCABULARY, LENGTH, EPOCHS = 4096, 512, 3
Ranking = tuple[str, Group]
"""A judged group, and the name of what is held out together with it."""


def read_rankings(path: Path) -> list[Ranking]:
    """Every judged group of two or more, in the order of the file."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return [ranking for number, line in enumerate(lines) for ranking in _rankings(json.loads(line), str(number))]


def _rankings(row: Mapping[str, Any], name: str) -> list[Ranking]:
    if "replies" in row:
        roles = {"prompter": "user"}
        prompt = tuple(
            {"role": roles.get(each["role"], each["role"]), "content": each["text"]} for each in row["history"]
        )
        replies = row["replies"]
        tiers = tuple(reply["rank"] + 1 for reply in replies)
        return [(str(row.get("tree", name)), Group(prompt, tuple(reply["text"] for reply in replies), tiers))]
    if "rankings" in row:
        prompt = ({"role": "user", "content": row["instruction"]},)
        texts = tuple(row["responses"].values())
        orders = [[ranking["order"].index(each) + 1 for each in row["responses"]] for ranking in row["rankings"]]
        return [(str(row.get("item_id", name)), Group(prompt, texts, tuple(order))) for order in orders]
    told = row["prompt"]
    prompt = ({"role": "user", "content": told},) if isinstance(told, str) else tuple(told)
    responses = [each for each in row["responses"] if each.get("tier") is not None]
    tiers = tuple(each["tier"] for each in responses)
    return [(repr(prompt), Group(prompt, tuple(each["text"] for each in responses), tiers))] if len(tiers) > 1 else []


def by_words(train: Sequence[Group], test: Sequence[Group], loss: str, told: argparse.Namespace) -> list[Scored]:
    """The held-out groups as the linear model scores them."""
    penalty = best_penalty(train, loss, told.seed)
    print(f"  {loss}: penalty {penalty:g}", flush=True)
    return scored_by(WordModel(train, loss, penalty).scores(test), test)


def by_reward(train: Sequence[Group], test: Sequence[Group], loss: str, told: argparse.Namespace) -> list[Scored]:
    """The held-out groups as the reward model scores them; both losses start from equal language models."""
    how = {"max_length": LENGTH, "seed": told.seed}
    speaker = blank(train, told.seed, VOCABULARY)
    everything = [Group(group.prompt, group.responses, (1,) * len(group.responses)) for group in train]
    with tempfile.TemporaryDirectory(prefix="tiebreak-rankings-") as folder:
        saved(trained(speaker, "sft", everything, learning_rate=BLANK_RATE, **how), Path(folder))
        judge = loaded("reward", Path(folder), told.seed)
    judge = trained(judge, "reward", train, loss=loss, epochs=EPOCHS, **how)
    return reward_scores(judge, test, LENGTH)


MODELS = {"words": by_words, "reward": by_reward}


def top_1(group: Scored) -> float:
    """Whether the highest score is that of a best response; what is shared counts in parts."""
    highest = max(group.scores)
    at_top = [tier for score, tier in zip(group.scores, group.tiers, strict=True) if highest - score <= TIE]
    return at_top.count(min(group.tiers)) / len(at_top)


def parts(rankings: Sequence[Ranking], number: int, seed: int) -> Iterator[tuple[list[Ranking], list[Ranking]]]:
    """To train on and held out, so often that every ranking was held out once; all of one name are on one side."""
    names = sorted({name for name, _ in rankings})
    random.Random(seed).shuffle(names)
    for part in range(number):
        aside = set(names[part::number])
        yield [each for each in rankings if each[0] not in aside], [each for each in rankings if each[0] in aside]


def held_out(rankings: Sequence[Ranking], told: argparse.Namespace) -> tuple[list[str], dict[str, list[Scored]]]:
    """Every ranking once, held out: the name of each, and its scores by the model of each loss."""
    order: list[str] = []
    found: dict[str, list[Scored]] = {loss: [] for loss in LOSSES}
    for number, (train, test) in enumerate(parts(rankings, told.folds, told.seed), start=1):
        print(f"fold {number} of {told.folds}", flush=True)
        order += [name for name, _ in test]
        for loss in LOSSES:
            found[loss] += MODELS[told.model]([group for _, group in train], [group for _, group in test], loss, told)
    return order, found


def measures(groups: Sequence[Scored], names: Sequence[str]) -> dict[str, tuple[list[float], list[str]]]:
    """Of each measure the values, and the prompt of each."""
    pairs = [(pair.right, name) for name, group in zip(names, groups, strict=True) for pair in pairs_of([group])]
    taus = [(tau, name) for name, group in zip(names, groups, strict=True) if (tau := kendall(group)) is not None]
    tops = [(top_1(group), name) for name, group in zip(names, groups, strict=True)]
    each = {"kendall_tau": taus, "pair_accuracy": pairs, "top_1": tops}
    return {name: ([value for value, _ in values], [name for _, name in values]) for name, values in each.items()}


def show(title: str, names: Sequence[str], found: Mapping[str, Sequence[Scored]]) -> dict[str, Figure]:
    """A table of both losses and their difference; returns the upper end of each difference's interval."""
    rows, figures = [], {}
    ours, theirs = (measures(found[loss], names) for loss in LOSSES)
    for measure, (values, prompts) in ours.items():
        others = theirs[measure][0]
        words = as_gain if measure == "kendall_tau" else as_share
        both = [words(each, prompts) for each in (values, others)]
        gain, (_, high) = as_gain([one - other for one, other in zip(values, others, strict=True)], prompts)
        cells = [each if isinstance(each, str) else each[0] for each in both]
        rows.append([measure, len(values), len(set(prompts)), *cells, gain])
        figures[f"{title}_{measure}_difference_high"] = Figure(round(high, 4), 0.0)
    print_table([title, "values", "prompts", "Plackett–Luce", "all pairs", "difference"], rows)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    one_thread()
    parser = command_line(__doc__)
    parser.add_argument("files", type=Path, nargs="*", default=[Path(each) for each in _named()])
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--limit", type=int, default=0, help="so many rankings of each file; 0 is all")
    parser.add_argument("--model", choices=tuple(MODELS), default="words")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args(arguments)
    if not told.files:
        give_up("name files of rankings, as arguments or as RANKINGS='one.jsonl.gz other.jsonl.gz'")
    figures: dict[str, Figure] = {}
    for path in told.files:
        rankings = read_rankings(path)[: told.limit or None]
        if len({name for name, _ in rankings}) < max(4, told.folds):
            give_up(f"{path.name} has too few prompts for {told.folds} folds and an interval")
        figures |= show(path.name.partition(".")[0], *held_out(rankings, told))
    print(f"{time.process_time() / 60:.1f} minutes of CPU")
    finish("rankings", {name: figure for name, figure in figures.items() if math.isfinite(figure.value)})


def _named() -> list[str]:
    return os.environ.get("RANKINGS", "").split()


if __name__ == "__main__":
    main()
