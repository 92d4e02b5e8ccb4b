"""Streams in one batch that advance each at its own time, end, and make room for others."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb import TransformerASR
from summarymixing_sb.encoders.state import put_rows, state_bytes, take_rows
from summarymixing_sb.mixers import Mixer
from summarymixing_sb.registry import list_mixers, mixer_class

STREAMING = [name for name in list_mixers() if mixer_class(name).make_state is not Mixer.make_state]
SIZE, ROWS = 4, 3


def make(mixer, **options):
    torch.manual_seed(0)
    return (
        TransformerASR(
            tgt_vocab=10,
            input_size=6,
            d_model=12,
            nhead=2,
            num_encoder_layers=2,
            num_decoder_layers=0,
            d_ffn=16,
            kernel_size=5,
            csgu_linear_units=8,
            attention_type=mixer,
            **options,
        )
        .double()
        .eval()
    )


@pytest.mark.parametrize("encoder", ["branchformer", "conformer"])
@pytest.mark.parametrize("mixer", [*STREAMING, "SummaryMixing,LocalAttention"])
@torch.no_grad()
def test_each_stream_is_as_if_alone(mixer, encoder):
    """Recordings come and go at random times; each gets what one pass over it gives."""
    left = 2 if mixer != "mamba" else None
    chunks = DynChunkTrainConfig(SIZE, left)
    model = make(mixer, encoder_module=encoder, half_causal_convolution=mixer == "PoM")
    draw = torch.Generator().manual_seed(1)
    # lengths that end within a chunk, and at its end
    recordings = [torch.randn(n, 6, generator=draw).double() for n in (11, 8, 21, 3, 16, 9, 4)]
    context = model.make_streaming_context(chunks)
    waiting, playing, found = list(range(len(recordings))), [None] * ROWS, {}
    for _ in range(80):
        for row in range(ROWS):
            if playing[row] is None and waiting:
                playing[row] = [waiting.pop(0), 0]
                model.encoder.restart(context.encoder_context, torch.tensor([row]))
        active = torch.rand(ROWS, generator=draw) < 0.6
        active &= torch.tensor([one is not None for one in playing])
        frames = torch.full((ROWS, SIZE, 6), torch.nan).double()
        lengths = torch.ones(ROWS)
        for row in active.nonzero().flatten().tolist():
            number, start = playing[row]
            part = recordings[number][start : start + SIZE]
            frames[row] = 0
            frames[row, : len(part)] = part
            lengths[row] = len(part) / SIZE
        encoded = model.encode_streaming(frames, context, lengths, active)
        assert not encoded[~active].any()
        for row in active.nonzero().flatten().tolist():
            number, start = playing[row]
            count = round(float(lengths[row]) * SIZE)
            found.setdefault(number, []).append(encoded[row, :count])
            done = start + SIZE >= len(recordings[number])
            playing[row] = None if done else [number, start + SIZE]
    assert not waiting
    assert playing == [None] * ROWS
    for number, recording in enumerate(recordings):
        alone = model.encode(recording[None], dynchunktrain_config=chunks)[0]
        # sinusoids are made in float32
        assert (torch.cat(found[number]) - alone).abs().max() < 1e-7


@torch.no_grad()
def test_all_active_is_the_same_as_none_named():
    model, chunks = make("SummaryMixing", encoder_module="conformer"), DynChunkTrainConfig(SIZE, 2)
    x = torch.randn(ROWS, 3 * SIZE, 6).double()
    named, plain = (model.make_streaming_context(chunks) for _ in range(2))
    everyone = torch.ones(ROWS, dtype=torch.bool)
    for chunk in x.split(SIZE, dim=1):
        assert torch.equal(
            model.encode_streaming(chunk, named, active=everyone),
            model.encode_streaming(chunk, plain),
        )
    assert named.encoder_context.position.tolist() == [3 * SIZE] * ROWS
    assert plain.encoder_context.position == 3 * SIZE
    before = state_bytes(named)
    model.encoder.restart(named.encoder_context, torch.tensor([1]))
    assert named.encoder_context.position.tolist() == [3 * SIZE, 0, 3 * SIZE]
    assert state_bytes(named) == before
    nobody = torch.zeros(ROWS, dtype=torch.bool)
    assert not model.encode_streaming(chunk, named, active=nobody).any()
    assert named.encoder_context.position.tolist() == [3 * SIZE, 0, 3 * SIZE]


def test_rows_of_a_state():
    mixer = mixer_class("SummaryMixing")(d_model=4, pooling="decay", learn_decay=True)
    state = mixer.make_state(3, DynChunkTrainConfig(2, 1))
    state.totals += torch.arange(3.0).view(3, 1, 1)
    taken = take_rows(state, torch.tensor([2, 0]))
    assert taken.totals[:, 0, 0].tolist() == [2, 0]
    taken.totals = taken.totals + 5
    assert state.totals[:, 0, 0].tolist() == [0, 1, 2]
    put_rows(state, torch.tensor([2, 0]), taken)
    assert state.totals[:, 0, 0].tolist() == [5, 1, 7]
