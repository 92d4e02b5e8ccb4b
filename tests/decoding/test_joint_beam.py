"""The beam search that takes one token at a time against SpeechBrain's, over whole prefixes."""

import pytest
import sentencepiece
import torch
from speechbrain.decoders import CTCScorer, S2STransformerBeamSearcher, TransformerLMScorer
from speechbrain.lobes.models.transformer.TransformerLM import TransformerLM
from speechbrain.nnet.linear import Linear

from summarymixing_sb import TransformerASR
from summarymixing_sb.decoding import scorers, searchers
from summarymixing_sb.decoding.build import build_decoder

EOS = 2


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """One of 84 characters, so that a beam of 66 is no wider than that."""
    prefix = str(tmp_path_factory.mktemp("characters") / "char")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["".join(map(chr, range(0x410, 0x460)))] * 9),
        **{"model_prefix": prefix, "model_type": "char", "vocab_size": 84, "minloglevel": 2},
        **{"unk_id": 0, "bos_id": 1, "eos_id": EOS, "pad_id": -1, "hard_vocab_limit": False},
    )
    return sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")


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
        modules["seq_lin"].w.bias[EOS] = 2.0  # ends soon enough
    return modules.eval()


def small_lm(vocab, **options):
    return TransformerLM(vocab, d_model=16, nhead=2, num_encoder_layers=2, d_ffn=32, **options)


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


class OverPrefixes(S2STransformerBeamSearcher):
    """SpeechBrain's search, and the step for the end that ours has."""

    def change_max_decoding_length(self, min_decode_steps, max_decode_steps):
        return min_decode_steps, max_decode_steps + 1


@pytest.fixture
def prefix_search(monkeypatch):
    """Build decoders that search and score as SpeechBrain does."""

    def build(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr(searchers, "OneTokenAtATime", OverPrefixes)
            patch.setattr(searchers, "CTCScorer", CTCScorer)
            patch.setattr(searchers, "language_model_scorer", TransformerLMScorer)
            return build_decoder("joint_beam", *arguments)

    return build


@pytest.mark.parametrize("with_lm", [False, True])
@pytest.mark.parametrize("ctc_weight", [0.0, 0.4])
@pytest.mark.parametrize("beam", [1, 10, 66])
@pytest.mark.parametrize(
    "options",
    [
        {"mixer_options": {"preset": "interspeech2024"}},
        {"mixer_options": {"preset": "speechbrain1.0"}},
        {"decoder_attention_type": "regularMHA"},
        {"decoder_attention_type": "regularMHA", "normalize_before": True, "decoder_nhead": 4},
    ],
    ids=["summary", "summary-1.0", "attention", "attention-first"],
)
def test_equals_the_search_over_prefixes(
    options, beam, ctc_weight, with_lm, tokenizer, tmp_path, prefix_search
):
    vocab = tokenizer.get_piece_size()
    values = hparams(beam, ctc_weight)
    if with_lm:
        shape = {"d_embedding": 8, "normalize_before": True} if beam == 10 else {}
        torch.save(small_lm(vocab, **shape).state_dict(), tmp_path / "lm.ckpt")
        values |= {
            "lm_source": str(tmp_path),
            "lm_model": lambda: small_lm(vocab, **shape),
            "lm_weight": 0.6,
            "lm_temperature": 1.3,
        }
    modules = build_modules(vocab, **options)
    encoder_out, frames = torch.randn(4, 18, 16), torch.tensor([18, 12, 7, 1])
    expected, expected_scores = prefix_search(values, modules, tokenizer).search(
        encoder_out, frames
    )
    decoder = build_decoder("joint_beam", values, modules, tokenizer)
    found, scores = decoder.search(encoder_out, frames)
    assert found == expected
    torch.testing.assert_close(scores, expected_scores, rtol=0, atol=1e-5)
    assert any(found)
    written = decoder(encoder_out, modules["ctc_lin"](encoder_out).log_softmax(-1), frames)
    assert written == [decoder.detokenizer.writable(ids) for ids in found]


@pytest.mark.parametrize("decoder_attention_type", ["SummaryMixing", "regularMHA"])
def test_takes_one_token_at_a_time_and_no_prefix(tokenizer, monkeypatch, decoder_attention_type):
    modules = build_modules(tokenizer.get_piece_size(), decoder_attention_type)
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


def test_a_language_model_of_another_kind_is_given_whole_prefixes(tokenizer, tmp_path):
    vocab = tokenizer.get_piece_size()
    layers = {"num_encoder_layers": 1, "num_decoder_layers": 1, "decoder_use_memory": True}
    lm = TransformerLM(vocab, d_model=16, nhead=2, d_ffn=32, **layers).eval()
    assert type(scorers.language_model_scorer(lm, 1.0)) is TransformerLMScorer
    assert type(scorers.language_model_scorer(small_lm(vocab), 1.0)) is scorers.TransformerLMScorer


def test_more_tokens_than_a_language_model_has_positions(tokenizer):
    scorer = scorers.language_model_scorer(small_lm(12, max_length=2), 1.0)
    memory = None
    for _ in range(2):
        _, memory = scorer.score(torch.tensor([3]), memory, None, None)
    with pytest.raises(ValueError, match="knows 2 positions"):
        scorer.score(torch.tensor([3]), memory, None, None)


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
