"""What a method measured on a batch, as sums and counts: means of means would depend on how the data was cut up."""

from dataclasses import dataclass, field

from torch import Tensor

from worker.batches import Number


@dataclass
class Tally:
    """``loss`` is a sum that still has its gradient, to be divided by the step's whole share.

    ``right`` and ``margin`` are sums over ``pairs``. ``furthest`` is the largest |log π/π_ref| per token of any response,
    nats, where the method has a reference: the start of a run is checked by it, whatever the loss. ``means`` holds further
    measurements as (sum, count).
    """

    loss: Tensor
    right: Number = 0.0
    margin: Number = 0.0
    pairs: Number = 0
    furthest: Number | None = None
    means: dict[str, tuple[Number, Number]] = field(default_factory=dict)
