"""Training on preferences, held against TRL's trainers: the same weights, tokens, optimizer and order on both sides.

    make bench B=training            with PAIRS=file.jsonl.gz for the tasks on real pairs
    python -m benchmarks.training [--pairs FILE] [--trl-python PYTHON] [--rounds N] [--only WORD] [--gpu]

Each side is a process of one thread; their rounds alternate. Figures are ratios of the medians of CPU seconds, so a busy
machine moves both. Memory is the most above the level after loading. TRL may live in an environment of its own. On real pairs it
has the batch size that suits it best, gradients added up to the same step (`best_of_trl`).
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks import training_gpu
from benchmarks.report import Figure, command_line, finish, give_up, print_table
from benchmarks.training_tasks import SMALL_VOCABULARY, Group, Task, drawn_groups, real_pairs
from tests.small import TEXTS
from worker import starter

ROOT = Path(__file__).parent.parent
BODY = 3_162_112
"""Weights that every token meets; those of the vocabulary come on top where there are logits."""
SEARCH_ROUNDS = 2
"""One is warming up."""


class Ended(Exception):  # noqa: N818 -- what became of a side
    """A side's process is no more."""


@dataclass
class Process:
    """A side's process, and what it said of each round."""

    side: str
    running: subprocess.Popen[str]
    rounds: list[dict[str, Any]] = field(default_factory=list)

    def hear(self) -> dict[str, Any]:
        assert self.running.stdout
        line = self.running.stdout.readline()
        if not line:
            raise Ended(f"the process of {self.side} ended; its log is above")
        told: dict[str, Any] = json.loads(line)
        return told

    def train(self) -> None:
        assert self.running.stdin
        self.running.stdin.write("go\n")
        self.running.stdin.flush()
        self.rounds.append(self.hear())

    def seconds(self) -> float:
        """Of CPU, for one round; the first one is warming up."""
        return statistics.median(each["seconds"] for each in self.rounds[1:])

    def memory(self) -> float:
        return max(each["memory"] for each in self.rounds)

    def losses(self) -> list[float]:
        return [loss for each in self.rounds for loss in each["losses"]]


def started(side: str, folder: Path, trl_python: str) -> Process:
    """The process of a side: `ours`, `repeated`, or `trl N`, N pairs at once, their gradients added up to a step's."""
    name, _, rows_at_once = side.partition(" ")
    command = {
        "ours": [sys.executable, "-m", "benchmarks.training_ours", str(folder / "ours"), "shared"],
        "repeated": [sys.executable, "-m", "benchmarks.training_ours", str(folder / "ours"), "repeated"],
        "trl": [trl_python, "-m", "benchmarks.training_trl", str(folder / "trl"), rows_at_once],
    }[name]
    quiet = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    quiet["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    quiet |= {"HF_HOME": str(folder / "cache"), "TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore"}
    pipe = subprocess.PIPE
    running = subprocess.Popen(command, cwd=ROOT, env=os.environ | quiet, stdin=pipe, stdout=pipe, text=True)
    process = Process(side, running)
    process.hear()
    return process


def measured(task: Task, tokenizer: Any, sides: Sequence[str], rounds: int, trl_python: str) -> list[Process]:
    """All sides, their rounds alternating."""
    with tempfile.TemporaryDirectory(prefix="tiebreak-bench-") as place:
        task.write(Path(place), rounds, tokenizer)
        processes = [started(side, Path(place), trl_python) for side in sides]
        try:
            for _ in range(rounds):
                for process in processes:
                    process.train()
        finally:
            for process in processes:
                assert process.running.stdin
                process.running.stdin.close()
                process.running.wait()
        return processes


def best_of_trl(task: Task, tokenizer: Any, trl_python: str) -> str:
    """The number of pairs at once with which TRL needs the least CPU, of all that divide a step's; a round of each.

    More at once is less overhead and, where lengths differ, more padding: which weighs more is not known beforehand.
    """
    sides = [f"trl {number}" for number in task.divisors()]
    tried = [measured(task, tokenizer, (side,), SEARCH_ROUNDS, trl_python)[0] for side in sides]
    for each in tried:
        step = each.seconds() / task.steps_per_round
        print(
            f"{task.name}: {each.side} pairs at once, {step:.3f} s of CPU a step, {each.memory():.0f} MiB", flush=True
        )
    return min(tried, key=Process.seconds).side


def row_of(task: Task, ours: Process, other: Process) -> list[object]:
    apart = max(abs(one - two) for one, two in zip(ours.losses(), other.losses(), strict=True))
    step = task.steps_per_round
    return [
        task.name,
        f"{ours.seconds() / step:.3f} s",
        f"{other.seconds() / step:.3f} s",
        f"{other.seconds() / ours.seconds():.2f}×",
        f"{ours.memory():.0f} MiB",
        f"{other.memory():.0f} MiB",
        f"{ours.memory() / other.memory():.2f}",
        f"{ours.losses()[-1]:.6f}",
        f"{other.losses()[-1]:.6f}",
        f"{apart:.1e}",
    ]


def peak_flops() -> float:
    """What one thread of this machine reaches in a product of two matrices, FLOP in a second of CPU."""
    torch.set_num_threads(1)
    one, other = torch.randn(2, 1024, 1024)
    best = float("inf")
    for _ in range(20):
        began = time.process_time()
        one @ other
        best = min(best, time.process_time() - began)
    return 2 * 1024**3 / best


def useful_flops(groups: list[Group], vocabulary: int) -> float:
    """Forward and backward, six for each weight a token meets: the body once for every token, the logits for responses.

    Attention is left out, so the true share is a little higher.
    """
    responses = sum(len(one) for group in groups for one in group["responses"])
    ends = sum(len(group["responses"]) for group in groups)  # predicted, but nothing is predicted from them
    tokens = responses - ends + sum(len(group["prompt"]) for group in groups)
    return 6.0 * (BODY * tokens + 256 * vocabulary * responses)


def tasks(pairs: Path | None) -> list[tuple[Task, Any, tuple[str, str], tuple[float, float], str]]:
    small = starter.train_tokenizer(TEXTS, vocabulary=SMALL_VOCABULARY)
    end = small.eos_token_id
    with_trl = ("ours", "trl")  # `trl` alone is a step in one batch, or, of real pairs, what a search finds best
    long = Task("DPO, 3 M, pairs 256 + 64", "dpo", drawn_groups(120, 2, end), 4, 2, SMALL_VOCABULARY)
    eight = Task("DPO, 3 M, groups of 8 against 28 pairs", "dpo", drawn_groups(20, 8, end), 1, 1, SMALL_VOCABULARY)
    again = Task("the same against repeated prompts", "dpo", drawn_groups(60, 8, end), 1, 2, SMALL_VOCABULARY)
    found: list[tuple[Task, Any, tuple[str, str], tuple[float, float], str]] = [
        (long, small, with_trl, (1.4, 0.9), "dpo_pairs"),
        (eight, small, with_trl, (12.0, 0.7), "dpo_groups_of_8"),
        (again, small, ("ours", "repeated"), (2.5, 0.7), "shared_over_repeated"),
    ]
    if pairs is not None:
        groups, large = real_pairs(pairs)
        real = Task("DPO, 11 M, 32,000 tokens, real pairs", "dpo", groups, 8, 2, len(large))
        reward = Task("reward, 11 M, real pairs", "reward", groups, 8, 2, len(large))
        found.append((real, large, with_trl, (3.5, 0.5), "dpo_real_pairs"))
        found.append((reward, large, with_trl, (1.4, 0.8), "reward_real_pairs"))
    return found


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--pairs", type=Path, default=os.environ.get("PAIRS"), help="pairs as gzipped JSON lines")
    parser.add_argument(
        "--trl-python", default=os.environ.get("TRL_PYTHON", sys.executable), help="a Python that has trl"
    )
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--only", default="", help="tasks whose figure's name holds this word")
    parser.add_argument("--gpu", action="store_true", help="models of billions of weights on a GPU (`training_gpu.py`)")
    given = parser.parse_args()
    if given.trl_python == sys.executable and importlib.util.find_spec("trl") is None:
        give_up("trl is not installed here: pip install -e '.[trl]', or name a Python that has it with --trl-python")
    try:
        if given.gpu:
            on_gpu(given.only, given.rounds, given.trl_python)
        else:
            on_cpu(given)
    except Ended as ended:
        give_up(str(ended))


def on_gpu(only: str, rounds: int, trl_python: str) -> None:
    def alone(task: Task, side: str, rounds: int) -> Process | None:
        try:
            return measured(task, tokenizer, (side,), rounds, trl_python)[0]
        except Ended as ended:
            print(f"{task.name}: {ended}", flush=True)
            return None

    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=SMALL_VOCABULARY)
    training_gpu.run(only, rounds, tokenizer, alone)


def on_cpu(given: argparse.Namespace) -> None:
    rows, figures = [], {}
    for task, tokenizer, sides, (speed, memory), name in tasks(given.pairs and Path(given.pairs)):
        if given.only not in name:
            continue
        against = sides[1]
        if against == "trl":
            in_one = f"{against} {task.rows_per_step()}"
            against = best_of_trl(task, tokenizer, given.trl_python) if "real" in name else in_one
        ours, other = measured(task, tokenizer, (sides[0], against), given.rounds, given.trl_python)
        rows.append(row_of(task, ours, other))
        print(rows[-1], flush=True)
        figures[f"{name}_speed"] = Figure(round(other.seconds() / ours.seconds(), 3), speed)
        figures[f"{name}_memory"] = Figure(round(ours.memory() / other.memory(), 3), memory, at_least=False)
        if name == "dpo_real_pairs":
            share = share_of_peak(task, ours, given.rounds)
            figures["share_of_peak_flops"] = Figure(round(share, 3), 0.5)
    head = [
        "task",
        "ours: CPU a step",
        "other",
        "ratio",
        "ours: memory",
        "other",
        "ratio",
        "last loss",
        "other",
        "apart",
    ]
    print_table(head, rows)
    finish("training", figures)


def share_of_peak(task: Task, ours: Process, rounds: int) -> float:
    """Useful FLOP per second of CPU over what a matrix product reaches, all rounds but the first."""
    first = task.steps_per_round * task.groups_per_step
    useful = useful_flops(list(task.groups[first : rounds * first]), task.vocabulary)
    return useful / sum(each["seconds"] for each in ours.rounds[1:]) / peak_flops()


if __name__ == "__main__":
    main()
