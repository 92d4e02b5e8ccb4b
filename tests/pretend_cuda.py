"""A CUDA device that is pretended on any machine: values on the processor, and CUDA's rules.

A tensor on it must not meet one that is not, and what waits for the device is counted: values that
are read back, and shapes that depend on values. On a GPU none of this is needed: there, the same
tests run on the real one.
"""

import traceback
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("cuda", 0)
PACKAGES = ("summarymixing_sb", "speechbrain", "torchaudio")
aten = torch.ops.aten
#: Operations whose result's shape depends on values, so that CUDA waits for them.
BY_VALUE = {aten.nonzero.default, aten.masked_select.default, aten._unique2.default}
#: Operations that CUDA does with tensors of the processor, too.
EITHER = {aten.copy_.default, aten._to_copy.default, aten.index.Tensor, aten.index_put_.default}
EITHER |= {aten.index_put.default, aten._index_put_impl_.default, aten.set_.source_Tensor}


class Pretended(torch.Tensor):
    """A tensor that says it is on a GPU, around one that is not."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device="cpu",
            requires_grad=False,
        )

    def __init__(self, inner):
        self.inner = inner

    __torch_function__ = torch._C._disabled_torch_function_impl

    @property
    def device(self):
        return DEVICE

    @property
    def is_cuda(self):
        return True

    def tolist(self):
        PretendCuda.active.note("tolist")
        return self.inner.tolist()

    def cpu(self, **_):
        PretendCuda.active.note("cpu")
        return self.inner

    def to(self, *args, **kwargs):
        device, *_ = torch._C._nn._parse_to(*args, **kwargs) if args or kwargs else (None,)
        if isinstance(args[0] if args else None, torch.Tensor):
            device = args[0].device
        if device is not None and device.type == "cpu":
            return self.cpu().to(*args, **kwargs)
        return super().to(*args, **kwargs)

    def new(self, *args):
        return Pretended(self.inner.new(*args))

    def untyped_storage(self):
        return self.inner.untyped_storage()

    def numpy(self, **_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __repr__(self):
        return f"Pretended({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return PretendCuda.active.run(func, args, kwargs or {})


class PretendCuda(TorchDispatchMode):
    """Runs operations, and keeps the rules of a device.

    Attributes
    ----------
    waits : collections.Counter
        How often each operation waited, by the operation and the place in a package.
    """

    active = None

    def __init__(self):
        super().__init__()
        self.waits = Counter()

    def __enter__(self):
        PretendCuda.active = self
        return super().__enter__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self.run(func, args, kwargs or {})

    def note(self, name):
        """Count that something waits for the device."""
        for frame in reversed(traceback.extract_stack()):
            parts = Path(frame.filename).parts
            package = next((name for name in PACKAGES if name in parts), None)
            if package:
                place = "/".join(parts[len(parts) - 1 - parts[::-1].index(package) :])
                self.waits[f"{place} {frame.name}: {name}"] += 1
                return

    def run(self, func, args, kwargs):
        """Run an operation on the processor, with what it says of devices."""
        flat, _ = tree_flatten((args, kwargs))
        tensors = [value for value in flat if isinstance(value, torch.Tensor)]
        ours = [tensor for tensor in tensors if isinstance(tensor, Pretended)]
        if ours and func not in EITHER:
            others = [t for t in tensors if not isinstance(t, Pretended) and t.dim()]
            if others:
                raise RuntimeError(f"{func}: tensors on cuda:0 and on cpu, {others[0].shape}")
        if func is aten._local_scalar_dense.default and ours:
            self.note("item")
        elif ours and (func in BY_VALUE or _by_mask(func, args)):
            self.note(func._schema.name.removeprefix("aten::"))
        wanted = kwargs.get("device")
        # what C++ makes like a tensor, or in a backward pass, it makes where it thinks that is
        by_torch = bool(ours) or torch._C._current_graph_task_id() != -1
        if wanted is None:
            to_device = bool(ours)
        else:
            to_device = torch.device(wanted).type == "cuda" or by_torch
            kwargs = {**kwargs, "device": "cpu"}
        unwrapped = tree_map(_inner, (args, kwargs))
        with torch._C._DisableTorchDispatch():
            result = func(*unwrapped[0], **unwrapped[1])
        if func._schema.is_mutable and ours and isinstance(result, torch.Tensor):
            changed = next((t for t in ours if t.inner is result), None)
            if changed is not None:
                return changed
        return tree_map(_wrap, result) if to_device else result


def _by_mask(func, args):
    if func not in (aten.index.Tensor, aten.index_put_.default, aten.index_put.default):
        return False
    return any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])


def _inner(value):
    return value.inner if isinstance(value, Pretended) else value


def _wrap(value):
    plain = isinstance(value, torch.Tensor) and not isinstance(value, Pretended)
    return Pretended(value) if plain else value


def _pad_sequence(sequences, *args, pad=torch._C._nn.pad_sequence, **kwargs):
    """What C++ makes in it, it makes on the processor."""
    padded = pad(sequences, *args, **kwargs)
    return _wrap(padded) if isinstance(sequences[0], Pretended) else padded


@contextmanager
def pretend_cuda():
    """Pretend that there is a GPU; yields the :class:`PretendCuda`."""
    torch._C._ensureCUDADeviceGuardSet()  # as fake tensors do, where there is no GPU
    # modules get new parameters when they are moved: those of before are of another class
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    # torch.tensor(..., device=...) makes a tensor of the processor, and moves it by an operation
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        with (
            mock.patch("torch.cuda._lazy_init"),
            mock.patch("torch.cuda.set_device"),
            mock.patch("torch._C._nn.pad_sequence", _pad_sequence),
            PretendCuda() as mode,
        ):
            yield mode
    finally:
        torch._C._set_only_lift_cpu_tensors(False)
        torch.__future__.set_overwrite_module_params_on_conversion(False)
