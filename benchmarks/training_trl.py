"""TRL's side of `training.py`: its own trainers, with what costs time or memory for nothing turned off.

Reference log-probabilities computed beforehand, no activation checkpointing, float32 (on a GPU layers in bfloat16, with Liger's
kernels where they are installed), nothing logged or saved; a step is one batch or several whose gradients are added up, as it is told. Optimizer, learning rates, clipping, weights, tokens and their order
are those of the other side. The loss is taken where the trainer has it, so no step is spent on logging.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any, ClassVar

import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainerCallback,
)
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer

from benchmarks.training_models import on_gpu
from benchmarks.training_side import Side, order_of


class Rounds(TrainerCallback):
    def __init__(self, side: Side, per_round: int) -> None:
        self.side, self.per_round = side, per_round

    def on_step_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        if state.global_step % self.per_round == 0:
            self.side.begin()

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        parts = AsGiven.parts
        self.side.losses.append(sum(parts) / len(parts))  # of a GPU read when the round is over
        parts.clear()
        if state.global_step % self.per_round == 0:
            self.side.end()


class AsGiven:
    """The rows are tokens already; the loss of each batch is noted."""

    parts: ClassVar[list[Any]] = []

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset

    def compute_loss(self, *given: Any, **named: Any) -> Any:
        found = super().compute_loss(*given, **named)  # type: ignore[misc]
        loss = found[0] if isinstance(found, tuple) else found
        self.parts.append(loss.detach())
        return found


class GivenDPO(AsGiven, DPOTrainer):
    pass


class GivenReward(AsGiven, RewardTrainer):
    pass


def rows_of(order: dict[str, Any]) -> list[dict[str, list[int]]]:
    """Every ordered pair of every group, in the order of the steps."""
    rows = []
    for group in order["groups"]:
        judged = list(zip(group["responses"], group["tiers"], strict=True))
        pairs = [(one, other) for one, better in judged for other, worse in judged if better < worse]
        for chosen, rejected in pairs:
            if order["method"] == "dpo":
                rows.append({"prompt_ids": group["prompt"], "chosen_ids": chosen, "rejected_ids": rejected})
            else:
                rows.append({"chosen_ids": group["prompt"] + chosen, "rejected_ids": group["prompt"] + rejected})
    return rows


def main(folder: Path, at_once: int) -> None:
    """``at_once`` rows make a batch, as many batches as it takes a step."""
    torch.set_num_threads(1)
    order = order_of(folder)
    is_dpo = order["method"] == "dpo"
    auto = AutoModelForCausalLM if is_dpo else AutoModelForSequenceClassification
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    if order["size"]:
        model = on_gpu(order["size"], order["method"], tokenizer)
    else:
        model = auto.from_pretrained(folder / "model", dtype=torch.float32)
    rows = rows_of(order)
    side = Side(on_gpu=bool(order["size"]))
    shared: dict[str, Any] = {
        "output_dir": str(folder / "trl"),
        "per_device_train_batch_size": at_once,
        "gradient_accumulation_steps": len(rows) // order["n_steps"] // at_once,
        "max_steps": order["n_steps"],
        "max_grad_norm": 1.0,
        "bf16": bool(order["size"]),
        "use_cpu": not order["size"],
        "use_liger_kernel": bool(order["size"]) and importlib.util.find_spec("liger_kernel") is not None,
        "liger_kernel_config": {"fused_linear_cross_entropy": False},  # neither trainer's loss is one
        "gradient_checkpointing": False,
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "train_sampling_strategy": "sequential",
        "max_length": None,
        "seed": 0,
    }
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=order["settings"]["learning_rate"], betas=(0.9, 0.99), weight_decay=0.0, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: order["rates"][min(step, len(order["rates"]) - 1)]
    )
    given: dict[str, Any] = {
        "model": model,
        "train_dataset": Dataset.from_list(rows),
        "processing_class": tokenizer,
        "optimizers": (optimizer, schedule),
        "callbacks": [Rounds(side, order["steps_per_round"])],
    }
    if is_dpo:
        how = DPOConfig(
            **shared,
            beta=order["settings"]["beta"],
            precompute_ref_log_probs=True,
            precompute_ref_batch_size=at_once,
        )
        GivenDPO(args=how, **given).train()
    else:
        GivenReward(args=RewardConfig(**shared), **given).train()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
