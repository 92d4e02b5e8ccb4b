"""TransformerASR on streams, as SpeechBrain's wrappers call it."""

import pytest
import soundfile
import torch
from speechbrain.inference.ASR import StreamingASR
from speechbrain.lobes.features import Fbank, StreamingFeatureWrapper
from speechbrain.lobes.models.transformer.TransformerASR import EncoderWrapper
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from speechbrain.utils.filter_analysis import stack_filter_properties
from speechbrain.utils.streaming import split_fixed_chunks, split_wav_lens
from torch import nn

from summarymixing_sb import ConvolutionFrontEnd, TransformerASR
from summarymixing_sb.encoders.state import state_bytes

ENCODERS = ["branchformer", "conformer", "transformer"]
CHUNKS = DynChunkTrainConfig(4, 2)


def make(encoder_module="conformer", **options):
    arguments = {
        "tgt_vocab": 20,
        "input_size": 40,
        "d_model": 16,
        "nhead": 2,
        "num_encoder_layers": 2,
        "num_decoder_layers": 0,
        "d_ffn": 32,
        "kernel_size": 7,
        "csgu_linear_units": 24,
        "attention_type": "SummaryMixing",
        "normalize_before": True,
        "causal": False,
    }
    return TransformerASR(encoder_module=encoder_module, **arguments | options).eval()


def stream(model, src, chunks, wav_len=None):
    """Encode (B, T, ...) one chunk at a time."""
    context = model.make_streaming_context(chunks)
    pieces = split_fixed_chunks(src, chunks.chunk_size, dim=1)
    lengths = [None] * len(pieces)
    if wav_len is not None:
        lengths = split_wav_lens([piece.size(1) for piece in pieces], wav_len)
    encoded = [model.encode_streaming(piece, context, n) for piece, n in zip(pieces, lengths)]
    return torch.cat(encoded, dim=1)


@pytest.mark.parametrize("left", [None, 2])
@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_streamed_equals_masked_whole(encoder, left):
    chunks = DynChunkTrainConfig(4, left)
    for dtype, tolerance in ((torch.float, 1e-5), (torch.double, 1e-12)):
        model = make(encoder).to(dtype)
        # as a front end gives it; the last chunk is shorter
        src = torch.randn(3, 31, 20, 2, dtype=dtype)
        expected = model.encode(src, dynchunktrain_config=chunks)
        found = stream(model, src, chunks)
        torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_streams_of_several_lengths(encoder):
    model, wav_len = make(encoder).double(), torch.tensor([1.0, 0.6, 0.4])
    src = torch.randn(3, 30, 40, dtype=torch.double)
    valid = torch.arange(30) < torch.tensor([[30], [18], [12]])
    src[~valid] = torch.nan
    expected = model.encode(src, wav_len, dynchunktrain_config=CHUNKS)[valid]
    found = stream(model, src, CHUNKS, wav_len)[valid]
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_positions_go_on_beyond_speechbrains_table():
    model, chunks = make("transformer").double(), DynChunkTrainConfig(50, 0)
    src = torch.randn(1, 3000, 40, dtype=torch.double)
    expected = model.encode(src, dynchunktrain_config=chunks)
    torch.testing.assert_close(stream(model, src, chunks), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("left", [None, 3])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_state_does_not_grow(encoder, left):
    model = make(encoder, num_encoder_layers=1, d_model=8, nhead=1)
    context = model.make_streaming_context(DynChunkTrainConfig(2, left))
    src, sizes = torch.randn(2, 2, 40), {}
    for count in range(1, 1001):
        encoded = model.encode_streaming(src, context)
        if count in (10, 1000):
            sizes[count] = state_bytes(context)
    assert not encoded.requires_grad
    assert sizes[10] == sizes[1000]
    # (sum, count) of every chunk kept, of which the newest come as a view that keeps the oldest
    # alive; and the 3 frames that the kernel reaches, of half of csgu_linear_units in a
    # Branchformer. All in float32, for 2 streams.
    kept = 1 if left is None else left + 1
    convolution = {"branchformer": 3 * 12, "conformer": 3 * 8, "transformer": 0}[encoder]
    assert sizes[1000] <= 2 * 4 * (kept * (8 + 1) + convolution)


def test_size_of_what_is_kept():
    tensor = torch.zeros(10)

    class State:
        def __init__(self):
            self.view, self.whole = tensor[2:4], tensor
            self.others = {"sums": [torch.zeros(3, dtype=torch.double)]}
            self.layer = nn.Linear(9, 9)  # a weight is not of the stream

    assert state_bytes(State()) == 10 * 4 + 3 * 8


@torch.no_grad()
def test_causal_model_streams_frame_by_frame():
    model = make(causal=True).double()
    src = torch.randn(2, 13, 40, dtype=torch.double)
    found = stream(model, src, DynChunkTrainConfig(1))
    torch.testing.assert_close(found, model.encode(src), rtol=0, atol=1e-12)


@torch.no_grad()
def test_without_positions_and_without_layers():
    src = torch.randn(2, 13, 40)
    for options in (
        {"positional_encoding": None},
        {"num_encoder_layers": 0, "attention_type": "none"},
    ):
        model = make(**options)
        expected = model.encode(src, dynchunktrain_config=CHUNKS)
        torch.testing.assert_close(stream(model, src, CHUNKS), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mixer", ["RelPosMHAXL", "RoPEMHA", "hypermixing"])
def test_mixers_that_cannot_stream_are_refused(mixer):
    model = make(attention_type=mixer)
    with pytest.raises(ValueError, match=f"{mixer} cannot work .* that can: .*SummaryMixing"):
        EncoderWrapper(model).make_streaming_context(CHUNKS)


def test_wrong_chunks_are_refused():
    model = make()
    context = model.make_streaming_context(CHUNKS)
    with pytest.raises(ValueError, match="1 to 4 frames, not 5"):
        model.encode_streaming(torch.randn(1, 5, 40), context)
    with pytest.raises(TypeError, match="left_frames"):
        model.make_streaming_context(CHUNKS, {"left_frames": 3})


@pytest.fixture
def wrapped():
    """SpeechBrain's StreamingASR around a small model; its words are the most likely tokens."""
    features, front_end = Fbank(n_mels=8), front_end_of_width_8()
    modules = {
        "enc": EncoderWrapper(make(input_size=8)),
        "proj_enc": nn.Linear(16, 20),
    }
    properties = stack_filter_properties([features, front_end])
    hparams = {
        "sample_rate": 16000,
        "fea_streaming_extractor": StreamingFeatureWrapper(
            Extractor(features, front_end), properties
        ),
        "make_decoder_streaming_context": lambda: None,
        "decoding_function": lambda x, context: x.argmax(-1).tolist(),
        "make_tokenizer_streaming_context": lambda: None,
        "tokenizer_decode_streaming": lambda tokenizer, tokens, context: f"{tokens}",
        "tokenizer": None,
    }
    # Where there is a GPU, SpeechBrain would move modules there, and not those in hparams.
    return StreamingASR(modules, hparams, run_opts={"device": "cpu"})


class Extractor(nn.Module):
    """Features, subsampled by 4; the lengths that StreamingASR gives are not used."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, wavs, lengths=None):
        return self.layers(wavs)


def front_end_of_width_8():
    return ConvolutionFrontEnd(
        (None, None, 8),
        num_blocks=2,
        num_layers_per_block=1,
        out_channels=(4, 4),
        kernel_sizes=(3, 3),
        strides=(2, 2),
        residuals=(False, False),
    ).eval()


@torch.no_grad()
def test_streaming_asr_of_speechbrain(wrapped, tmp_path):
    file = tmp_path / "noise.wav"
    # A shorter chunk before the silence at the end would shift the chunks behind it.
    size = wrapped.get_chunk_size_frames(CHUNKS)
    wav = 0.1 * torch.randn(7 * size)
    soundfile.write(file, wav.numpy(), 16000, subtype="FLOAT")
    found = wrapped.transcribe_file(str(file), CHUNKS, use_torchaudio_streaming=False)

    # What comes out of the feature extractor, encoded at once.
    extractor = wrapped.hparams.fea_streaming_extractor
    silence = [torch.zeros(1, size)] * extractor.get_recommended_final_chunk_count(size)
    pieces = [*split_fixed_chunks(wav.unsqueeze(0), size), *silence]
    context = extractor.make_streaming_context()
    frames = torch.cat([extractor(piece, context) for piece in pieces], dim=1)
    encoded = wrapped.mods.enc(frames, dynchunktrain_config=CHUNKS)
    assert frames.size(1) > 20
    tokens = wrapped.mods.proj_enc(encoded).argmax(-1)[0]
    assert found == "".join(str(chunk.tolist()) for chunk in tokens.split(4))
