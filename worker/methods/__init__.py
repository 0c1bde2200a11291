"""The methods of training, one file each, listed here by hand so that types are checked and order is shown.

A method is a module with the names of ``Method``. A new one is one new file and its place in ``METHODS``: the trainer
announces it, the launch form is drawn from its settings, and the contract test runs it through the same demands.
Methods see tokens, tensors and their settings; they never reach the database or the broker.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from app.errors import BadInput
from worker.batches import Batch
from worker.groups import Group
from worker.methods import dpo, grpo_offline, reward, sft
from worker.methods.settings import NO_REFERENCE as NO_REFERENCE
from worker.methods.settings import PRESETS, Choices, Training, describe_settings
from worker.methods.settings import START as START
from worker.methods.settings import read_settings as read_fields
from worker.methods.tally import Tally
from worker.policy import Kind, Model


class Method(Protocol):
    """What every file in this folder offers. ``NEEDS`` names what a group must have to be trained on: "best" or "order".

    Where it is "order", ``TIES_TEACH`` lists the choices of settings under which groups of nothing but ties will do as well.
    ``reference`` says whose log-probabilities stand in a batch as ``reference_GK``: ``START`` for the start model, the
    name of a checkpoint, or ``NO_REFERENCE``. ``OBJECTIVE`` is what is made small, in LaTeX, for the first choice of every setting.
    """

    NAME: str
    TITLE: str
    OBJECTIVE: str
    KIND: Kind
    NEEDS: str
    TIES_TEACH: Choices
    LEARNING_RATE: float

    @property
    def Settings(self) -> type[Training]: ...  # noqa: N802 -- the class each file defines

    def reference(self, settings: Any) -> str: ...

    def examples(self, groups: Sequence[Group], settings: Any) -> list[Group]: ...

    def share(self, batch: Batch, settings: Any) -> Tensor: ...

    def loss(self, model: Model, batch: Batch, settings: Any) -> Tally: ...


METHODS: tuple[Method, ...] = (sft, reward, dpo, grpo_offline)


def find_method(name: str) -> Method:
    """The method of that name. Raises BadInput that lists the known ones."""
    for method in METHODS:
        if name == method.NAME:
            return method
    known = ", ".join(method.NAME for method in METHODS)
    raise BadInput(f"There is no method {name!r}. Known methods: {known}.", field="method")


def read_settings(method: Method, given: dict[str, Any]) -> Training:
    """A run's settings for this method, checked, with defaults filled in. Raises BadInput that names the field."""
    return read_fields(method.Settings, given)


def describe(method: Method) -> dict[str, Any]:
    """What a trainer announces about a method, ready for JSON."""
    return {
        "name": method.NAME,
        "title": method.TITLE,
        "objective": method.OBJECTIVE,
        "presets": [{"name": each.name, "help": each.help, "settings": each.settings} for each in PRESETS],
        "kind": method.KIND,
        "needs": method.NEEDS,
        "ties_teach": list(method.TIES_TEACH),
        "settings": describe_settings(method.Settings),
    }
