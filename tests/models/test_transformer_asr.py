"""TransformerASR as SpeechBrain's recipes use it."""

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml
from speechbrain.decoders import CTCScorer, S2STransformerBeamSearcher, ScorerBuilder
from speechbrain.lobes.models.transformer.TransformerASR import EncoderWrapper
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from torch import nn

from summarymixing_sb import SummaryMixing, TransformerASR
from summarymixing_sb.mixers.heads import HeadLinear

# The call as it stands in SpeechBrain's LibriSpeech recipe, with the class's name changed.
STOCK_YAML = """
d_model: 32
output_neurons: 20
Transformer: !new:summarymixing_sb.TransformerASR
    input_size: 40
    tgt_vocab: !ref <output_neurons>
    d_model: !ref <d_model>
    nhead: 4
    num_encoder_layers: 2
    num_decoder_layers: 1
    d_ffn: 64
    dropout: 0.1
    activation: !name:torch.nn.GELU
    encoder_module: conformer
    attention_type: SummaryMixing
    normalize_before: True
    causal: False
ctc_lin: !new:speechbrain.nnet.linear.Linear
    input_size: !ref <d_model>
    n_neurons: !ref <output_neurons>
seq_lin: !new:speechbrain.nnet.linear.Linear
    input_size: !ref <d_model>
    n_neurons: !ref <output_neurons>
"""


def make(**options):
    arguments = {
        "tgt_vocab": 20,
        "input_size": 40,
        "d_model": 16,
        "nhead": 2,
        "num_encoder_layers": 2,
        "num_decoder_layers": 1,
        "d_ffn": 32,
        "encoder_module": "conformer",
        "attention_type": "SummaryMixing",
        "normalize_before": True,
        "causal": False,
    }
    return TransformerASR(**arguments | options).eval()


def test_a_stock_recipe_trains_a_step_and_searches():
    hparams = load_hyperpyyaml(STOCK_YAML)
    model, ctc_lin, seq_lin = (hparams[name] for name in ("Transformer", "ctc_lin", "seq_lin"))
    parameters = [*model.parameters(), *ctc_lin.parameters(), *seq_lin.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    src, wav_len = torch.randn(3, 50, 20, 2), torch.tensor([1.0, 0.8, 0.5])
    tokens = torch.randint(3, 20, (3, 6))
    tokens_bos = torch.cat((torch.ones(3, 1, dtype=torch.long), tokens), dim=1)
    tokens_eos = torch.cat((tokens, torch.full((3, 1), 2)), dim=1)

    losses = []
    for _ in range(8):
        encoded, decoded = model(src, tokens_bos, wav_len, pad_idx=0)
        ctc = nn.functional.ctc_loss(
            ctc_lin(encoded).log_softmax(-1).transpose(0, 1),
            tokens,
            (wav_len * 50).long(),
            torch.full((3,), 6),
        )
        seq = nn.functional.cross_entropy(seq_lin(decoded).flatten(0, 1), tokens_eos.flatten())
        loss = 0.3 * ctc + 0.7 * seq
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]

    searcher = S2STransformerBeamSearcher(
        modules=[model.eval(), seq_lin],
        bos_index=1,
        eos_index=2,
        min_decode_ratio=0.0,
        max_decode_ratio=1.0,
        beam_size=4,
        scorer=ScorerBuilder(
            full_scorers=[CTCScorer(ctc_fc=ctc_lin, blank_index=0, eos_index=2)],
            weights={"ctc": 0.4},
        ),
    )
    with torch.no_grad():
        hypotheses, _, scores, _ = searcher(model.encode(src, wav_len), wav_len)
    assert len(hypotheses) == 3
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize("encoder", ["branchformer", "conformer", "transformer"])
def test_with_and_without_decoder_and_lengths(encoder):
    src, tgt = torch.randn(2, 30, 40), torch.randint(1, 20, (2, 5))
    for wav_len in (None, torch.tensor([1.0, 0.6])):
        encoded, decoded = make(encoder_module=encoder)(src, tgt, wav_len)
        assert encoded.shape == (2, 30, 16)
        assert decoded.shape == (2, 5, 16)
        ctc_only = make(encoder_module=encoder, num_decoder_layers=0)
        encoded, attention = ctc_only(src, None, wav_len)
        assert encoded.shape == (2, 30, 16)
        assert attention == []
        torch.testing.assert_close(ctc_only.encode(src, wav_len), encoded)


def test_forward_and_decode_agree():
    model = make()
    src, tgt = torch.randn(2, 30, 40), torch.randint(1, 20, (2, 5))
    wav_len = torch.tensor([1.0, 0.6])
    encoded, decoded = model(src, tgt, wav_len)
    prediction, attention = model.decode(tgt, encoded, enc_len=torch.tensor([30, 18]))
    torch.testing.assert_close(prediction, decoded)
    assert attention.shape == (2, 5, 30)
    assert attention[1, :, 18:].abs().max() == 0


def test_hidden_states_and_chunks():
    model = make(output_hidden_states=True)
    src, tgt = torch.randn(2, 30, 40), torch.randint(1, 20, (2, 5))
    encoded, hidden_states, _ = model(src, tgt)
    assert len(hidden_states) == 3
    in_chunks, _ = model.encode(src, dynchunktrain_config=DynChunkTrainConfig(8, 1))
    assert not torch.allclose(encoded, in_chunks)


def test_encoder_wrapper_of_speechbrain():
    model = make()
    src, wav_len = torch.randn(2, 30, 40), torch.tensor([1.0, 0.6])
    torch.testing.assert_close(EncoderWrapper(model)(src, wav_len), model.encode(src, wav_len))


def test_initialisation_of_mixers_survives():
    model = make(d_model=256, nhead=8, num_encoder_layers=1)
    mixer = model.encoder.layers[0].mha_layer
    heads = [layer for layer in mixer.modules() if isinstance(layer, HeadLinear)]
    assert len(heads) == 4
    for layer in heads:  # Xavier normal of a (32, 32) block
        assert layer.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    joined = torch.cat((mixer.combine_local.weight, mixer.combine_summary.weight), dim=1)
    assert joined.std().item() == pytest.approx((2 / (512 + 256)) ** 0.5, rel=0.05)


def test_mixer_options_may_stand_under_names_of_mixers():
    by_name = {"SummaryMixing": {"form": "lite"}, "hypermixing": {}}
    mixer = make(mixer_options=by_name).encoder.layers[0].mha_layer
    assert isinstance(mixer, SummaryMixing)
    assert mixer.form == "lite"
    make(attention_type="RoPEMHA", mixer_options=by_name)
    assert make(mixer_options={"form": "fast"}).encoder.layers[0].mha_layer.form == "fast"


def test_frames_beyond_speechbrains_table_of_positions():
    model = make(d_model=4, nhead=1)
    src = torch.randn(1, 1, 40).expand(1, 7500, 40)
    with torch.no_grad():
        positions = model.positional_encoding(model.custom_src_module(src))
        assert positions.shape == (1, 7500, 4)
        assert not torch.allclose(positions[:, 2499], positions[:, 7499])
        assert model.encode(src).shape == (1, 7500, 4)


class Constant(torch.nn.Module):
    """In place of sinusoids, it shows where they are added."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full_like(x, self.value)


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("decoder", [True, False])
def test_positions_of_encoder_and_decoder_apart(encoder, decoder):
    model = make(encoder_positions=encoder, decoder_positions=decoder).eval()
    model._sinusoids, model.positional_encoding_decoder = Constant(0.25), Constant(0.5)
    added = []
    model.encoder.register_forward_pre_hook(lambda _, args: added.append(args[0]))
    model.decoder.register_forward_pre_hook(lambda _, args: added.append(args[0]))
    src, tokens = torch.randn(1, 9, 40), torch.tensor([[1, 4, 2]])
    model(src, tokens)
    frames, embedded = model.custom_src_module(src), model.custom_tgt_module(tokens)
    torch.testing.assert_close(added[0], frames + 0.25 * encoder)
    torch.testing.assert_close(added[1], embedded + 0.5 * decoder)


def test_speechbrains_argument_is_for_both_positions():
    for positions in ("fixed_abs_sine", None):
        model = make(positional_encoding=positions)
        assert bool(model._encoder_positions) == (positions is not None)
        assert model._decoder_has_positions == (positions is not None)


def test_attention_without_positions_is_named(caplog):
    make(attention_type="regularMHA", encoder_positions=False)
    assert "regularMHA is built without positions" in caplog.text
    caplog.clear()
    make(encoder_positions=False)
    make(attention_type="RelPosMHAXL", encoder_positions=False)
    assert not caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder_module": "zipformer"}, "branchformer, conformer, transformer"),
        ({"attention_type": "Mamba"}, "Unknown mixer 'Mamba'"),
        ({"positional_encoding": "learned"}, "'fixed_abs_sine' or None"),
        ({"num_encoder_layers": -1}, "num_encoder_layers must be 0 or more, not -1"),
        ({"attention_type": "hypermixing", "causal": True}, "cannot be causal"),
        ({"mixer_options": {"presets": "x"}}, "no option 'presets'"),
        ({"attention_type": "RoPEMHA", "mixer_options": {"form": "lite"}}, "no option 'form'"),
    ],
)
def test_what_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_tokens_without_a_decoder_are_refused():
    model = make(num_decoder_layers=0)
    with pytest.raises(ValueError, match="no decoder"):
        model(torch.randn(1, 9, 40), torch.ones(1, 2, dtype=torch.long))
