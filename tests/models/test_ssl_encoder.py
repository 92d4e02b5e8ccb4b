"""Pre-trained encoders: as Hugging Face computes them, and with mixers in their layers."""

import pytest
import torch
from tiny_ssl import make_ssl

from summarymixing_sb.lengths import to_relative
from summarymixing_sb.models.ssl_encoder import Samples, SSLEncoder, WaveformFrontEnd

pytest.importorskip("transformers")
WINDOW = {"SummaryMixing": {"pooling": "window", "window": 3}}


@pytest.fixture(scope="module", params=["Wav2Vec2", "Hubert"])
def source(request, tmp_path_factory):
    return make_ssl(tmp_path_factory.mktemp(request.param), request.param)


def load(source):
    from speechbrain.integrations.huggingface.wav2vec2 import Wav2Vec2

    return Wav2Vec2(source, source)


def encode(front_end, encoder, signals, samples):
    frames = samples // 320 + 1
    features = front_end(Samples()(signals), frames)
    return encoder(features, None, to_relative(frames, features.shape[1]))[0]


def build(source, replaced):
    ssl = load(source)
    torch.manual_seed(1)
    encoder = SSLEncoder(ssl, replaced, nhead=1, mixer_options=WINDOW).eval()
    return WaveformFrontEnd(ssl).eval(), encoder


def test_nothing_replaced_is_the_model_itself(source):
    front_end, encoder = build(source, [])
    signals = torch.randn(2, 320 * 40)
    ours = encode(front_end, encoder, signals, torch.tensor([320 * 40] * 2))
    samples = torch.nn.functional.pad(signals, (0, 320))
    samples = torch.nn.functional.layer_norm(samples, samples.shape[1:])
    theirs = load(source).model.eval()(torch.nn.functional.pad(samples, (0, 80)))
    assert torch.allclose(ours, theirs.last_hidden_state, atol=1e-4)


@pytest.mark.parametrize("replaced", [[], [1], "all"], ids=str)
def test_an_utterance_alone_and_in_a_batch(source, replaced):
    front_end, encoder = build(source, replaced)
    long, short = torch.randn(16000), torch.randn(8000)
    alone = encode(front_end, encoder, short[None], torch.tensor([8000]))
    batch = torch.stack([torch.nn.functional.pad(short, (0, 8000)), long])
    together = encode(front_end, encoder, batch, torch.tensor([8000, 16000]))
    assert torch.allclose(alone[0], together[0, : alone.shape[1]], atol=1e-4)


def test_only_the_new_parts_are_new(source):
    _, encoder = build(source, [0, -1])
    names = {name for name, _ in encoder.named_parameters()}
    assert {name.split(".")[0] for name in names} == {"projection", "encoder", "mixers"}
    assert not any("layers.0.attention" in name or "layers.2.attention" in name for name in names)
    assert any("layers.1.attention.q_proj" in name for name in names)
    assert {name.split(".")[1] for name in names if name.startswith("mixers")} == {"0", "1"}


def test_no_mask_of_pairs_where_no_attention_is_left(source, monkeypatch):
    front_end, encoder = build(source, "all")
    seen = []
    for layer in encoder.encoder.layers:
        layer.register_forward_pre_hook(
            lambda module, args, options: seen.append(options["attention_mask"]), with_kwargs=True
        )
    encode(front_end, encoder, torch.randn(2, 16000), torch.tensor([16000, 8000]))
    assert seen == [None] * 3


@pytest.mark.parametrize("layers", [[3], [0, 0], [0, -3]])
def test_layers_that_are_not_there(source, layers):
    with pytest.raises(ValueError, match="replaced_layers: give all, or different layers"):
        build(source, layers)


def test_it_has_no_chunks(source):
    _, encoder = build(source, [])
    with pytest.raises(ValueError, match="no chunks"):
        encoder(torch.randn(1, 10, 16), None, None, dynchunktrain_config=object())


def test_mixers_take_turns_over_the_replaced_layers(source):
    names = "SummaryMixing,none"
    encoder = SSLEncoder(load(source), "all", names, mixer_options=WINDOW)
    kinds = [type(mixer).__name__ for mixer in encoder.mixers]
    assert kinds[0] == kinds[2] == "SummaryMixing" != kinds[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention_type": "RelPosMHAXL", "nhead": 4}, "RelPosMHAXL needs relative positions"),
        ({"mixer_options": {"SummaryMixing": {"windows": 3}}}, "no option 'windows'"),
    ],
)
def test_mixers_that_cannot_be(source, options, message):
    with pytest.raises(ValueError, match=message):
        SSLEncoder(load(source), **options)


def test_frames_are_those_of_the_model():
    with pytest.raises(
        ValueError, match="wants sample_rate 16000 and hop_length 20, not 16000 and 10"
    ):
        Samples(16000, 10)
