"""The verb of the room: freeze what people judged into files that never change.

The judgments are read once, by one statement, into a temporary file: one consistent snapshot, which can be gone through
twice, first to draw the split and then to place the groups. That takes the same memory for a thousand groups as for a million;
only the search for near duplicates takes 72 bytes a prompt.
Files first, row second: the row proves the files. The same judgments and settings give the same bytes, so freezing again
without news gives back the newest version.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import Person
from app.datasets.changes import changes, groups, lines_of
from app.datasets.files import sha256_of_all, write_files, write_log
from app.datasets.order import Order, SplitRule, check
from app.datasets.queries import judged_groups, log_of, newest_version
from app.datasets.row import Row
from app.datasets.split import SIDES, ByMetadata, ByPrompt, Candidate, Side, Split, by_metadata, by_prompt
from app.datasets.summary import Summary
from app.errors import BadInput, Conflict
from app.language import gettext as _
from app.models import Audit, Dataset, Project
from app.storage import FAILURES, LocalDisk, Storage, Stored, sha256_of, storage, store_file

WORDS_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Frozen:
    dataset: Dataset
    is_new: bool


def freeze(session: Session, person: Person, project: Project, order: Order) -> Frozen:
    """Raises BadInput, or Conflict for a name that is taken or being frozen."""
    check(order)
    newest = _newest_of_this_project(session, project, order.name)
    with tempfile.TemporaryDirectory(prefix="tiebreak-freeze-") as place:
        folder = Path(place)
        counts, summary = _write(session, folder, project, order)
        made = [
            Stored(path.relative_to(folder).as_posix(), path.stat().st_size, sha256_of(path))
            for path in sorted(folder.rglob("*.*"))
        ]
        sha256 = sha256_of_all(made)
        asked = (order.split.as_json(), order.filters.as_json(), order.settings())
        if newest is not None and _says(newest) == (sha256, *asked):
            return Frozen(newest, is_new=False)
        if newest is not None:
            summary["changes"] = _changes_since(newest, folder)
        version = newest.version + 1 if newest is not None else 1
        prefix = f"datasets/{order.name}/v{version}"
        files = _stored(prefix, folder, made)
    dataset = Dataset(
        project_id=project.id,
        name=order.name,
        version=version,
        filters=order.filters.as_json(),
        split=order.split.as_json(),
        settings=order.settings(),
        counts=counts,
        summary=summary,
        sha256=sha256,
        prefix=prefix,
        files=[file.as_json() for file in files],
        created_by=person.id,
    )
    session.add(dataset)
    detail = {"project": project.slug, "sha256": sha256}
    session.add(Audit(user_id=person.id, action="dataset.frozen", subject=f"{order.name} v{version}", detail=detail))
    session.flush()  # the answer needs its id
    return Frozen(dataset, is_new=True)


def _stored(prefix: str, folder: Path, made: Sequence[Stored]) -> list[Stored]:
    """All of them, or none: what an earlier attempt left that was killed goes first. The name's lock is ours."""
    storage().delete_all(prefix)
    try:
        return [store_file(prefix, file.path, folder / file.path) for file in made]
    except FAILURES:
        storage().delete_all(prefix)
        raise


def _newest_of_this_project(session: Session, project: Project, name: str) -> Dataset | None:
    """The version before this one. A lock on the name lasts until the commit, so that no two get the same number."""
    key = func.hashtextextended(f"dataset:{name}", 0)
    if not session.scalar(select(func.pg_try_advisory_xact_lock(key))):
        raise Conflict(
            _("“%(name)s” is being frozen right now. Wait for it to finish, then look at the list.", name=name),
            field="name",
        )
    newest = newest_version(session, name)
    if newest is not None and newest.project_id != project.id:
        raise Conflict(
            _("Another project has a dataset named “%(name)s”. Choose another name.", name=name), field="name"
        )
    return newest


def _says(dataset: Dataset) -> tuple[Any, ...]:
    return dataset.sha256, dataset.split, dataset.filters, dataset.settings


def _changes_since(before: Dataset, folder: Path) -> dict[str, int]:
    old, new = _lines(storage(), before.prefix), _lines(LocalDisk(folder.parent), folder.name)
    return {"since": before.version, **changes(groups(old), groups(new)).as_json()}


def _lines(store: Storage, folder: str) -> dict[Side, Iterable[bytes]]:
    return {side: lines_of(store.read(f"{folder}/{side}.jsonl")) for side in SIDES}


def _write(session: Session, folder: Path, project: Project, order: Order) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the files into the folder; returns the counts that the row shows, and the summary that its page draws."""
    with tempfile.TemporaryFile() as spool:
        with closing(judged_groups(session, project, order)) as found:
            split = _draw(_spooled(found, spool, order.split), order.split)
        if split.prompts["train"] == 0:
            raise _nothing(project, order, n_test=split.prompts["test"])
        spool.seek(0)
        summaries = {side: Summary() for side in SIDES}
        rows: Iterator[Row] = (orjson.loads(line) for line in spool)
        counts = write_files(folder, _placed(rows, split, order.split, summaries), order.shapes)
    if "log" in order.shapes:
        with closing(log_of(session, project)) as judgments:
            write_log(folder, judgments)
    told: dict[str, Any] = {side: {"prompts": split.prompts[side], **asdict(counts[side])} for side in SIDES}
    if isinstance(split, ByMetadata) and split.moved:
        told["moved_to_test"] = {"prompts": len(split.moved), "groups": sum(split.moved.values())}
    if isinstance(split, ByPrompt) and split.held_out:
        told["near_duplicates"] = {"prompts": len(split.held_out)}
    return told, {side: summaries[side].as_json() for side in SIDES}


def _placed(
    rows: Iterable[Row], split: Split, rule: SplitRule, summaries: Mapping[Side, Summary]
) -> Iterator[tuple[Side, Row]]:
    for row in rows:
        side = split.side(_candidate(row, rule))
        summaries[side].add(row)
        yield side, row


def _spooled(groups: Iterable[Row], spool: IO[bytes], rule: SplitRule) -> Iterator[Candidate]:
    """Keep the groups while the split looks at them."""
    for row in groups:
        spool.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        yield _candidate(row, rule)


def _candidate(row: Row, rule: SplitRule) -> Candidate:
    value: Any = None
    if rule.metadata_path is not None:
        value = orjson.loads(row["metadata"])
        for key in rule.metadata_path:
            value = value.get(key) if isinstance(value, dict) else None
    said = [message["content"] for message in row["prompt"]]
    words = " ".join(said) if rule.near_duplicates else ""
    return Candidate(bytes.fromhex(row["prompt_hash"]), value, said[-1][:WORDS_LENGTH], words)


def _draw(candidates: Iterable[Candidate], rule: SplitRule) -> Split:
    if rule.metadata_path is not None:
        return by_metadata(candidates, field=rule.by)
    return by_prompt(candidates, test=rule.test, seed=rule.seed, near_duplicates=rule.near_duplicates)


def _nothing(project: Project, order: Order, *, n_test: int) -> BadInput:
    """Why there is nothing to train on, with the part of the order that has to change."""
    if n_test > 0 and order.split.near_duplicates:
        words = _(
            "Every prompt is near to a test prompt; nothing is left to train on. Split without keeping near duplicates together."
        )
        return BadInput(words, field="split.near_duplicates")
    if n_test > 0:
        words = _(
            "All records say “test” in “%(field)s”; nothing is left to train on. Split by a seed instead.",
            field=order.split.by,
        )
        return BadInput(words, field="split.by")
    if order.filters.model_fields_set:
        words = _(
            "No judgment in “%(project)s” passes these filters. Widen them, or leave them out to take all.",
            project=project.slug,
        )
        return BadInput(words, field="filters")
    words = _(
        "Nobody has judged anything in “%(project)s” yet, or all of it was skipped. Judge some items, or import "
        "records that carry a choice, then freeze.",
        project=project.slug,
    )
    return BadInput(words)
