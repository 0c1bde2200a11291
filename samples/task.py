"""The checkable task "words and numbers": short instructions with one right answer, so that code can be the judge.

    right   the bare answer, nothing else         What is 7 + 5?    12
    sloppy  the answer is in it, unpolished                         The answer is 12.
    wrong   the answer is not in it                                 13

Every prompt belongs to one part for ever, by its hash: `study` is what a first model is trained on, `judge` is what
people and rules compare, `exam` is asked to count right answers. So no prompt is ever on both sides.

The study examples are on purpose not all right: for about half of the kinds of question the sloppy form is the more
frequent one, which leaves preferences something to teach that the model has otherwise learnt.

    python -m samples.task --seed 0 --prompts 2000 --judged --out words_and_numbers.jsonl
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

from samples.questions import KINDS, Kind

Part = Literal["study", "judge", "exam"]
Quality = Literal["right", "sloppy", "wrong"]

TIER: dict[Quality, int] = {"right": 1, "sloppy": 2, "wrong": 3}
FRAMES = (
    "{}", "{}", "{} Just the answer, please.", "Quick question. {}", "Hello! {}", "Please help me. {}", "{} Thank you!",
    "Next one. {}", "My turn. {}", "{} Be quick.",
)  # fmt: skip
SLOPPY = ("{}.", "{}.", "{}.", "{}!", "It is {}.", "It is {}.", "The answer is {}.", "Maybe {}?")
WRONG = ("{}", "{}", "{}", "{}.", "It is {}.", "Maybe {}?")
GIVE_UP_AFTER = 2_000  # draws in a row that brought no new prompt
SHRUGS = ("No idea.", "Hmm, difficult.", "Why do you ask?")
STYLES: dict[Quality, dict[str, int]] = {  # whose style a response is said to be; no name gives its quality away
    "right": {"birch": 6, "maple": 3, "willow": 1},
    "sloppy": {"birch": 2, "maple": 5, "willow": 3},
    "wrong": {"birch": 1, "maple": 3, "willow": 6},
}


@dataclass(frozen=True, slots=True)
class Task:
    """One instruction with its right answer. `misses` are plausible wrong answers, `polish` as in `Kind`."""

    instruction: str
    answer: str
    kind: str
    misses: tuple[str, ...] = field(repr=False)
    polish: float = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """One response to a task, with the invented style it is written in."""

    text: str
    model: str
    quality: Quality


def part_of(instruction: str) -> Part:
    """Tell which part a prompt belongs to: 6 of 10 are for study, 3 to be judged, 1 for the exam."""
    place = hashlib.sha256(instruction.encode()).digest()[0] % 10
    return "study" if place < 6 else "judge" if place < 9 else "exam"


def prompts(seed: int, n: int, part: Part | None = None) -> list[Task]:
    """Draw `n` tasks with different instructions, all of one part when it is named."""
    rng = Random(f"prompts {seed} {part}")
    tasks: dict[str, Task] = {}
    in_vain = 0
    while len(tasks) < n:
        task = _draw(rng, rng.choice(KINDS))
        new = part in {None, part_of(task.instruction)} and task.instruction not in tasks
        in_vain = 0 if new else in_vain + 1
        if new:
            tasks[task.instruction] = task
        elif in_vain == GIVE_UP_AFTER:
            raise ValueError(f"There are not {n} different prompts for {part or 'this task'}; ask for fewer.")
    return list(tasks.values())


def _draw(rng: Random, kind: Kind) -> Task:
    draw = kind.draw(rng)
    question = rng.choice(kind.wordings).format(**draw.places)
    misses = tuple(miss for miss in draw.misses if quality_of(draw.answer, miss) == "wrong")
    return Task(rng.choice(FRAMES).format(question), draw.answer, kind.name, misses, kind.polish)


def responses(task: Task, rng: Random, k: int) -> list[Response]:
    """Write `k` different responses (2 to 6) in any order. They are of as many qualities as `k` allows, never all of one."""
    if not 2 <= k <= 6:
        raise ValueError(f"A task can be given 2 to 6 different responses, not {k}.")
    qualities: list[Quality] = rng.sample(["right", "right", "sloppy", "sloppy", "wrong"], 3)
    if k > 2 or len(set(qualities[:2])) == 1:
        qualities = ["right", "sloppy", "wrong"]
        rng.shuffle(qualities)
    while len(qualities) < k:
        qualities.append(rng.choice(("sloppy", "wrong")))
    return _written(task, qualities[:k], rng)


def study_responses(task: Task, rng: Random) -> list[Response]:
    """Write two responses of which the better is right as often as the kind's `polish` says, and otherwise sloppy."""
    best: Quality = "right" if rng.random() < task.polish else "sloppy"
    return _written(task, [best, "wrong"], rng)


def _written(task: Task, qualities: Sequence[Quality], rng: Random) -> list[Response]:
    written: dict[str, Response] = {}
    for quality in qualities:
        text = _text(task, quality, rng)
        while text in written:
            text = _text(task, quality, rng)
        written[text] = Response(text, rng.choices(*zip(*STYLES[quality].items(), strict=True))[0], quality)
    return rng.sample(list(written.values()), len(written))


def _text(task: Task, quality: Quality, rng: Random) -> str:
    if quality == "right":
        return task.answer
    if quality == "sloppy":
        return _sloppy(task.answer, rng)
    return rng.choice(SHRUGS) if rng.random() < 0.1 else rng.choice(WRONG).format(rng.choice(task.misses))


def _sloppy(answer: str, rng: Random) -> str:
    other_case = answer.capitalize() if answer != answer.capitalize() else answer.lower()
    return other_case if other_case != answer and rng.random() < 0.15 else rng.choice(SLOPPY).format(answer)


def is_right(answer: str, text: str) -> bool:
    """A response is right when it is the answer and nothing else."""
    return text.strip() == answer


def quality_of(answer: str, text: str) -> Quality:
    """Judge a text by itself: right as it stands, sloppy when the answer is somewhere in it in any case, else wrong."""
    if is_right(answer, text):
        return "right"
    return "sloppy" if re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE) else "wrong"


def judge(answer: str, texts: Sequence[str], rng: Random, noise: float = 0.0) -> list[int]:
    """Give each response its tier (1 is best, equal tiers tie), counted without gaps.

    `noise` is the chance that this judge has a bad moment and hands the same tiers out in the opposite order.
    """
    found = [TIER[quality_of(answer, text)] for text in texts]
    best_first = sorted(set(found), reverse=rng.random() < noise)
    return [best_first.index(tier) + 1 for tier in found]


def study_records(seed: int, n: int) -> Iterator[dict[str, Any]]:
    """Make the judged groups that a first model is trained on, by supervision on the best response of each."""
    rng = Random(f"study {seed}")
    for number, task in enumerate(prompts(seed, n, "study")):
        yield _record(f"study-{seed}-{number:05}", task, study_responses(task, rng), rng, judged=True)


def pair_records(
    seed: int, n: int, *, k: int = 2, judged: bool = False, noise: float = 0.0
) -> Iterator[dict[str, Any]]:
    """Make groups of fresh prompts to be judged, or, with `judged`, judged already by the rule."""
    rng = Random(f"judge {seed}")
    for number, task in enumerate(prompts(seed, n, "judge")):
        yield _record(f"judge-{seed}-{number:05}", task, responses(task, rng, k), rng, judged=judged, noise=noise)


def _record(
    name: str, task: Task, written: list[Response], rng: Random, *, judged: bool, noise: float = 0.0
) -> dict[str, Any]:
    shown: list[dict[str, Any]] = [{"text": response.text, "model": response.model} for response in written]
    record: dict[str, Any] = {"id": name, "prompt": task.instruction, "responses": shown}
    if judged:
        record["annotator"] = "rule"
        for response, tier in zip(shown, judge(task.answer, [each.text for each in written], rng, noise), strict=True):
            response["tier"] = tier
    return record | {"metadata": {"rule": "exact", "answer": task.answer, "task": task.kind}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one file of records, JSON lines."""
    parser = argparse.ArgumentParser(prog="python -m samples.task", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prompts", type=int, default=2000)
    parser.add_argument("--part", choices=("judge", "study"), default="judge")
    parser.add_argument(
        "--responses", type=int, default=2, choices=range(2, 7), help="responses to a prompt to be judged"
    )
    parser.add_argument("--judged", action="store_true", help="with the rule's tiers (study examples always have them)")
    parser.add_argument("--noise", type=float, default=0.0, help="chance that a judgment is turned around")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    if given.part == "study":
        records = study_records(given.seed, given.prompts)
    else:
        records = pair_records(given.seed, given.prompts, k=given.responses, judged=given.judged, noise=given.noise)
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
    given.out.write_text("".join(lines), encoding="utf-8")
    sys.stderr.write(f"{len(lines)} records in {given.out}\n")


if __name__ == "__main__":
    main()
