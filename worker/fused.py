"""Where the kernels of `kernels.py` take the place of a network's own operations: on a GPU, in half precision, with Triton there.

No list of architectures is kept. What a part of a network computes is held against what its kernel computes, on numbers drawn for
it, and where they agree the kernel takes its place: norms of the root mean square, gated layers with SiLU, rotary positions. Whatever
computes something else, or is asked in another precision or on another device, stays what it was.

Half precision is rounded at other places than in `transformers`, never at more of them; policy and reference go through the same
kernels, and what is published is held to no kernel.
"""

import importlib.util
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

TOLERANCE = 1e-4
ROTATE = "apply_rotary_pos_emb"
"""What `transformers` calls the function in each architecture's file; layers look it up there when they run."""


@lru_cache(maxsize=1)
def is_there() -> bool:
    """Whether kernels can be compiled here: Triton is a package of its own, and wants a C compiler besides."""
    if not torch.cuda.is_available() or importlib.util.find_spec("triton") is None:
        return False
    from worker import kernels  # noqa: PLC0415 -- it is only now known that Triton is there

    try:
        kernels.softmax_(torch.zeros(1, 8, dtype=torch.bfloat16, device="cuda"))
    except Exception as problem:  # noqa: BLE001 -- whatever a compiler says, the run goes on without
        print(f"no kernels of our own: {type(problem).__name__}: {problem}", flush=True)  # noqa: T201 -- the run's log
        return False
    return True


def fuse(network: Any, device: torch.device) -> int:
    """Let kernels take the place of what they compute, in place; returns how many parts of the network they found."""
    found = 0
    for module in list(network.modules()):
        if _is_rms_norm(module, device):
            module.forward = partial(_norm, module, module.forward)
        elif _is_gated(module, device):
            module.forward = partial(_gated, module, module.forward)
        else:
            continue
        found += 1
    for home in {type(module).__module__ for module in network.modules()}:
        found += _fuse_rotation(sys.modules[home], device)
    return found


def _computes() -> torch.dtype | None:
    """What layers compute in, where that is half precision on a GPU."""
    return torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None


def _norm(module: Any, plain: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    dtype = _computes()
    if dtype is None or not x.is_cuda:
        return plain(x)
    from worker import kernels  # noqa: PLC0415 -- Triton is there only where `fuse` was called

    return kernels.rms_norm(x, module.weight, _epsilon(module), dtype)


def _gated(module: Any, plain: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    if _computes() is None or not x.is_cuda:
        return plain(x)
    from worker import kernels  # noqa: PLC0415 -- as above

    found: Tensor = module.down_proj(kernels.swiglu(module.gate_proj(x), module.up_proj(x)))
    return found


class _Rotation:
    """Stands where an architecture's own function stood."""

    def __init__(self, plain: Callable[..., tuple[Tensor, Tensor]]) -> None:
        self.plain = plain

    def __call__(
        self, query: Tensor, key: Tensor, cos: Tensor, sin: Tensor, *more: Any, **named: Any
    ) -> tuple[Tensor, Tensor]:
        dtype = _computes()
        fits = query.is_cuda and not more and not named and cos.dim() == 3 and cos.shape[-1] == query.shape[-1]
        if dtype is None or not fits or not query.dtype == key.dtype == dtype:
            return self.plain(query, key, cos, sin, *more, **named)
        from worker import kernels  # noqa: PLC0415 -- as above

        angles = [each.expand(query.shape[0], -1, -1).contiguous() for each in (cos, sin)]
        return kernels.rotated(query, *angles), kernels.rotated(key, *angles)


def _fuse_rotation(home: Any, device: torch.device) -> int:
    plain = getattr(home, ROTATE, None)
    if plain is None or isinstance(plain, _Rotation):
        return int(plain is not None)
    from worker import kernels  # noqa: PLC0415 -- as above

    query, key = torch.randn(2, 1, 3, 5, 16, device=device)
    cos, sin = torch.randn(2, 1, 5, 8, device=device).repeat(1, 1, 1, 2)
    if not _agree(lambda: plain(query, key, cos, sin)[0], lambda: kernels.rotated(query, cos, sin)):
        return 0
    setattr(home, ROTATE, _Rotation(plain))
    return 1


def _epsilon(module: Any) -> Any:
    return getattr(module, "variance_epsilon", getattr(module, "eps", None))


def _is_rms_norm(module: Any, device: torch.device) -> bool:
    """Its weights are drawn for the comparison: its own may be ones, or lie in parts in several processes."""
    weights = dict(module.named_parameters())
    if list(weights) != ["weight"] or weights["weight"].dim() != 1 or _epsilon(module) is None:
        return False
    from worker import kernels  # noqa: PLC0415 -- as above

    width = weights["weight"].shape[0]
    x, weight = torch.randn(3, width, device=device), torch.randn(width, device=device)
    return _agree(
        lambda: torch.func.functional_call(module, {"weight": weight}, (x,)),
        lambda: kernels.rms_norm(x, weight, _epsilon(module), torch.float32),
    )


def _is_gated(module: Any, device: torch.device) -> bool:
    """Its forward pass is run with other layers in the place of its own."""
    layers = ("gate_proj", "up_proj", "down_proj")
    if not all(isinstance(getattr(module, name, None), nn.Module) for name in (*layers, "act_fn")):
        return False
    x = torch.randn(3, 8, device=device)
    stand_in = SimpleNamespace(
        gate_proj=lambda x: 2 * x, up_proj=lambda x: x + 1, down_proj=lambda x: x - 3, act_fn=module.act_fn
    )
    return _agree(lambda: type(module).forward(stand_in, x), lambda: functional.silu(2 * x) * (x + 1) - 3)


@torch.no_grad()
def _agree(theirs: Callable[[], Tensor], ours: Callable[[], Tensor]) -> bool:
    try:
        expected, found = theirs(), ours()
    except (TypeError, ValueError, AttributeError, IndexError, RuntimeError):
        return False
    return expected.shape == found.shape and bool((expected - found).norm() <= TOLERANCE * expected.norm())
