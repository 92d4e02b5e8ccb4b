"""PoM against its definition by dense weights."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.mixers.pom import PoM
from summarymixing_sb.mixers.reference import reference_pom

CHUNKS = [None, *(DynChunkTrainConfig(*pair) for pair in ((4, None), (4, 2), (1, None), (50, 1)))]


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize(("degree", "expansion"), [(1, 1), (3, 1), (2, 3)])
def test_equals_reference(degree, expansion, chunks):
    """Outputs and gradients, with padding and without."""
    mixer = PoM(12, degree=degree, expansion=expansion).double()
    weights = torch.randn(3, 13, 12, dtype=torch.double)
    some = torch.arange(13) >= torch.tensor([[13], [6], [0]])
    for mask in (None, some):
        results = []
        for function in (mixer, lambda *a: reference_pom(mixer, *a)):
            x = torch.linspace(-1, 1, 3 * 13 * 12, dtype=torch.double).sin().mul(3)
            x = x.view(3, 13, 12).requires_grad_()
            mixer.zero_grad()
            out = function(x, mask, chunks)
            (out * weights).sum().backward()
            results.append([out.detach(), x.grad, *(p.grad.clone() for p in mixer.parameters())])
        for fast, slow in zip(*results):
            assert (fast - slow).norm() <= 1e-12 * slow.norm()


def test_size_and_memory(largest_tensor):
    """About 3 k E D^2 weights; no tensor of two times."""
    mixer = PoM(32, degree=3, expansion=2)
    assert sum(p.numel() for p in mixer.parameters()) == 3 * 3 * 2 * 32**2
    with largest_tensor as largest:
        mixer(torch.randn(1, 2000, 32))
    assert largest.elements <= 2000 * 6 * 32


@pytest.mark.parametrize("option", ["degree", "expansion"])
def test_what_cannot_be(option):
    with pytest.raises(ValueError, match=f"{option} of PoM must be 1 or more, not 0"):
        PoM(8, **{option: 0})
