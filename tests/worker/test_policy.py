"""Loading and running models: the same numbers as plain transformers, whatever stands beside a row in its batch."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, Gemma2Config, Gemma2ForCausalLM

from app.errors import BadInput
from tests.small import CPU, TEXTS, beginning_tokenizer, network, small_model
from worker import policy, starter
from worker.batches import Batch, EncodedGroup, collate
from worker.evaluate import measure, reward_figures
from worker.memory import is_out_of_memory
from worker.policy import Kind, Model

MEASURES = {"policy": policy.logp, "reward": policy.rewards}
KINDS = pytest.mark.parametrize("kind", ["policy", "reward"])


def saved(folder: Path, kind: Kind, tokenizer: Any, **changes: Any) -> Path:
    policy.seed_everything(3)
    network(kind, tokenizer, **changes).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def loaded(kind: Kind, folder: Path, lora_rank: int = 0) -> Model:
    return policy.load(kind, folder, lora_rank=lora_rank, device=CPU)


def flat(values: list[tuple[float, ...]]) -> list[float]:
    return [value for row in values for value in row]


@KINDS
def test_a_row_alone_gives_what_it_gives_in_a_batch(kind: Kind, tokenizer: Any, groups: list[EncodedGroup]):
    model = small_model(kind, tokenizer)
    alone = [
        MEASURES[kind](model, collate([replace(each, responses=(one,), tiers=(1,))], 0, CPU)).item()
        for each in groups
        for one in each.responses
    ]
    assert flat(measure(model, groups, MEASURES[kind])) == pytest.approx(alone, abs=2e-5)


def on_the_left(batch: Batch) -> Batch:
    """The same rows with their padding on the other side."""
    shift_R = (~batch.attention_BT).sum(1)

    def turned(table: torch.Tensor) -> torch.Tensor:
        return torch.stack([row.roll(shift) for row, shift in zip(table, shift_R.tolist(), strict=True)])

    return replace(
        batch,
        ids_BT=turned(batch.ids_BT),
        attention_BT=turned(batch.attention_BT),
        at_M=batch.at_M + shift_R[batch.row_M],
        last_R=batch.last_R + shift_R,
    )


@KINDS
def test_the_side_of_the_padding_changes_nothing(kind: Kind, tokenizer: Any, groups: list[EncodedGroup]):
    model = small_model(kind, tokenizer)
    batch = collate(groups, tokenizer.pad_token_id, CPU)
    right, left = MEASURES[kind](model, batch), MEASURES[kind](model, on_the_left(batch))
    torch.testing.assert_close(left, right, atol=5e-5, rtol=1e-5)


def test_a_loaded_reward_model_scores_as_plain_transformers_do(
    tokenizer: Any, groups: list[EncodedGroup], tmp_path: Path
):
    model = loaded("reward", saved(tmp_path, "reward", tokenizer))
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    by_hand = [
        plain(input_ids=torch.tensor([each.prompt + one])).logits.item() for each in groups for one in each.responses
    ]
    found = flat(measure(model, groups, policy.rewards))
    assert found == pytest.approx(by_hand, abs=2e-5)
    assert max(found) - min(found) > 0.1


def test_a_new_reward_head_has_no_opinion(tokenizer: Any, groups: list[EncodedGroup], tmp_path: Path):
    model = loaded("reward", saved(tmp_path, "policy", tokenizer))
    assert flat(measure(model, groups, policy.rewards)) == [0.0] * sum(len(each.responses) for each in groups)
    assert reward_figures(model, groups)["accuracy"] == 0.5


def test_padding_is_given_an_id_of_its_own_when_it_shares_the_ends():
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=300)
    tokenizer.pad_token = tokenizer.eos_token
    model = small_model("reward", tokenizer)
    pad = model.tokenizer.pad_token_id
    assert pad != model.tokenizer.eos_token_id
    assert model.network.config.pad_token_id == pad < model.network.get_input_embeddings().num_embeddings


def test_a_policy_is_published_knowing_where_to_end(tokenizer: Any):
    """Whatever the base model's own file said of generation: a chat model that ends elsewhere would never stop."""
    told = small_model("policy", tokenizer, eos_token_id=7, pad_token_id=8).network.generation_config
    assert (told.eos_token_id, told.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)


def test_a_model_that_has_always_seen_a_begin_token_sees_it_without_a_template_too():
    tokenizer = beginning_tokenizer()
    tokenizer.chat_template = None
    small_model("policy", tokenizer)
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "hello"}], return_dict=False)
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_a_tokenizer_without_template_or_end_is_settled_or_refused():
    tokenizer = starter.train_tokenizer(TEXTS, vocabulary=300)
    tokenizer.chat_template = None
    small_model("policy", tokenizer)
    messages = [{"role": "user", "content": "hello"}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*messages, {"role": "assistant", "content": "yes"}], tokenize=False)
    assert whole.startswith(prompt + "yes" + starter.END)
    tokenizer.eos_token = None
    with pytest.raises(BadInput, match="no end token"):
        small_model("policy", tokenizer)


def test_dropout_is_off_while_training_so_that_policy_and_reference_agree(tokenizer: Any, groups: list[EncodedGroup]):
    model = small_model("policy", tokenizer, attention_dropout=0.5)
    first, second = (measure(model, groups, policy.logp) for _ in range(2))
    assert first == second
    with_gradient = policy.logp(model, collate(groups, 0, CPU))
    assert with_gradient.tolist() == pytest.approx(flat(first), abs=1e-4)


def test_an_architecture_that_changes_its_logits_is_refused_rather_than_trained_wrongly(tokenizer: Any):
    config = Gemma2Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        initializer_range=1.0,
        final_logit_softcapping=2.0,
    )
    with pytest.raises(BadInput, match="changes its logits"):
        policy.prepare("policy", Gemma2ForCausalLM(config), tokenizer, lora_rank=0, device=CPU)


def test_a_model_with_holes_is_refused(tokenizer: Any, tmp_path: Path):
    saved(tmp_path, "reward", tokenizer, tie_word_embeddings=False)
    with pytest.raises(BadInput, match=r"lacks weights that a policy needs: lm_head\.weight"):
        loaded("policy", tmp_path)


def test_code_that_comes_with_a_model_is_never_executed(tokenizer: Any, tmp_path: Path):
    saved(tmp_path, "policy", tokenizer)
    mark = tmp_path / "executed"
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: pass\nclass EvilConfig: pass\n")
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.EvilConfig", "AutoModelForCausalLM": "evil.Evil"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="cannot be loaded"):
        loaded("policy", tmp_path)
    assert not mark.exists()


def test_a_folder_without_a_tokenizer_is_told_in_whole_sentences(tokenizer: Any, tmp_path: Path):
    network("policy", tokenizer).save_pretrained(tmp_path)  # of which the library says a list of what it has tried
    with pytest.raises(BadInput, match=r"cannot be loaded: .*\w\. It must be a folder"):
        loaded("policy", tmp_path)


def test_pickled_weights_are_refused(tokenizer: Any, tmp_path: Path):
    saved(tmp_path, "policy", tokenizer)
    (tmp_path / "model.safetensors").unlink()
    torch.save(network("policy", tokenizer).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(BadInput, match="safetensors"):
        loaded("policy", tmp_path)


@KINDS
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks for it by its old name
def test_adapters_begin_as_the_start_model_and_merge_into_what_they_became(
    kind: Kind, tokenizer: Any, groups: list[EncodedGroup], tmp_path: Path
):
    folder = saved(tmp_path, kind, tokenizer)
    plain = measure(loaded(kind, folder), groups, MEASURES[kind])
    model = loaded(kind, folder, lora_rank=2)
    assert flat(measure(model, groups, MEASURES[kind])) == pytest.approx(flat(plain), abs=1e-6)
    assert 0 < sum(weights.numel() for weights in model.trainable()) < model.n_parameters / 4
    with torch.no_grad():
        for weights in model.trainable():
            weights.add_(0.1 * torch.randn_like(weights))
    trained = flat(measure(model, groups, MEASURES[kind]))
    assert max(abs(one - other) for one, other in zip(trained, flat(plain), strict=True)) > 0.01
    policy.merged(model).save_pretrained(folder / "merged")
    tokenizer.save_pretrained(folder / "merged")
    again = flat(measure(loaded(kind, folder / "merged"), groups, MEASURES[kind]))
    assert again == pytest.approx(trained, rel=2e-6, abs=1e-5)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # as above
def test_with_its_adapters_off_a_trained_policy_is_its_base_to_the_last_bit(
    tokenizer: Any, groups: list[EncodedGroup], tmp_path: Path
):
    folder = saved(tmp_path, "policy", tokenizer)
    base = measure(loaded("policy", folder), groups, policy.logp)
    model = loaded("policy", folder, lora_rank=2)
    with torch.no_grad():
        for weights in model.trainable():
            weights.add_(0.1 * torch.randn_like(weights))
    assert measure(loaded("policy", folder, lora_rank=2), groups, policy.logp) == base
    assert measure(model, groups, policy.logp) != base
    with policy.adapters_off(model):
        assert measure(model, groups, policy.logp) == base


def test_micro_batches_shrink_as_models_grow(tokenizer: Any):
    small = small_model("policy", tokenizer)
    assert small.tokens_at_once() == policy.MOST_TOKENS
    small.network.config.hidden_size, small.network.config.num_hidden_layers = 4096, 32
    assert 1 <= small.tokens_at_once() < 200


def test_the_same_seed_makes_the_same_weights(tokenizer: Any):
    one, same, other = (small_model("policy", tokenizer, seed=seed).network.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    assert math.isfinite(sum(weights.sum().item() for weights in one.values()))


def test_a_model_that_there_is_no_memory_for_is_no_mistake_of_whoever_named_it(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    saved(tmp_path, "policy", tokenizer)
    monkeypatch.setattr(policy.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: torch.empty(2**50))
    with pytest.raises(RuntimeError, match="allocate memory") as raised:
        loaded("policy", tmp_path)
    assert is_out_of_memory(raised.value)
