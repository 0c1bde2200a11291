"""Tiebreak's side of `training.py`: the loop that every run uses, on groups that are tokens already."""

import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer

from benchmarks.training_models import on_gpu
from benchmarks.training_side import Side, order_of
from worker import policy
from worker.batches import EncodedGroup
from worker.evaluate import with_reference
from worker.methods import START, find_method, read_settings
from worker.sharing import SHARED, with_shared_prompts
from worker.steps import train_steps
from worker.thrift import thrifty


def loaded(kind: policy.Kind, folder: Path, size: str) -> policy.Model:
    """From the folder, or of this size on the GPU, as a run has it that leaves the precision to its trainer."""
    if not size:
        return policy.load(kind, folder, lora_rank=0, device=torch.device("cpu"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = on_gpu(size, "dpo" if kind == "policy" else "reward", tokenizer)
    return thrifty(policy.prepare(kind, network, tokenizer, lora_rank=0, device=torch.device("cuda")), "auto", "off")


def main(folder: Path, repeated: bool) -> None:
    torch.set_num_threads(1)
    order = order_of(folder)
    method = find_method(order["method"])
    settings = read_settings(method, order["settings"])
    policy.seed_everything(settings.seed)
    model = loaded(method.KIND, folder / "model", order["size"])
    groups = [
        EncodedGroup(tuple(each["prompt"]), tuple(map(tuple, each["responses"])), tuple(each["tiers"]))
        for each in order["groups"]
    ]
    side = Side(on_gpu=bool(order["size"]))
    if not repeated:
        model, words = with_shared_prompts(model, groups)
        assert words == SHARED, words
    if method.reference(settings) == START:
        groups = with_reference(model, groups)
    steps = train_steps(model, method, settings, groups)
    while True:
        side.begin()
        for _ in range(order["steps_per_round"]):
            side.losses.append(next(steps).figures["loss"])
        side.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "repeated")
