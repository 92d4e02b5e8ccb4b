"""No frame sees beyond its chunk, and every frame sees what its chunk may see."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.registry import mixer_class

TIME, SIZE = 24, 4


def reach(model, run, chunks):
    """Which outputs depend on which inputs: (T out, T in) bool, through one layer."""
    model.layers = model.layers[:1]
    frames = torch.arange(TIME)
    x = torch.randn(1, TIME, 16).repeat(TIME + 1, 1, 1)
    x[frames, frames] += 5 * torch.randn(16)  # row t differs from the last row in its frame t
    least = 1e-6
    if model.attention_type != "RelPosMHAXL":  # SpeechBrain has it in float32 only
        model, x, least = model.double(), x.double(), 1e-12
    with torch.no_grad():
        out = run(model, x, None, chunks)
    return ((out[:-1] - out[-1:]).abs().amax(-1) > least).T


def test_chunks_limit_what_is_seen(pair, build, run):
    encoder, mixer = pair
    if not mixer_class(mixer).supports_chunks:
        with pytest.raises(ValueError, match="never chunks"):
            run(build(encoder, mixer), torch.randn(1, TIME, 16), None, DynChunkTrainConfig(SIZE))
        return
    model = build(encoder, mixer)
    chunk = torch.arange(TIME) // SIZE
    behind = chunk.unsqueeze(1) - chunk
    limited = DynChunkTrainConfig(SIZE, 1)
    if mixer_class(mixer).forgets:
        seen = reach(model, run, limited)
        # In a Conformer the kernel of 7 comes after the mixer: through it, the first three frames
        # of a chunk see what the chunk before it saw.
        further = (torch.arange(TIME) % SIZE < 3).unsqueeze(1) & (encoder == "conformer")
        allowed = (behind >= 0) & (behind <= 1 + further.int())
        assert not (seen & ~allowed).any()
        if mixer != "none":
            assert seen[allowed].all()
    else:
        with pytest.raises(ValueError, match="left_context_size must be None, not 1"):
            run(model, torch.randn(1, TIME, 16), None, limited)

    seen = reach(build(encoder, mixer), run, DynChunkTrainConfig(SIZE, None))
    assert not (seen & (behind < 0)).any()
    if mixer != "none":
        assert seen[behind >= 0].all()


def test_causal_sees_no_later_frame(pair, build, run):
    encoder, mixer = pair
    if not mixer_class(mixer).supports_chunks:
        with pytest.raises(ValueError, match="cannot be causal"):
            build(encoder, mixer, causal=True)
        return
    model = build(encoder, mixer, causal=True)
    seen = reach(model, run, None)
    later = torch.ones(TIME, TIME, dtype=torch.bool).triu(1)
    assert not (seen & later).any()
    assert seen.diagonal().all()
    with pytest.raises(ValueError, match="takes no chunks"):
        run(model, torch.randn(1, TIME, 16), None, DynChunkTrainConfig(SIZE))
