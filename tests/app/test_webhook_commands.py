"""Webhooks from a command line, with the real command on the tests' database."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from app.cli import main
from app.models import User
from app.settings import get_settings
from app.webhooks import delivering
from app.webhooks.delivering import send_due
from tests.app.webhooks.hooked import webhook
from tests.queued import queued
from tests.receiver import Receiver, listening

pytestmark = pytest.mark.usefixtures("database", "ada", "loopback_allowed")


@pytest.fixture
def loopback_allowed(migrated: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WEBHOOK_TARGETS", "127.0.0.0/8")
    monkeypatch.setattr(delivering, "WITHIN_S", 120.0)
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


def said(*words: str, status: int = 0) -> str:
    found = CliRunner().invoke(main, ["webhook", *words])
    assert found.exit_code == status, found.output
    return found.output


def made(receiver: Receiver, *options: str) -> str:
    return said("add", receiver.url(), "--event", "dataset.ready", *options)


def test_one_is_made_and_nothing_but_its_secret_is_printed(receiver: Receiver):
    queued(items=0)
    secret = made(receiver, "--project", "words", "--name", "Nightly", "--event", "judgments.reached", "--at", "100")
    assert secret.startswith("whsec_")
    assert secret.count("\n") == 1
    [_head, line] = said("list").splitlines()
    assert line.split("\t") == ["1", "active", "words", receiver.url(), "judgments.reached,dataset.ready", "0", "0"]


def test_a_mistake_is_one_sentence(receiver: Receiver):
    assert "10.0.0.1, which is not a public address" in said(
        "add", "http://10.0.0.1/", "--event", "run.failed", status=1
    )
    assert "Name one event or more" in said("add", receiver.url(), status=1)
    assert "there is no webhook 7" in said("test", "7", status=1)


def test_it_is_tested_looked_at_and_sent_again(receiver: Receiver):
    receiver.will_answer(500, 204)
    made(receiver)
    assert "delivery 1 is on its way" in said("test", "1")
    send_due()
    [_head, line] = said("deliveries", "1").splitlines()
    assert line.split("\t")[2:6] == ["webhook.test", "given_up", "1", "500"]
    assert "The answer was 500" in line
    assert said("send", "1") == "0 to be sent again\n"  # tests are not among those
    assert said("send", "1", "1") == "1 to be sent again\n"
    send_due()
    assert "delivered" in said("deliveries", "1")


def test_it_is_changed_paused_and_deleted(receiver: Receiver, ada: User):
    made(receiver)
    said("change", "1", "--name", "Other")
    assert (webhook(1).name, webhook(1).events) == ("Other", ["dataset.ready"])
    assert said("pause", "1") == "webhook 1 is paused\n"
    assert said("pause", "1", "--undo") == "webhook 1 is active\n"
    assert said("secret", "1", "--old-hours", "0").startswith("whsec_")
    assert webhook(1).old_secret is None
    assert said("delete", "1") == "webhook 1 is deleted\n"
    assert len(said("list").splitlines()) == 1
