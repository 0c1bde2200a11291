"""Loads policy and reward models with their tokenizer, and runs them on a batch.

Any `transformers` model serves: a folder or a hub name. Code from a hub is never executed (``trust_remote_code=False``) and
weights come from safetensors alone, since a pickle is code too. Weights are float32, on the CPU and on a GPU; `thrift.py` says in what layers compute.
A batch is packed where `sharing.py` saw that the model honours that, else padded; both give the same numbers.

There is no second copy of a model for the reference. The reference is the start model, so its log-probabilities are
computed by the very function that training uses, before the first step, and kept. Models stay in eval mode throughout:
all that training mode would add is dropout, which would make policy and reference differ before anything was learnt.

A reward model is ``AutoModelForSequenceClassification`` with one label, whose score is read at the last token that is not
the padding's. So the padding's id must differ from the end token's, or the score would be read one token too early.

Shape key: B × T the batch as the body sees it, N = B·T, R responses, M their tokens, D width, V vocabulary.
"""

import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from app.errors import BadInput
from worker import four_bit
from worker.batches import Batch, EncodedGroup, collate, micro_batches, pack
from worker.heap import keep_what_is_freed
from worker.logp import response_logp, token_logp
from worker.memory import is_out_of_memory
from worker.processes import body_of, count, reshard, shard

Kind = Literal["policy", "reward"]

# For tokenizers without a chat template: plain text, so that no token has to be added to the vocabulary.
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' else '' }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant: {% endif %}"
)
PAD_TOKEN = "<|pad|>"  # noqa: S105 -- a token of a vocabulary, not a password
MOST_TOKENS, MOST_ON_GPU = 16_384, 65_536
ACTIVATION_BYTES: dict[Kind, int] = {"policy": 2**28, "reward": 2**26}
"""What one micro-batch may take on a CPU, where each of a policy's costs a gradient of its head's whole table besides.

On a GPU it is half of what weights, gradients and AdamW leave, and an eighth at least."""

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@dataclass(frozen=True)
class Model:
    """A network with its tokenizer on its device.

    With LoRA, ``adapted`` is the wrapper that can merge the adapters. ``shares_prompts`` says that packed batches are right.
    ``precision`` is what layers compute in; everything else is float32. ``halvings`` counts how often memory ran out for a micro-batch.
    """

    kind: Kind
    network: Any
    tokenizer: Any
    device: torch.device
    adapted: Any = None
    shares_prompts: bool = False
    precision: torch.dtype = torch.float32
    halvings: int = 0

    @property
    def n_parameters(self) -> int:
        return sum(four_bit.numel(weights) for weights in self.network.parameters())

    def tokens_at_once(self) -> int:
        """Tokens of one micro-batch, padding included: as many as keep their activations within a memory budget.

        A rough count, but of the right order: in each layer a token leaves about 34 numbers per unit of width for the
        backward pass (Korthikanti et al. 2022, arXiv:2205.05198, section 4, without its attention maps), in the bytes of a number.
        """
        sizes = self.network.config.get_text_config()
        bytes_per_token = 34 * self.precision.itemsize * sizes.hidden_size * sizes.num_hidden_layers
        if self.device.type == "cuda":
            whole = torch.cuda.get_device_properties(self.device).total_memory
            budget, most = max(whole // 8, (whole - self._kept_bytes()) // 2), MOST_ON_GPU
        else:
            budget, most = ACTIVATION_BYTES[self.kind], MOST_TOKENS
        return int(max(1, min(most, budget // bytes_per_token) >> self.halvings))

    def _kept_bytes(self) -> int:
        """Weights, and of those that learn a gradient and what AdamW knows; of several processes, a share of each."""
        weights = list(self.network.parameters())
        held = sum(each.numel() * each.element_size() for each in weights)
        return int(held + 12 * sum(each.numel() for each in weights if each.requires_grad)) // count()

    def batches(self, groups: Sequence[EncodedGroup]) -> list[list[int]]:
        """Places of the groups that go through the model together."""
        return list(micro_batches(groups, self.tokens_at_once(), packed=self.shares_prompts))

    def batch(self, groups: Sequence[EncodedGroup]) -> Batch:
        """Groups as this model takes them."""
        if self.shares_prompts:
            return pack(groups, self.device, ends=self.kind == "reward")
        return collate(groups, self.tokenizer.pad_token_id, self.device)

    def adapters_belong_to(self, name: str, revision: str | None) -> None:
        """Write down which base the adapters, if any, are for."""
        for config in self.adapted.peft_config.values() if self.adapted is not None else ():
            config.base_model_name_or_path, config.revision = name, revision

    def trainable(self) -> list[nn.Parameter]:
        """The weights that training changes: all of them, or the adapters; of several processes, our parts of them."""
        reshard(self.network)
        return [weights for weights in self.network.parameters() if weights.requires_grad]


def pick_device() -> torch.device:
    """Where a model is loaded: on the GPU if there is one, else on the CPU, as also where each process keeps a part only."""
    return torch.device("cuda" if torch.cuda.is_available() and count() == 1 else "cpu")


def spread(model: Model) -> Model:
    """The model with its weights spread over all processes of the run."""
    return replace(model, device=shard(model.network, model.device))


def seed_everything(seed: int) -> None:
    """Everything random in a run follows from this: new weights first of all, so it comes before any model is made."""
    random.seed(seed)
    torch.manual_seed(seed)


def load(
    kind: Kind, source: Path | str, *, lora_rank: int, device: torch.device, base_weights: str = four_bit.FULL
) -> Model:
    """A model to train from a folder (Path) or a hub name (str, `org/name` or `org/name@revision`). Raises BadInput with what can be done about it."""
    safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": isinstance(source, Path)}
    if isinstance(source, str) and "@" in source:
        source, safe["revision"] = source.split("@", 1)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **safe)
        auto = AutoModelForCausalLM if kind == "policy" else AutoModelForSequenceClassification
        extra: dict[str, Any] = {} if kind == "policy" else {"num_labels": 1}
        if base_weights == four_bit.FOUR_BIT:
            extra |= four_bit.how_to_load(device)
        network, report = auto.from_pretrained(
            source, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **safe, **extra
        )
    except (OSError, ValueError, RuntimeError) as problem:
        if is_out_of_memory(problem):
            raise
        raise BadInput(
            f"The base model {str(source)!r} cannot be loaded: {_first_sentence(problem)} It must be a folder or hub name with a "
            "tokenizer and safetensors weights that transformers knows without extra code.",
            field="base_model",
        ) from problem
    four_bit.compute_alike(network)
    settle_missing(kind, network, set(report["missing_keys"]), str(source))
    return prepare(kind, network, tokenizer, lora_rank=lora_rank, device=device)


def settle_missing(kind: Kind, network: Any, missing: set[str], source: str) -> None:
    """Refuse a model with holes. Only a reward head may be new, and it begins at zero.

    With a head of zeros a reward model that has seen no judgment has no opinion: all scores are equal, its accuracy is ½
    and its loss starts at ln 2 per pair.
    """
    body = network.base_model_prefix + "."
    if holes := [name for name in sorted(missing) if kind == "policy" or name.startswith(body)]:
        raise BadInput(
            f"The base model {source!r} lacks weights that a {kind} needs: {', '.join(holes[:3])}.", field="base_model"
        )
    for name, weights in network.named_parameters():
        if name in missing:
            nn.init.zeros_(weights)


def prepare(kind: Kind, network: Any, tokenizer: Any, *, lora_rank: int, device: torch.device) -> Model:
    """Tokenizer and network made to fit each other, in eval mode, on the device, with adapters if asked for."""
    keep_what_is_freed()
    settle_tokens(network, tokenizer)
    if kind == "policy":
        check_head(network)
    adapted = _adapt(kind, network, lora_rank) if lora_rank else None
    return Model(kind, network.to(device).eval(), tokenizer, device, adapted)


def settle_tokens(network: Any, tokenizer: Any) -> None:
    """An end token, a padding token that is another one, and a chat template. Raises BadInput without an end token."""
    if tokenizer.eos_token_id is None:
        raise BadInput(
            "The base model's tokenizer has no end token, so nothing could ever end a response.", field="base_model"
        )
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        tokenizer.add_special_tokens({"pad_token": PAD_TOKEN})
    if len(tokenizer) > network.get_input_embeddings().num_embeddings:
        network.resize_token_embeddings(len(tokenizer))
    network.config.get_text_config().pad_token_id = network.config.pad_token_id = tokenizer.pad_token_id
    if getattr(network, "generation_config", None) is not None:
        network.generation_config.pad_token_id = tokenizer.pad_token_id
        network.generation_config.eos_token_id = tokenizer.eos_token_id
    if tokenizer.chat_template is None:
        adds_bos = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
        tokenizer.chat_template = ("{{ bos_token }}" if adds_bos else "") + PLAIN_TEMPLATE


@torch.no_grad()
def check_head(network: Any) -> None:
    """Make sure that head(body(x)) is what the network calls its logits, since `logp` goes that way.

    Some architectures scale or cap their logits between the two. Training those here would be quietly wrong.
    """
    ids_BT = torch.arange(8, device=network.device)[None] % network.config.get_text_config().vocab_size
    network.eval()
    head = network.get_output_embeddings()
    hidden_BTD = network.base_model(input_ids=ids_BT, use_cache=False).last_hidden_state
    ours = functional.linear(hidden_BTD, head.weight, getattr(head, "bias", None))
    if not torch.allclose(ours, network(input_ids=ids_BT, use_cache=False).logits, atol=1e-4, rtol=1e-4):
        name = type(network).__name__
        raise BadInput(
            f"{name} changes its logits after its output layer, which is not supported yet.", field="base_model"
        )


def _adapt(kind: Kind, network: Any, rank: int) -> Any:
    """Low-rank adapters on every linear layer (Hu et al. 2021, arXiv:2106.09685), put into the network in place.

    No dropout, so that the adapted start model is the start model to the last bit. A reward head is trained whole.
    """
    from peft import LoraConfig, TaskType, get_peft_model  # noqa: PLC0415 -- a second of import that most runs do without

    task = TaskType.CAUSAL_LM if kind == "policy" else TaskType.SEQ_CLS
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type=task)
    return get_peft_model(network, config)


def hidden(model: Model, batch: Batch) -> Tensor:
    """The last hidden state of every token of the batch, its rows one after the other: (N, D)."""
    if batch.spans:  # the mask is in the spans; any tensor of four dimensions keeps `transformers` from making one
        how: dict[str, Any] = {"position_ids": batch.position_BT, "packed_spans": batch.spans}
        how["attention_mask"] = batch.attention_BT[None, None]
    else:
        how = {"attention_mask": batch.attention_BT.long()}
    with computing(model):
        hidden_BTD: Tensor = body_of(model.network)(input_ids=batch.ids_BT, use_cache=False, **how).last_hidden_state
    hidden_ND = hidden_BTD.flatten(0, 1)
    return hidden_ND if model.precision == torch.float32 else hidden_ND.to(model.precision)


def logp(model: Model, batch: Batch) -> Tensor:
    """The log π(response | prompt), nats, summed over the response's tokens with the end token: (R,)."""
    head = model.network.get_output_embeddings()
    predicting_MD = hidden(model, batch).index_select(0, batch.at_M)
    token_M, entropy_M = token_logp(predicting_MD, head.weight, getattr(head, "bias", None), batch.target_M)
    if torch.is_grad_enabled():
        batch.measured["entropy"] = (entropy_M.sum(), len(entropy_M))
    return response_logp(token_M, batch.row_M, len(batch.tokens_R))


def rewards(model: Model, batch: Batch) -> Tensor:
    """The reward head's score of each response, as plain `transformers` gives it: float32, (R,)."""
    head = getattr(model.network, "score", None)
    if isinstance(head, nn.Module):
        last_RD = hidden(model, batch).index_select(0, batch.last_R)
        scores_R1: Tensor = head(last_RD.to(next(head.parameters()).dtype))
    else:
        with computing(model):
            how = {"attention_mask": batch.attention_BT.long(), "use_cache": False}
            scores_R1 = model.network(input_ids=batch.ids_BT, **how).logits
    return scores_R1[:, 0].float()


def computing(model: Model) -> AbstractContextManager[Any]:
    """Layers compute in the model's precision in here."""
    if model.precision == torch.float32:
        return nullcontext()
    return torch.autocast(model.device.type, dtype=model.precision)


def adapters_off(model: Model) -> AbstractContextManager[Any]:
    """In here the model is its base, to the last bit."""
    found: AbstractContextManager[Any] = nullcontext() if model.adapted is None else model.adapted.disable_adapter()
    return found


def merged(model: Model) -> Any:
    """The network as plain `transformers` weights: adapters, if any, added into the weights they adapt."""
    if model.adapted is None:
        return model.network
    is_rounded = getattr(model.network, "is_loaded_in_4bit", False)
    return four_bit.merged(model.adapted) if is_rounded else model.adapted.merge_and_unload()


def _first_sentence(problem: Exception) -> str:
    """Over however many lines."""
    words = " ".join(str(problem).split()) or type(problem).__name__
    return words.partition(". ")[0][:500].rstrip(".") + "."
