"""torch.compile(dynamic=True): one graph for every length, and the same numbers."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.encoders import BranchformerEncoder, ConformerEncoder, TransformerEncoder

D_MODEL = 16
ENCODERS = {
    "branchformer": (BranchformerEncoder, {"csgu_linear_units": 32, "kernel_size": 5}),
    "conformer": (ConformerEncoder, {"d_ffn": 32, "kernel_size": 5}),
    "transformer": (TransformerEncoder, {"d_ffn": 32}),
}
MIXERS = {
    "full": {},
    "heads": {"nhead": 4},
    "lite": {"form": "lite"},
    "fast": {"form": "fast"},
    "decay": {"pooling": "decay", "learn_decay": True},
    "window": {"pooling": "window", "window": 3},
    "gate": {"gate": "channel"},
    "PoM": {"attention_type": "PoM"},
    "mamba": {"attention_type": "mamba", "state_size": 4},
    "LocalAttention": {"attention_type": "LocalAttention", "nhead": 4, "left": 5, "right": 2},
    "hybrid": {"attention_type": "SummaryMixing,LocalAttention"},
}


@pytest.fixture(autouse=True)
def forget_graphs():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def build(name, options):
    torch.manual_seed(0)
    encoder_class, own = ENCODERS[name]
    options = dict(options)
    nhead, mixers = options.pop("nhead", 1), options.pop("attention_type", "SummaryMixing")
    return encoder_class(
        num_layers=1 + mixers.count(","),
        d_model=D_MODEL,
        nhead=nhead,
        attention_type=mixers,
        mixer_options=options,
        **own,
    ).eval()


def padded(batch, time):
    lengths = torch.randint(1, time + 1, (batch,))
    lengths[0] = time
    return torch.randn(batch, time, D_MODEL), torch.arange(time) >= lengths.unsqueeze(1)


def assert_same(encoder, compiled, times, chunks=None):
    """Outputs agree, and after two lengths no more graphs are made."""
    for index, time in enumerate(times):
        if index == 2:
            torch.compiler.set_stance("fail_on_recompile")
        try:
            x, mask = padded(3, time)
            expected, got = encoder(x, mask, chunks), compiled(x, mask, chunks)
        finally:
            torch.compiler.set_stance("default")
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


CHUNKS = DynChunkTrainConfig(4, 2)


@pytest.mark.parametrize(
    ("name", "mixer", "chunks"),
    [
        *(("conformer", mixer, None) for mixer in MIXERS),
        ("conformer", "full", CHUNKS),
        ("branchformer", "full", None),
        ("branchformer", "full", CHUNKS),
        ("transformer", "full", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "chunks" if value else "whole",
)
def test_one_graph(name, mixer, chunks):
    encoder = build(name, MIXERS[mixer])
    compiled = torch.compile(encoder, dynamic=True, fullgraph=True, backend="eager")
    assert_same(encoder, compiled, (16, 21, 50), chunks)


@pytest.mark.parametrize("name", ["branchformer", "conformer"])
def test_gradients(name):
    """Of the compiled graph, run by PyTorch; tests/stress has the generated code."""
    assert_same_gradients(build(name, {}), backend="aot_eager")


def assert_same_gradients(encoder, **options):
    """Compiled, an encoder gives the gradients of its input and of its parameters."""
    compiled = torch.compile(encoder, dynamic=True, fullgraph=True, **options)
    x, mask = padded(3, 21)
    gradients = []
    for module in (encoder, compiled):
        own = x.clone().requires_grad_()
        loss = module(own, mask).masked_fill(mask.unsqueeze(-1), 0).square().sum()
        gradients.append(torch.autograd.grad(loss, (own, *encoder.parameters())))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)
