"""Builds the blank model that the starter is trained from: a small Llama with a tokenizer made for the texts at hand.

A first user has neither a GPU nor a hub at hand. The base model "blank" is this: about one million parameters, weights drawn
from the run's seed, and a byte-level BPE tokenizer learnt from the training split. An ordinary `sft` run on it, whose
checkpoint is named "starter", gives everybody a model that can really be improved by preferences within a minute.

The conversation is written ``<|user|>…<|assistant|>…<|end|>``: a role's token begins a message, and only the assistant
says when it has ended. Digits are cut one by one, so that numbers are made of few, often seen tokens. There is no begin
token, and the padding's id differs from the end token's.

Tried on `samples/task.py`, 6,000 groups, about 53 seconds of one core each, share of answers that are right or merely sloppy:
two layers of width 192 with 512 tokens 87 % (chosen) and with 1,024 tokens 77 %; four layers of width 128 72 %.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from worker.groups import Group

VOCABULARY = 512
WIDTH, LAYERS, HEADS, INNER = 192, 2, 4, 512
SPREAD = 0.06
"""Deviation of new weights. Decisive at this width: with the usual 0.02 the same steps reach a third of the right answers."""
LONGEST = 2048  # tokens; positions are rotary and cost no weights

PAD, END = "<|pad|>", "<|end|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}" + SYSTEM + "{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}" + USER + "{{ message['content'] }}"
    "{% elif message['role'] == 'assistant' %}" + ASSISTANT + "{{ message['content'] }}" + END + ""
    "{% else %}{{ raise_exception('a message is from system, user or assistant, not from ' + message['role']) }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)


def blank(groups: Sequence[Group], vocabulary: int = VOCABULARY) -> tuple[Any, Any]:
    """A new network and its tokenizer for these texts. The weights follow from torch's seed."""
    tokenizer = train_tokenizer(_texts(groups), vocabulary)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=LONGEST,
        initializer_range=SPREAD,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config), tokenizer


def train_tokenizer(texts: Iterable[str], vocabulary: int = VOCABULARY) -> Any:
    """A byte-level BPE tokenizer with the chat template: any text can be written in it, none becomes a control token."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END, SYSTEM, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=PAD, eos_token=END, chat_template=CHAT_TEMPLATE, model_max_length=LONGEST
    )


def _texts(groups: Sequence[Group]) -> Iterable[str]:
    return chain.from_iterable(
        (*(message["content"] for message in group.prompt), *group.responses) for group in groups
    )
