"""Encoders from the public base classes."""

import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from torch import nn

from summarymixing_sb import encoders
from summarymixing_sb.encoders import Encoder, EncoderLayer
from summarymixing_sb.encoders.conformer import ConvolutionModule


class BothLayer(EncoderLayer):
    """Frames plus the output of the mixer and that of the convolution."""

    convolution_name = "local"

    def __init__(self, d_model, attention_type, causal):
        super().__init__(d_model, 1, 0.0, None, attention_type, None)
        self.local = ConvolutionModule(d_model, 5, causal=causal)

    def encode(self, x, mix, convolve):
        return x + mix(x) + convolve(x)


class MixerLayer(EncoderLayer):
    mixer_name = "mixing"

    def __init__(self, d_model, attention_type, causal):
        super().__init__(d_model, 1, 0.0, None, attention_type, None)
        self.norm = nn.LayerNorm(d_model)

    def encode(self, x, mix, convolve):
        return self.norm(x + mix(x))


@torch.no_grad()
def test_a_layer_of_ones_own_runs_and_streams():
    x, chunks = torch.randn(2, 15, 16, dtype=torch.double), DynChunkTrainConfig(4, 1)
    for layer in (BothLayer, MixerLayer):
        kind = type("OwnEncoder", (Encoder,), {"layer_class": layer})
        model = kind(num_layers=2, d_model=16).double().eval()
        state = model.make_state(chunks)
        streamed = torch.cat([model.step(chunk, state) for chunk in x.split(4, dim=1)], dim=1)
        torch.testing.assert_close(streamed, model(x, chunks=chunks), rtol=0, atol=1e-12)
        assert not torch.allclose(model(x), model(x, chunks=chunks))


def test_layers_without_a_mixer_have_none_of_its_modules():
    layer = encoders.ConformerEncoderLayer(8, 8, 1, attention_type="none")
    assert layer.mixer is None
    assert not {"mha_layer", "norm1"} & {name for name, _ in layer.named_children()}
    assert layer.make_state(1, DynChunkTrainConfig(4)).mixer is None
