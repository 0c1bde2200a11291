"""Small models and groups built on the spot: two layers, a tokenizer that merges, no downloads."""

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers.processors import TemplateProcessing
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from worker import policy, starter
from worker.groups import Group
from worker.policy import Kind, Model

CPU = torch.device("cpu")
BEGIN = starter.SYSTEM
TEXTS = [
    "What is the quick brown fox?",
    "the quicker, the better",
    "quick brown foxes jump over lazy dogs",
    "one two three four five",
    "Say hello to the dog.",
] * 3


def beginning_tokenizer(vocabulary: int = 300) -> Any:
    """One that begins every text with a begin token, as those of many hub models do, and so does its chat template."""
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary)
    tokenizer.bos_token = BEGIN
    begin = (BEGIN, tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[begin])
    tokenizer.chat_template = "{{ bos_token }}" + starter.CHAT_TEMPLATE
    return tokenizer


def network(kind: Kind, tokenizer: Any, **changes: Any) -> Any:
    config = LlamaConfig(
        **{
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "initializer_range": 0.2,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "num_labels": 1,
            **changes,
        }
    )
    return LlamaForCausalLM(config) if kind == "policy" else LlamaForSequenceClassification(config)


def small_model(kind: Kind, tokenizer: Any, *, lora_rank: int = 0, seed: int = 0, **changes: Any) -> Model:
    policy.seed_everything(seed)
    return policy.prepare(kind, network(kind, tokenizer, **changes), tokenizer, lora_rank=lora_rank, device=CPU)


def group(prompt: str, responses: Sequence[str], tiers: Sequence[int | None], **more: Any) -> Group:
    return Group(({"role": "user", "content": prompt},), tuple(responses), tuple(tiers), **more)


GROUPS = [
    group("What is quick?", ["the fox", "a dog that sleeps all day"], [1, 2]),
    group("Say hello", ["hello", "no", "hello to the brown dog", "?"], [1, 3, 2, 2]),
    group("one two", ["three", ""], [1, 2]),
    group("Which of these is the better one, the quick fox or the lazy dog?", ["fox", "dog", "both"], [2, 1, 2]),
    group("four", ["five five five five", "six", "seven"], [1, 1, 2]),
]
