"""What a benchmark says at its end."""

import json

import pytest


def figures(captured: pytest.CaptureFixture[str], benchmark: str) -> dict[str, dict[str, float]]:
    """Of the last line that was printed."""
    told = json.loads(captured.readouterr().out.splitlines()[-1])
    assert told["benchmark"] == benchmark
    return dict(told["figures"])
