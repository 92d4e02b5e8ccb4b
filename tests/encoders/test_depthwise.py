"""Depthwise convolution, held against PyTorch's conv1d: outputs and all gradients."""

import pytest
import torch
import torch.nn.functional as F

from summarymixing_sb.encoders.depthwise import BLOCK, depthwise_convolution

CHANNELS = 6


def tensors(batch, time, kernel_size, dtype=torch.float64):
    torch.manual_seed(0)
    shapes = ((batch, time, CHANNELS), (CHANNELS, 1, kernel_size), (CHANNELS,))
    return [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


def conv1d(x, weight, bias, padding):
    out = F.conv1d(x.transpose(1, 2), weight, bias, padding=padding, groups=len(weight))
    return out.transpose(1, 2)


def with_gradients(convolve, inputs, padding):
    out = convolve(*inputs, padding)
    upstream = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out)
    return [out, *torch.autograd.grad(out, inputs, upstream)]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kernel_size", [1, 5, 31])
@pytest.mark.parametrize("time", [1, 31, BLOCK, BLOCK + 1, 200])
def test_equals_conv1d(batch, kernel_size, time):
    for padding in {0, kernel_size // 2, kernel_size - 1}:
        if time + 2 * padding < kernel_size:
            continue
        inputs = tensors(batch, time, kernel_size)
        ours = with_gradients(depthwise_convolution, inputs, padding)
        torch.testing.assert_close(ours, with_gradients(conv1d, inputs, padding))


def test_second_derivatives():
    x, weight, bias = tensors(2, 9, 3)
    assert torch.autograd.gradgradcheck(
        lambda *inputs: depthwise_convolution(*inputs, 1), (x, weight, bias)
    )


def test_only_what_is_needed():
    x, weight, _ = tensors(2, 40, 5)
    (of_x,) = torch.autograd.grad(depthwise_convolution(x, weight).sum(), x)
    weight = weight.detach()
    (expected,) = torch.autograd.grad(depthwise_convolution(x, weight).sum(), x)
    torch.testing.assert_close(of_x, expected)


def test_autocast_sums_in_float32():
    x, weight, bias = tensors(2, 2000, 5, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        out = depthwise_convolution(x, weight, bias, 2)
    assert out.dtype == torch.bfloat16
    upstream = torch.ones_like(out)
    of_x, of_weight, of_bias = torch.autograd.grad(out, (x, weight, bias), upstream)
    expected = with_ones(x, weight, bias)
    # bfloat16 alone would lose all but 8 bits of a sum over 4000 frames.
    torch.testing.assert_close(of_weight, expected[1], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(of_bias, expected[2])
    torch.testing.assert_close(of_x, expected[0], rtol=0.02, atol=0.05)
    assert {of_x.dtype, of_weight.dtype, of_bias.dtype} == {torch.float32}


def with_ones(x, weight, bias):
    return torch.autograd.grad(conv1d(x, weight, bias, 2).sum(), (x, weight, bias))
