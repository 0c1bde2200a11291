"""What a method measured on a batch, as sums and counts: means of means would depend on how the data was cut up."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Tally:
    """``loss`` is a sum that still has its gradient, to be divided by the step's whole share; the rest are sums over pairs."""

    loss: Tensor
    right: float = 0.0
    margin: float = 0.0
    pairs: int = 0
