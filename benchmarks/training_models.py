"""The models of `training.py`, from random weights; also read by a Python without Tiebreak's packages."""

from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForSequenceClassification,
)

GPU_VOCABULARY = 151_936
SIZES = {
    "0.5 B": {
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
    },
    "1.5 B": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
    },
}
"""The shapes of Qwen2.5, 494 million and 1.54 billion weights with those of the vocabulary, which are tied."""


def small_llama(method: str, tokenizer: Any, vocabulary: int) -> Any:
    """A Llama with 3.2 million weights besides those of its vocabulary."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=8,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        **_tokens(tokenizer),
    )
    return LlamaForCausalLM(config) if method == "dpo" else LlamaForSequenceClassification(config)


def on_gpu(size: str, method: str, tokenizer: Any) -> Any:
    """One of `SIZES` in float32, made where it is trained: the same weights for whoever asks on the same machine."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=GPU_VOCABULARY,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        use_cache=False,
        **SIZES[size],
        **_tokens(tokenizer),
    )
    with torch.device("cuda"):
        return Qwen2ForCausalLM(config) if method == "dpo" else Qwen2ForSequenceClassification(config)


def _tokens(tokenizer: Any) -> dict[str, Any]:
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    return {"bos_token_id": None, "num_labels": 1, **ends}


def weights_of_layers(size: str) -> int:
    """Weights that every token is multiplied with."""
    sizes = SIZES[size]
    width = sizes["hidden_size"]
    narrow = width * sizes["num_key_value_heads"] // sizes["num_attention_heads"]
    return sizes["num_hidden_layers"] * width * (2 * width + 2 * narrow + 3 * sizes["intermediate_size"])
