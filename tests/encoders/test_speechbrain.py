"""With a SpeechBrain mixer, our encoders are SpeechBrain's: same parameters, same outputs."""

import pytest
import torch
from speechbrain.lobes.models.transformer.TransformerASR import TransformerASR as SpeechBrainASR
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from torch import nn

from summarymixing_sb import TransformerASR

MIXERS = ["regularMHA", "RelPosMHAXL", "RoPEMHA", "hypermixing"]


def models(encoder, mixer, ours=None, **options):
    arguments = {
        "tgt_vocab": 20,
        "input_size": 12,
        "d_model": 16,
        "nhead": 2,
        "num_encoder_layers": 2,
        "num_decoder_layers": 1,
        "d_ffn": 32,
        "activation": nn.GELU,
        "encoder_module": encoder,
        "normalize_before": True,
        "kernel_size": 7,
        "csgu_linear_units": 24,
        "causal": False,
    } | options
    theirs = SpeechBrainASR(attention_type=mixer, **arguments).eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.2)
    model = TransformerASR(attention_type=ours or mixer, **arguments).eval()
    model.load_state_dict(theirs.state_dict())
    return theirs, model


@pytest.mark.parametrize("encoder", ["branchformer", "conformer", "transformer"])
@pytest.mark.parametrize("mixer", MIXERS)
def test_same_outputs(encoder, mixer):
    if (encoder, mixer) == ("branchformer", "RoPEMHA"):
        pytest.skip("SpeechBrain's Branchformer does not offer RoPEMHA")
    theirs, ours = models(encoder, mixer)
    src, tgt = torch.randn(3, 30, 12), torch.randint(1, 20, (3, 6))
    with torch.no_grad():
        for expected, got in zip(theirs(src, tgt), ours(src, tgt)):
            assert (expected - got).abs().max() < 1e-6
        # wav_len of ones: no padding, but the masks are there.
        full = torch.ones(3)
        for expected, got in zip(theirs(src, tgt, full), ours(src, tgt, full)):
            assert (expected - got).abs().max() < 1e-6
        memory = torch.randn(3, 30, 16)
        enc_len = torch.tensor([30, 20, 10])
        for expected, got in zip(
            theirs.decode(tgt, memory, enc_len), ours.decode(tgt, memory, enc_len)
        ):
            assert (expected - got).abs().max() < 1e-6


def test_rope_sdpa_has_the_weights_and_outputs_of_ropemha():
    theirs, ours = models("conformer", "RoPEMHA", ours="RoPESDPA")
    src = torch.randn(3, 30, 12)
    with torch.no_grad():
        assert (theirs.encode(src) - ours.encode(src)).abs().max() < 1e-6


@pytest.mark.parametrize("mixer", ["regularMHA", "RelPosMHAXL", "RoPEMHA", "RoPESDPA"])
@pytest.mark.parametrize("left", [None, 1])
def test_same_outputs_in_chunks(mixer, left):
    theirs, ours = models("conformer", mixer.replace("SDPA", "MHA"), ours=mixer)
    src, chunks = torch.randn(2, 30, 12), DynChunkTrainConfig(4, left)
    with torch.no_grad():
        expected = theirs.encode(src, dynchunktrain_config=chunks)
        got = ours.encode(src, dynchunktrain_config=chunks)
    assert (expected - got).abs().max() < 1e-6


@pytest.mark.parametrize("mixer", ["regularMHA", "RelPosMHAXL", "RoPEMHA"])
def test_same_outputs_when_causal(mixer):
    theirs, ours = models("conformer", mixer, causal=True)
    src = torch.randn(2, 30, 12)
    with torch.no_grad():
        assert (theirs.encode(src) - ours.encode(src)).abs().max() < 1e-6
