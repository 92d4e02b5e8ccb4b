"""The matrix products of a model alone: what nothing that computes them can be faster than.

Letters: B batch, T frames, H heads, d width of a head.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from results.benchmark.timing import make_call

_aten = torch.ops.aten
PRODUCTS = (_aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm)


class MatrixProducts(TorchDispatchMode):
    """Record every matrix product of what runs inside it, backward passes included.

    Linear layers are products, and so are pointwise convolutions and fused attention, which count
    as the products that they consist of (attention as two forward, and four backward; fused, it may
    be faster than these, since it never writes its weights to memory). Parameters
    are used where they are, so that they come from memory as in the model; other operands are
    made once for each shape.

    Parameters
    ----------
    parameters : iterable of torch.Tensor
        Of the model.

    Examples
    --------
    >>> layer, x = torch.nn.Linear(4, 8), torch.rand(2, 5, 4)
    >>> with torch.no_grad(), MatrixProducts(layer.parameters()) as products:
    ...     _ = layer(x)
    >>> products.flops()  # 2 for each multiplication and addition
    640
    >>> products.run()
    """

    def __init__(self, parameters):
        super().__init__()
        self.calls = []
        self._parameters = {p.untyped_storage().data_ptr(): p.detach() for p in parameters}
        self._buffers = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation, and record it if it is a product."""
        packet = func.overloadpacket
        name = packet.__name__
        if packet in PRODUCTS:
            self._add(packet, *args)
        elif packet is _aten.convolution and _is_pointwise(args):
            self._add_pointwise(args[0], args[1])
        elif packet is _aten.convolution_backward and _is_pointwise(args[1:]):
            # The gradients of input and weight have as many operations as the forward product.
            self._add_pointwise(args[1], args[2])
            self._add_pointwise(args[1], args[2])
        elif name.startswith("_scaled_dot_product"):
            self._add_attention(args, backward="backward" in name)
        return func(*args, **(kwargs or {}))

    def run(self):
        """Compute all products, in the model's order."""
        with torch.no_grad():
            for function, operands in self.calls:
                function(*operands)

    def flops(self):
        """Count multiplications and additions.

        Returns
        -------
        int
        """
        return sum(flop_registry[function](*operands) for function, operands in self.calls)

    def _add(self, function, *operands):
        self.calls.append((function, [self._keep(operand) for operand in operands]))

    def _add_pointwise(self, x, weight):
        """(B, E, T) by (F, E, 1): a product of (F, E) and each (E, T)."""
        weight = weight.flatten(1).unsqueeze(0).expand(x.size(0), -1, -1)
        self._add(_aten.bmm, weight, x.flatten(2))

    def _add_attention(self, args, backward):
        query, key, value = (x.flatten(0, 1) for x in args[backward : 3 + backward])  # (B H, T, d)
        weights = query.new_empty(1, 1, 1).expand(query.size(0), query.size(1), key.size(1))
        if not backward:
            self._add(_aten.bmm, query, key.transpose(1, 2))
            self._add(_aten.bmm, self._made(weights), value)
            return
        self._add(_aten.bmm, value, value.transpose(1, 2))  # of the weights
        self._add(_aten.bmm, self._made(weights).transpose(1, 2), value)  # of the values
        self._add(_aten.bmm, self._made(weights), key)  # of the queries
        self._add(_aten.bmm, self._made(weights).transpose(1, 2), query)  # of the keys

    def _made(self, like):
        """A tensor of its own in this shape, whatever it was expanded from."""
        return self._buffer(like, torch.empty(like.shape, device="meta").stride())

    def _keep(self, x):
        """A parameter itself, or of anything else a stand-in."""
        parameter = self._parameters.get(x.untyped_storage().data_ptr())
        if parameter is None:
            return self._buffer(x, x.stride())
        return parameter.as_strided(x.shape, x.stride(), x.storage_offset())

    def _buffer(self, x, stride):
        if 0 in stride:  # expanded: its elements would share memory
            return self._made(x)
        key = (tuple(x.shape), tuple(stride), x.dtype)
        if key not in self._buffers:
            empty = torch.empty_strided(x.shape, stride, dtype=x.dtype, device=x.device)
            self._buffers[key] = empty.fill_(0.01)
        return self._buffers[key]


def record_products(model, inputs, kind):
    """Record the matrix products of what is measured of a model.

    Parameters
    ----------
    model : torch.nn.Module
    inputs : tuple of torch.Tensor
        From :func:`results.benchmark.levels.make_inputs`.
    kind : Kind

    Returns
    -------
    MatrixProducts
    """
    call = make_call(model, inputs, kind)
    with MatrixProducts(model.parameters()) as products:
        call()
    return products


def _is_pointwise(convolution):
    """Tell by the arguments (x, weight, ...) whether it is a product: kernel 1, one group."""
    weight = convolution[1]
    return all(size == 1 for size in weight.shape[2:]) and weight.size(1) == convolution[0].size(1)
