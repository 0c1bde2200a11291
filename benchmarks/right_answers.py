"""The share of right answers before and after training on judgments, on the sample task whose answers code can check.

    make bench B=right_answers
    python -m benchmarks.right_answers [--seeds 0 1 2] [--prompts N] [--responses K] [--questions N] [--develop]

For each seed, from nothing: `sft` on the study examples, as the starter is made (the base), and then from that same base
`sft` on the best of the judged responses, `dpo`, and `grpo_offline` with its three weightings, each with the worker's own
settings. Judgments are the rule's with one in twenty turned around; the scores for `score` are those of a reward model
trained on the same judgments. What is counted is greedy answers to prompts of the exam part, which nothing is trained on:
exactly the right one, or not. Whoever changes a setting looks at `--develop`: prompts of the judging part that were not judged.

Every model answers the same questions, so a gain is the mean of its differences to the base question by question, with the
95 % interval. The bar is that its lower end is above 0 for `dpo` and pairwise `grpo_offline` with every seed.
"""

import argparse
import math
import random
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.recipe import BLANK_RATE, as_gain, as_share, blank, loaded, one_thread, reward_scores, saved, trained
from benchmarks.report import Figure, command_line, finish, give_up, print_table
from samples.task import pair_records, prompts, study_records
from worker.agreement import order_figures
from worker.answers import greedy, is_right, prompts_of
from worker.groups import Group
from worker.policy import Model

NOISE = 0.05
LENGTH = 128
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "sft": ("sft", {}),
    "dpo": ("dpo", {}),
    "grpo_offline, pairwise": ("grpo_offline", {"weights": "pairwise"}),
    "grpo_offline, rank": ("grpo_offline", {"weights": "rank"}),
    "grpo_offline, score": ("grpo_offline", {"weights": "score"}),
}
MUST_GAIN = {"dpo": "dpo_gain_low", "grpo_offline, pairwise": "grpo_pairwise_gain_low"}
Right = dict[str, list[float]]


def groups_of(records: Iterable[Mapping[str, Any]]) -> list[Group]:
    return [
        Group(
            ({"role": "user", "content": record["prompt"]},),
            tuple(response["text"] for response in record["responses"]),
            tuple(response["tier"] for response in record["responses"]),
            answer=record["metadata"]["answer"],
        )
        for record in records
    ]


def questions_of(told: argparse.Namespace, seed: int) -> list[Group]:
    """Prompts with their right answer, none of which anything was trained on."""
    if told.develop:
        tasks = prompts(seed, told.prompts + told.questions, "judge")[told.prompts :]
    else:
        tasks = prompts(seed, told.questions, "exam")
    return [Group(({"role": "user", "content": task.instruction},), (), (), answer=task.answer) for task in tasks]


def right_answers(model: Model, questions: Sequence[Group]) -> list[float]:
    """1 for each question that is answered exactly, else 0."""
    asked, allowed = prompts_of(model, questions, LENGTH)
    answers = greedy(model, asked, max_new_tokens=allowed)
    return [float(is_right(*each)) for each in zip(answers, questions, strict=True)]


def with_scores(judge: Model, groups: Sequence[Group]) -> list[Group]:
    """The groups with a reward model's score for each response, and how often it agrees with them."""
    scored = reward_scores(judge, groups, LENGTH)
    print(f"reward model: agrees with {order_figures(scored)['accuracy']:.3f} of what it was trained on", flush=True)
    return [replace(group, scores=each.scores) for group, each in zip(groups, scored, strict=True)]


def one_seed(seed: int, told: argparse.Namespace, folder: Path) -> Right:
    """The right answers of every model of this seed."""
    how = {"max_length": LENGTH, "seed": seed}
    study = groups_of(study_records(seed, told.study))
    base = blank(study, seed)
    base = trained(base, "sft", study, epochs=told.study_epochs, learning_rate=BLANK_RATE, **how)
    saved(base, folder)
    judged = groups_of(pair_records(seed, told.prompts, k=told.responses, judged=True, noise=NOISE))
    random.Random(seed).shuffle(judged)
    questions = questions_of(told, seed)
    right = {"base": right_answers(base, questions)}
    print(f"base: {as_share(right['base'], names(questions))}", flush=True)
    ways = {name: way for name, way in WAYS.items() if told.only in name}
    if "grpo_offline, score" in ways:
        judged = with_scores(trained(loaded("reward", folder, seed), "reward", judged, **how), judged)
    for name, (method, settings) in ways.items():
        asked = settings | ({} if method == "sft" else told.settings)
        model = trained(loaded("policy", folder, seed), method, judged, **how, **asked)
        right[name] = right_answers(model, questions)
        print(f"{name}: {as_share(right[name], names(questions))}", flush=True)
    return right


def names(questions: Sequence[Group]) -> list[str]:
    return [question.prompt[0]["content"] for question in questions]


def show(found: Mapping[int, Right], asked: Mapping[int, list[str]]) -> dict[str, Figure]:
    """Tables of shares and of gains by seed and over all of them; returns the figures that have a bar."""
    rows, figures = [], {}
    for name in next(iter(found.values())):
        shares, gains, lows = [], [], []
        every: list[float] = []
        more: list[float] = []
        clusters: list[str] = []
        for seed, right in found.items():
            gain = [after - before for after, before in zip(right[name], right["base"], strict=True)]
            words, (low, _) = as_gain(gain, asked[seed])
            shares.append(as_share(right[name], asked[seed]))
            gains.append(words)
            lows.append(low)
            every, more, clusters = every + right[name], more + gain, clusters + asked[seed]
        gains.append(as_gain(more, clusters)[0])
        rows.append([name, *shares, as_share(every, clusters), *(["–"] * len(gains) if name == "base" else gains)])
        if name in MUST_GAIN:
            figures[MUST_GAIN[name]] = Figure(round(min(lows), 4), math.ulp(0.0))
    seeds = list(found)
    columns = [*(f"seed {seed}" for seed in seeds), "all seeds"]
    print_table(["model", *columns, *(f"gain, {column}" for column in columns)], rows)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    one_thread()
    parser = command_line(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--study", type=int, default=7000, help="examples that the base is made with")
    parser.add_argument("--study-epochs", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=1500, help="judged prompts")
    parser.add_argument("--responses", type=int, default=4, choices=range(2, 7), help="responses to each of them")
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--develop", action="store_true", help="ask prompts of the judging part, not of the exam")
    parser.add_argument("--only", default="", help="ways of training whose name holds this word")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER", help="settings of dpo and grpo_offline")
    told = parser.parse_args(arguments)
    told.settings = {name: float(value) for name, _, value in (each.partition("=") for each in told.set)}
    if told.questions < 4:
        give_up("an interval takes four questions at least")
    found: dict[int, Right] = {}
    for seed in told.seeds:
        print(f"seed {seed}", flush=True)
        with tempfile.TemporaryDirectory(prefix="tiebreak-right-answers-") as folder:
            found[seed] = one_seed(seed, told, Path(folder))
    figures = show(found, {seed: names(questions_of(told, seed)) for seed in told.seeds})
    print(f"{time.process_time() / 60:.1f} minutes of CPU")
    finish("right_answers", figures)


if __name__ == "__main__":
    main()
