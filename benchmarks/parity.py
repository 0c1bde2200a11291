"""Our losses and gradients against TRL's, on one batch: `make parity`.

TRL (the extra `trl`) is asked for the loss and the gradient of each case in `tests/parity.py` through its own trainers; the
answers are written to `tests/worker/objectives/golden/trl.json`, with which every `make test` compares our own code path.
Losses without a counterpart there (probit, Plackett–Luce, Davidson, weights, ties) are held against brute force instead.
"""

import importlib.metadata
import json
import tempfile
import warnings
from typing import Any

import torch

from benchmarks.report import Figure, finish, give_up, print_table
from tests import parity
from tests.parity import CASES, END, GOLDEN, PAD, PAIRS, STRENGTHS, TOLERANCE, Answer, Case, measured
from worker.starter import train_tokenizer

try:
    from datasets import Dataset, disable_progress_bars
    from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer
    from trl.trainer.dpo_trainer import DataCollatorForPreference as DPOCollator
    from trl.trainer.reward_trainer import DataCollatorForPreference as RewardCollator
except ImportError as missing:
    give_up(f"{missing}. Install the extra: pip install -c .ci/constraints.txt -e '.[worker,trl]'")

# What a trainer wants to be made with; its own data plays no part here.
ANY = {"prompt": ["a"], "chosen": ["b"], "rejected": ["c"]}
ALONE = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "disable_dropout": True,
    "max_length": None,
}


def main() -> None:
    warnings.filterwarnings("ignore")
    disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        theirs = {name: asked(case, folder) for name, case in CASES.items()}
    ours = {name: measured(case) for name, case in CASES.items()}
    versions = {name: importlib.metadata.version(name) for name in ("trl", "transformers", "torch")}
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps({"versions": versions, "cases": theirs}, indent=1) + "\n")
    print(f"TRL {versions['trl']}, written to {GOLDEN.name}\n")
    rows, worst = [], 0.0
    for name in CASES:
        apart = difference(ours[name], theirs[name])
        worst = max(worst, *apart)
        rows.append(
            (name, f"{theirs[name]['loss']:.9f}", f"{ours[name]['loss']:.9f}", *(f"{one:.1e}" for one in apart))
        )
    print_table(("case", "TRL's loss", "our loss", "relative difference", "of gradients"), rows)
    finish("parity", {"largest difference": Figure(worst, TOLERANCE, at_least=False)})


def asked(case: Case, folder: str) -> Answer:
    """TRL's own loss and gradient."""
    network, loss = (reward if case.method == "reward" else policy)(case, folder)
    loss.backward()
    return {"loss": float(loss.detach()), "gradients": parity.fingerprints(network)}


def policy(case: Case, folder: str) -> tuple[Any, torch.Tensor]:
    network, reference = parity.network("policy", which=1), parity.network("policy", which=0)
    trainer = DPOTrainer(
        network,
        reference,
        args=DPOConfig(folder, **ALONE, **case.theirs),
        train_dataset=Dataset.from_dict(ANY),
        processing_class=train_tokenizer(["a b c"] * 3, vocabulary=280),
    )
    batch = DPOCollator(pad_token_id=PAD)(
        [
            {"prompt_ids": list(pair.prompt), "chosen_ids": list(pair.chosen), "rejected_ids": list(pair.rejected)}
            for pair in PAIRS
        ]
    )
    return network, trainer._compute_loss(network, batch, False)  # noqa: FBT003, SLF001 -- the one place where TRL computes it


def reward(case: Case, folder: str) -> tuple[Any, torch.Tensor]:
    network = parity.network("reward", which=1)
    settings = {name: value for name, value in case.theirs.items() if name != "margin"}
    trainer = RewardTrainer(
        network,
        args=RewardConfig(folder, **ALONE, **settings),
        train_dataset=Dataset.from_dict(ANY),
        processing_class=train_tokenizer(["a b c"] * 3, vocabulary=280),
    )
    examples = [
        {"chosen_ids": list(pair.prompt + pair.chosen), "rejected_ids": list(pair.prompt + pair.rejected)}
        | ({"margin": case.theirs["margin"] * strength} if "margin" in case.theirs else {})
        for pair, strength in zip(PAIRS, STRENGTHS, strict=True)
    ]
    network.config.pad_token_id, network.config.eos_token_id = PAD, END  # the trainer has set those of its tokenizer
    return network, trainer.compute_loss(network, RewardCollator(pad_token_id=PAD)(examples))


def difference(ours: Answer, theirs: Answer) -> tuple[float, float]:
    """Of the losses, and the largest of the gradients' fingerprints, relative to the loss and to each gradient's norm."""
    apart = [
        abs(mine - other) / max(found[0], 1e-9)
        for name, found in theirs["gradients"].items()
        for mine, other in zip(ours["gradients"][name], found, strict=True)
    ]
    return abs(ours["loss"] - theirs["loss"]) / abs(theirs["loss"]), max(apart)


if __name__ == "__main__":
    main()
