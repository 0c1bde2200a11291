"""One run from its claim to its checkpoint, to be read from top to bottom.

    python -m worker.train --run ID --fence N

A supervisor has claimed the run and started this process; it keeps the lease, this process does the work. Whatever goes
wrong is written into the run in words for the person who ordered it, with the traceback in the log. SIGTERM ends the process
after the step it is in (`exits.py`). The data and the base model are copied to a folder of this process, sums checked.
"""

import argparse
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from obstore.exceptions import BaseError
from safetensors import SafetensorError
from sqlalchemy.exc import DBAPIError

from app.errors import BadInput, Mistake
from app.models import Dataset, Run
from app.storage import FAILURES, Corrupt, NoRoom, Stored, fetch, in_words, is_full
from worker import exits, processes
from worker.announce import device_in_words, processor_in_words, versions
from worker.away import hold_no_row_for_long, is_away
from worker.base_model import Order, pinned, start_model
from worker.batches import EncodedGroup
from worker.by_prompt import ByPrompt
from worker.evaluate import evaluate
from worker.groups import Group, read_groups
from worker.keep import Keeping, check_keeping, newest_kept, told_of
from worker.log import let_it_lose_lines
from worker.memory import is_out_of_memory, peak_bytes, want_of_memory
from worker.methods import Method, find_method, read_settings
from worker.methods.settings import Training
from worker.midway import Midway, looked_at, questions
from worker.other_models import Side, with_what_models_say
from worker.policy import Model, pick_device, seed_everything, spread
from worker.publish import publish
from worker.references import kept_reference
from worker.report import Fenced, Listener, Report
from worker.sharing import with_shared_prompts
from worker.steps import Step, adamw, count_steps, peak_rate, train_steps, within_reach
from worker.thrift import thrifty
from worker.tokens import Truncation, encode


class Stopped(Exception):  # noqa: N818 -- says what happened to us
    """SIGTERM came and the step it came in is done."""


def train(report: Report, folder: Path, stop: "StopSignal") -> None:
    """Everything a run does. Raises Mistake for what its order or its data cannot give, Stopped, Fenced."""
    run, dataset, method, settings = ordered(report)
    report.stage("fetching the dataset", settings=asdict(settings))  # whole: the first order was not
    kept = newest_kept(report, run.checkpoint_name, folder)
    train_groups, test_groups = (fetch_groups(dataset, side, folder) for side in ("train", "test"))
    examples = learnt_from(method, settings, dataset, train_groups)
    check_keeping(settings, count_steps(len(examples), settings))

    report.stage("loading the base model")
    base = processes.gathered(kept.told["base"] if kept else pinned(run.base_model, run.project_ids))[0]
    model, started_from = load(base, method, settings, train_groups, folder)
    examples, groups, held_out, cut = into_tokens(model, settings, examples, test_groups)
    model, prompts = with_shared_prompts(model, [*groups, *held_out])
    n_groups = {"train": len(train_groups), "used": len(groups)}
    told = {"truncation": cut.as_facts(), "prompts": prompts, "groups": n_groups}
    run.facts = facts(model, started_from, method, settings) | told
    total = count_steps(len(groups), settings)
    report.stage("measuring the start model", facts=run.facts, total_steps=total)
    if method.KIND == "policy":
        held_out = kept_reference(model, held_out)
    sides = (Side(examples, groups), looked_at(method, settings, model, test_groups, total))
    (groups, looked), asked = with_what_models_say(method, settings, sides, model, folder, bounds=run.project_ids)
    before = kept.told["before"] if kept else evaluate(model, settings, held_out, test_groups)
    report.stage("training", facts=run.facts | asked, results={"before": before})
    stop.check()

    keeping = Keeping(report, settings, adamw(model), told_of(base, before, groups), folder, held_out)
    model, done = keeping.back_to(kept, model)
    midway = Midway(report, method, settings, looked, questions(settings, model, test_groups, total), total)
    steps = train_steps(model, method, settings, groups, keeping.optimizer, done)
    midway.look(model, done)
    learn(report, steps, keeping, midway, stop, len(cut.dropped))
    run.facts |= asked | keeping.back_to_best(model)

    results = {"before": before, "after": tested(report, model, settings, held_out, test_groups)}
    report.stage("publishing", facts=run.facts | {"peak_memory_bytes": peak_bytes(model.device)})
    stop.check()
    publish(report, run, dataset, model, results, folder / "checkpoint")


def ordered(report: Report) -> tuple[Run, Dataset, Method, Training]:
    """What was ordered; from here on all processes have met, and chance follows from the seed."""
    run, dataset = report.read()
    method = find_method(run.method)
    settings = read_settings(method, run.settings)
    processes.join(settings.processes)
    seed_everything(settings.seed)
    return run, dataset, method, settings


def load(base: str, method: Method, settings: Training, groups: Sequence[Group], folder: Path) -> tuple[Model, str]:
    """The start model, spread over all processes, and what exactly it is."""
    order = Order(base, method.KIND, settings.lora_rank, settings.base_weights)
    model, started_from = start_model(order, groups, folder, pick_device())
    return thrifty(spread(model), settings.precision, settings.activation_checkpointing), started_from


def learn(
    report: Report, steps: Iterator[Step], keeping: Keeping, midway: Midway, stop: "StopSignal", n_dropped: int
) -> None:
    """Step by step, each told, with the states to go on from and looks between. Raises Stopped after a step, its state kept."""
    for step in steps:
        done = step.number + 1
        report.step(step.number, step.total, step.seconds_left, step.figures | {"dropped": float(n_dropped)})
        is_stopping = stop.is_wanted()
        if is_stopping or keeping.is_due(done, step.total):
            keeping.keep(step.model, done)
        if is_stopping:
            raise Stopped
        midway.look(step.model, done)


def tested(
    report: Report, model: Model, settings: Training, held_out: Sequence[EncodedGroup], test_groups: Sequence[Group]
) -> dict[str, Any]:
    """All that is measured of what was trained; how it did on each prompt is told apart, for comparisons."""
    report.stage("measuring what was trained")
    by_prompt = ByPrompt()
    figures = evaluate(model, settings, held_out, test_groups, by_prompt)
    report.tested(by_prompt.sums)
    return figures


def fetch_groups(dataset: Dataset, side: str, folder: Path) -> list[Group]:
    """One side of the dataset; its file is checked against the sum that was frozen with it."""
    stored = next(Stored(**file) for file in dataset.files if file["path"] == f"{side}.jsonl")
    fetch(dataset.prefix, stored, folder / stored.path)
    return read_groups(folder / stored.path)


def learnt_from(method: Method, settings: Training, dataset: Dataset, groups: Sequence[Group]) -> list[Group]:
    """The groups that the run will see. Raises BadInput where none has what the method needs."""
    examples = within_reach(method.examples(groups, settings), settings)
    if not examples:
        raise BadInput(
            f"No group of {dataset.name} v{dataset.version} has what {method.NAME} needs: {method.NEEDS}.",
            field="dataset",
        )
    return examples


def into_tokens(
    model: Model, settings: Training, examples: Sequence[Group], test_groups: Sequence[Group]
) -> tuple[list[Group], list[EncodedGroup], list[EncodedGroup], Truncation]:
    """The examples that fit, they and the held-out groups as tokens, and what was cut. Raises BadInput if nothing fits."""
    groups, cut = encode(examples, model.tokenizer, settings.max_length, settings.too_long)
    if not groups:
        raise BadInput(
            f"Every group is longer than {settings.max_length} tokens and was dropped; a larger max_length or another "
            "too_long keeps some.",
            field="max_length",
        )
    fitting = [example for place, example in enumerate(examples) if place not in set(cut.dropped)]
    held_out, _ = encode([group for group in test_groups if group.judged()], model.tokenizer, settings.max_length)
    return fitting, groups, held_out, cut


def facts(model: Model, started_from: str, method: Method, settings: Training) -> dict[str, Any]:
    """What determined this run besides its order."""
    return {
        "started_from": started_from,
        "parameters": model.n_parameters,
        "device": device_in_words(),
        "processor": processor_in_words(),
        "precision": str(model.precision).removeprefix("torch."),
        "versions": versions(),
        "settings": asdict(settings) | {"learning_rate": peak_rate(method, model, settings)},
    }


class StopSignal:
    """Remembers that SIGTERM came."""

    def __init__(self) -> None:
        self.came = False
        signal.signal(signal.SIGTERM, self._note)

    def check(self) -> None:
        """Raises Stopped where the process may end without a state to keep."""
        if self.is_wanted():
            raise Stopped

    def is_wanted(self) -> bool:
        """Several processes end together."""
        return any(processes.gathered(self.came))

    def _note(self, *_: Any) -> None:
        self.came = True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m worker.train", description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=int, required=True)
    parser.add_argument("--fence", type=int, required=True)
    given = parser.parse_args(arguments)
    report = (Report if processes.is_first() else Listener)(given.run, given.fence)
    try:
        return attempt(report)
    except Fenced:
        return exits.FENCED
    except DBAPIError as problem:
        if not is_away(problem):
            raise
        traceback.print_exc()
        return exits.AWAY  # the supervisor has the run tried again


def attempt(report: Report) -> int:
    """Train, and turn whatever goes wrong into words in the run's row."""
    stop = StopSignal()
    try:
        with tempfile.TemporaryDirectory(prefix="tiebreak-run-") as folder:
            train(report, Path(folder), stop)
    except Stopped:
        return exits.STOPPED
    except (Mistake, Corrupt) as mistake:
        return failed(report, str(mistake))
    except (*FAILURES, SafetensorError) as problem:
        return failed(report, of_files(report, problem))
    except Fenced:
        raise
    except Exception as problem:  # noqa: BLE001 -- a bug of ours or of a library: the person gets its name, the log the rest
        return at_fault(report, problem)
    return exits.FINISHED


def at_fault(report: Report, problem: Exception) -> int:
    if isinstance(problem, DBAPIError) and is_away(problem):
        raise problem
    if is_out_of_memory(problem):
        return failed(report, want_of_memory(pick_device()))
    processes.let_the_cause_speak()
    if processes.has_lost_another(problem):  # the supervisor has the run tried again
        traceback.print_exc()
        return exits.PARTED
    return failed(report, fault_in_words(problem))


def fault_in_words(problem: Exception) -> str:
    """Of a bug of ours or of a library: nothing that whoever ordered this could change."""
    return f"{type(problem).__name__}: {problem}. This is a fault of the trainer; its log says more."


def of_files(report: Report, problem: Exception) -> str:
    """What to do about a file that could not be read or written."""
    kept = next(iter(report.kept()), None)
    resume = f"resume the run; it goes on from step {kept.step}." if kept else "resume the run; it begins anew."
    if isinstance(problem, NoRoom):
        return f"{problem.strerror} Make room there, then {resume}"
    if is_full(problem):
        return f"There is no room left for the run's files: {problem}. Make room on the trainer's disk or in storage, then {resume}"
    if isinstance(problem, BaseError):
        return f"A file could not be read or written: {in_words(problem)} Then {resume}"
    return f"A file could not be read or written: {problem}. Look at the disk of the trainer's machine, then {resume}"


def failed(report: Report, words: str) -> int:
    traceback.print_exc()
    report.fail(words)
    return exits.FAILED


if __name__ == "__main__":
    let_it_lose_lines()
    hold_no_row_for_long()
    sys.exit(main())
