"""What looks wrong with a run, in plain words, and what to do about it. Pure: of its metrics, results, settings and facts.

A finding is said when these hold; "late" is the mean over the last quarter of the steps, "early" over the first. Trends are
read from `STEPS` steps on. Each threshold is far from what healthy runs show and near what people report as broken ones:

    not_finite        a step's loss or gradient norm is no finite number
    no_gradient       late gradient norms are all below `NO_GRADIENT`: less than float32 leaves of any real gradient
    stuck             early and late losses within `STUCK` of ln 2, for losses that cost ln 2 without an opinion. A calibrated
                      model that gets 57 % right costs 0.683, so .01 is less than 57 % right after all these steps
    already_right     at least `KNOWN` of at least `PAIRS` held-out pairs right before the first step
    truncated         at least `CUT` of the responses cut; dropped: as many of the groups left out
    accuracy_fell     training loss fell, and the accuracy before lies above the 95 % interval of the accuracy after
    by_heart          late training accuracy above that interval too, and `HEART` above the held-out accuracy
    overconfident     held-out pairs cost `DEARER` nats more than before although as many are right
    log_ratios        late largest |log π/π_ref| per token above `FAR` nats: a response whose tokens are 20,000 times as likely
                      or unlikely as at the start. On the short responses of `samples/task.py` 60 steps of DPO reach 2, and 150
                      steps at six times the usual rate 9; long responses stay far below
    longer            greedy answers twice as long (`LONGER`) and at least `TOKENS` tokens longer
    unended           the share of greedy answers that do not end rose by `UNENDED`
    no_pairs          nothing to test on
    chance            ½ lies within the accuracy's 95 % interval

Left out: what a single step does (steps look at few groups and jump), and that the better responses become less likely while
the margin grows, which is the nature of these losses and no fault (`worker/methods/dpo.py`).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeGuard

from app.pages import gettext as _
from app.pages import number, percent

STEPS = 8
NO_GRADIENT, STUCK, FAR = 1e-7, 0.01, 10.0
KNOWN, PAIRS = 0.99, 20
CUT, HEART, DEARER = 0.1, 0.15, 0.02
LONGER, TOKENS, UNENDED = 2.0, 8.0, 0.25
LN_2_LOSSES = frozenset({"logistic", "probit", "plackett_luce"})

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """`name` is for programs, `words` and `advice` for people; `is_grave` is what makes a model useless."""

    name: str
    words: str
    advice: str
    is_grave: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of a run. Whatever is missing is empty; nothing is said about it then."""

    method: str
    settings: Json
    facts: Json
    before: Json
    after: Json
    metrics: Sequence[Json]

    def series(self, name: str) -> list[float]:
        """The finite numbers of one measurement, step by step."""
        values = (row.get(name) for row in self.metrics)
        return [value for value in values if _is_finite(value)]

    def early_and_late(self, name: str) -> tuple[float, float] | None:
        """Means over the first and the last quarter of the steps; None of a short run."""
        values = self.series(name)
        if len(values) < STEPS:
            return None
        n = len(values) // 4
        return sum(values[:n]) / n, sum(values[-n:]) / n

    def both(self, name: str) -> tuple[float, float] | None:
        """A result before and after, if both were measured."""
        before, after = self.before.get(name), self.after.get(name)
        return (float(before), float(after)) if _is_finite(before) and _is_finite(after) else None

    def accuracy_interval(self) -> tuple[float, float] | None:
        """95 % of the accuracy after the run."""
        intervals = self.after.get("intervals")
        found = intervals.get("accuracy") if isinstance(intervals, Mapping) else None
        return (float(found[0]), float(found[1])) if found else None


def diagnose(method: str, settings: Json, facts: Json, results: Json, metrics: Sequence[Json]) -> tuple[Finding, ...]:
    """What is to be said of a run, the gravest first; nothing of one that looks well."""
    in_force = facts.get("settings") or {}
    before, after = (part if isinstance(part := results.get(side), Mapping) else {} for side in ("before", "after"))
    seen = Seen(method, {**settings, **in_force}, facts, before, after, metrics)
    found = chain.from_iterable(look(seen) for look in LOOKS)
    return tuple(sorted(found, key=lambda finding: not finding.is_grave))


def _is_finite(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _steps(seen: Seen) -> Iterator[Finding]:
    for row in seen.metrics:
        if any(name in row and not _is_finite(row[name]) for name in ("loss", "gradient_norm")):
            words = _("At step %(step)s the loss or its gradient was no number.", step=number(row["step"]))
            yield Finding(
                "not_finite", words, _("Lower the learning rate, and look for empty responses in the dataset.")
            )
            return
    norms = seen.series("gradient_norm")
    if len(norms) >= STEPS and max(norms[-len(norms) // 4 :]) < NO_GRADIENT:
        advice = _(
            "With the hinge loss every pair may be far enough apart. Otherwise the responses of a group look the same to the "
            "model: see whether they were cut to the same text."
        )
        yield Finding("no_gradient", _("The gradient is zero: the weights no longer change."), advice)


def _loss(seen: Seen) -> Iterator[Finding]:
    losses = seen.early_and_late("loss")
    costs_ln_2 = seen.settings.get("loss") in LN_2_LOSSES
    if costs_ln_2 and losses is not None and all(abs(loss - math.log(2)) < STUCK for loss in losses):
        advice = _(
            "Raise the learning rate or the number of steps. If that changes nothing, the judgments may contradict each other: "
            "look at the agreement of the annotators."
        )
        yield Finding("stuck", _("The loss stayed at 0.693, that of a model without an opinion."), advice)
    ratios = seen.early_and_late("largest_log_ratio")
    if ratios is not None and ratios[1] > FAR:
        words = _("Some responses are %(nats)s nats per token away from where they started.", nats=number(ratios[1]))
        advice = _("Raise beta or lower the learning rate; sft_weight holds the better responses up.")
        yield Finding("log_ratios", words, advice)


def _data(seen: Seen) -> Iterator[Finding]:
    accuracy, pairs = seen.before.get("accuracy"), seen.before.get("pairs")
    if _is_finite(accuracy) and _is_finite(pairs) and accuracy >= KNOWN and pairs >= PAIRS:
        words = _("Before the first step the accuracy was already %(accuracy)s.", accuracy=percent(accuracy))
        advice = _(
            "The base model has probably seen these judgments: start from one that has not, or freeze another split."
        )
        yield Finding("already_right", words, advice)
    cut = seen.facts.get("truncation")
    if not isinstance(cut, Mapping):
        return
    if (share := cut.get("responses_cut", 0) / (cut.get("responses") or 1)) >= CUT:
        words = _("%(share)s of the responses were cut to fit max_length.", share=percent(share))
        advice = _("Raise max_length: a model that is trained on cut responses learns to stop in mid-sentence.")
        yield Finding("truncated", words, advice, is_grave=share > 0.5)
    dropped = cut.get("groups_dropped", 0)
    if (share := dropped / ((dropped + cut.get("prompts", 0)) or 1)) >= CUT:
        words = _("%(share)s of the groups were too long and left out.", share=percent(share))
        yield Finding("dropped", words, _("Raise max_length, or choose another too_long."), is_grave=share > 0.5)


def _generalisation(seen: Seen) -> Iterator[Finding]:
    advice = _("It learns the training judgments by heart: fewer epochs, a lower learning rate or more judgments help.")
    losses, accuracy, interval = seen.early_and_late("loss"), seen.both("accuracy"), seen.accuracy_interval()
    if accuracy is not None and interval is not None:
        before, after = accuracy
        if losses is not None and losses[1] < losses[0] and before > interval[1]:
            told = {"before": percent(before), "after": percent(after)}
            words = _("The training loss fell, but the held-out accuracy went from %(before)s to %(after)s.", **told)
            yield Finding("accuracy_fell", words, advice)
        training = seen.early_and_late("accuracy")
        if training is not None and training[1] > max(interval[1], after + HEART):
            told = {"training": percent(training[1]), "held_out": percent(after)}
            words = _(
                "It gets %(training)s of the training pairs right, but %(held_out)s of the held-out ones.", **told
            )
            yield Finding("by_heart", words, advice, is_grave=False)
        costs = seen.both("log_loss")
        if costs is not None and costs[1] > costs[0] + DEARER and after >= before:
            words = _(
                "It is surer than it is right: its loss on held-out pairs rose, though it gets more of them right."
            )
            advice = _(
                "The order of its scores can be used, their size not. Fewer epochs or some label_smoothing help."
            )
            yield Finding("overconfident", words, advice, is_grave=False)


def _answers(seen: Seen) -> Iterator[Finding]:
    lengths, unended = seen.both("answer_tokens"), seen.both("answers_unended")
    if lengths is not None and lengths[1] >= max(LONGER * lengths[0], lengths[0] + TOKENS):
        told = {"before": number(lengths[0]), "after": number(lengths[1])}
        words = _("Its answers grew from %(before)s to %(after)s tokens.", **told)
        advice = _(
            "The longer response may have been chosen in most pairs; compare the length-controlled accuracy. A larger beta or "
            "fewer steps hold the length."
        )
        yield Finding("longer", words, advice)
    if unended is not None and unended[1] - unended[0] >= UNENDED:
        words = _("%(share)s of its answers do not end within their room.", share=percent(unended[1]))
        yield Finding(
            "unended", words, _("See whether many responses were cut; a lower learning rate or sft_weight help.")
        )


def _test(seen: Seen) -> Iterator[Finding]:
    if seen.after.get("pairs") == 0:
        words = _("The test split has no pair with an order, so nothing says what was learnt.")
        yield Finding("no_pairs", words, _("Freeze the dataset with a larger test share."), is_grave=False)
    interval = seen.accuracy_interval()
    if interval is not None and interval[0] <= 0.5 <= interval[1] and seen.method != "sft":
        words = _("The held-out accuracy cannot be told from chance.")
        advice = _("More judgments in the test split make it surer; more training or more judgments make it better.")
        yield Finding("chance", words, advice, is_grave=False)


LOOKS: tuple[Callable[[Seen], Iterator[Finding]], ...] = (_steps, _loss, _data, _generalisation, _answers, _test)
