"""Trainers, datasets, runs and checkpoints, straight into the tables: for stories that begin with one of them."""

import hashlib
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import (
    Checkpoint,
    Dataset,
    Preflight,
    Project,
    Publication,
    Run,
    RunMetric,
    RunQuestion,
    RunSample,
    Trainer,
    User,
)
from app.storage import store_file

SHARED = [
    {"name": "max_steps", "type": "int", "default": 0, "low": 0, "high": 1_000_000, "help": "Stop after so many."},
    {"name": "learning_rate", "type": "float", "default": 0.0, "low": 0.0, "high": 1.0, "help": "Peak step size."},
    {"name": "seed", "type": "int", "default": 0, "low": 0, "high": 2**31 - 1, "help": "Order of the groups."},
]
LOSS = {"name": "loss", "type": "str", "default": "logistic", "choices": ["logistic", "hinge"], "help": "Which."}
TIES = {"name": "ties", "type": "str", "default": "left_out", "choices": ["left_out", "half"], "help": "Whether."}
BETA = {"name": "beta", "type": "float", "default": 0.1, "low": 0.001, "high": 10.0, "help": "Nearness."}
METHODS = [
    {"name": "sft", "title": "Fine-tuning on the best", "kind": "policy", "needs": "best", "settings": SHARED},
    {
        "name": "reward",
        "title": "Reward model",
        "kind": "reward",
        "needs": "order",
        "ties_teach": [{"loss": "davidson"}, {"ties": "half"}],
        "settings": [*SHARED, LOSS, TIES],
    },
    {
        "name": "dpo",
        "title": "Direct preferences",
        "kind": "policy",
        "needs": "order",
        "settings": [*SHARED, LOSS, BETA],
    },
]
PRESETS = [
    {"name": "quick look", "help": "Few steps.", "settings": {"max_steps": 30}},
    {"name": "careful", "help": "More of it.", "settings": {"seed": 3}},
]
ANNOUNCED = [one | {"objective": r"-\log \sigma(s_i - s_j)", "presets": PRESETS} for one in METHODS]
COUNTS = {
    "train": {"prompts": 30, "groups": 31, "tuples": 30, "outcomes": {"ranked": 30, "tie": 1}},
    "test": {"prompts": 10, "groups": 10, "tuples": 10, "outcomes": {"ranked": 10}},
}


def make_trainer(
    session: Session, name: str = "here", *, seen_s_ago: float = 1, methods: list[dict[str, Any]] | None = None
) -> Trainer:
    trainer = Trainer(
        name=name,
        device="cpu, 2 cores",
        methods=METHODS if methods is None else methods,
        versions={"torch": "2.13"},
        last_seen_at=datetime.now(UTC) - timedelta(seconds=seen_s_ago),
    )
    session.add(trainer)
    session.flush()
    return trainer


def _somebody(session: Session) -> User:
    found = session.scalars(select(User).where(User.judge_kind == "human").limit(1)).one_or_none()
    user = found or User(email="eve@example.org", name="Eve", password_hash="", role="admin")
    session.add(user)
    session.flush()
    return user


def make_dataset(session: Session, name: str = "pairs", counts: dict[str, Any] | None = None) -> Dataset:
    """A dataset's row, without files."""
    project = session.scalars(select(Project).where(Project.slug == "project")).one_or_none()
    project = project or Project(slug="project", name="Project", kind="pair")
    session.add(project)
    session.flush()
    version = session.scalars(select(func.count()).where(Dataset.name == name)).one() + 1
    dataset = Dataset(
        project_id=project.id,
        name=name,
        version=version,
        filters={"outcomes": ["ranked", "tie", "all_bad"], "judge_kinds": ["human", "imported", "rule", "model"]},
        split={"by": "prompt", "test": 0.25, "seed": 0},
        counts=counts or COUNTS,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        prefix=f"datasets/{name}/v{version}",
        files=[],
        created_by=_somebody(session).id,
    )
    session.add(dataset)
    session.flush()
    return dataset


def make_run(session: Session, dataset: Dataset | None = None, **told: Any) -> Run:
    usual = {"method": "dpo", "settings": {"max_steps": 40, "beta": 0.1}, "base_model": "starter"}
    usual |= {"checkpoint_name": "pairs-dpo", "created_by": _somebody(session).id}
    run = Run(dataset_id=(dataset or make_dataset(session)).id, **(usual | told))
    session.add(run)
    session.flush()
    session.refresh(run)
    return run


def make_preflight(session: Session, dataset: Dataset | None = None, **told: Any) -> Preflight:
    usual = {"method": "dpo", "settings": {"max_steps": 40, "beta": 0.1}, "base_model": "starter"}
    usual |= {"created_by": _somebody(session).id}
    asked = Preflight(dataset_id=(dataset or make_dataset(session)).id, **(usual | told))
    session.add(asked)
    session.flush()
    session.refresh(asked)
    return asked


def add_metrics(session: Session, run: Run, n: int = 40) -> None:
    """A loss that falls from ln 2, an accuracy that rises."""
    for step in range(n):
        share = step / n
        values = {"loss": 0.6931 - 0.4 * share, "accuracy": 0.5 + 0.4 * share, "margin": share, "learning_rate": 1e-4}
        session.add(RunMetric(run_id=run.id, step=step, values=values))
    session.flush()


def add_samples(session: Session, run: Run, *steps: int) -> None:
    """Two questions, asked at each step: one that code can check, and one that it cannot."""
    asked = [{"prompt": "What is 2 + 2?", "answer": "4"}, {"prompt": "Say hello to the dog."}]
    session.add_all(RunQuestion(run_id=run.id, place=place, asked=each) for place, each in enumerate(asked))
    session.flush()
    for step in steps:
        right = {"text": "4" if step else "22", "tokens": 2, "ended": True, "right": step > 0}
        free = {"text": f"Hello to the dog, he is a good dog of {step} years.", "tokens": 16, "ended": step > 0}
        session.add_all(RunSample(run_id=run.id, place=p, step=step, said=s) for p, s in enumerate((right, free)))
    session.flush()


def add_scores(session: Session, run: Run, *steps: int) -> None:
    """One question of two responses, whose scores part."""
    asked = {"prompt": "Say hello to the dog.", "responses": ["Hello, dog!", "No."], "tiers": [1, 2]}
    session.add(RunQuestion(run_id=run.id, place=0, asked=asked))
    session.flush()
    session.add_all(RunSample(run_id=run.id, place=0, step=s, said={"scores": [s / 100, -s / 50]}) for s in steps)
    session.flush()


def make_checkpoint(session: Session, run: Run | None = None, **told: Any) -> Checkpoint:
    """A published checkpoint with small files that are really in storage."""
    run = run or make_run(session, state="finished")
    name = told.pop("name", run.checkpoint_name)
    version = session.scalars(select(func.count()).where(Checkpoint.name == name)).one() + 1
    prefix = f"checkpoints/{name}/v{version}"
    weights = (b"weights " * (told.get("size", 40_000) // 8 + 1))[: told.pop("size", 40_000)]
    contents = {"config.json": b"{}", "model.safetensors": weights, "original/README.md": b"# Card\n"}
    files = [add_file(prefix, path, content) for path, content in contents.items()]
    usual = {
        "kind": "policy",
        "sha256": "cd" * 32,
        "metrics": {"before": {"accuracy": 0.5}, "after": {"accuracy": 0.8}},
    }
    checkpoint = Checkpoint(name=name, version=version, run_id=run.id, prefix=prefix, files=files, **(usual | told))
    session.add(checkpoint)
    session.flush()
    return checkpoint


def add_file(prefix: str, path: str, content: bytes) -> dict[str, Any]:
    """A file in storage, as its row names it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "file"
        source.write_bytes(content)
        return store_file(prefix, path, source).as_json()


def make_publication(session: Session, checkpoint: Checkpoint, **told: Any) -> Publication:
    """Where a checkpoint is on its way to, without the secret that opens it."""
    usual = {
        "kind": "hub",
        "endpoint": "https://huggingface.co",
        "place": "ada/everyday",
        "options": {"private": True, "tag": f"v{checkpoint.version}"},
        "paths": [file["path"] for file in checkpoint.files],
        "n_bytes": sum(file["size"] for file in checkpoint.files),
        "created_by": _somebody(session).id,
    }
    publication = Publication(checkpoint_id=checkpoint.id, **(usual | told))
    session.add(publication)
    session.flush()
    return publication
