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
