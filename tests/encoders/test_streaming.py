"""Chunk by chunk, an encoder gives what it gives for the same chunks of a whole recording."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.encoders import ConformerEncoder
from summarymixing_sb.encoders.convolution import (
    ConvolutionState,
    convolve_chunk,
    convolve_frames,
)
from summarymixing_sb.mixers import Mixer, SummaryMixing
from summarymixing_sb.mixers.summary_mixing import FORMS, PRESETS
from summarymixing_sb.registry import list_mixers, mixer_class

ENCODERS = ["branchformer", "conformer", "transformer"]
STREAMING = [name for name in list_mixers() if mixer_class(name).make_state is not Mixer.make_state]

# The kernels of 7 reach 3 frames back: over more than one chunk of 2, within one of 4.
CHUNKS = {
    "one frame": DynChunkTrainConfig(1, None),
    "shorter than the kernel": DynChunkTrainConfig(2, 3),
    "unlimited": DynChunkTrainConfig(4, None),
    "limited": DynChunkTrainConfig(4, 2),
    "alone": DynChunkTrainConfig(4, 0),
    "longer than the speech": DynChunkTrainConfig(50, 1),
}
TIME = 15  # its last chunk of 2 and of 4 is shorter


def stream(model, x, chunks, padding_mask=None):
    """Encode (B, T, D) one chunk at a time."""
    state = model.make_state(chunks)
    pieces = x.split(chunks.chunk_size, dim=1)
    masks = [None] * len(pieces)
    if padding_mask is not None:
        masks = padding_mask.split(chunks.chunk_size, dim=1)
    return torch.cat([model.step(*pair[:1], state, pair[1]) for pair in zip(pieces, masks)], dim=1)


def frames(batch=3, time=TIME, dtype=torch.double):
    return torch.randn(batch, time, 16, dtype=dtype)


def assert_equal(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_streamed_equals_masked_whole(encoder, chunks, build):
    model = build(encoder, "SummaryMixing").double()
    for time in (1, 4, TIME):
        x = frames(time=time)
        assert_equal(stream(model, x, chunks), model(x, chunks=chunks))
    model, x = model.float(), x.float()
    torch.testing.assert_close(stream(model, x, chunks), model(x, chunks=chunks), rtol=0, atol=1e-5)


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("mixer", STREAMING)
@torch.no_grad()
def test_every_mixer(mixer, chunks, build):
    if mixer == "RoPESDPA" and chunks.left_context_size is None:
        pytest.skip("would keep every frame")
    model = build("conformer", mixer).double()
    if not mixer_class(mixer).forgets and chunks.left_context_size is not None:
        with pytest.raises(ValueError, match="left_context_size must be None"):
            stream(model, frames(), chunks)
        return
    x = frames()
    mask = torch.arange(TIME) >= torch.tensor([[TIME], [6], [9]])
    assert_equal(stream(model, x, chunks), model(x, chunks=chunks))
    valid = ~mask.unsqueeze(-1)
    streamed, whole = stream(model, x, chunks, mask), model(x, mask, chunks)
    assert_equal(streamed * valid, whole * valid)


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("encoder", ["branchformer", "conformer"])
@torch.no_grad()
def test_half_causal_convolution(encoder, chunks, build):
    model = build(encoder, "SummaryMixing", half_causal_convolution=True).double()
    x = frames()
    whole = model(x, chunks=chunks)
    assert_equal(stream(model, x, chunks), whole)
    symmetric = build(encoder, "SummaryMixing").double()
    symmetric.load_state_dict(model.state_dict())  # no parameter more
    assert not torch.allclose(symmetric(x, chunks=chunks), whole)
    later = x.clone()
    later[:, 2 * chunks.chunk_size :] = 1.0  # no chunk sees the next one
    seen = slice(0, 2 * chunks.chunk_size)
    assert torch.equal(model(later, chunks=chunks)[:, seen], whole[:, seen])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_every_form_and_preset(encoder, form, preset, build):
    options = {"form": form, "preset": preset}
    model = build(encoder, "SummaryMixing", mixer_options=options).double()
    x = frames()
    for chunks in (CHUNKS["unlimited"], CHUNKS["limited"]):
        assert_equal(stream(model, x, chunks), model(x, chunks=chunks))


@pytest.mark.parametrize(
    "options",
    [
        {"pooling": "decay", "decay": 0.8},
        {"pooling": "decay", "learn_decay": True},
        {"pooling": "window", "window": 5},
        {"gate": "channel"},
        {"gate": "head", "pooling": "window"},
        {"gate": "head", "form": "fast", "pooling": "decay"},
    ],
    ids=str,
)
@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_every_pooling(encoder, options, build):
    model = build(encoder, "SummaryMixing", mixer_options=options).double()
    x = frames()
    for chunks in CHUNKS.values():
        assert_equal(stream(model, x, chunks), model(x, chunks=chunks))


@pytest.mark.parametrize("left", [None, 2])
@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_streams_that_end_are_padding(encoder, left, build):
    model, chunks = build(encoder, "SummaryMixing").double(), DynChunkTrainConfig(4, left)
    # a whole stream, one that ends within a chunk, one at the end of a chunk, one of no frame
    padding_mask = torch.arange(TIME) >= torch.tensor([[TIME], [6], [8], [0]])
    x = frames(4)
    expected = model(x, padding_mask, chunks)
    spoilt = x.masked_fill(padding_mask.unsqueeze(-1), torch.nan)
    assert_equal(stream(model, x, chunks, padding_mask), expected)
    found = stream(model, spoilt, chunks, padding_mask)
    assert_equal(found[~padding_mask], expected[~padding_mask])


@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_mixed_precision(encoder, build):
    model, chunks = build(encoder, "SummaryMixing"), CHUNKS["limited"]
    x = frames(dtype=torch.float)
    exact = model(x, chunks=chunks)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = stream(model, x, chunks), model(x, chunks=chunks)
    assert (found - exact).norm() / exact.norm() < 0.02
    assert (found - expected).norm() / exact.norm() < 0.02


@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_streams_do_not_see_each_other(encoder, build):
    model, chunks = build(encoder, "SummaryMixing").double(), CHUNKS["limited"]
    x = frames()
    together = stream(model, x, chunks)
    for row in range(3):
        alone = stream(model, x[row : row + 1], chunks)
        assert_equal(together[row : row + 1], alone)


@torch.no_grad()
def test_every_mixer_streams_or_is_refused_at_once(pair, build):
    encoder, mixer = pair
    model, chunks = build(encoder, mixer).double(), CHUNKS["limited"]
    if not mixer_class(mixer).forgets:
        with pytest.raises(ValueError, match="left_context_size must be None, not 2"):
            model.make_state(chunks)
        chunks = CHUNKS["unlimited"]
    if mixer not in (*STREAMING, "none"):
        names = ", ".join(STREAMING)
        with pytest.raises(ValueError, match=f"{mixer} cannot .* Mixers that can: {names} "):
            model.make_state(chunks)
        return
    x = frames()
    assert_equal(stream(model, x, chunks), model(x, chunks=chunks))


@pytest.mark.parametrize("mixer", ["SummaryMixing", "none"])
@pytest.mark.parametrize("encoder", ["branchformer", "conformer"])
@torch.no_grad()
def test_causal_encoder_streams_frame_by_frame(encoder, mixer, build):
    model = build(encoder, mixer, causal=True).double()
    x = frames()
    assert_equal(stream(model, x, CHUNKS["one frame"]), model(x))
    for chunks in (DynChunkTrainConfig(4, None), DynChunkTrainConfig(1, 8)):
        with pytest.raises(ValueError, match="streams frame by frame: give Dyn"):
            model.make_state(chunks)


@pytest.mark.parametrize("normalize_before", [True, False])
@torch.no_grad()
def test_transformer_with_either_norm(normalize_before, build):
    model = build("transformer", "SummaryMixing", normalize_before=normalize_before).double()
    x, chunks = frames(), CHUNKS["limited"]
    assert_equal(stream(model, x, chunks), model(x, chunks=chunks))


@torch.no_grad()
def test_gating_unit_with_linear_layer(build):
    options = {"use_linear_after_conv": True, "gate_activation": torch.nn.Sigmoid}
    model = build("branchformer", "SummaryMixing", **options).double()
    x, chunks = frames(), CHUNKS["limited"]
    assert_equal(stream(model, x, chunks), model(x, chunks=chunks))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kernel_size", [1, 3, 9])
def test_convolution_of_a_stream(kernel_size, causal):
    conv = torch.nn.Conv1d(5, 5, kernel_size, groups=5).double()
    chunks = DynChunkTrainConfig(2)
    x = torch.randn(2, 11, 5, dtype=torch.double)
    weights = torch.randn_like(x)

    def by_chunk(x):
        state = ConvolutionState(conv, 2, causal)
        return torch.cat([convolve_chunk(piece, conv, state) for piece in x.split(2, dim=1)], 1)

    # As they stand: every frame of the whole is a product with what its chunk lets it see.
    reach = kernel_size // 2
    expected = torch.zeros_like(x)
    for t in range(11):
        last = t if causal else min(t + reach, (t // 2 + 1) * 2 - 1, 10)
        for i in range(max(0, t - reach * (1 + causal)), last + 1):
            expected[:, t] += conv.weight[:, 0, i - t + reach * (1 + causal)] * x[:, i]
        expected[:, t] += conv.bias
    assert_equal(by_chunk(x), expected)

    gradients = []
    for run in (by_chunk, lambda x: convolve_frames(x, conv, None, chunks, causal)):
        leaf = x.clone().requires_grad_()
        (run(leaf) * weights).sum().backward()
        gradients.append(leaf.grad)
    assert_equal(*gradients)


@torch.no_grad()
def test_what_cannot_be_the_next_chunk_is_refused(build):
    model = build("conformer", "none")
    state = model.make_state(DynChunkTrainConfig(4, 2))
    with pytest.raises(ValueError, match="1 to 4 frames, not 5"):
        model.step(torch.randn(2, 5, 16), state)
    with pytest.raises(ValueError, match="1 to 4 frames, not 0"):
        model.step(torch.randn(2, 0, 16), state)
    model.step(torch.randn(2, 4, 16), state)
    with pytest.raises(ValueError, match="2 streams, but the chunk has 3 rows"):
        model.step(torch.randn(3, 4, 16), state)
    assert state.position == 4


def test_what_a_mixer_refuses_shows_when_the_streams_start(monkeypatch):
    def make_state(self, batch_size, chunks):
        raise ValueError("not with these chunks")

    monkeypatch.setattr(SummaryMixing, "make_state", make_state)
    model = ConformerEncoder(num_layers=1, d_model=16, d_ffn=8, nhead=1)
    with pytest.raises(ValueError, match="not with these chunks"):
        model.make_state(DynChunkTrainConfig(4))
