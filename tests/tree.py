"""A policy small enough to be enumerated: a number for each token after each prefix, and every response that it can say.

Tokens are two letters and an end. A response is a word of at most two letters and the end token; after the second letter
only the end is left, so the probabilities of the seven responses sum to one, and lengths differ from one token to three.
"""

import torch
from torch import Tensor

LETTERS, END = "ab", 2
WORDS = ["", "a", "b", "aa", "ab", "ba", "bb"]
PREFIXES = {"": 0, "a": 1, "b": 2}
LENGTHS_R = torch.tensor([len(word) + 1.0 for word in WORDS], dtype=torch.float64)
"""Tokens of each response with its end token."""


def logp(logits_PT: Tensor, *, with_end: bool = True) -> Tensor:
    """The log-probability of each of the seven responses, nats: (7,). Without the end token it is not that of a response."""
    table_PT = logits_PT.log_softmax(1)
    found = []
    for word in WORDS:
        steps = [(word[:at], LETTERS.index(letter)) for at, letter in enumerate(word)]
        if with_end and word in PREFIXES:  # after two letters the end is certain
            steps.append((word, END))
        found.append(sum((table_PT[PREFIXES[prefix], token] for prefix, token in steps), table_PT.new_zeros(())))
    return torch.stack(found)


def draw(seed: int) -> Tensor:
    """Logits of a policy that has opinions."""
    return torch.randn(len(PREFIXES), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def optimum(reference_PT: Tensor, reward_R: Tensor, beta: float) -> Tensor:
    """π_ref e^{r/β} / C, (7,)."""
    return (logp(reference_PT) + reward_R / beta).softmax(0)


def value(policy_R: Tensor, reference_PT: Tensor, reward_R: Tensor, beta: float) -> Tensor:
    """E[r] − β KL(π ‖ π_ref), enumerated: ()."""
    return (policy_R * (reward_R - beta * (policy_R.log() - logp(reference_PT)))).sum()
