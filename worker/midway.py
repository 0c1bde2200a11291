"""How a model does midway, every so many steps: on a few held-out groups, and in what it says to a few held-out prompts.

``evaluate_every``  loss, accuracy and margin of at most `GROUPS` groups that it is not trained on, by the function that measures a
                    training step. They stand as ``test_loss`` … in the row of the step that begins with the same weights, so both
                    curves say the same of the same model. All figures on all groups come before and after, from `evaluate.py`.
``sample_every``    what a policy answers to `PROMPTS` prompts, always with the most likely token, or which scores a reward model
                    gives the responses of as many groups.

Both ends are looked at as well. A run with no more steps than that has its two full evaluations, and nothing between.

Training does not feel it: no gradients, all sources of chance put back, step numbers and speed as if nobody had looked (the
time has figures of its own). A resumed run looks again where it goes on from, since all from there on is forgotten. Of several
processes all compute, because each holds a part of the weights, and the first one tells.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from worker.answers import Answer, greedy, is_right, prompts_of, questions_in, shown
from worker.batches import EncodedGroup
from worker.evaluate import measure
from worker.groups import Group
from worker.methods import Method
from worker.methods.settings import Training
from worker.other_models import Side
from worker.policy import Model, rewards
from worker.report import Report
from worker.state import undisturbed
from worker.steps import Figures, gone_through
from worker.tokens import encode

GROUPS = 64
PROMPTS = 4
MOST_TOKENS = 128
"""An answer midway may be cut sooner than one at the end: it is read, not counted."""
CURVES = ("loss", "accuracy", "margin")

Json = dict[str, Any]


def looks(every: int, total: int) -> int:
    """How often a run of ``total`` steps is looked at."""
    return -(-total // every) + 1 if 0 < every < total else 0


def looked_at(method: Method, settings: Training, model: Model, test_groups: Sequence[Group], total: int) -> Side:
    """A draw of the held-out groups that the method could have learnt from, cut as those it learns from are."""
    if not looks(settings.evaluate_every, total):
        return Side([], [], is_kept=False)
    fit = method.examples(test_groups, settings)
    draw = random.Random(settings.seed)  # noqa: S311 -- a draw that can be had again, not a secret
    drawn = draw.sample(fit, GROUPS) if len(fit) > GROUPS else fit
    groups, cut = encode(drawn, model.tokenizer, settings.max_length, settings.too_long)
    fitting = [each for place, each in enumerate(drawn) if place not in set(cut.dropped)]
    return Side(fitting, groups, is_kept=False)


@dataclass(frozen=True)
class Questions:
    """What is asked again and again: prompts as tokens with room for an answer, or groups to be scored. ``asked`` is what people read."""

    asked: Sequence[Json]
    policy: Sequence[Group] = ()
    prompts: Sequence[tuple[int, ...]] = ()
    room: int = 0
    groups: Sequence[EncodedGroup] = ()

    def said(self, model: Model) -> list[Json]:
        """What the model says to each."""
        if self.prompts:
            answers = greedy(model, self.prompts, max_new_tokens=self.room)
            return [_said(*each) for each in zip(answers, self.policy, strict=True)]
        return [{"scores": list(scores)} for scores in measure(model, self.groups, rewards)] if self.groups else []


def _said(answer: Answer, question: Group) -> Json:
    told = {"text": shown(answer.text), "tokens": answer.tokens, "ended": answer.has_ended}
    return told if question.answer is None else told | {"right": is_right(answer, question)}


def questions(settings: Training, model: Model, test_groups: Sequence[Group], total: int) -> Questions:
    """The first few prompts of the test split, the same each time and in each run on the dataset."""
    if not looks(settings.sample_every, total):
        return Questions([])
    if model.kind == "reward":
        some = [group for group in test_groups if group.judged()][:PROMPTS]
        asked = [_to_score(group) for group in some]
        return Questions(asked, groups=encode(some, model.tokenizer, settings.max_length)[0])
    some = questions_in(test_groups)[:PROMPTS]
    if not some:
        return Questions([])
    prompts, room = prompts_of(model, some, settings.max_length)
    return Questions([_to_answer(group) for group in some], some, prompts, min(room, MOST_TOKENS))


def _to_answer(group: Group) -> Json:
    told = {"prompt": shown(group.prompt[-1]["content"])}
    return told if group.answer is None else told | {"answer": shown(group.answer)}


def _to_score(group: Group) -> Json:
    judged = [place for place, tier in enumerate(group.tiers) if tier is not None]
    return {
        "prompt": shown(group.prompt[-1]["content"]),
        "responses": [shown(group.responses[place]) for place in judged],
        "tiers": [group.tiers[place] for place in judged],
    }


class Midway:
    """Looks at one run as it goes."""

    def __init__(
        self,
        report: Report,
        method: Method,
        settings: Training,
        groups: Sequence[EncodedGroup],
        questions: Questions,
        total: int,
    ) -> None:
        self.report, self.method, self.settings = report, method, settings
        self.groups, self.questions, self.total = groups, questions, total
        if questions.asked:
            report.asks(questions.asked)

    def look(self, model: Model, done: int) -> None:
        """At the model after ``done`` steps, if it is time."""
        figures: Figures = {}
        said: list[Json] = []
        with undisturbed(model), torch.no_grad():
            if self.groups and self.is_time(self.settings.evaluate_every, done):
                began = time.monotonic()
                seen = gone_through(model, self.method, self.settings, self.groups, lambda _: None)
                figures |= {f"test_{name}": seen[name] for name in CURVES if name in seen}
                figures["seconds_measuring"] = time.monotonic() - began
            if self.questions.asked and self.is_time(self.settings.sample_every, done):
                began = time.monotonic()
                said = self.questions.said(model)
                figures["seconds_sampling"] = time.monotonic() - began
        if figures:
            self.report.looked(done, figures, said)

    def is_time(self, every: int, done: int) -> bool:
        return looks(every, self.total) > 0 and (done % every == 0 or done == self.total)
