import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from worker import embedding


def small(*, tied: bool) -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=40, tie_word_embeddings=tied, pad_token_id=3, **sizes))


def gradients(network: LlamaForCausalLM) -> dict[str, torch.Tensor]:
    """Of two micro-batches, the second with a padded row and a token that comes twice."""
    for ids in (torch.tensor([[5, 6, 7, 8]]), torch.tensor([[5, 5, 9, 3], [1, 2, 3, 3]])):
        network(input_ids=ids, use_cache=False).logits.square().sum().backward()
    return {name: weights.grad for name, weights in network.named_parameters() if weights.grad is not None}


@pytest.mark.parametrize("tied", [True, False])
def test_gradients_are_those_of_autograd(tied: bool):
    expected = gradients(small(tied=tied))
    network = small(tied=tied)
    with embedding.added_in_place(network):
        found = gradients(network)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient)


def test_no_table_is_made_for_a_micro_batch():
    table = nn.Embedding(40, 16)
    with embedding.added_in_place(Network(table)):
        table(torch.tensor([1, 2])).sum().backward()
        gradient = table.weight.grad
        table(torch.tensor([2, 3])).sum().backward()
    assert table.weight.grad is gradient
    assert gradient.sum(1).tolist() == [0, 16, 32, 16, *[0] * 36]


def test_what_does_not_learn_has_no_gradient():
    table = nn.Embedding(4, 2)
    table.weight.requires_grad_(requires_grad=False)
    with embedding.added_in_place(Network(table)):
        assert not table(torch.tensor([1])).requires_grad


def test_outside_gradients_go_where_autograd_wants_them():
    table = nn.Embedding(4, 2)
    with embedding.added_in_place(Network(table)):
        pass
    (gradient,) = torch.autograd.grad(table(torch.tensor([1])).sum(), [table.weight])
    assert gradient.sum(1).tolist() == [0, 2, 0, 0]
    assert table.weight.grad is None


class Network(nn.Module):
    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.table = table

    def get_input_embeddings(self) -> nn.Embedding:
        return self.table
