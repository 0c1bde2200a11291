"""What a planned run would meet, said within seconds, to be read from top to bottom.

    python -m worker.preflight --id N --attempt M --began UNIX-TIME

The first steps of `train.py`, by the same functions, so that what would fail there is refused here in the same words. Then
the lengths of the texts in the base model's tokens, what of them would be cut or dropped, and what the run will take
(`estimate.py`). Of a large dataset a draw is looked at, and the counts are those of the draw; ``looked_at`` says how many.
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from app.db import work_unit
from app.errors import BadInput, Mistake
from app.models import Dataset, Preflight
from app.storage import Corrupt
from worker.announce import device_in_words
from worker.answers import questions_in
from worker.base_model import Order, start_model
from worker.batches import EncodedGroup
from worker.estimate import Planned, estimate
from worker.groups import Group
from worker.lengths import histograms
from worker.memory import held_bytes, is_out_of_memory, learning_numbers, want_of_memory
from worker.methods import NO_REFERENCE, find_method, read_settings
from worker.methods.settings import Training
from worker.policy import Kind, Model, pick_device, seed_everything
from worker.references import is_kept
from worker.report import Fenced
from worker.sharing import with_shared_prompts
from worker.thrift import thrifty
from worker.tokens import TRIM, Truncation, cut, in_full
from worker.train import fault_in_words, fetch_groups, learnt_from

MOST_GROUPS = 5_000
LOOKING_S = 8.0
"""How many groups are turned into tokens at most, and for how long."""

NOTHING_FITS = "Every group is longer than {max_length} tokens and would be dropped; a larger max_length or another too_long keeps some."

Json = dict[str, Any]


class Asked:
    """The row of this process: what is asked, and where the answer goes."""

    def __init__(self, preflight_id: int, attempt: int) -> None:
        self.mine = (Preflight.id == preflight_id, Preflight.attempt == attempt, Preflight.state == "running")
        with work_unit() as session:
            order = session.scalars(select(Preflight).where(*self.mine)).one_or_none()
            if order is None:
                raise Fenced
            self.order, self.dataset = order, session.get_one(Dataset, order.dataset_id)

    def write(self, **values: Any) -> None:
        with work_unit() as session:
            if session.scalar(update(Preflight).where(*self.mine).values(**values).returning(Preflight.id)) is None:
                raise Fenced

    def stage(self, words: str) -> None:
        self.write(stage=words)

    def close(self, state: str, **values: Any) -> None:
        self.write(state=state, stage="", finished_at=func.now(), **values)


def look(asked: Asked, folder: Path, began: float) -> Json:
    """The answer. Raises Mistake with the words that the run would fail with."""
    method = find_method(asked.order.method)
    settings = read_settings(method, asked.order.settings)
    seed_everything(settings.seed)
    train_groups, test_groups = (fetch_groups(asked.dataset, side, folder) for side in ("train", "test"))
    examples = learnt_from(method, settings, asked.dataset, train_groups)
    judged = [group for group in test_groups if group.judged()]

    asked.stage("loading the base model")
    bytes_before = held_bytes(pick_device())
    model, started_from = loaded(asked.order, method.KIND, settings, train_groups, folder)

    asked.stage("counting tokens")
    counting = time.monotonic()
    whole = looked_at(examples, model, settings)
    groups, lost = fitted(whole, model, settings, settings.too_long)
    if not groups:
        raise BadInput(NOTHING_FITS.format(max_length=settings.max_length), field="max_length")
    held_out, _ = fitted(looked_at(judged, model, settings), model, settings, TRIM)
    unseen = (len(examples) + len(judged)) / (len(whole) + len(held_out)) - 1
    unseen_s = (time.monotonic() - counting) * unseen

    asked.stage("trying a few steps")
    model, prompts = with_shared_prompts(model, [*groups, *held_out])
    plan = Planned(
        model=model,
        method=method,
        settings=settings,
        groups=groups,
        n_groups=round(len(groups) * len(examples) / len(whole)),
        held_out=held_out,
        n_held_out=len(judged),
        questions=questions_in(test_groups),
        start_s=time.time() - began + unseen_s,
        is_reference_kept=all_kept(model, method.reference(settings), groups, held_out),
        bytes_before=bytes_before,
    )
    n_groups = {"train": len(train_groups), "used": len(examples), "looked_at": len(whole), "test": len(judged)}
    counted = {"groups": n_groups, "lengths": histograms(whole), "truncation": lost.as_facts(), "prompts": prompts}
    return {"started_from": started_from} | counted | about(plan)


def loaded(
    order: Preflight, kind: Kind, settings: Training, groups: Sequence[Group], folder: Path
) -> tuple[Model, str]:
    """The model before its first step, and what exactly it is."""
    base = Order(order.base_model, kind, settings.lora_rank, settings.base_weights)
    model, started_from = start_model(base, groups, folder, pick_device())
    return thrifty(model, settings.precision, settings.activation_checkpointing), started_from


def about(plan: Planned) -> Json:
    """The base model, the device, and what the run takes of it; ``model_length`` is the longest text the model was made for."""
    taken, memory = estimate(plan)
    return {
        "parameters": plan.model.n_parameters,
        "learning": learning_numbers(plan.model),
        "model_length": getattr(plan.model.network.config.get_text_config(), "max_position_embeddings", None),
        "max_length": plan.settings.max_length,
        "device": device_in_words(),
        "time": taken,
        "memory": memory,
    }


def looked_at(groups: Sequence[Group], model: Model, settings: Training) -> list[EncodedGroup]:
    """Groups in full as tokens: all, in their order, or a draw of as many as there is time for."""
    drawn = list(groups)
    if len(drawn) > MOST_GROUPS:
        drawn = random.Random(settings.seed).sample(drawn, MOST_GROUPS)  # noqa: S311 -- a draw that can be had again
    deadline = time.monotonic() + LOOKING_S
    found = []
    for group in drawn:
        found.append(in_full(group, model.tokenizer))
        if time.monotonic() > deadline:
            break
    return found


def fitted(
    whole: Sequence[EncodedGroup], model: Model, settings: Training, too_long: str
) -> tuple[list[EncodedGroup], Truncation]:
    """The groups as a run would have them, and what they lost."""
    lost = Truncation()
    found = []
    for place, group in enumerate(whole):
        short = cut(group, settings.max_length, too_long, model.tokenizer.bos_token_id, lost)
        if short is None:
            lost.dropped += (place,)
        else:
            found.append(short)
    return found, lost


def all_kept(model: Model, reference: str, groups: Sequence[EncodedGroup], held_out: Sequence[EncodedGroup]) -> bool:
    """Whether an earlier run has left all reference log-probabilities that this one needs; of a draw none are kept."""
    if model.kind != "policy":
        return False
    return is_kept(model, held_out) and (reference == NO_REFERENCE or is_kept(model, groups))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m worker.preflight", description=__doc__.partition("\n")[0])
    parser.add_argument("--id", type=int, required=True)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--began", type=float, default=time.time())  # when this process was started
    given = parser.parse_args(arguments)
    try:
        asked = Asked(given.id, given.attempt)
        with tempfile.TemporaryDirectory(prefix="tiebreak-preflight-") as folder:
            answer(asked, Path(folder), given.began)
    except Fenced:
        print(f"preflight {given.id} belongs to somebody else by now", flush=True)  # noqa: T201 -- the worker's log
    return 0


def answer(asked: Asked, folder: Path, began: float) -> None:
    """Look, and write down what was seen, or why such a run cannot work."""
    try:
        asked.close("answered", answer=look(asked, folder, began))
    except Mistake as mistake:
        asked.close("refused", error=mistake.message, error_field=mistake.field)
    except Corrupt as corrupt:
        asked.close("refused", error=str(corrupt))
    except Fenced:
        raise
    except Exception as problem:  # noqa: BLE001 -- a bug of ours or of a library: the person gets its name, the log the rest
        traceback.print_exc()
        if is_out_of_memory(problem):
            asked.close("refused", error=want_of_memory(pick_device()))
        else:
            asked.close("failed", error=fault_in_words(problem))


if __name__ == "__main__":
    sys.exit(main())
