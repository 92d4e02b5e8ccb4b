"""FastFormer against its equations, written frame by frame and head by head."""

import math

import pytest
import torch

from summarymixing_sb.mixers.fastformer import FastFormer


def reference_fastformer(mixer, x, padding_mask=None):
    """Equations 1 to 5 of arXiv 2108.09084, with v = q and without dropout."""
    batch, time, width = x.shape
    d = width // mixer.nhead
    query, key = mixer.query(x), mixer.key(x)
    rows = []
    for b in range(batch):
        valid = [t for t in range(time) if padding_mask is None or not padding_mask[b, t]]
        heads = []
        for h in range(mixer.nhead):
            q, k = (y[b, :, h * d : (h + 1) * d] for y in (query, key))
            a, c = mixer.query_scorer[h], mixer.key_scorer[h]
            global_query = weighted_mean([q[t] for t in valid], a)
            global_key = weighted_mean([global_query * k[t] for t in valid], c)
            heads.append(torch.stack([global_key * q[t] for t in range(time)]))
        rows.append(mixer.output(torch.cat(heads, -1)) + query[b])
    return torch.stack(rows)


def weighted_mean(vectors, scorer):
    """Sum vectors with the softmax of their scores; zeros for none."""
    if not vectors:
        return torch.zeros_like(scorer)
    scores = [torch.exp((scorer * v).sum() / math.sqrt(len(scorer))) for v in vectors]
    return sum(score / sum(scores) * v for score, v in zip(scores, vectors))


def output_and_gradients(function, mixer, x, weights):
    x = x.clone().requires_grad_()
    mixer.zero_grad()
    out = function(x)
    (out * weights).sum().backward()
    return [out.detach() * (weights != 0), x.grad, *(p.grad.clone() for p in mixer.parameters())]


def relative_error(fast, slow):
    # At T = 1 some gradients are zero but for rounding, hence the clamp.
    return ((fast - slow).norm() / slow.norm().clamp(min=1)).item()


def make_mixer(nhead):
    mixer = FastFormer(12, nhead, dropout=0.3).double().eval()
    for parameter in mixer.parameters():  # scores far apart, so that the weights are not equal
        torch.nn.init.normal_(parameter)
    return mixer


@pytest.mark.parametrize("nhead", [1, 4])
@pytest.mark.parametrize("time", [1, 6, 13])
def test_equals_equations(nhead, time):
    mixer = make_mixer(nhead)
    x = torch.randn(3, time, 12, dtype=torch.double)
    weights = torch.randn_like(x)
    lengths = torch.tensor([[time], [max(1, time // 2)], [1]])
    padding_mask = torch.arange(time) >= lengths
    for mask in (None, padding_mask):
        if mask is not None:  # what stands at padding is nobody's business
            weights = weights.masked_fill(mask.unsqueeze(-1), 0)
        fast = output_and_gradients(lambda x: mixer(x, mask), mixer, x, weights)  # noqa: B023
        slow = output_and_gradients(
            lambda x: reference_fastformer(mixer, x, mask),  # noqa: B023
            mixer,
            x,
            weights,
        )
        assert max(map(relative_error, fast, slow)) < 1e-10


def test_padding_is_never_read_and_a_row_of_it_stays_finite():
    mixer = make_mixer(4)
    x = torch.randn(3, 9, 12, dtype=torch.double)
    padding_mask = torch.arange(9) >= torch.tensor([[9], [4], [0]])
    clean = mixer(x, padding_mask)[~padding_mask]
    poisoned = x.masked_fill(padding_mask.unsqueeze(-1), torch.nan).requires_grad_()
    out = mixer(poisoned, padding_mask)
    assert torch.equal(out[~padding_mask], clean)
    assert torch.isfinite(out).all()
    out.sum().backward()
    assert torch.isfinite(poisoned.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in mixer.parameters())


def test_dropout_falls_in_training_only():
    mixer, x = FastFormer(12, 4, dropout=0.5), torch.randn(2, 9, 12)
    assert not torch.equal(mixer(x), mixer(x))
    mixer.eval()
    assert torch.equal(mixer(x), mixer(x))


def test_bfloat16_is_close():
    mixer, x = FastFormer(32, 4), torch.randn(2, 2000, 32) + 1
    padding_mask = torch.arange(2000) >= torch.tensor([[2000], [700]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = mixer(x, padding_mask)
    valid = ~padding_mask
    assert relative_error(low.float()[valid], mixer(x, padding_mask)[valid]) < 0.02


def test_no_tensor_is_larger_than_the_input(largest_tensor):
    mixer, time = FastFormer(8, 2, dropout=0.1), 20000
    with largest_tensor as largest:
        mixer(torch.randn(1, time, 8, requires_grad=True)).sum().backward()
    assert largest.elements == time * 8


def test_scorers_start_with_the_fans_of_one_head():
    mixer = FastFormer(4096, 64)
    torch.nn.init.xavier_normal_(mixer.query_scorer)  # as TransformerASR does to every matrix
    mixer.reset_mixer_parameters()
    for scorer in (mixer.query_scorer, mixer.key_scorer):
        assert scorer.std().item() == pytest.approx(math.sqrt(2 / 65), rel=0.05)


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="nhead=5 does not divide d_model=12"):
        FastFormer(12, 5)
    with pytest.raises(ValueError, match="cannot work on chunks"):
        FastFormer(12)(torch.randn(1, 4, 12), chunks="any")
