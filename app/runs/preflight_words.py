"""What a trainer said about a planned run, as a person reads it: figures, histograms, and what to think about first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.charts import Bars, bars
from app.language import gettext as _
from app.language import ngettext
from app.models import Preflight
from app.pages import number, percent, size, span

FEW_STEPS = 10
PARTS = ("start", "reference", "training", "keeping", "midway", "measuring", "publishing")


@dataclass(frozen=True, slots=True)
class Caution:
    """`is_grave` where the run would fail or learn something else."""

    words: str
    is_grave: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A preflight that was answered."""

    figures: Sequence[tuple[str, str]]
    parts: Sequence[tuple[str, str]]
    histograms: Sequence[tuple[Bars, str]]
    warnings: Sequence[Caution]

    @property
    def shows_limit(self) -> bool:
        return any(drawn.limit is not None for drawn, _ in self.histograms)


def told(asked: Preflight) -> Told | None:
    """None as long as there is no answer."""
    if asked.state != "answered":
        return None
    answer = asked.answer
    return Told(_figures(answer), _parts(answer), _histograms(answer), list(_warnings(answer, asked.settings)))


def _figures(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    taken, memory, groups = answer["time"], answer["memory"], answer["groups"]
    figures = [(_("groups to train on"), number(groups["used"]))]
    if taken["seconds"] is not None:
        figures = [
            (_("time"), _("about %(time)s", time=span(taken["seconds"]))),
            (_("steps"), number(taken["steps"])),
            (_("memory"), _("about %(size)s", size=size(memory["bytes"]))),
            *figures,
        ]
    return figures


def _parts(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the time and the memory go to."""
    taken, memory = answer["time"], answer["memory"]
    names = {
        "start": _("Starting, loading, counting tokens"),
        "reference": _("Measuring the reference"),
        "training": _("Training"),
        "keeping": _("Keeping its states"),
        "midway": _("Looking at it midway"),
        "measuring": _("Measuring before and after"),
        "publishing": _("Publishing"),
    }
    parts = [(names[name], span(taken["parts"][name])) for name in PARTS if taken["parts"].get(name)]
    if taken["seconds"] is not None:
        parts.append((_("Each step"), span(taken["seconds_per_step"])))
    sizes = {
        "weights": _("Weights"),
        "gradients": _("Gradients"),
        "optimizer": _("State of the optimizer"),
        "activations": _("Activations and buffers"),
        "programs": _("Programs"),
        "available": _("Memory that is free"),
    }
    parts += [(words, size(memory[name])) for name, words in sizes.items() if memory.get(name)]
    lost = answer["truncation"]
    learn = _(
        "%(n)s, of which %(share)s learn",
        n=number(answer["parameters"]),
        share=percent(answer["learning"] / answer["parameters"]),
    )
    return [
        *parts,
        (_("Weights, in number"), learn),
        (_("Prompts cut"), number(lost["prompts_cut"])),
        (_("Responses cut"), number(lost["responses_cut"])),
        (_("Groups dropped"), number(lost["groups_dropped"])),
        (_("Device"), answer["device"]),
        (_("Base model"), answer["started_from"]),
    ]


def _histograms(answer: Mapping[str, Any]) -> list[tuple[Bars, str]]:
    titles = {
        "prompt": _("Prompts, in tokens"),
        "response": _("Responses, in tokens"),
        "together": _("Prompt with its longest response, in tokens"),
    }
    drawn = []
    for name, title in titles.items():
        found = answer["lengths"][name]
        limit = answer["max_length"] if name == "together" else None
        words = _(
            "half up to %(median)s, 95 %% up to %(p95)s, the longest %(longest)s",
            median=number(found["median"]),
            p95=number(found["p95"]),
            longest=number(found["longest"]),
        )
        drawn.append((bars(title, found["counts"], found["width"], limit=limit), words))
    return drawn


def _warnings(answer: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Caution]:
    """The gravest first."""
    yield from _about_memory(answer["memory"])
    yield from _about_texts(answer)
    yield from _about_groups(answer)
    if settings.get("processes", 1) > 1 and answer["time"]["seconds"] is not None:
        yield Caution(
            _(
                "The time is what one process would take. Several with a GPU each take less. Several on one processor take about as long, and up to several times as long where much else works on it."
            )
        )


def _about_memory(memory: Mapping[str, Any]) -> Iterator[Caution]:
    if not memory["fits"]:
        words = _(
            "It needs %(needed)s of memory or more, and %(free)s are free. Fewer groups_per_step, a smaller max_length, lora_rank, activation_checkpointing or a smaller model need less.",
            needed=size(memory["bytes"]),
            free=size(memory["available"]),
        )
        yield Caution(words, is_grave=True)


def _about_texts(answer: Mapping[str, Any]) -> Iterator[Caution]:
    lost, most = answer["truncation"], answer["model_length"]
    together = answer["lengths"]["together"]["longest"]
    if most is not None and min(together, answer["max_length"]) > most:
        words = _(
            "The base model was made for texts of %(most)s tokens at most; set max_length to that or less.",
            most=number(most),
        )
        yield Caution(words, is_grave=True)
    if dropped := lost["groups_dropped"]:
        words = ngettext(
            "%(num)s group is too long for max_length and would be left out. With max_length %(longest)s none would.",
            "%(num)s groups are too long for max_length and would be left out. With max_length %(longest)s none would.",
            dropped,
            longest=number(together),
        )
        yield Caution(words)
    if cut := lost["responses_cut"]:
        words = ngettext(
            "%(num)s response would be cut before its end, so the model learns from a part of it. With max_length %(longest)s none would.",
            "%(num)s responses would be cut before their end, so the model learns from a part of them. With max_length %(longest)s none would.",
            cut,
            longest=number(together),
        )
        yield Caution(words)


def _about_groups(answer: Mapping[str, Any]) -> Iterator[Caution]:
    groups, taken = answer["groups"], answer["time"]
    if groups["looked_at"] < groups["used"]:
        words = _(
            "%(seen)s of %(all)s groups were looked at, drawn at random; the counts are of these.",
            seen=number(groups["looked_at"]),
            all=number(groups["used"]),
        )
        yield Caution(words)
    if not groups["test"]:
        yield Caution(_("The dataset holds nothing out, so nobody can tell what the run is worth."))
    if taken["seconds"] is not None and taken["steps"] < FEW_STEPS:
        words = ngettext(
            "That is only %(num)s step. Fewer groups_per_step or more epochs make more of them.",
            "That is only %(num)s steps. Fewer groups_per_step or more epochs make more of them.",
            taken["steps"],
        )
        yield Caution(words)
