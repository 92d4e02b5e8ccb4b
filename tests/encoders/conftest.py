"""Small models of every kind."""

import pytest
import torch
from speechbrain.nnet.attention import RelPosEncXL

from summarymixing_sb.encoders import BranchformerEncoder, ConformerEncoder, TransformerEncoder
from summarymixing_sb.mixers import NoMixer  # noqa: F401  registers the mixers
from summarymixing_sb.registry import list_mixers, mixer_class

D_MODEL = 16
SIZES = {"num_layers": 2, "d_model": D_MODEL, "nhead": 2}

ENCODERS = {
    "branchformer": lambda **o: BranchformerEncoder(
        **SIZES, kernel_size=7, csgu_linear_units=24, **o
    ),
    "conformer": lambda **o: ConformerEncoder(**SIZES, d_ffn=32, kernel_size=7, **o),
    "transformer": lambda **o: TransformerEncoder(**SIZES, d_ffn=32, **o),
}

PAIRS = [
    (encoder, mixer)
    for encoder in ENCODERS
    for mixer in list_mixers()
    if (encoder, mixer) != ("transformer", "none")
]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request):
    """Every encoder with every mixer, as (name of the encoder, name of the mixer)."""
    return request.param


@pytest.fixture
def build():
    """Build an encoder; random biases and norms, so that no path is switched off."""

    def build(encoder, mixer, **options):
        model = ENCODERS[encoder](attention_type=mixer, **options).eval()
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                torch.nn.init.normal_(parameter, std=0.3)
        return model

    return build


@pytest.fixture
def run():
    """Run an encoder on (B, T, D) frames, with the positions that its mixer asks for."""

    def run(model, x, padding_mask=None, chunks=None):
        relative = mixer_class(model.attention_type).position == "relative"
        positions = RelPosEncXL(D_MODEL)(x) if relative else None
        return model(x, padding_mask, chunks, positions)

    return run
