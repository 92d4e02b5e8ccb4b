"""Depthwise convolution over time with fast forward and backward passes on the CPU.

Letters: B batch, T frames of the input, U frames of the output, K kernel size, E channels, L frames
of a block, N blocks.
"""

import torch
import torch.nn.functional as F

#: Frames L of a block. Smaller blocks need more memory, larger ones compute more unused products.
BLOCK = 16


def depthwise_convolution(x, weight, bias=None, padding=0):
    """Convolve every channel over time with its own kernel.

    Parameters
    ----------
    x : torch.Tensor
        (B, T, E).
    weight : torch.Tensor
        (E, 1, K).
    bias : torch.Tensor, optional
        (E,).
    padding : int
        Zeros before the first frame and after the last, without a copy.

    Returns
    -------
    torch.Tensor
        (B, U, E), where U = T + 2 padding - K + 1.

    Examples
    --------
    >>> depthwise_convolution(torch.rand(2, 30, 8), torch.rand(8, 1, 5), padding=2).shape
    torch.Size([2, 30, 8])
    """
    if x.device.type == "cpu" and weight.requires_grad and torch.is_grad_enabled():
        return _DepthwiseConvolution.apply(x, weight, bias, padding)
    return _convolve(x, weight, bias, padding)


def _convolve(x, weight, bias, padding):
    """Convolve as conv2d whose width is time.

    (B, T, E) is then channels-last memory, for which PyTorch's depthwise kernel on the CPU is much
    faster than that of conv1d.
    """
    images, kernels = x.transpose(1, 2).unsqueeze(2), weight.unsqueeze(2)  # (B, E, 1, T)
    out = F.conv2d(images, kernels, bias, padding=(0, padding), groups=weight.size(0))
    return out.squeeze(2).transpose(1, 2)


class _DepthwiseConvolution(torch.autograd.Function):
    """The same convolution with matrix products for the gradient of the weight.

    oneDNN's gradient takes many times as long as the forward pass for long utterances and chunks.
    """

    @staticmethod
    def forward(x, weight, bias, padding):
        return _convolve(x, weight, bias, padding)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, _, ctx.padding = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias, _ = ctx.needs_input_grad
        of_x = of_weight = of_bias = None
        if needs_x:
            mirrored = weight.flip(-1).to(gradient.dtype)
            of_x = _convolve(gradient, mirrored, None, weight.size(-1) - 1 - ctx.padding)
            of_x = of_x.to(x.dtype)
        # Sum over time in float32 at least, since autocast may have made the output bfloat16.
        gradient = gradient.to(torch.promote_types(weight.dtype, torch.float32))
        if needs_weight:
            padded = F.pad(x.to(gradient.dtype), (0, 0, ctx.padding, ctx.padding))
            of_weight = _weight_gradient(gradient, padded).unsqueeze(1).to(weight.dtype)
        if needs_bias:
            of_bias = gradient.sum((0, 1)).to(weight.dtype)
        return of_x, of_weight, of_bias, None


def _weight_gradient(gradient, x):
    """Sum gradient[t] * x[t + k] over batch and time, for every channel and k: (E, K).

    For each channel, the (N, L) blocks of the gradient are multiplied with the (N, L + K - 1)
    frames of their inputs. In the product (L, L + K - 1), row l has the term of k at column l + k,
    so the result is the sums of its diagonals.

    Parameters
    ----------
    gradient : torch.Tensor
        (B, U, E).
    x : torch.Tensor
        (B, U + K - 1, E).
    """
    time = gradient.size(1)
    kernel_size = x.size(1) - time + 1
    missing = -time % BLOCK
    blocks = _channels_first(F.pad(gradient, (0, 0, 0, missing))).unfold(2, BLOCK, BLOCK)
    inputs = _channels_first(F.pad(x, (0, 0, 0, missing)))
    inputs = inputs.unfold(2, BLOCK + kernel_size - 1, BLOCK)  # (E, B, N, L + K - 1)
    products = blocks.flatten(1, 2).transpose(1, 2) @ inputs.flatten(1, 2)  # (E, L, L + K - 1)
    # With rows longer by one, each row starts one column later, and diagonals become columns.
    skewed = F.pad(products.flatten(1), (0, BLOCK)).unflatten(1, (BLOCK, -1))  # (E, L, L + K)
    return skewed[..., :kernel_size].sum(1)


def _channels_first(x):
    """Turn (B, T, E) into (E, B, T) by a matrix transposition, for which PyTorch is fast."""
    return x.flatten(0, 1).t().contiguous().unflatten(1, x.shape[:2])
