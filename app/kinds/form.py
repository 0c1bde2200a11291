"""What every judging form has besides its choice: a strength and a comment."""

from collections.abc import Mapping

from app.errors import BadJudgment


def read_strength(form: Mapping[str, str]) -> int | None:
    return read_number(form, "strength") if form.get("strength") else None


def read_comment(form: Mapping[str, str]) -> str:
    """Browsers send line ends as CR LF; stored is what was typed."""
    return form.get("comment", "").replace("\r\n", "\n").strip()


def read_number(form: Mapping[str, str], name: str) -> int:
    words = form.get(name, "").strip()
    if not (words.isascii() and words.isdigit() and len(words) < 5):
        raise BadJudgment(f"“{words[:20]}” is not a whole number", field=name)
    return int(words)
