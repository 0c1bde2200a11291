import pytest

from app.settings import ROOT, Settings


def test_it_keeps_its_data_in_the_checkout_and_not_in_a_persons_home(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("TIEBREAK_HOME", raising=False)
    assert Settings().home == ROOT / ".tiebreak"


def test_it_reads_each_setting_from_the_variable_that_is_documented(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIEBREAK_HOME", "/data")
    monkeypatch.setenv("PORT", "9000")
    assert (str(Settings().home), Settings().port) == ("/data", 9000)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SECRET_KEY", "too short", "at least 32 characters"),
        ("PUBLISH_HUBS", "huggingface.co", "is no address"),
        ("PUBLISH_S3", "amazon, http://key:secret@10.0.0.1", "is no address"),
    ],
)
def test_it_refuses_what_would_not_do_for_publishing(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=words):
        Settings()


def test_it_reads_where_runs_are_mirrored_to(monkeypatch: pytest.MonkeyPatch):
    assert Settings().mirrors == ()
    monkeypatch.setenv("MIRRORS", "tensorboard:/var/log/tb, mlflow:http://host:5000,wandb:team/project")
    tensorboard, mlflow, wandb = Settings().mirrors
    assert (tensorboard.kind, tensorboard.target) == ("tensorboard", "/var/log/tb")
    assert (mlflow.kind, mlflow.target) == ("mlflow", "http://host:5000")
    assert str(wandb) == "wandb:team/project"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("comet:project", "knows no 'comet': it takes tensorboard, mlflow, wandb"),
        ("tensorboard:runs", "write tensorboard:/a/folder"),
        ("mlflow", "write mlflow:http://host:5000"),
        ("mlflow:http://ada:secret@host:5000", "no password in it"),
        ("wandb:a/b/c", "write wandb:project or wandb:team/project"),
        ("wandb:a,wandb:b", "names one kind twice"),
    ],
)
def test_it_says_what_is_wrong_with_a_mirror(monkeypatch: pytest.MonkeyPatch, given: str, words: str):
    monkeypatch.setenv("MIRRORS", given)
    with pytest.raises(ValueError, match=words):
        Settings()
