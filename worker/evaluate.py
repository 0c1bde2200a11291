"""What a checkpoint is worth, on groups it was not trained on.

Everything here can be had again from the published folder with plain `transformers`: rewards are the model's own logits,
log-probabilities those of the response's tokens with the end token after the chat template's prompt, answers are greedy.
What is counted is told where it is counted: `agreement.py` (accuracy, length, rankings, sources), `calibration.py`,
`answers.py`; how sure it is in `intervals.py`. Besides these there is, for policies,

    best_logp       mean log-probability of the best responses, nats per response

A policy's score is its implicit reward without β: log π(a|x) − log π_ref(a|x), with the start model as the reference. All are
sums divided by counts at the end, so they do not depend on the batch size, and the counts are reported with them.

Shape key: R rows (responses) of a batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from app.errors import BadInput
from worker.agreement import Figures, Scored, order_figures, pairs_of
from worker.answers import answer_figures, questions_in
from worker.batches import Batch, EncodedGroup
from worker.by_prompt import ByPrompt
from worker.calibration import Link, calibration_figures, link_of
from worker.groups import Group
from worker.methods.settings import Training
from worker.policy import Model, logp, rewards
from worker.processes import worked_out

Measure = Callable[[Model, Batch], Tensor]
Values = Sequence[tuple[float, ...]]


def evaluate(
    model: Model,
    settings: Training,
    held_out: Sequence[EncodedGroup],
    test_groups: Sequence[Group],
    by_prompt: ByPrompt | None = None,
) -> Figures:
    """All that is measured on the test split: ``held_out`` are its judged groups as tokens, in the same order.

    What is to be compared with other runs is noted in ``by_prompt``.
    """
    judged = [group for group in test_groups if group.judged()]
    link = link_of(settings)
    if model.kind == "reward":
        return reward_figures(model, held_out, judged, link, by_prompt)
    figures = policy_figures(model, held_out, judged, link, by_prompt)
    if questions := questions_in(test_groups):
        answered = answer_figures(model, questions, settings.max_length, by_prompt)
        answered["intervals"] |= figures.get("intervals", {})
        figures |= answered
    return figures


def worth(model: Model, by: str, held_out: Sequence[EncodedGroup]) -> float:
    """One figure of the test split, the higher the better. Raises BadInput where the split does not give it."""
    figures = (reward_figures if model.kind == "reward" else policy_figures)(model, held_out)
    if by not in figures:
        raise BadInput(
            f"The test split says nothing about {by} of this model; it gives {', '.join(sorted(figures))}.",
            field="best_by",
        )
    return float(figures[by])


@torch.no_grad()
def measure(model: Model, groups: Sequence[EncodedGroup], what: Measure) -> list[tuple[float, ...]]:
    """One number for each response of each group, in the groups' order."""

    def cut(places: list[int]) -> list[list[int]]:
        return [[places[each] for each in some] for some in model.batches([groups[place] for place in places])]

    def ask(places: list[int]) -> list[tuple[float, ...]]:
        values = iter(what(model, model.batch([groups[place] for place in places])).tolist())
        return [tuple(next(values) for _ in groups[place].responses) for place in places]

    return worked_out([group.tokens() for group in groups], cut, ask)


def with_reference(model: Model, groups: Sequence[EncodedGroup]) -> list[EncodedGroup]:
    """The groups with log π_ref of every response, by the model as it is now: called before the first step."""
    logps = measure(model, groups, logp)
    return [replace(group, reference=values) for group, values in zip(groups, logps, strict=True)]


def reward_figures(
    model: Model,
    groups: Sequence[EncodedGroup],
    told: Sequence[Group] = (),
    link: Link | None = None,
    by_prompt: ByPrompt | None = None,
) -> Figures:
    """What a reward model's scores are worth. ``told`` are the same groups as text, with what else is known of them."""
    return score_figures(measure(model, groups, rewards), groups, told, link, by_prompt)


def policy_figures(
    model: Model,
    groups: Sequence[EncodedGroup],
    told: Sequence[Group] = (),
    link: Link | None = None,
    by_prompt: ByPrompt | None = None,
) -> Figures:
    """What the implicit reward against ``group.reference`` is worth, and how likely the best responses are."""
    logps = measure(model, groups, logp)
    scores = [
        tuple(now - before for now, before in zip(values, group.reference, strict=True))
        for values, group in zip(logps, groups, strict=True)
    ]
    figures = score_figures(scores, groups, told, link, by_prompt)
    best = [
        value
        for values, group in zip(logps, groups, strict=True)
        for value, tier in zip(values, group.tiers, strict=True)
        if tier == min(group.tiers)
    ]
    if best:
        figures["best_logp"] = sum(best) / len(best)
    return figures


def score_figures(
    scores: Values,
    groups: Sequence[EncodedGroup],
    told: Sequence[Group] = (),
    link: Link | None = None,
    by_prompt: ByPrompt | None = None,
) -> Figures:
    """Agreement of one score for each response with the order, and calibration where the loss promises probabilities."""
    known = scored(scores, groups, told)
    figures = order_figures(known)
    if by_prompt is not None:
        pairs = pairs_of(known)
        by_prompt.note("accuracy", [pair.right for pair in pairs], [pair.prompt for pair in pairs])
    if link is None:
        return figures
    return figures | calibration_figures(pairs_of(scored(as_trained(scores, groups, link), groups, told)), link)


def scored(scores: Values, groups: Sequence[EncodedGroup], told: Sequence[Group]) -> list[Scored]:
    """Scores with their groups; what is known of the responses comes from ``told``, where it is given."""
    found = [Scored(group.prompt, tuple(values), group.tiers) for values, group in zip(scores, groups, strict=True)]
    if not told:
        return found
    return [_known(one, group) for one, group in zip(found, told, strict=True)]


def _known(one: Scored, group: Group) -> Scored:
    judged = [place for place, tier in enumerate(group.tiers) if tier is not None]
    lengths = tuple(len(group.responses[place]) for place in judged)
    writers = tuple(group.models[place] for place in judged) if group.models else ()
    return replace(one, prompt=repr(group.prompt), lengths=lengths, writers=writers, source=group.source)


def as_trained(scores: Values, groups: Sequence[EncodedGroup], link: Link) -> Values:
    """The scores in the units of the run's loss."""
    return [
        tuple(
            link.scale * value / (len(response) if link.per_token else 1)
            for value, response in zip(values, group.responses, strict=True)
        )
        for values, group in zip(scores, groups, strict=True)
    ]
