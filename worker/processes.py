"""What is different when several processes train one run: everything that one of them does with the others is here.

A run with ``processes`` above 1 is the same program started that often (`launch.py`), on a GPU each, or on the CPU. All of them go
through `train.py` in step and come to the same numbers; each works on its share of the groups and holds its share of the weights,
of their gradients and of AdamW's state. In one process every function here hands back what it was given.

The weights are PyTorch's own `fully_shard` (FSDP2; Rajbhandari et al. 2020, arXiv:1910.02054, stage 3), without `accelerate`: that
wraps model, optimizer and loop to do the same, averages gradients over processes, where ours are sums already divided by the
step's whole share, and calls the network as a whole, where `logp.py` makes its logits from the body's hidden states. So the body is
registered as a way to run the network: weights that belong to no layer, the output layer's among them, stay gathered from
there to the end of the backward pass.

Gathering weights takes all processes, so all must run the network equally often: whoever has fewer batches repeats one
that does not count. Small things are told over gloo, tensors of a GPU over NCCL, on one machine both on its loopback alone.

On several machines it is the same, but that `elastic.py` starts them, they meet by torchrun's rendezvous and talk over the network.

Left out: splitting a layer's products (tensor parallelism). Each process loads the whole base
model into the machine's memory before it keeps its part.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from types import MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from app.errors import BadInput
from worker.launch import COUNT, FIRST, MACHINES, RANK, RENDEZVOUS

LONGEST_WAIT = timedelta(hours=1)
"""For another process in one exchange. One that has died is noticed by `launch.py` at once; this is for one that hangs."""
CAUSE_S = 10.0
"""More than `launch.py` needs to see that a process has died and to end the others."""

Value = TypeVar("Value")


def is_on_several_machines() -> bool:
    return MACHINES in os.environ


def count() -> int:
    return int(os.environ.get("WORLD_SIZE" if is_on_several_machines() else COUNT, "1"))


def rank() -> int:
    return int(os.environ.get("RANK" if is_on_several_machines() else RANK, "0"))


def place_here() -> int:
    """Among the processes of this machine, which is also the number of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if is_on_several_machines() else rank()


def count_here() -> int:
    return int(os.environ["LOCAL_WORLD_SIZE"]) if is_on_several_machines() else count()


def is_first() -> bool:
    """Whether this process speaks for the run: rows, files and checkpoints are the first one's of the first machine."""
    return place_here() == 0 and os.environ.get(FIRST, "1") == "1"


def join(wanted: int) -> None:
    """Meet the others. Raises BadInput where there are not as many GPUs, or nobody started as many processes."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else None
    if gpus is not None and (wanted > gpus if wanted != count() else count_here() > gpus):
        raise BadInput(
            f"processes is {wanted}, but a run of this trainer has {gpus} GPUs on this machine: one for each.",
            field="processes",
        )
    if wanted != count():
        raise BadInput(f"This trainer was started as {count()} processes, not {wanted}.", field="processes")
    if wanted == 1:
        return
    if gpus is not None:
        torch.cuda.set_device(place_here())
    distributed.init_process_group(
        "gloo" if gpus is None else "cpu:gloo,cuda:nccl",
        store=None if is_on_several_machines() else distributed.FileStore(os.environ[RENDEZVOUS], wanted),  # type: ignore[attr-defined]  # public, but not listed
        rank=rank(),
        world_size=wanted,
        timeout=LONGEST_WAIT,
    )


def has_lost_another(problem: Exception) -> bool:
    """Whether the fault is that a process of another machine has gone: gloo says so in words alone."""
    is_of_network = isinstance(problem, distributed.DistError) or "gloo" in str(problem)
    return is_on_several_machines() and is_of_network


def let_the_cause_speak() -> None:
    """Called before a fault is told: where it is that another process has died, we are ended in this time and it is not."""
    if count() > 1:
        time.sleep(CAUSE_S)


def gathered(value: Value) -> list[Value]:
    """What each process has, in the order of their ranks."""
    if count() == 1:
        return [value]
    found: list[Any] = [None] * count()
    distributed.all_gather_object(found, value)
    return found


def own_share(sizes: Sequence[int]) -> list[int]:
    """Places that fall to this process, in order: the largest first, always to whoever has least by then."""
    loads, shares = [0] * count(), [[] for _ in range(count())]  # type: tuple[list[int], list[list[int]]]
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        idlest = loads.index(min(loads))
        loads[idlest] += sizes[place]
        shares[idlest].append(place)
    return sorted(shares[rank()])


def in_step(own: Sequence[Value], spare: Callable[[], Value]) -> Iterator[tuple[Value, bool]]:
    """Each of our own, which counts; then, while another process still has some, one that does not."""
    missing = max(gathered(len(own))) - len(own)
    yield from ((each, True) for each in own)
    if missing:
        repeated = own[0] if own else spare()
        yield from ((repeated, False) for _ in range(missing))


def worked_out(
    sizes: Sequence[int],
    cut: Callable[[list[int]], Sequence[list[int]]],
    work: Callable[[list[int]], Sequence[Value]],
) -> list[Value]:
    """One result for each place. Each process ``cut``s its share into batches and ``work``s on them; all learn all."""
    found: dict[int, Value] = {}
    for places, counts in in_step(cut(own_share(sizes)), lambda: [0]):
        results = work(places)
        if counts:
            found |= zip(places, results, strict=True)
    told = {place: result for part in gathered(found) for place, result in part.items()}
    return [told[place] for place in range(len(sizes))]


def shard(network: Any, device: torch.device) -> torch.device:
    """Keep this process's part of the weights, in place; returns where it computes.

    The network is whole and on the CPU, the same in all processes. Layers are gathered one by one as they are needed.
    """
    if count() == 1:
        return device
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415 -- what most runs do without
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method  # noqa: PLC0415 -- as above

    home = torch.device("cuda", place_here()) if torch.cuda.is_available() else torch.device("cpu")
    mesh = init_device_mesh(home.type, (count(),))
    layers = [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
    for module in (*layers, network):
        fully_shard(module, mesh=mesh)
    for module in (*layers, network):
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)
    network.body = MethodType(lambda self, **given: self.base_model(**given), network)
    register_fsdp_forward_method(network, "body")
    return home


def body_of(network: Any) -> Any:
    """What makes hidden states of ids."""
    return network.base_model if count() == 1 else getattr(network, "body", network.base_model)


def plain(tensor: Tensor) -> Tensor:
    """A tensor that lies in parts in all processes, as a whole in each; every process must ask."""
    whole: Tensor = tensor.full_tensor() if count() > 1 and hasattr(tensor, "full_tensor") else tensor
    return whole


def put(target: Tensor, whole: Tensor) -> None:
    """Write a tensor that all processes have as a whole where each holds its part of it, or all of it."""
    if count() > 1 and hasattr(target, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor  # noqa: PLC0415 -- what most runs do without

        whole = distribute_tensor(whole.to(target.device), target.device_mesh, target.placements)  # type: ignore[attr-defined]  # of a DTensor
    target.copy_(whole)


def reshard(network: Any) -> None:
    """Let go of weights that are still gathered from the last look at the network, so that its parameters are our parts."""
    if count() > 1:
        for module in _sharded(network):
            module.reshard()


def unshard_for_good(network: Any) -> None:
    """The network as it was before `shard`, on the CPU of the first process; the others keep no weights, and all part."""
    if count() == 1:
        return
    reshard(network)
    made: dict[nn.Parameter, nn.Parameter] = {}
    for module in network.modules():
        for name, weights in module._parameters.items():  # noqa: SLF001 -- replaced in place, tied ones once
            if weights is None:
                continue
            if weights not in made:
                whole = plain(weights.detach()).cpu()
                made[weights] = nn.Parameter(whole if is_first() else whole.new_empty(0), weights.requires_grad)
            module._parameters[name] = made[weights]  # noqa: SLF001 -- as above
    for module in _sharded(network):
        module.__class__ = next(kind for kind in type(module).__mro__[1:] if not issubclass(kind, _sharding()))
    del network.body
    network.to("cpu")
    distributed.destroy_process_group()


def _sharded(network: Any) -> list[Any]:
    return [module for module in network.modules() if isinstance(module, _sharding())]


def _sharding() -> type:
    from torch.distributed.fsdp import FSDPModule  # noqa: PLC0415 -- as in `shard`

    return FSDPModule
