"""The decoder of TransformerASR: all tokens at once, whole prefixes, one token at a time."""

import pytest
import torch
from speechbrain.decoders import S2STransformerBeamSearcher
from speechbrain.lobes.models.transformer.Transformer import TransformerDecoder
from speechbrain.nnet.linear import Linear
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb import SummaryMixing, TransformerASR
from summarymixing_sb.mixers.heads import HeadLinear
from summarymixing_sb.mixers.reference import reference_summary_mixing
from summarymixing_sb.mixers.summary_mixing import FORMS, PRESETS

PIECES, PAD, WIDTH = 20, 0, 16
ENC_LEN = torch.tensor([30, 18, 5])
TOKENS = torch.tensor([[1, 5, 9, 3, 7, 12, 4], [1, 8, 8, 2, 0, 0, 0], [1, 6, 0, 0, 0, 0, 0]])


def make(**options):
    arguments = {
        "tgt_vocab": PIECES,
        "input_size": 40,
        "d_model": WIDTH,
        "nhead": 2,
        "num_encoder_layers": 1,
        "num_decoder_layers": 2,
        "d_ffn": 32,
        "normalize_before": True,
        "attention_type": "SummaryMixing",
        "decoder_attention_type": "SummaryMixing",
    }
    model = TransformerASR(**arguments | options).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:  # not at its trivial initial value
            torch.nn.init.normal_(parameter, mean=1.0, std=0.3)
    return model


def one_at_a_time(model, tokens, encoder_out, enc_len=None):
    state = model.make_decoder_state(encoder_out, enc_len)
    return torch.stack([model.decode_step(token, state) for token in tokens.T], dim=1)


def log_probs(decoded):
    torch.manual_seed(1)
    return Linear(input_size=WIDTH, n_neurons=PIECES).to(decoded)(decoded).log_softmax(-1)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("nhead", [1, 4])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("form", FORMS)
def test_parallel_equals_one_token_at_a_time(form, preset, nhead, dtype, atol):
    options = {"form": form, "preset": preset}
    model = make(nhead=nhead, mixer_options=options).to(dtype)
    src, wav_len = torch.randn(3, 30, 40, dtype=dtype), ENC_LEN / 30
    with torch.no_grad():
        encoder_out, decoded = model(src, TOKENS, wav_len, pad_idx=PAD)
    steps = one_at_a_time(model, TOKENS, encoder_out, ENC_LEN)
    valid = TOKENS != PAD
    torch.testing.assert_close(
        log_probs(steps)[valid], log_probs(decoded)[valid], rtol=0, atol=atol
    )
    prefixes, _ = model.decode(TOKENS, encoder_out, ENC_LEN)
    torch.testing.assert_close(log_probs(steps), log_probs(prefixes), rtol=0, atol=atol)


@pytest.mark.parametrize(
    "options",
    [{"normalize_before": False}, {"positional_encoding": None}, {"attention_type": "RoPEMHA"}],
    ids=str,
)
def test_steps_follow_the_models_norms_and_positions(options):
    model = make(**options).double()
    encoder_out = torch.randn(3, 30, WIDTH, dtype=torch.double)
    steps = one_at_a_time(model, TOKENS, encoder_out)
    torch.testing.assert_close(steps, model.decode(TOKENS, encoder_out)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("normalize_before", [True, False])
def test_only_the_mixer_differs_from_speechbrains_decoder(normalize_before):
    """SpeechBrain's decoder with the reference mixer in place of its self-attention."""
    ours = make(normalize_before=normalize_before).double().decoder
    theirs = TransformerDecoder(
        num_layers=2, nhead=2, d_ffn=32, d_model=WIDTH, normalize_before=normalize_before
    )
    theirs = theirs.double().eval()
    for layer, our_layer in zip(theirs.layers, ours.layers):
        layer.self_attn = NaiveSelfAttention(our_layer.self_attn)
    weights = {k.replace("self_attn.", "self_attn.mixer."): v for k, v in ours.state_dict().items()}
    theirs.load_state_dict(weights)
    tokens = torch.randn(3, 7, WIDTH, dtype=torch.double)
    speech = torch.randn(3, 30, WIDTH, dtype=torch.double)
    masks = {
        "tgt_key_padding_mask": TOKENS == PAD,
        "memory_key_padding_mask": torch.arange(30) >= ENC_LEN.unsqueeze(1),
    }
    expected, _, expected_attention = theirs(tokens, speech, **masks)
    found, _, attention = ours(tokens, speech, **masks)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(attention, expected_attention, rtol=0, atol=1e-12)


class NaiveSelfAttention(torch.nn.Module):
    """The loop that defines the running mean, called as SpeechBrain calls self-attention."""

    def __init__(self, mixer):
        super().__init__()
        self.mixer = mixer

    def forward(self, query, key, value, attn_mask, key_padding_mask, pos_embs):
        chunks = DynChunkTrainConfig(1, None)
        return reference_summary_mixing(self.mixer, query, key_padding_mask, chunks), None


def test_no_token_sees_a_later_one_or_padding():
    model = make()
    encoder_out = torch.randn(3, 30, WIDTH)
    decoded, attention = model.decode(TOKENS, encoder_out, ENC_LEN)
    changed = TOKENS.clone()
    changed[:, 4:] = 13
    again, _ = model.decode(changed, encoder_out, ENC_LEN)
    torch.testing.assert_close(again[:, :4], decoded[:, :4])
    assert not torch.allclose(again[:, 4:], decoded[:, 4:])
    assert attention.shape == (3, 7, 30)
    assert attention[1, :, 18:].abs().max() == 0

    in_front = torch.tensor([[PAD, PAD, 5, 9]])  # where padding is not read, nothing stands
    masked, _ = model._decode(in_front, encoder_out[:1], tgt_padding_mask=in_front == PAD)
    in_front[0, :2] = torch.tensor([11, 4])
    mask = torch.tensor([[True, True, False, False]])
    other, _ = model._decode(in_front, encoder_out[:1], tgt_padding_mask=mask)
    torch.testing.assert_close(other[:, 2:], masked[:, 2:])


def test_beams_share_their_speech_and_can_be_reordered():
    model = make().double()
    encoder_out = torch.randn(2, 30, WIDTH, dtype=torch.double)
    enc_len = torch.tensor([30, 18])
    prefixes = torch.randint(1, PIECES, (6, 4))  # 2 utterances, 3 beams
    state = model.make_decoder_state(encoder_out, enc_len, beams=3)
    for token in prefixes.T[:3]:
        model.decode_step(token, state)
    index = torch.tensor([2, 0, 0, 4, 4, 3])
    state.reorder(index)
    last = model.decode_step(prefixes[:, 3], state)
    as_if = torch.cat((prefixes[index, :3], prefixes[:, 3:]), dim=1)
    expected, _ = model.decode(
        as_if, encoder_out.repeat_interleave(3, 0), enc_len.repeat_interleave(3)
    )
    torch.testing.assert_close(last, expected[:, -1], rtol=0, atol=1e-12)


def test_state_holds_no_token():
    model = make()
    state = model.make_decoder_state(torch.randn(2, 30, WIDTH), beams=3)
    sizes = []
    for _ in range(5):
        model.decode_step(torch.randint(1, PIECES, (6,)), state)
        sizes.append([tokens.summary.totals.shape for tokens in state.tokens])
    assert sizes[0] == sizes[-1] == [(6, 1, WIDTH)] * 2
    assert state.position == 5


def test_trains():
    model = make(mixer_options={"preset": "speechbrain1.0"}, dropout=0.1).train()
    head = Linear(input_size=WIDTH, n_neurons=PIECES)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=3e-3)
    src, wav_len = torch.randn(3, 30, 40), ENC_LEN / 30
    losses = []
    for _ in range(30):
        _, decoded = model(src, TOKENS[:, :-1], wav_len, pad_idx=PAD)
        loss = torch.nn.functional.cross_entropy(
            head(decoded).transpose(1, 2), TOKENS[:, 1:], ignore_index=PAD
        )
        optimizer.zero_grad()
        loss.backward()
        for name, parameter in model.decoder.named_parameters():
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 0, name
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_stock_searcher_decodes():
    model = make()
    searcher = S2STransformerBeamSearcher(
        modules=[model, Linear(input_size=WIDTH, n_neurons=PIECES)],
        bos_index=1,
        eos_index=2,
        min_decode_ratio=0.0,
        max_decode_ratio=0.3,
        beam_size=4,
    )
    with torch.no_grad():
        hypotheses, _, scores, _ = searcher(torch.randn(3, 30, WIDTH), ENC_LEN / 30)
    assert len(hypotheses) == 3
    assert torch.isfinite(scores).all()


def test_initialisation_of_the_decoders_mixers_survives():
    mixer = make(d_model=256, nhead=8, num_decoder_layers=1).decoder.layers[0].self_attn
    heads = [layer for layer in mixer.modules() if isinstance(layer, HeadLinear)]
    assert len(heads) == 4
    for layer in heads:  # Xavier normal of a (32, 32) block
        assert layer.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)


def test_parameter_names_are_speechbrains_but_for_the_mixer():
    summary, regular = (
        {k for k in make(decoder_attention_type=kind).state_dict() if ".self_attn." not in k}
        for kind in ("SummaryMixing", "regularMHA")
    )
    assert summary == regular


def test_options_reach_the_decoder():
    def mixers(**options):
        return [layer.self_attn for layer in make(**options).decoder.layers]

    for mixer in mixers(mixer_options={"form": "lite"}):
        assert isinstance(mixer, SummaryMixing)
        assert (mixer.form, mixer.nhead) == ("lite", 2)
    by_name = {"SummaryMixing": {"form": "fast"}, "hypermixing": {}}
    for attention_type in ("SummaryMixing", "hypermixing", "RoPEMHA"):
        assert mixers(attention_type=attention_type, mixer_options=by_name)[0].form == "fast"
    mixer = mixers(mixer_options={"summary_hidden": [8, 4], "summary_out": 12})[1]
    assert [layer.weight.shape for layer in mixer.summary[::2]] == [(2, 8, 4), (2, 4, 2), (2, 2, 6)]


@pytest.mark.parametrize("layers", [0, 1])
def test_an_unknown_decoder_is_refused(layers):
    with pytest.raises(ValueError, match="'RoPEMHA': regularMHA or SummaryMixing"):
        make(decoder_attention_type="RoPEMHA", num_decoder_layers=layers)


def test_steps_without_a_decoder_are_refused():
    encoder_out = torch.randn(1, 9, WIDTH)
    with pytest.raises(ValueError, match="no decoder"):
        make(num_decoder_layers=0).make_decoder_state(encoder_out)


@pytest.mark.parametrize("attention", ["regularMHA", "SummaryMixing"])
def test_decoder_nhead_is_the_decoders_alone(attention):
    model = TransformerASR(
        **{"tgt_vocab": 5, "input_size": 8, "d_model": 16, "d_ffn": 16, "num_encoder_layers": 1},
        **{"num_decoder_layers": 1, "encoder_module": "conformer", "nhead": 4},
        attention_type="SummaryMixing",
        decoder_attention_type=attention,
        decoder_nhead=2,
    )
    assert model.encoder.layers[0].mha_layer.nhead == 4
    layer = model.decoder.layers[0]
    cross = layer.multihead_attn
    cross = getattr(cross, "att", cross)
    assert cross.num_heads == 2
    own = layer.self_attn
    assert (own.nhead if attention == "SummaryMixing" else own.att.num_heads) == 2
