"""A reward model of ours on real human choices, held against a linear tf-idf model on the same split.

    python -m benchmarks.human_pairs FILE.jsonl.gz [--limit N] [--sft-epochs N] [--epochs N] [--length N] [--seed N]

The file holds lines of `{source, group, prompt, chosen, rejected, split}`; `group` tells prompts apart, `split` is train or
test. Our side is what anybody here would do without a GPU: a small language model from nothing, fine-tuned by `sft` on all
responses of the training side, then `reward` on its choices, with the worker's own loop and settings. The other side is
Bradley–Terry on words (`words.py`), its penalty chosen on a fifth of the training prompts. Neither sees the test side
before the end. Whoever changes sizes or rates may look at `--develop` instead: a tenth of the training prompts is the test
side then.

Both are right or wrong about the same pairs, so what counts is the mean of the differences pair by pair with its 95 %
interval, clustered by prompt (`app/intervals.py`). The bar is that its lower end is above 0.
"""

import argparse
import gzip
import json
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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
from worker.agreement import pairs_of
from worker.groups import Group


class Choice(NamedTuple):
    """A judged pair, and the name that tells its prompt apart."""

    name: str
    group: Group


def read_choices(path: Path, seed: int, develop: bool = False) -> tuple[list[Choice], list[Choice]]:
    """The training and the test side in a random order. ``develop`` makes both of the training side."""
    sides: dict[str, list[Choice]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            prompt = ({"role": "user", "content": row["prompt"]},)
            group = Group(prompt, (row["chosen"], row["rejected"]), (1, 2), source=row["source"])
            sides[row["split"]].append(Choice(str(row["group"]), group))
    if develop:
        names = sorted({choice.name for choice in sides["train"]})
        aside = set(random.Random(1).sample(names, len(names) // 10))
        sides["test"] = [choice for choice in sides["train"] if choice.name in aside]
        sides["train"] = [choice for choice in sides["train"] if choice.name not in aside]
    for side in sides.values():
        random.Random(seed).shuffle(side)
    return sides["train"], sides["test"]


def our_right(
    train: Sequence[Group], test: Sequence[Group], folder: Path, told: argparse.Namespace
) -> tuple[list[float], str]:
    """1, ½ or 0 for each test pair by the reward model, and in words what it is."""
    how = {"max_length": told.length, "seed": told.seed}
    speaker = blank(train, told.seed, told.vocabulary)
    everything = [Group(group.prompt, group.responses, (1, 1)) for group in train]
    speaker = trained(speaker, "sft", everything, epochs=told.sft_epochs, learning_rate=BLANK_RATE, **how)
    judge = loaded("reward", saved(speaker, folder), told.seed)
    judge = trained(judge, "reward", train, epochs=told.epochs, learning_rate=told.rate, **how)
    words = f"{judge.n_parameters / 1e6:.1f} M weights, {told.vocabulary} entries"
    return [pair.right for pair in pairs_of(reward_scores(judge, test, told.length))], words


def words_right(train: Sequence[Group], test: Sequence[Group]) -> list[float]:
    """The same by the words."""
    penalty = best_penalty(train, "logistic")
    model = WordModel(train, "logistic", penalty)
    print(f"tf-idf: {len(model.weights)} terms, penalty {penalty:g}", flush=True)
    return [pair.right for pair in pairs_of(scored_by(model.scores(test), test))]


def show(test: Sequence[Choice], ours: Sequence[float], words: Sequence[float]) -> float:
    """A table by source and the difference; returns the lower end of its interval."""
    gained = [mine - theirs for mine, theirs in zip(ours, words, strict=True)]
    rows = []
    for source in ["all", *sorted({str(choice.group.source) for choice in test})]:
        places = [place for place, choice in enumerate(test) if source in {"all", choice.group.source}]
        prompts = [test[place].name for place in places]
        shares = [as_share([side[place] for place in places], prompts) for side in (ours, words)]
        gain, _ = as_gain([gained[place] for place in places], prompts)
        rows.append([source, len(places), len(set(prompts)), *shares, gain])
    print_table(["source", "pairs", "prompts", "reward model", "tf-idf", "difference"], rows)
    return as_gain(gained, [choice.name for choice in test])[1][0]


def main(arguments: Sequence[str] | None = None) -> None:
    one_thread()
    parser = command_line(__doc__)
    parser.add_argument("pairs", type=Path, nargs="?", default=os.environ.get("PAIRS"))
    parser.add_argument("--limit", type=int, default=0, help="so many pairs of each side at most; 0 is all")
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--sft-epochs", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.0, help="of `reward`; 0 is the worker's own")
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--develop", action="store_true", help="hold out a tenth of the training prompts, not the test side"
    )
    told = parser.parse_args(arguments)
    if told.pairs is None:
        give_up("name the file of pairs, as an argument or as PAIRS=file.jsonl.gz")
    train, test = (side[: told.limit or None] for side in read_choices(Path(told.pairs), told.seed, told.develop))
    if len({choice.name for choice in train}) < 2 or len({choice.name for choice in test}) < 4:
        give_up("the file has too few prompts on one of its sides: two to train on and four to test are the least")
    measured(train, test, told)


def measured(train: Sequence[Choice], test: Sequence[Choice], told: argparse.Namespace) -> None:
    train_groups, test_groups = ([choice.group for choice in side] for side in (train, test))
    words = words_right(train_groups, test_groups)
    with tempfile.TemporaryDirectory(prefix="tiebreak-human-pairs-") as folder:
        ours, what = our_right(train_groups, test_groups, Path(folder), told)
    low = show(test, ours, words)
    print(f"reward model of {what}; {len(train)} pairs to train on; {time.process_time() / 60:.1f} minutes of CPU")
    figures = {
        "reward_model_accuracy": Figure(sum(ours) / len(ours), sum(words) / len(words)),
        "difference_low": Figure(low, 0.0),
    }
    finish("human_pairs", figures)


if __name__ == "__main__":
    main()
