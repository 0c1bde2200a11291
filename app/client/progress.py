"""How far something is: tqdm's bar where tqdm is installed, as it is in most notebooks, and else a plain line.

tqdm draws well in every notebook, but is not required: without it there is a line that is written over in a terminal, and in a
file one line for each tenth.
"""

import importlib
import sys
import warnings
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

_WIDTH = 24


class Bar(Protocol):
    def show(self, done: int, total: int | None, words: str = "") -> None: ...


def shown(label: str, *, unit: str, is_wanted: bool) -> AbstractContextManager[Bar]:
    """A bar for as long as the block lasts."""
    if not is_wanted:
        return _Nothing()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a notebook lacks its widgets; then tqdm draws with characters
            tqdm = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return Line(label, unit=unit)
    return _Tqdm(tqdm(desc=label, unit=unit, unit_scale=unit == "B", dynamic_ncols=True))


class _Closing:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        pass


class _Nothing(_Closing):
    def show(self, done: int, total: int | None, words: str = "") -> None:
        pass


class _Tqdm(_Closing):
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def show(self, done: int, total: int | None, words: str = "") -> None:
        self._bar.total = total
        self._bar.set_postfix_str(words, refresh=False)
        self._bar.update(done - self._bar.n)  # less than nothing where a run goes on from an earlier state
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


class Line(_Closing):
    def __init__(self, label: str, *, unit: str, out: TextIO | None = None) -> None:
        self._label = label
        self._unit = unit
        self._out = out or sys.stderr
        self._said: object = None
        self._width = 0

    def show(self, done: int, total: int | None, words: str = "") -> None:
        share = done / total if total else 0.0
        is_terminal = self._out.isatty()
        amount = f"{share:4.0%} of {_amount(total, self._unit)}" if total else ""
        bar = f"▕{'█' * int(share * _WIDTH):·<{_WIDTH}}▏" if is_terminal and total else ""
        line = "  ".join(part for part in (self._label, bar, amount, words) if part)
        says = line if is_terminal else (int(share * 10), words)
        if says == self._said:
            return  # gigabytes come in many small parts
        self._said = says
        if is_terminal:
            self._out.write(f"\r{line:<{self._width}}")
            self._width = len(line)
        else:
            self._out.write(f"{line}\n")
        self._out.flush()

    def close(self) -> None:
        if self._width:
            self._out.write("\n")


def _amount(n: int, unit: str) -> str:
    if unit != "B":
        return f"{n:,} {unit}s"
    size = float(n)
    for name in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {name}"
        size /= 1000
    return f"{size:.3g} GB"
