"""HyperMixing against SpeechBrain's, whose parameters it has."""

import pytest
import torch
from speechbrain.nnet import hypermixing

from summarymixing_sb.mixers.hypermixing import HyperMixing
from summarymixing_sb.mixers.positions import SinusoidalPositions


def make_pair(nhead):
    theirs = hypermixing.HyperMixing(12, 24, num_heads=nhead)
    # SpeechBrain's table is in float32; positions themselves are compared in the encoder's tests.
    theirs.positional_encoding = SinusoidalPositions(12)
    theirs.double()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    ours = HyperMixing(12, nhead, d_ffn=24).double()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def output_and_gradients(function, mixer, x, weights):
    x = x.clone().requires_grad_()
    out = function(x)
    (out * weights).sum().backward()
    return [out.detach() * (weights != 0), x.grad, *(p.grad for p in mixer.parameters())]


def relative_error(ours, theirs):
    # At T = 1 some gradients are zero but for rounding, hence the clamp.
    return ((ours - theirs).norm() / theirs.norm().clamp(min=1)).item()


@pytest.mark.parametrize("nhead", [1, 3])
@pytest.mark.parametrize("time", [1, 6, 13])
@pytest.mark.parametrize("padded", [False, True])
def test_same_outputs_and_gradients(nhead, time, padded):
    theirs, ours = make_pair(nhead)
    x = torch.randn(3, time, 12, dtype=torch.double)
    weights, mask = torch.randn_like(x), None
    if padded:
        mask = torch.arange(time) >= torch.tensor([[time], [max(1, time // 2)], [1]])
        weights = weights.masked_fill(mask.unsqueeze(-1), 0)
    expected = output_and_gradients(
        lambda x: theirs(x, x, x, key_padding_mask=mask)[0], theirs, x, weights
    )
    got = output_and_gradients(lambda x: ours(x, mask), ours, x, weights)
    assert max(map(relative_error, got, expected)) < 1e-10


def test_padding_is_never_read_and_a_row_of_it_stays_finite():
    _, mixer = make_pair(3)
    x = torch.randn(3, 9, 12, dtype=torch.double)
    padding_mask = torch.arange(9) >= torch.tensor([[9], [4], [0]])
    clean = mixer(x, padding_mask)[~padding_mask]
    poisoned = x.masked_fill(padding_mask.unsqueeze(-1), torch.nan).requires_grad_()
    out = mixer(poisoned, padding_mask)
    assert torch.equal(out[~padding_mask], clean)
    assert torch.isfinite(out).all()
    out.sum().backward()
    assert torch.isfinite(poisoned.grad).all()


def test_no_tensor_is_quadratic_in_time(largest_tensor):
    time = 20000
    with largest_tensor as largest:
        x = torch.randn(1, time, 8, requires_grad=True)
        HyperMixing(8, 2, d_ffn=16)(x).sum().backward()
    assert largest.elements == time * 16  # the hidden units of all heads


def test_that_measurement_sees_the_square_that_speechbrain_makes(largest_tensor):
    time = 500
    with largest_tensor as largest:
        x = torch.randn(1, time, 8)
        hypermixing.HyperMixing(8, 16, max_length=time)(x, x, x)
    assert largest.elements == time * time


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match=r"nhead=5 does not divide the width 12.*d_ffn=30"):
        HyperMixing(12, 5, d_ffn=30)
    with pytest.raises(ValueError, match="nhead=3 does not divide the width 32"):
        HyperMixing(12, 3, d_ffn=32)
    with pytest.raises(ValueError, match="cannot work on chunks"):
        HyperMixing(12)(torch.randn(1, 4, 12), chunks="any")
