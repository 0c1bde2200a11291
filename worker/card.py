"""The model card: what a checkpoint was made from, how, and what it measured, all of it from rows and facts.

Its head is the YAML that the Hugging Face Hub reads (library, task, base model, dataset, results on the test split), written by
the Hub's own library, so that a card that is published outward says there what it says here.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from app.models import Dataset, Run
from app.models.checkpoint import HUB_OWNER, LOADED_WITH

TASKS = {"policy": "text-generation", "reward": "text-classification"}


def card(run: Run, dataset: Dataset, results: Mapping[str, Any], *, kind: str, n_parameters: int) -> str:
    """`results` are {"before": {name: figure, …}, "after": {…}} on prompts that the run never saw."""
    before, after = results["before"], results["after"]
    rows = [f"| {name} | {shown(before, name)} | {shown(after, name)} |" for name in after if is_number(after[name])]
    settings = [f"| {name} | `{json.dumps(value)}` |" for name, value in run.facts["settings"].items()]
    return "\n".join(
        [
            "---",
            head(run, dataset, after, kind).to_yaml(),
            "---",
            "",
            f"# {run.checkpoint_name}",
            "",
            f"A {kind} model of {n_parameters:,} parameters, trained with `{run.method}` by run {run.id} of Tiebreak.",
            "",
            "## Where it comes from",
            "",
            *(f"- {line}" for line in _origin(run, dataset)),
            "",
            "## What it measured",
            "",
            "| on the test split | before | after |",
            "|---|---|---|",
            *rows,
            "",
            "In brackets: 95 % intervals, clustered by prompt.",
            "",
            "## How it was trained",
            "",
            "| setting | value |",
            "|---|---|",
            *settings,
            "",
            *_use(LOADED_WITH[kind]),
        ]
    )


def head(run: Run, dataset: Dataset, after: Mapping[str, Any], kind: str) -> ModelCardData:
    """No licence: that follows from the base model and from the data, and whoever publishes the model must know it."""
    data = f"{HUB_OWNER}/{dataset.name}"
    measured = [
        EvalResult(
            task_type=TASKS[kind],
            dataset_type=data,
            dataset_name=f"{dataset.name} v{dataset.version}",
            dataset_split="test",
            dataset_revision=dataset.sha256[:40],
            metric_type=name,
            metric_value=value,
        )
        for name, value in after.items()
        if is_number(value)
    ]
    return ModelCardData(
        library_name="transformers",
        pipeline_tag=TASKS[kind],
        tags=["tiebreak", run.method],
        base_model=hub_name(run),
        datasets=[data],
        model_name=run.checkpoint_name,
        eval_results=measured or None,
    )


def hub_name(run: Run) -> str | None:
    """The base model as the Hub names it; none for a blank model, or a folder that only one machine has."""
    name = run.base_model.partition("@")[0]
    if run.base_model == "blank" or name.startswith(("/", ".", "~")):
        return None
    return name if "/" in name else f"{HUB_OWNER}/{name}"


def _origin(run: Run, dataset: Dataset) -> Iterator[str]:
    train, test = dataset.counts["train"], dataset.counts["test"]
    yield f"Started from: {run.facts['started_from']}"
    for fact, words in (("reference", "Kept near"), ("scored_by", "Scored by")):
        if fact in run.facts:
            yield f"{words}: {run.facts[fact]}"
    yield f"Dataset: {dataset.name} v{dataset.version}, SHA-256 `{dataset.sha256}`"
    yield f"Judged groups: {train['groups']} to train on with {train['tuples']} tuples, {test['groups']} held out"
    yield f"Outcomes: {', '.join(f'{name} {n}' for name, n in train['outcomes'].items())}"
    yield f"Made with: {', '.join(f'{name} {version}' for name, version in run.facts['versions'].items())}"
    yield f"On: {run.facts['device']}"


def _use(loader: str) -> Iterator[str]:
    yield from ("## How to use it", "", "```python", f"from transformers import {loader}, AutoTokenizer", "")
    yield f"model = {loader}.from_pretrained(folder)"
    yield from ("tokenizer = AutoTokenizer.from_pretrained(folder)", "```", "")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(figures: Mapping[str, Any], name: str) -> str:
    """A figure with its 95 % interval, where it has one."""
    value, interval = figures.get(name), figures.get("intervals", {}).get(name)
    if not is_number(value):
        return "–"
    return f"{value:.4g}" if interval is None else f"{value:.4g} ({interval[0]:.4g} to {interval[1]:.4g})"
