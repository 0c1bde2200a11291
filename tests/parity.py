"""One batch, two small models and the losses that TRL has as well: what both sides are asked when they are compared.

Weights come from a formula, not from a random generator, so that they are the same in every version of everything. The
numbers that TRL gave are in `worker/objectives/golden/trl.json`; `benchmarks/parity.py` makes them anew.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from tests.small import CPU
from worker.batches import EncodedGroup
from worker.evaluate import with_reference
from worker.methods import START, find_method, read_settings
from worker.policy import Kind, Model
from worker.sharing import with_shared_prompts

GOLDEN = Path(__file__).parent / "worker" / "objectives" / "golden" / "trl.json"
TOLERANCE = 5e-6
"""Relative. Both sides take log-softmax in float32, and sum in an order of their own."""
VOCABULARY, PAD, END = 40, 0, 2
STRENGTHS = (1.0, 3.0, 0.0, 2.0)


@dataclass(frozen=True)
class Pair:
    """Token ids; both responses end in the end token."""

    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]


PAIRS = (
    Pair((5, 6, 7, 8), (9, 10, 11, END), (12, END)),
    Pair((5, 13), (14, 15, END), (16, 17, 18, 19, 20, END)),
    Pair((21, 22, 23), (END,), (24, 25, END)),
    Pair((26, 27, 28, 29, 30, 31, 32), (33, 34, 35, 36, 37, END), (38, 39, 9, 5, END)),
)


@dataclass(frozen=True)
class Case:
    """The same loss in TRL's words and in ours. ``theirs`` are fields of TRL's DPOConfig or RewardConfig."""

    method: str
    theirs: dict[str, Any]
    ours: dict[str, Any] = field(default_factory=dict)


CASES = {
    "dpo sigmoid": Case("dpo", {"loss_type": ["sigmoid"], "beta": 0.1}, {"loss": "logistic", "beta": 0.1}),
    "dpo hinge": Case("dpo", {"loss_type": ["hinge"], "beta": 0.5}, {"loss": "hinge", "beta": 0.5}),
    "dpo ipo": Case("dpo", {"loss_type": ["ipo"], "beta": 0.2}, {"loss": "squared", "tokens": "mean", "beta": 0.2}),
    "dpo robust": Case(
        "dpo",
        {"loss_type": ["robust"], "beta": 0.3, "label_smoothing": 0.2},
        {"loss": "logistic", "beta": 0.3, "label_smoothing": 0.2, "smoothing": "robust"},
    ),
    "dpo sigmoid_norm": Case(
        "dpo", {"loss_type": ["sigmoid_norm"], "beta": 2.0}, {"loss": "logistic", "tokens": "mean", "beta": 2.0}
    ),
    "sft on the better responses": Case("sft", {"loss_type": ["sft"]}),
    "reward": Case("reward", {}),
    "reward with centring": Case("reward", {"center_rewards_coefficient": 0.05}, {"centring": 0.05}),
    "reward with margins": Case("reward", {"margin": 0.25}, {"strength_margin": 0.25}),
}


def network(kind: Kind, *, which: float) -> Any:
    """A Llama in float64 whose weights are sines of their places; ``which`` makes another one."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=END,
        pad_token_id=PAD,
        num_labels=1,
        attn_implementation="eager",
    )
    made: Any = (LlamaForCausalLM if kind == "policy" else LlamaForSequenceClassification)(config)
    made.double().eval()
    with torch.no_grad():
        for number, (_, weights) in enumerate(made.named_parameters()):
            places = torch.arange(weights.numel(), dtype=torch.float64)
            waves = torch.sin(places * (1.7 + 0.1 * which) + number + which).reshape(weights.shape)
            weights.copy_(1 + 0.1 * waves if weights.dim() == 1 else 0.4 * waves)
    return made


def groups(pairs: tuple[Pair, ...] = PAIRS) -> list[EncodedGroup]:
    """The pairs as groups of two, the better response first in every other one."""
    found = []
    for number, (pair, strength) in enumerate(zip(pairs, STRENGTHS, strict=True)):
        turn = 1 if number % 2 == 0 else -1
        found.append(EncodedGroup(pair.prompt, (pair.chosen, pair.rejected)[::turn], (1, 2)[::turn], strength=strength))
    return found


def fingerprint(gradient: Tensor) -> list[float]:
    """Two numbers that another gradient would not have both: its norm, and its product with a wave."""
    flat = gradient.detach().double().flatten()
    wave = torch.cos(0.37 * torch.arange(len(flat), dtype=torch.float64))
    return [float(flat.norm()), float(flat @ wave)]


def fingerprints(network: Any) -> dict[str, list[float]]:
    """Of every weight's gradient, by its name."""
    return {name: fingerprint(weights.grad) for name, weights in network.named_parameters() if weights.grad is not None}


class Answer(TypedDict):
    """``gradients`` are fingerprints by the name of the weight."""

    loss: float
    gradients: dict[str, list[float]]


class Padding:
    """All that this path asks of a tokenizer."""

    pad_token_id = PAD


def measured(case: Case, *, packed: bool = True) -> Answer:
    """Our loss and gradient of a case, by the path that a run takes from tokens on: prompts shared, or rows of their own."""
    method = find_method(case.method)
    settings = read_settings(method, case.ours)
    trained = network(method.KIND, which=1)
    model = Model(method.KIND, trained, Padding(), CPU)
    examples = groups()
    if method.NAME == "sft":
        examples = [replace(each, responses=(each.responses[each.tiers.index(1)],), tiers=(1,)) for each in examples]
    if packed:
        model, _ = with_shared_prompts(model, examples)
        assert model.shares_prompts
    if method.reference(settings) == START:
        start = Model("policy", network("policy", which=0), Padding(), CPU)
        examples = with_reference(start, examples)
    batch = model.batch(examples)
    loss = method.loss(model, batch, settings).loss / method.share(batch, settings)
    loss.backward()
    return {"loss": loss.item(), "gradients": fingerprints(trained)}
