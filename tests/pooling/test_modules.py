"""The bounds and parameters of the ways to average."""

import math

import pytest
import torch
import torch.nn.functional as F

from summarymixing_sb.pooling import DecayPooling, WindowPooling, decayed_means


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, 2])
def test_a_decay_out_of_bounds_is_refused(decay):
    with pytest.raises(ValueError, match=f"above 0 and below 1, not {decay}"):
        DecayPooling(decay)


@pytest.mark.parametrize("window", [0, -3])
def test_an_empty_window_is_refused(window):
    with pytest.raises(ValueError, match=f"1 or more frames on either side, not {window}"):
        WindowPooling(window)


def test_a_fixed_decay_is_no_parameter_and_keeps_its_precision():
    pooling = DecayPooling(0.999).bfloat16()
    assert not list(pooling.parameters())
    assert pooling.log_decay == math.log(0.999)


@pytest.mark.parametrize("decay", [0.01, 0.5, 0.999])
def test_a_learned_decay_starts_where_it_is_told(decay):
    pooling = DecayPooling(decay, learn_decay=True)
    assert pooling.log_decay.exp().item() == pytest.approx(decay, rel=1e-5)
    assert pooling.bfloat16().log_decay.dtype == torch.float32


def test_a_decay_is_learned():
    """From targets made with gamma 0.9, starting at 0.5."""
    frames = torch.randn(4, 100, 3)
    target = decayed_means(frames, math.log(0.9))
    pooling = DecayPooling(0.5, learn_decay=True)
    optimizer = torch.optim.Adam(pooling.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        F.mse_loss(pooling(frames)[0], target).backward()
        optimizer.step()
    assert pooling.log_decay.exp().item() == pytest.approx(0.9, abs=0.005)
