"""`training.py` on a GPU: models of 0.5 and 1.5 billion random weights, layers in bfloat16, ours and TRL's, one after the other.

    python -m benchmarks.training --gpu [--only WORD] [--rounds N] [--trl-python PYTHON]

Each side is a process that has the GPU to itself; a round's steps are timed by the clock, the GPU waited for before and after, and the
first round is warming up. Weights, gradients and AdamW's state are float32 on both sides, layers compute in bfloat16. TRL has
reference log-probabilities computed beforehand, the fused AdamW, PyTorch's attention, Liger's kernels where they are installed, and the
largest batch that fits of those named here; on pairs the next smaller one too. Memory is the most that PyTorch had allocated.

Useful work, FLOP, forward and backward: 6 for each weight of the layers and each token, a prompt counted once for all its
responses; 6 for each weight of the vocabulary and each token of a response; 12 L H D for each pair of a query and a key that it may look
at (L layers, H heads, D their width). Nothing computed twice counts, nor padding. The share is of what the machine reaches in a bfloat16
product of two 8192 × 8192 matrices, and of the datasheet's dense 989 TFLOP/s for an H100 or H200.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.report import print_table
from benchmarks.training_models import GPU_VOCABULARY, SIZES, weights_of_layers
from benchmarks.training_tasks import Group, Task

DATASHEET = 989e12
SIDE = 8192
HEAD = [
    "task",
    "side",
    "a step",
    "pairs a second",
    "useful TFLOP/s",
    "of the measured peak",
    "of the datasheet's",
    "memory",
    "last loss",
]


@dataclass(frozen=True)
class OnGpu:
    """A task with the numbers of pairs at once that TRL is given, the most first, until ``wanted`` of them fitted."""

    name: str
    size: str
    method: str
    responses: int
    groups_per_step: int
    steps_per_round: int
    at_once: tuple[int, ...]
    wanted: int


TASKS = (
    OnGpu("pairs 0.5 B", "0.5 B", "dpo", 2, 32, 3, (32, 16), 2),
    OnGpu("groups 0.5 B", "0.5 B", "dpo", 8, 8, 2, (28, 14, 8), 1),
    OnGpu("pairs 1.5 B", "1.5 B", "dpo", 2, 32, 3, (16, 8, 4), 2),
    OnGpu("groups 1.5 B", "1.5 B", "dpo", 8, 8, 1, (14, 8, 4), 1),
    OnGpu("reward 0.5 B", "0.5 B", "reward", 2, 32, 3, (32, 16), 1),
)


def drawn(task: OnGpu, number: int, end: int) -> list[Group]:
    """Groups of random tokens: prompts of 256 to 512, responses of 256 with the end token."""
    rng = random.Random(1)

    def ids(count: int) -> list[int]:
        return [rng.randrange(10, GPU_VOCABULARY) for _ in range(count)]

    return [
        {
            "prompt": ids(rng.randint(256, 512)),
            "responses": [[*ids(255), end] for _ in range(task.responses)],
            "tiers": list(range(1, task.responses + 1)),
        }
        for _ in range(number)
    ]


def useful_flops(task: OnGpu, groups: list[Group]) -> float:
    """Of one pass forward and backward over these groups, as the file's docstring counts them."""
    is_policy = task.method == "dpo"
    tokens = predicted = looks = 0
    for group in groups:
        prompt = len(group["prompt"])
        lengths = [len(one) - is_policy for one in group["responses"]]  # a policy's end token is predicted and not read
        tokens += prompt + sum(lengths)
        predicted += sum(map(len, group["responses"])) * is_policy
        looks += prompt * (prompt + 1) // 2 + sum(prompt * one + one * (one + 1) // 2 for one in lengths)
    sizes = SIZES[task.size]
    width = sizes["hidden_size"]
    products = 6.0 * (weights_of_layers(task.size) * tokens + width * GPU_VOCABULARY * predicted)
    return products + 12.0 * sizes["num_hidden_layers"] * width * looks


def peak_flops() -> float:
    """FLOP a second of a product of two bfloat16 matrices of random numbers."""
    one, other = torch.randn(2, SIDE, SIDE, device="cuda", dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(5):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(10):
            one @ other
        torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - began) / 10)
    return 2 * SIDE**3 / best


def run(only: str, rounds: int, tokenizer: Any, measured: Callable[[Task, str, int], Any]) -> None:
    """Every task, a line as soon as a side has been measured. A side that ends before, as without memory, is left out."""
    peak = peak_flops()
    torch.cuda.empty_cache()
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}: {peak / 1e12:.0f} TFLOP/s in bfloat16", flush=True
    )
    rows = []
    for task in TASKS:
        if only not in task.name:
            continue
        n_steps = rounds * task.steps_per_round
        groups = drawn(task, n_steps * task.groups_per_step, tokenizer.eos_token_id)
        whole = Task(
            task.name, task.method, groups, task.groups_per_step, task.steps_per_round, GPU_VOCABULARY, task.size
        )
        fitted = 0
        for side in ("ours", *(f"trl {number}" for number in task.at_once)):
            process = measured(whole, side, rounds) if fitted <= task.wanted else None
            if process is not None:
                fitted += 1
                rows.append(row_of(task, whole, process, peak))
                print(rows[-1], flush=True)
    print_table(HEAD, rows)


def row_of(task: OnGpu, whole: Task, process: Any, peak: float) -> list[object]:
    """Useful work is that of the mean step, so what is measured is a mean too."""
    step_s = sum(each["seconds"] for each in process.rounds[1:]) / (len(process.rounds) - 1) / task.steps_per_round
    first = task.steps_per_round * task.groups_per_step
    flops = useful_flops(task, list(whole.groups[first:])) / (len(whole.groups) - first) * task.groups_per_step / step_s
    return [
        task.name,
        process.side,
        f"{step_s:.3f} s",
        f"{whole.rows_per_step() / step_s:.1f}",
        f"{flops / 1e12:.0f}",
        f"{flops / peak:.3f}",
        f"{flops / DATASHEET:.3f}",
        f"{process.memory() / 1024:.1f} GiB",
        f"{process.losses()[-1]:.5f}",
    ]
