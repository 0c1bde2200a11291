"""A reward model of ours on real human choices, held against a linear tf-idf model on the same split.

    python -m benchmarks.human_pairs FILE.jsonl.gz [--limit N] [--sft-epochs N] [--epochs N] [--length N] [--seed N]

The file holds lines of `{source, group, prompt, chosen, rejected, split}`; `group` tells prompts apart, `split` is train or
test. Our side is what anybody here would do without a GPU: a small language model from nothing, fine-tuned by `sft` on all
responses of the training side, then `reward` on its choices, with the worker's own loop and settings. The other side is
Bradley–Terry on words: P(chosen) = σ(w·(x_chosen − x_rejected)), x the tf-idf of words and pairs of words of the response, its
penalty chosen on a tenth of the training prompts. Neither sees the test side before the end.

Both are right or wrong about the same pairs, so what counts is the mean of the differences pair by pair with its 95 %
interval, clustered by prompt (`worker/intervals.py`). The bar is that its lower end is above 0.
"""

import argparse
import gzip
import itertools
import json
import math
import os
import random
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import Figure, finish, give_up, print_table
from worker import policy, starter
from worker.evaluate import measure
from worker.groups import Group
from worker.intervals import mean_interval, share_interval
from worker.methods import find_method, read_settings
from worker.policy import Model
from worker.sharing import with_shared_prompts
from worker.steps import train_steps
from worker.tokens import encode

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+|\d+|[^\w\s]")
PENALTIES = (1e-4, 1e-3, 1e-2)


@dataclass(frozen=True)
class Choice:
    source: str
    prompt: str
    group: str
    chosen: str
    rejected: str

    def as_group(self, tiers: tuple[int, int] = (1, 2)) -> Group:
        return Group(({"role": "user", "content": self.prompt},), (self.chosen, self.rejected), tiers)


def read_choices(path: Path, limit: int, seed: int) -> tuple[list[Choice], list[Choice]]:
    """The training and the test side in a random order; of each at most ``limit``, if it is not 0."""
    sides: dict[str, list[Choice]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            told = (row["source"], row["prompt"], str(row["group"]), row["chosen"], row["rejected"])
            sides[row["split"]].append(Choice(*told))
    for side in sides.values():
        random.Random(seed).shuffle(side)
    return sides["train"][: limit or None], sides["test"][: limit or None]


def trained(model: Model, method_name: str, groups: Sequence[Group], **given: Any) -> Model:
    """The model after a run of that method, as the worker does it. Raises BadInput as a run would."""
    method = find_method(method_name)
    settings = read_settings(method, given)
    examples, cut = encode(method.examples(groups, settings), model.tokenizer, settings.max_length, settings.too_long)
    model, _ = with_shared_prompts(model, examples)
    print(f"{method_name}: {len(examples)} groups, cut: {cut.as_facts()}", flush=True)
    for step in train_steps(model, method, settings, examples):
        if step.number % 50 == 0 or step.number + 1 == step.total:
            figures = {name: round(value, 4) for name, value in step.figures.items() if name in {"loss", "accuracy"}}
            print(f"  step {step.number + 1} of {step.total}: {figures}", flush=True)
    return model


def our_right(train: Sequence[Choice], test: Sequence[Choice], folder: Path, told: argparse.Namespace) -> list[float]:
    """1, ½ or 0 for each test pair by the reward model."""
    policy.seed_everything(told.seed)
    groups = [choice.as_group() for choice in train]
    network, tokenizer = starter.blank(groups)
    device = policy.pick_device()
    speaker = policy.prepare("policy", network, tokenizer, lora_rank=0, device=device)
    all_responses = [choice.as_group(tiers=(1, 1)) for choice in train]
    how = {"max_length": told.length, "seed": told.seed}
    speaker = trained(speaker, "sft", all_responses, epochs=told.sft_epochs, learning_rate=1.5e-3, **how)
    speaker.network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    judge = policy.load("reward", folder, lora_rank=0, device=device)
    judge = trained(judge, "reward", groups, epochs=told.epochs, **how)
    held_out, _ = encode([choice.as_group() for choice in test], judge.tokenizer, told.length)
    return [right(better - worse) for better, worse in measure(judge, held_out, policy.rewards)]


def right(lead: float) -> float:
    return 0.5 if lead == 0 else float(lead > 0)


def terms(text: str) -> Counter[str]:
    """Words and pairs of words in small letters; Chinese and Japanese, which put no space between words, by character."""
    words = WORD.findall(text.lower())
    return Counter([*words, *(f"{one} {other}" for one, other in itertools.pairwise(words))])


class WordModel:
    """Bradley–Terry on tf-idf: (1 + log tf) · log(N/df), each response scaled to length 1; terms seen twice at least."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        texts = [text for choice in choices for text in (choice.chosen, choice.rejected)]
        seen = Counter(term for text in texts for term in set(terms(text)))
        kept = [term for term, count in seen.items() if count > 1]
        self.place = {term: place for place, term in enumerate(kept)}
        self.idf = {term: math.log(len(texts) / seen[term]) for term in kept}
        self.weights = torch.zeros(len(kept), dtype=torch.float64)

    def differences(self, choices: Sequence[Choice]) -> torch.Tensor:
        """x_chosen − x_rejected of each pair, sparse: (pairs, terms)."""
        rows, columns, values = [], [], []
        for row, choice in enumerate(choices):
            for sign, text in ((1.0, choice.chosen), (-1.0, choice.rejected)):
                counts = {term: count for term, count in terms(text).items() if term in self.place}
                entries = {term: (1 + math.log(count)) * self.idf[term] for term, count in counts.items()}
                norm = math.sqrt(sum(value * value for value in entries.values())) or 1.0
                rows += [row] * len(entries)
                columns += [self.place[term] for term in entries]
                values += [sign * value / norm for value in entries.values()]
        shape = (len(choices), len(self.place))
        return torch.sparse_coo_tensor(torch.tensor([rows, columns]), values, shape, dtype=torch.float64).coalesce()

    def fit(self, choices: Sequence[Choice], penalty: float) -> "WordModel":
        """Minimise the mean of log(1 + e^{−w·x}) + penalty · |w|²; convex, so the start does not matter."""
        leads_of = self.differences(choices)
        weights = torch.zeros_like(self.weights, requires_grad=True)
        search = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

        def cost() -> torch.Tensor:
            search.zero_grad()
            leads = torch.mv(leads_of, weights)
            found = torch.nn.functional.softplus(-leads).mean() + penalty * weights.square().sum()
            found.backward()
            return found

        search.step(cost)
        self.weights = weights.detach()
        return self

    def right(self, choices: Sequence[Choice]) -> list[float]:
        return [right(lead) for lead in torch.mv(self.differences(choices), self.weights).tolist()]


def words_right(train: Sequence[Choice], test: Sequence[Choice]) -> list[float]:
    """The same by the words; the penalty is that which does best on a tenth of the training prompts."""
    prompts = sorted({choice.group for choice in train})
    random.Random(0).shuffle(prompts)
    aside = set(prompts[: max(1, len(prompts) // 10)])
    fitted = [choice for choice in train if choice.group not in aside]
    tried = [choice for choice in train if choice.group in aside]
    scores = {penalty: sum(WordModel(fitted).fit(fitted, penalty).right(tried)) for penalty in PENALTIES}
    best = max(scores, key=lambda penalty: scores[penalty])
    print(f"tf-idf: penalty {best:g} of {', '.join(f'{each:g}' for each in PENALTIES)}", flush=True)
    return WordModel(train).fit(train, best).right(test)


def show(test: Sequence[Choice], ours: Sequence[float], words: Sequence[float]) -> float:
    """A table by source and the difference; returns the lower end of its interval."""
    rows = []
    for source in ["all", *sorted({choice.source for choice in test})]:
        places = [place for place, choice in enumerate(test) if source in {"all", choice.source}]
        prompts = [test[place].group for place in places]
        cells: list[object] = [source, len(places)]
        for side in (ours, words):
            values = [side[place] for place in places]
            low, high = share_interval(values, prompts) or (math.nan, math.nan)
            cells.append(f"{sum(values) / len(values):.3f} ({low:.3f} to {high:.3f})")
        rows.append(cells)
    print_table(["source", "pairs", "reward model", "tf-idf"], rows)
    gained = [mine - theirs for mine, theirs in zip(ours, words, strict=True)]
    interval = mean_interval(gained, [choice.group for choice in test])
    if interval is None:
        give_up("the test side has too few prompts for an interval")
    mean = sum(gained) / len(gained)
    print(f"difference {mean:+.3f}, 95 % interval {interval[0]:+.3f} to {interval[1]:+.3f}")
    return interval[0]


def main() -> None:
    torch.sparse.check_sparse_tensor_invariants.disable()  # what torch does anyway, and warns of unless it is said
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pairs", type=Path, nargs="?", default=os.environ.get("PAIRS"))
    parser.add_argument("--limit", type=int, default=0, help="so many pairs of each side at most; 0 is all")
    parser.add_argument("--sft-epochs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None, help="where the fine-tuned language model is kept")
    told = parser.parse_args()
    if told.pairs is None:
        give_up("name the file of pairs, as an argument or as PAIRS=file.jsonl.gz")
    train, test = read_choices(Path(told.pairs), told.limit, told.seed)
    if not train or not test:
        give_up("the file has no pairs on one of its sides")
    measured(train, test, told)


def measured(train: Sequence[Choice], test: Sequence[Choice], told: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="tiebreak-human-pairs-") as folder:
        ours = our_right(train, test, told.folder or Path(folder), told)
    words = words_right(train, test)
    low = show(test, ours, words)
    figures = {
        "reward_model_accuracy": Figure(sum(ours) / len(ours), sum(words) / len(words)),
        "difference_low": Figure(low, 0.0),
    }
    finish("human_pairs", figures)


if __name__ == "__main__":
    main()
