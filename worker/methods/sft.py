"""SFT: make the best response of each group more likely.

The loss is the cross-entropy of the response's tokens, end token included, given the prompt: −log π(a|x). A step's loss is
the mean over all response tokens of the step, so every token weighs the same wherever it stands (nats per token).

Groups give what stands in their best tier: one response as a rule, several when they tie for the best. A group whose
responses were all said to be bad teaches nothing here.

Left out: loss on prompt tokens, packing, label smoothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from worker.batches import Batch
from worker.groups import Group
from worker.methods.settings import NO_REFERENCE, Choices, Training
from worker.methods.tally import Tally
from worker.policy import Kind, Model, logp

NAME, TITLE = "sft", "Supervised fine-tuning on the best responses"
OBJECTIVE = r"\mathcal{L}(\theta) = -\frac{\sum_{(x, a)} \log \pi_\theta(a \mid x)}{\sum_{(x, a)} |a|}"
KIND: Kind = "policy"
NEEDS = "best"
TIES_TEACH: Choices = ()
# For a model that can already speak. New weights take ten times as much, which spoils a trained model (tried on the
# starter: 53 % right answers became 43 %); whoever orders a run from "blank" says so, as the starter's order does.
LEARNING_RATE = 1.5e-4


@dataclass(frozen=True, kw_only=True)
class Settings(Training):
    pass


def reference(settings: Settings) -> str:
    """Whose log-probabilities the scores are held against."""
    del settings
    return NO_REFERENCE


def examples(groups: Sequence[Group], settings: Settings) -> list[Group]:
    """Each group reduced to its best responses; groups without one are left out."""
    del settings
    reduced = [(group, group.best()) for group in groups]
    return [
        Group(group.prompt, best, (1,) * len(best), group.outcome, group.weight, group.answer)
        for group, best in reduced
        if best
    ]


def share(batch: Batch, settings: Settings) -> Tensor:
    """What the summed loss is divided by: response tokens, each with its group's weight, shape ()."""
    del settings
    return (batch.tokens_R * batch.weight_G[batch.group_R]).sum()


def loss(model: Model, batch: Batch, settings: Settings) -> Tally:
    """Summed cross-entropy of the batch, nats, each response with its group's weight."""
    del settings
    return Tally(-(logp(model, batch) * batch.weight_G[batch.group_R]).sum())
