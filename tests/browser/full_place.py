"""A place with something in every room, for looking at its pages."""

import json
import math
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from app import db
from app.access import Person
from app.checkpoints import aliases
from app.imports.service import import_file
from app.judgments import service as judgments
from app.kinds import Verdict
from app.models import Assignment, Delivery, Judgment, Project, Run, RunMetric, RunTest, RunWatch, User, Webhook
from app.people import invitations
from app.people import service as people
from app.queue.service import claim
from tests import trained
from tests.browser import stories
from tests.judged import add_item
from tests.unjudged import open_item, open_project

RECORDS: list[object] = [
    {"prompt": stories.DEDUPLICATE, "chosen": stories.DEDUPLICATE_SHORT, "rejected": stories.DEDUPLICATE_LONG},
    {"prompt": stories.HAIKU, "responses": stories.HAIKUS},
    {"prompt": "A question without responses?"},
    {"prompt": "", "responses": ["one", "two"]},
    ["not", "a", "record"],
]
FAILURE = (
    "The loss is not a number any more at step 12. A smaller learning rate helps.\n\n"
    "step 11  loss 41.2\nstep 12  loss nan"
)


def fill(ada: User, ben: User) -> dict[str, str]:
    """Something in every room; returns the addresses of what has a number for a name."""
    with db.work_unit() as session:
        everyday = open_project(
            session, "everyday", "pair", ben, name="Everyday questions", guidelines=stories.GUIDELINES
        )
        farewells = open_project(session, "farewells", "ranking", ben, name="Farewells to a town")
        open_project(session, "empty", "pair", ben, name="Nothing here yet")
        imported = _import(session, everyday, ada)
        open_item(session, everyday, stories.GARDEN, [stories.GARDEN_A, stories.GARDEN_B], priority=-1)
        open_item(
            session,
            everyday,
            stories.DEDUPLICATE,
            [stories.DEDUPLICATE_LONG, stories.DEDUPLICATE_SHORT],
            priority=-2,
        )
        open_item(session, farewells, stories.FAREWELL, stories.FAREWELLS)
        people.make_token(session, ada, ["read", "import"], name="laptop", days=90)
        people.make_token(session, ada, ["read"], name="nightly download", projects=["everyday"])
        people.join(session, ben.id, everyday.id, "manager")
        asking = Person(ada.id, ada.name, ada.role)
        secret = invitations.invite(session, asking, everyday, role="annotator", note="Dora from the library")
        _judged_lately(session, everyday)
        rows = {"join": f"/join/{secret}", "import_result": f"/projects/everyday/imports/{imported}"}
        return rows | _read(session, ada, ben) | _train(session) | _tell(session, ada, everyday)


def _tell(session: Session, ada: User, project: Project) -> dict[str, str]:
    """A webhook that fails, with deliveries in every state, and one that was switched off."""
    hook = Webhook(
        project_id=project.id,
        name="Nightly training",
        url="https://a-rather-long-name-of-a-server.department.example.org/hooks/tiebreak?key=0123456789abcdef",
        events=["judgments.reached", "dataset.ready"],
        judgment_counts=[100, 5000],
        judgments_every=1000,
        secret=b"",
        owner_id=ada.id,
        failing_since=datetime.now(UTC) - timedelta(hours=9),
    )
    off = Webhook(url="https://example.org/", events=["run.finished"], secret=b"", owner_id=ada.id, state="off")
    off.off_reason = "failing"
    session.add_all((hook, off))
    session.flush()
    data = {"id": 1, "name": "everyday", "version": 3, "project": "everyday"}
    for state, told in (
        ("delivered", {"status_code": 204, "duration_ms": 83, "attempts": 1}),
        ("given_up", {"error": "unreachable", "error_detail": "Connection refused", "attempts": 12}),
        ("waiting", {"status_code": 503, "duration_ms": 9310, "attempts": 3, "error": "status"}),
    ):
        row = Delivery(webhook_id=hook.id, event="dataset.ready", data=data, state=state, **told)
        row.due_at = datetime.now(UTC) + timedelta(hours=2)
        session.add(row)
    counted = {"project": "everyday", "count": 5000, "judgments": 5003}
    session.add(Delivery(webhook_id=hook.id, event="judgments.reached", data=counted))
    session.flush()
    return {
        "webhook": f"/webhooks/{hook.id}",
        "webhook_change": f"/webhooks/{hook.id}/change",
        "webhook_off": f"/webhooks/{off.id}",
    }


def _read(session: Session, ada: User, ben: User) -> dict[str, str]:
    """Two that are wide, alike, and judged by Ada, who changed her mind."""
    project = open_project(session, "reading", "pair", ben, name="Formulas and code")
    open_item(session, project, stories.LONG, [stories.WIDE, stories.WIDE.replace("long", "short")])
    person = Person(ada.id, ada.name, ada.role)
    turn = claim(session, ada.id, project.id)
    assert turn
    stored = judgments.judge(session, person, turn.assignment_id, Verdict("tie", comment="As *good*."), key="one")
    judgments.revise(session, person, stored.judgment["id"], Verdict("all_bad"), key="other")
    own = f"/projects/reading/mine/{turn.assignment_id}"
    school = open_project(session, "school", "pair", ben, name="Practice")
    lesson = open_item(session, school, stories.HAIKU, stories.HAIKUS)
    lesson.wanted = lesson.open_slots = 0
    lesson.is_training, lesson.gold = True, {"outcome": "tie", "tiers": {}}
    session.flush()
    practice = claim(session, ada.id, school.id)
    assert practice
    judged = judgments.judge(session, person, practice.assignment_id, Verdict("all_bad"), key="third").judgment["id"]
    return {
        "practice": f"/projects/school/practice/{judged}",
        "mine": "/projects/reading/mine",
        "own_judgment": own,
        "own_judgment_change": f"{own}/change",
        "difference": f"/turns/{turn.assignment_id}/difference",
        "item": f"/projects/reading/items/{turn.item_id}",
    }


def _judged_lately(session: Session, project: Project) -> None:
    """What two people leave behind in two days: more and more, one tie in five."""
    now = datetime.now(UTC)
    judges = [User(email=f"{name.lower()}@example.org", name=name, password_hash="") for name in ("Dora", "Erik")]
    session.add_all(judges)
    session.flush()
    for number in range(90):
        hours = 47 * (number / 90) ** 2 + 0.5
        item = add_item(session, project, f"Lately {number}?", [f"one {number}", f"two {number}"])
        turn = {"state": "done", "seed": 0, "shown_order": item.response_ids, "expires_at": now}
        turn |= {"project_id": project.id, "item_id": item.id, "user_id": judges[number % 3 % 2].id}
        done = Assignment(**turn)
        session.add(done)
        session.flush()
        told = {name: turn[name] for name in ("project_id", "item_id", "user_id")} | {"assignment_id": done.id}
        told |= {"judge_kind": "human", "outcome": "tie" if number % 5 == 0 else "ranked", "client_key": "once"}
        places = (1, 1) if number % 5 == 0 else (1, 2)
        told |= {"tiers": dict(zip(map(str, item.response_ids), places, strict=True))}
        told |= {"duration_ms": 4000 + 300 * number, "created_at": now - timedelta(hours=hours)}
        session.add(Judgment(**told))
    session.flush()


def _import(session: Session, project: Project, ada: User) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "from-the-old-tool.jsonl"
        path.write_text("\n".join(json.dumps(record) for record in RECORDS))
        return import_file(session, project, Person(ada.id, ada.name, ada.role), path).id


SAMPLES = [
    {"prompt": "What is 7 + 5?", "text": "The answer is 12.", "answer": "12", "right": False},
    {"prompt": "What is 7 + 5?", "text": "12", "answer": "12", "right": True},
]


LENGTHS = {"width": 20, "counts": [4, 11, 19, 24, 17, 9, 4, 2, 1, 1], "median": 71, "p95": 141, "longest": 199}
PREFLIGHT = {
    "started_from": "starter v1, manifest " + "ab" * 32,
    "device": "CPU, 2 threads",
    "prompts": "each prompt once for all its responses",
    "parameters": 1_014_720,
    "learning": 1_014_720,
    "model_length": 2048,
    "max_length": 150,
    "groups": {"train": 92, "used": 92, "looked_at": 92, "test": 12},
    "lengths": dict.fromkeys(("prompt", "response", "together"), LENGTHS),
    "truncation": {"prompts_cut": 4, "responses_cut": 3, "groups_dropped": 2},
    "time": {
        "seconds": 96.0,
        "steps": 8,
        "seconds_per_step": 9.0,
        "parts": {"start": 8.0, "reference": 4.0, "training": 72.0, "measuring": 11.0, "publishing": 1.0},
    },
    "memory": {"bytes": 9.1e9, "available": 8e9, "fits": False, "weights": 4e6, "activations": 8e9, "programs": 5e8},
}


def _train(session: Session) -> dict[str, str]:
    now = datetime.now(UTC)
    trained.make_trainer(session, "desk", methods=trained.ANNOUNCED)
    dataset = trained.make_dataset(session, "everyday")
    results = {
        "before": {"accuracy": 0.5, "margin": 0.0, "right_answers": 0.46, "answer_tokens": 9.0, "samples": SAMPLES[:1]},
        "after": {
            "accuracy": 0.782,
            "margin": 1.347,
            "right_answers": 0.61,
            "answer_tokens": 31.0,
            "groups": 120,
            "pairs": 120,
            "intervals": {"accuracy": [0.702, 0.846], "margin": [1.1, 1.6]},
            "reliability": [
                {"confidence": 0.5 + share / 10, "right": 0.5 + share / 12, "pairs": 30} for share in range(5)
            ],
            "sources": [{"kind": "source", "name": name, "accuracy": 0.7, "pairs": 60} for name in ("forum", "chat")],
            "samples": SAMPLES[1:],
        },
    }
    done = trained.make_run(
        session,
        dataset,
        state="finished",
        checkpoint_name="everyday-dpo",
        results=results,
        step=200,
        total_steps=200,
        started_at=now - timedelta(minutes=4),
        finished_at=now - timedelta(minutes=1),
        attempt=1,
    )
    running = trained.make_run(
        session,
        dataset,
        state="running",
        checkpoint_name="everyday-reward",
        method="reward",
        step=130,
        total_steps=200,
        seconds_left=41.0,
        stage="training",
        attempt=1,
        started_at=now - timedelta(minutes=2),
        last_step_at=now,
        lease_until=now + timedelta(hours=9),
        facts={"parameters": 1_048_576, "device": "cpu"},
    )
    failed = trained.make_run(
        session, dataset, state="failed", error=FAILURE, attempt=2, started_at=now, finished_at=now
    )
    trained.make_run(session, dataset, checkpoint_name="everyday-sft", method="sft")
    trained.make_preflight(session, dataset, method="dpo", state="answered", answer=PREFLIGHT)
    _curves(session, done, 200)
    _curves(session, running, 130)
    trained.add_samples(session, done, *range(0, 201, 10))
    trained.add_scores(session, running, *range(0, 131, 10))
    usage = {"memory": 2**30, "memory_peak": 2**31, "processors": 1.8}
    session.add(RunWatch(run_id=running.id, log="step 129 of 200: loss 0.41, accuracy 0.78", usage=usage, told_at=now))
    for run in (done, running):
        session.add(RunTest(run_id=run.id, prompts={"accuracy": {str(each): [each % 2, 1] for each in range(20)}}))
    checkpoint = trained.make_checkpoint(session, done, metrics=results)
    aliases.point(session, Person(done.created_by, "", "admin"), checkpoint.name, "candidate", checkpoint.version)
    running.facts = running.facts | {"started_from": checkpoint.exactly}
    made = trained.make_run(session, dataset, state="finished", facts={"reference": checkpoint.exactly})
    trained.make_checkpoint(session, made, name="everyday-second")
    refused = {"state": "failed", "error": "The hub does not accept this token.", "finished_at": now, "done_files": 1}
    stopped = trained.make_publication(session, checkpoint, done_bytes=2, **refused)
    going = {"kind": "s3", "endpoint": "amazon", "place": "models/everyday/v1", "options": {"region": "eu-central-1"}}
    going |= {"state": "running", "doing": "model.safetensors", "lease_until": now + timedelta(hours=9)}
    sent = trained.make_publication(session, checkpoint, done_files=1, done_bytes=21_000, **going)
    return {
        "dataset": f"/datasets/{dataset.id}",
        "run": f"/runs/{done.id}",
        "running": f"/runs/{running.id}",
        "failed": f"/runs/{failed.id}",
        "samples": f"/runs/{done.id}/samples?place=1&at=60",
        "compared": f"/runs/compare?run={done.id}&run={running.id}",
        "checkpoint": f"/checkpoints/{checkpoint.id}",
        "publications": f"/checkpoints/{checkpoint.id}/publications",
        "publications_dataset": f"/datasets/{dataset.id}/publications",
        "publication": f"/publications/{sent.id}",
        "publication_failed": f"/publications/{stopped.id}",
    }


def _curves(session: Session, run: Run, n: int) -> None:
    """As real ones look: falling, rough, and flat at the end."""
    for step in range(n):
        learnt = 1 - math.exp(-step / 60)
        rough = math.sin(step * 1.7) * math.cos(step * 0.61) * 0.12
        values = {
            "loss": math.log(2) - 0.35 * learnt + rough * 0.5,
            "accuracy": 0.5 + 0.28 * learnt + rough,
            "margin": 1.3 * learnt + rough,
            "learning_rate": 1e-4 * min(1, step / 20) * (1 - step / 220),
            "tokens_per_s": 5200 + 900 * rough,
        }
        session.add(RunMetric(run_id=run.id, step=step, values=values))
