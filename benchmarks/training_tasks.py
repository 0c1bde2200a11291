"""What `training.py` trains: each task is a model, groups of token ids in the order of the steps, and settings."""

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.training_models import small_llama
from worker import starter
from worker.steps import rate_at

SMALL_VOCABULARY, LARGE_VOCABULARY = 379, 32_000
ENGLISH = ("llmfao", "qa_feedback_dev", "lamp", "hh_harmless_test", "oasst_en")
LONGEST = 512
"""Tokens of a real prompt with a response; longer ones are left out, so that neither side cuts anything."""

Group = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """``groups_per_step`` groups, all of one size, make a step. ``size`` is that of a model on a GPU; both sides make it there."""

    name: str
    method: str
    groups: Sequence[Group]
    groups_per_step: int
    steps_per_round: int
    vocabulary: int
    size: str = ""

    def rows_per_step(self) -> int:
        """The ordered pairs of a step: what TRL makes of its groups."""
        size = len(self.groups[0]["responses"])
        return self.groups_per_step * size * (size - 1) // 2

    def divisors(self) -> list[int]:
        """The numbers of pairs that can be taken at once, so that some of them make a step; most first."""
        rows = self.rows_per_step()
        return [number for number in range(rows, 0, -1) if rows % number == 0]

    def write(self, folder: Path, rounds: int, tokenizer: Any) -> None:
        """The order of both sides: model, groups as the loop of `worker.steps` will take them, settings."""
        n_steps = rounds * self.steps_per_round
        groups = list(self.groups[: n_steps * self.groups_per_step])
        places = list(range(len(groups)))
        random.Random(0).shuffle(places)
        ordered: list[Group] = [{}] * len(groups)
        for step, place in enumerate(places):
            ordered[place] = groups[step]
        rate, beta = (1e-4, {"beta": 0.1}) if self.method == "dpo" else (3e-4, {})
        settings = {
            "learning_rate": rate,
            "max_length": 4096,
            "seed": 0,
            "groups_per_step": self.groups_per_step,
            **beta,
        }
        rates = [rate_at(step, n_steps) for step in range(n_steps)]
        order = {
            "method": self.method,
            "settings": settings,
            "rates": rates,
            "n_steps": n_steps,
            "steps_per_round": self.steps_per_round,
            "size": self.size,
        }
        for side, given in (("ours", ordered), ("trl", groups)):
            (folder / side).mkdir(parents=True)
            (folder / side / "order.json").write_text(json.dumps(order | {"groups": given}))
        network = None if self.size else small_llama(self.method, tokenizer, self.vocabulary)
        for side in ("ours", "trl"):
            tokenizer.save_pretrained(folder / side / "model")
            if network is not None:
                network.save_pretrained(folder / side / "model")


def drawn_groups(number: int, size: int, end: int, prompt: int = 256, response: int = 64) -> list[Group]:
    """Groups of random tokens, all of one length: nothing is won by packing, only by sharing."""
    rng = random.Random(1)

    def ids(count: int) -> list[int]:
        return [rng.randrange(10, SMALL_VOCABULARY) for _ in range(count)]

    return [
        {
            "prompt": ids(prompt),
            "responses": [[*ids(response - 1), end] for _ in range(size)],
            "tiers": list(range(1, size + 1)),
        }
        for _ in range(number)
    ]


def real_pairs(path: Path) -> tuple[list[Group], Any]:
    """The English pairs of a file in random order as tokens, and the tokenizer with 32,000 entries that their texts gave."""
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if row["source"] in ENGLISH]
    random.Random(2).shuffle(rows)
    texts = [row[part] for row in rows for part in ("prompt", "chosen", "rejected")]
    tokenizer = starter.train_tokenizer(texts, vocabulary=LARGE_VOCABULARY)
    groups = []
    for row in rows:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": row["prompt"]}], add_generation_prompt=True, return_dict=False
        )
        responses = [
            [*tokenizer(row[part], add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
            for part in ("chosen", "rejected")
        ]
        if len(prompt) + max(map(len, responses)) <= LONGEST:
            groups.append({"prompt": list(prompt), "responses": responses, "tiers": [1, 2]})
    return groups, tokenizer
