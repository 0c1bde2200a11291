"""The card of a dataset that was frozen without one: from its row, so that it is the same whenever it is asked for.

Its YAML names the splits, which is how `load_dataset` finds them. Only what never changes goes in, and no clock: clients
keep the card under the dataset's hash.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

import orjson

from app.models import Dataset
from app.models.checkpoint import HUB_OWNER

_SPLITS = ("train", "test")


def card(dataset: Dataset, loads: Sequence[str] = ()) -> bytes:
    """`loads` is what `load_dataset` is told elsewhere: a repository or a folder, and a revision of it."""
    named = [_quoted(word) for word in loads or (f"{HUB_OWNER}/{dataset.name}", dataset.sha256[:40])]
    lines = [
        "---",
        f"pretty_name: {_quoted(dataset.name)}",
        "tags: [tiebreak, preferences]",
        *_configurations(file["path"] for file in dataset.files),
        "---",
        "",
        f"# {dataset.name} v{dataset.version}",
        "",
        "Judged groups, frozen by Tiebreak: one row is a prompt with its responses and the tiers that people gave them.",
        "Tier 1 is the best, equal tiers are a tie, and a response without a tier was not judged.",
        "",
        f"- SHA-256 of the list of files: `{dataset.sha256}`",
        f"- Split: `{orjson.dumps(dataset.split).decode()}`",
        f"- Filters: `{orjson.dumps(_filters(dataset)).decode()}`",
        *_making(dataset),
        "",
        "| split | prompts | groups | tuples |",
        "|---|---|---|---|",
        *(_counted(split, dataset.counts[split]) for split in _SPLITS if split in dataset.counts),
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f"dataset = load_dataset({', revision='.join(named)})",
        "```",
        "",
    ]
    return "\n".join(lines).encode()


def _configurations(paths: Iterable[str]) -> list[str]:
    """Each folder with Parquet files is a configuration, its files are the splits; the files at the top are the default,
    which comes first, since clients tell the format by it.
    """
    folders: dict[str, list[PurePosixPath]] = {}
    for path in (PurePosixPath(path) for path in sorted(paths)):
        if path.suffix == ".parquet":
            folders.setdefault(str(path.parent), []).append(path)
    lines = ["configs:"] if folders else []
    for folder, files in sorted(folders.items(), key=lambda one: (one[0] != ".", one[0])):
        lines += [f"- config_name: {_quoted('default' if folder == '.' else folder)}"]
        lines += ["  default: true"] if folder == "." else []
        lines += ["  data_files:"]
        for path in sorted(files, key=lambda path: (path.stem not in _SPLITS, path.stem != "train", path.stem)):
            lines += [f"  - split: {path.stem}", f"    path: {_quoted(str(path))}"]
    return lines


def _filters(dataset: Dataset) -> dict[str, Any]:
    """Whom people are known as in this place goes no further than this place."""
    told = dict(dataset.filters)
    return told | {"annotators": len(told["annotators"])} if "annotators" in told else told


def _making(dataset: Dataset) -> list[str]:
    """What became of the judgments on their way into rows; early versions kept less of it."""
    words = {
        "each": "every judgment of an item is a row, and they share its weight",
        "majority": "the judgments of an item are one row, their majority",
        "weights": "each different answer to an item is a row that weighs the share of its judges",
    }
    lines = [f"- Judgments: {words[dataset.settings['combine']]}"] if "combine" in dataset.settings else []
    if dataset.settings.get("balance") == "prompt":
        lines += ["- Weights: the items of a prompt share a weight of 1"]
    if dataset.settings.get("margins"):
        margins = ", ".join(f"{margin:g}" for margin in dataset.settings["margins"])
        lines += [f"- Margins where people were asked, for slightly, clearly and much better: {margins}"]
    return lines


def _counted(split: str, counts: dict[str, Any]) -> str:
    return f"| {split} | {counts.get('prompts', 0)} | {counts.get('groups', 0)} | {counts.get('tuples', 0)} |"


def _quoted(word: str) -> str:
    """JSON's strings are YAML's too."""
    return orjson.dumps(word).decode()
