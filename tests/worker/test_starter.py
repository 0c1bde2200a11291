"""The blank model: any text can be written in it, and it ends its turns."""

from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer

from samples.task import study_records
from tests.small import TEXTS, group
from worker import policy, starter
from worker.tokens import encode


def study(n: int) -> list[Any]:
    return [
        group(record["prompt"], [each["text"] for each in record["responses"]], [1, 2])
        for record in study_records(0, n)
    ]


def test_it_is_a_llama_of_about_a_million_weights_that_plain_transformers_load(tmp_path: Path):
    groups = study(300)
    network, tokenizer = starter.blank(groups)
    model = policy.prepare("policy", network, tokenizer, lora_rank=0, device=policy.pick_device())
    assert 900_000 < model.n_parameters < 1_100_000
    model.network.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path)).__name__ == "LlamaForCausalLM"
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert encode(groups, again, 512) == encode(groups, tokenizer, 512)
    assert again.pad_token_id not in {None, again.eos_token_id}


def test_small_data_makes_a_small_vocabulary_not_an_error():
    network, tokenizer = starter.blank([group("a", ["b", "c"], [1, 2])])
    assert network.config.vocab_size == len(tokenizer) >= 256 + 5


@pytest.mark.parametrize(
    "text", ["Hello!", "  two  spaces ", "漢字 é 🎈", "1234567890", "tab\tand\nline", '"quoted"', ""]
)
def test_any_text_can_be_written_in_it(text: str):
    tokenizer = starter.train_tokenizer(TEXTS)
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_a_word_is_the_same_tokens_in_quotation_marks_and_alone():
    tokenizer = starter.train_tokenizer(
        text for each in study(500) for text in (each.prompt[0]["content"], *each.responses)
    )
    alone = tokenizer("garden", add_special_tokens=False)["input_ids"]
    quoted = tokenizer('Repeat the word "garden".', add_special_tokens=False)["input_ids"]
    assert any(quoted[start : start + len(alone)] == alone for start in range(len(quoted)))


def test_only_the_assistant_ends_its_turn():
    tokenizer = starter.train_tokenizer(TEXTS)
    turns = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")]
    messages = [{"role": role, "content": content} for role, content in turns]
    written = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert written == "<|system|>Be brief.<|user|>Hi<|assistant|>Hello<|end|><|user|>Bye<|assistant|>"
    with pytest.raises(TemplateError, match="not from critic"):
        tokenizer.apply_chat_template([{"role": "critic", "content": "Bad"}], tokenize=False)
