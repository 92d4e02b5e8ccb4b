"""The beam search from (sum, count) against the same search over whole prefixes."""

import pytest
import torch
from speechbrain.lobes.models.transformer.TransformerLM import TransformerLM
from speechbrain.nnet.linear import Linear

from summarymixing_sb import TransformerASR
from summarymixing_sb.decoding import searchers
from summarymixing_sb.decoding.build import build_decoder

EOS = 2


def build_modules(vocab, decoder_attention_type="SummaryMixing", **options):
    """A model with spread-out outputs, so that hypotheses differ clearly."""
    transformer = TransformerASR(
        vocab, 16, 16, 2, 1, 2, 32, dropout=0.0, attention_type="SummaryMixing",
        decoder_attention_type=decoder_attention_type, **options,
    )  # fmt: skip
    modules = torch.nn.ModuleDict(
        {
            "Transformer": transformer,
            "seq_lin": Linear(input_size=16, n_neurons=vocab),
            "ctc_lin": Linear(input_size=16, n_neurons=vocab),
        }
    )
    with torch.no_grad():
        for name in ("seq_lin", "ctc_lin"):
            modules[name].w.weight.mul_(3)
        modules["seq_lin"].w.bias[EOS] = 3.0  # ends soon enough
    return modules.eval()


def small_lm(vocab):
    return TransformerLM(vocab=vocab, d_model=16, nhead=2, num_encoder_layers=1, d_ffn=32)


def hparams(beam, ctc_weight, **changes):
    values = {
        "blank_index": 0,
        "bos_index": 1,
        "eos_index": EOS,
        "test_beam_size": beam,
        "ctc_weight_decode": ctc_weight,
        "lm_source": None,
    }
    return {**values, **changes}


@pytest.fixture
def prefix_search(monkeypatch):
    """Build decoders that search as for self-attention, over whole prefixes."""

    def build(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr(searchers, "_OneTokenAtATime", searchers._OneStepForTheEnd)
            return build_decoder("joint_beam", *arguments)

    return build


@pytest.mark.parametrize("with_lm", [False, True])
@pytest.mark.parametrize("ctc_weight", [0.0, 0.4])
@pytest.mark.parametrize("beam", [1, 3, 8])
@pytest.mark.parametrize("preset", ["interspeech2024", "speechbrain1.0"])
def test_equals_the_search_over_prefixes(
    preset, beam, ctc_weight, with_lm, tokenizer, tmp_path, prefix_search
):
    vocab = tokenizer.get_piece_size()
    values = hparams(beam, ctc_weight)
    if with_lm:
        torch.save(small_lm(vocab).state_dict(), tmp_path / "lm.ckpt")
        values |= {
            "lm_source": str(tmp_path),
            "lm_model": lambda: small_lm(vocab),
            "lm_weight": 0.6,
            "lm_temperature": 1.0,
        }
    modules = build_modules(vocab, mixer_options={"preset": preset})
    encoder_out, frames = torch.randn(4, 18, 16), torch.tensor([18, 12, 7, 1])
    expected, expected_scores = prefix_search(values, modules, tokenizer).search(
        encoder_out, frames
    )
    decoder = build_decoder("joint_beam", values, modules, tokenizer)
    found, scores = decoder.search(encoder_out, frames)
    assert found == expected
    torch.testing.assert_close(scores, expected_scores, rtol=0, atol=1e-5)
    assert len({len(ids) for ids in found}) > 1  # hypotheses of several lengths
    written = decoder(encoder_out, modules["ctc_lin"](encoder_out).log_softmax(-1), frames)
    assert written == [decoder.detokenizer.writable(ids) for ids in found]


def test_takes_one_token_at_a_time_and_no_prefix(tokenizer, monkeypatch):
    vocab = tokenizer.get_piece_size()
    modules = build_modules(vocab)
    calls = []

    def watch(name):
        method = getattr(TransformerASR, name)

        def called(self, tokens, *arguments):
            calls.append((name, tuple(tokens.shape)))
            return method(self, tokens, *arguments)

        monkeypatch.setattr(TransformerASR, name, called)

    watch("decode")
    watch("decode_step")
    search = build_decoder("joint_beam", hparams(3, 0.4), modules, tokenizer).search
    search(torch.randn(2, 9, 16), torch.tensor([9, 4]))
    assert set(calls) == {("decode_step", (6,))}

    calls.clear()
    regular = build_modules(vocab, "regularMHA")
    search = build_decoder("joint_beam", hparams(3, 0.4), regular, tokenizer).search
    search(torch.randn(2, 9, 16), torch.tensor([9, 4]))
    assert calls[0] == ("decode", (6, 1))
    assert {name for name, _ in calls} == {"decode"}


def test_batch_and_padding_do_not_matter(tokenizer):
    modules = build_modules(tokenizer.get_piece_size())
    search = build_decoder("joint_beam", hparams(4, 0.3), modules, tokenizer).search
    encoder_out = torch.randn(3, 12, 16)
    frames = torch.tensor([12, 8, 5])
    for row, count in zip(encoder_out, frames):
        row[count:] = 50.0  # nothing that a decoder may read
    together, scores = search(encoder_out, frames)
    for index, count in enumerate(frames):
        alone, score = search(encoder_out[index : index + 1, :count], count[None])
        assert alone[0] == together[index]
        torch.testing.assert_close(score[0], scores[index], rtol=0, atol=1e-5)


def test_half_precision_and_one_frame(tokenizer):
    vocab = tokenizer.get_piece_size()
    decoder = build_decoder("joint_beam", hparams(2, 0.4), build_modules(vocab), tokenizer)
    inputs = torch.randn(3, 1, 16).bfloat16()
    log_probs = torch.zeros(3, 1, vocab)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = decoder(inputs, log_probs, torch.tensor([1, 0, 0]))
    assert found[1:] == [[], []]  # no frame, no words
