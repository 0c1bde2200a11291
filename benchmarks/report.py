"""How every benchmark here is asked and answers: options, a table for people, and one JSON object as the last line."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True)
class Figure:
    """A number and the bar it is held against; `at_least` says on which side of the bar it should be."""

    value: float
    bar: float
    at_least: bool = True

    def holds(self) -> bool:
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def command_line(about: str | None) -> argparse.ArgumentParser:
    """The options of a benchmark, which tells of itself by the first line of its docstring."""
    return argparse.ArgumentParser(description=(about or "").partition("\n")[0])


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    for row in cells:
        first, *others = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]))


def finish(benchmark: str, figures: Mapping[str, Figure]) -> None:
    told = {
        name: {"value": figure.value, "bar": figure.bar, "holds": figure.holds()} for name, figure in figures.items()
    }
    print(json.dumps({"benchmark": benchmark, "figures": told}))


def give_up(why: str) -> NoReturn:
    """It could not be measured: that, and only that, is what the exit status says."""
    sys.exit(f"not measured: {why}")
