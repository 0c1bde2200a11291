"""The process that sends: what it is told, what the others do without, and what it says when it goes wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from app import db
from app.models import Checkpoint, User
from app.publications import leases
from app.publications.outcome import scrubbed
from app.publications.push import push, start
from app.settings import ROOT
from tests.app.publications.conftest import ordered, row_of, to_hub
from tests.hub_to_write import WRITER, Hub


def test_the_web_server_and_the_worker_load_none_of_its_libraries():
    heavy = "{name for name in ('huggingface_hub', 'hf_xet') if name in sys.modules}"
    script = f"import sys, app.main, app.jobs; print({heavy})"
    out = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout == "set()\n"


def test_nobody_reads_the_secret_off_its_command_line_or_its_environment(
    ada: User, checkpoint: Checkpoint, elsewhere: Hub, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", "somebody-elses")
    elsewhere.hold = next(file["sha256"] for file in checkpoint.files if file["path"] == "model.safetensors")
    one = ordered(ada, checkpoint, to_hub(elsewhere))
    child = start(one, leases.claim(one) or 0)
    try:
        assert elsewhere.in_the_middle.wait(240)
        seen = [Path(f"/proc/{child.pid}/{what}").read_bytes() for what in ("cmdline", "environ")]
    finally:
        elsewhere.go_on.set()
        child.wait()
    assert not any(word in text for text in seen for word in (WRITER.encode(), b"somebody-elses"))
    assert row_of(one).state == "finished"


def test_what_is_not_this_attempts_is_left_alone(ada: User, checkpoint: Checkpoint, elsewhere: Hub):
    one = ordered(ada, checkpoint, to_hub(elsewhere))
    push(one, 7)
    assert (row_of(one).state, elsewhere.asked) == ("queued", [])


def test_a_fault_of_ours_is_logged_without_the_secret_and_ends_it(
    ada: User, checkpoint: Checkpoint, elsewhere: Hub, caplog: pytest.LogCaptureFixture
):
    one = ordered(ada, checkpoint, to_hub(elsewhere))
    with db.work_unit() as session:
        session.get_one(Checkpoint, checkpoint.id).files = [{"nonsense": WRITER}]
    fence = leases.claim(one)
    assert fence is not None
    push(one, fence)
    row = row_of(one)
    assert (row.state, row.secret, "broken on our side" in (row.error or "")) == ("failed", None, True)
    assert "KeyError" in caplog.text
    assert WRITER not in caplog.text


def test_words_of_others_are_cleaned_of_secrets_and_signatures():
    said = "PUT https://s3.example/x?X-Amz-Credential=AKIA&X-Amz-Signature=abc with hf_secret\n\n failed"
    assert scrubbed(said, ["hf_secret"]) == "PUT https://s3.example/x with … failed"
    assert len(scrubbed("long " * 1000, [])) <= 600
