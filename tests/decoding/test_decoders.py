"""Decoders on small models whose right answers are known or can be computed another way."""

import itertools
import math
from types import SimpleNamespace

import pytest
import sentencepiece
import torch
from speechbrain.decoders import ctc_greedy_decode
from speechbrain.lobes.models.transformer.TransformerLM import TransformerLM
from speechbrain.nnet.linear import Linear

from summarymixing_sb import TransformerASR
from summarymixing_sb.decoding.build import METHODS, build_decoder
from summarymixing_sb.decoding.language_model import sequence_log_probs
from summarymixing_sb.decoding.text import Detokenizer

BLANK, BOS, EOS = 0, 1, 2
SENTENCES = [
    "THE CAT SAT ON THE MAT",
    "A DOG RAN TO THE OLD BARN",
    "THE RAIN FELL ALL NIGHT LONG",
    "SHE READ A LETTER TO THE CAT",
    "ALL THE BELLS RANG OVER THE TOWN",
]
KINDS = {"unigram": 40, "bpe": 40, "char": 26}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request, tmp_path_factory):
    return train_tokenizer(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def bpe(tmp_path_factory):
    return train_tokenizer(tmp_path_factory.mktemp("bpe"), "bpe")


def train_tokenizer(folder, kind):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_prefix=str(folder / kind),
        model_type=kind,
        vocab_size=KINDS[kind],
        hard_vocab_limit=False,
        unk_id=BLANK,
        bos_id=BOS,
        eos_id=EOS,
        pad_id=-1,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{kind}.model"))


def hparams(**changes):
    values = {
        "blank_index": BLANK,
        "bos_index": BOS,
        "eos_index": EOS,
        "valid_beam_size": 2,
        "test_beam_size": 4,
        "ctc_weight_decode": 0.4,
        "lm_source": None,
        "lm_weight": 0.6,
        "lm_temperature": 1.0,
    }
    return SimpleNamespace(**{**values, **changes})


def build_modules(vocab, d_model=16):
    """A CTC/attention model with spread-out outputs, so that hypotheses differ clearly."""
    transformer = TransformerASR(
        vocab, d_model, d_model, 2, 1, 1, 32, dropout=0.0, attention_type="SummaryMixing"
    )
    modules = torch.nn.ModuleDict(
        {
            "Transformer": transformer,
            "seq_lin": Linear(input_size=d_model, n_neurons=vocab),
            "ctc_lin": Linear(input_size=d_model, n_neurons=vocab),
        }
    )
    with torch.no_grad():
        for name in ("seq_lin", "ctc_lin"):
            modules[name].w.weight.mul_(3)
        modules["seq_lin"].w.bias[EOS] = 3.0  # ends soon enough
    return modules.eval()


def ctc_log_probs(modules, encoder_out):
    with torch.no_grad():
        return modules["ctc_lin"](encoder_out).log_softmax(-1)


def frames_of(ids, vocab, repeat=2, peak=0.98):
    """Peaky posteriors: each id for `repeat` frames, then a blank."""
    path = [index for token in ids for index in [token] * repeat + [BLANK]]
    probs = torch.full((len(path), vocab), (1 - peak) / (vocab - 1))
    probs[torch.arange(len(path)), path] = peak
    return probs.log()


def batch_of(utterances):
    """Pad frames with confident rubbish that a decoder must not read."""
    longest = max(len(utterance) for utterance in utterances) + 3
    vocab = utterances[0].shape[1]
    batch = frames_of([vocab - 1], vocab, repeat=longest)[:longest].repeat(len(utterances), 1, 1)
    for row, utterance in zip(batch, utterances):
        row[: len(utterance)] = utterance
    return batch, torch.tensor([len(utterance) for utterance in utterances])


@pytest.mark.parametrize("method", ["ctc_greedy", "ctc_prefix_beam"])
def test_ctc_writes_the_words_of_every_tokenizer(tokenizer, method):
    texts = [*SENTENCES, "", "TOTO"]  # repeated pieces need their blank
    vocab = tokenizer.get_piece_size()
    batch, frames = batch_of([frames_of(tokenizer.encode(text), vocab) for text in texts])
    decoder, words = build_decoder(method, hparams(), {}, tokenizer), Detokenizer(tokenizer).words
    found = decoder(None, batch, frames)
    assert found == [tokenizer.encode(text) for text in texts]
    assert [words(ids) for ids in found] == [text.split() for text in texts]


@pytest.mark.parametrize("method", ["ctc_greedy", "ctc_prefix_beam"])
def test_control_and_unknown_pieces_are_not_written(bpe, method):
    ids = [BOS, *bpe.encode("THE CAT"), EOS]
    batch = frames_of(ids, bpe.get_piece_size())[None]
    decoder = build_decoder(method, hparams(), {}, bpe)
    assert decoder(None, batch, torch.tensor([batch.shape[1]])) == [bpe.encode("THE CAT")]


@pytest.mark.parametrize("method", ["ctc_greedy", "ctc_prefix_beam"])
def test_last_frame_is_read_whatever_the_length(bpe, method):
    """SpeechBrain's lengths are float32: length * frames can fall short of a whole number."""
    vocab, total = bpe.get_piece_size(), 59
    log_probs = frames_of([BLANK], vocab, repeat=total)[:total].repeat(total, 1, 1)
    piece = frames_of(bpe.encode("A")[:1], vocab)[0]
    for count in range(1, total + 1):
        log_probs[count - 1, count - 1] = piece
    frames = torch.arange(1, total + 1)
    assert ((frames / total * total).int() < frames).any()
    decoder = build_decoder(method, hparams(), {}, bpe)
    assert decoder(None, log_probs, frames) == [bpe.encode("A")[:1]] * total


def two_frames(vocab, piece):
    """Blank is the best of both frames (0.6 against 0.4), but the piece is likelier on the whole.

    p(nothing) = 0.6 * 0.6 = 0.36; p(piece) = 0.4 * 0.6 + 0.6 * 0.4 + 0.4 * 0.4 = 0.64.
    """
    probs = torch.full((1, 2, vocab), 1e-9)
    probs[..., BLANK], probs[..., piece] = 0.6, 0.4
    return probs.log()


def test_prefix_beam_sums_paths_that_greedy_does_not(bpe):
    piece = bpe.piece_to_id("▁THE")
    log_probs = two_frames(bpe.get_piece_size(), piece)
    greedy = build_decoder("ctc_greedy", hparams(), {}, bpe)
    beam = build_decoder("ctc_prefix_beam", hparams(), {}, bpe)
    frames = torch.tensor([2])
    assert greedy(None, log_probs, frames) == [[]]
    assert beam(None, log_probs, frames) == [[piece]]
    ids, score = beam.search(log_probs, frames)[0][0]
    assert ids == [piece]
    assert score == pytest.approx(math.log(0.64), abs=1e-5)


def test_prefix_beam_finds_the_best_sequence_of_all(bpe):
    """Against every piece sequence over 4 pieces and 4 frames, summed by torch's CTC loss."""
    vocab, pieces = bpe.get_piece_size(), [5, 6, 7, 8]
    logits = torch.full((6, 4, vocab), -30.0)
    logits[..., [BLANK, *pieces]] = torch.randn(6, 4, 5)
    log_probs = logits.log_softmax(-1)
    found = build_decoder("ctc_prefix_beam", hparams(test_beam_size=200), {}, bpe).search(
        log_probs, torch.full((6,), 4)
    )
    candidates = [list(ids) for size in range(5) for ids in itertools.product(pieces, repeat=size)]
    for utterance, ((ids, score), *_) in zip(log_probs, found):
        totals = [ctc_total(utterance, candidate) for candidate in candidates]
        assert score == pytest.approx(max(totals), abs=1e-4)
        assert ids == candidates[totals.index(max(totals))]


def ctc_total(log_probs, ids):
    return -torch.nn.functional.ctc_loss(
        log_probs[:, None],
        torch.tensor([ids], dtype=torch.long).reshape(1, -1),
        torch.tensor([len(log_probs)]),
        torch.tensor([len(ids)]),
        reduction="sum",
    ).item()


@pytest.fixture
def model(bpe):
    torch.manual_seed(1)
    modules = build_modules(bpe.get_piece_size())
    return modules, torch.randn(3, 9, 16), torch.tensor([9, 6, 4])


def joint_score(modules, encoder_out, ids, ctc_weight, lm=None, lm_weight=0.0):
    """Score one hypothesis by teacher forcing, without any search."""
    tgt = torch.tensor([[BOS, *ids]])
    with torch.no_grad():
        hidden, _ = modules["Transformer"].decode(tgt, encoder_out[None])
        steps = modules["seq_lin"](hidden)[0].log_softmax(-1)
    attention = sum(steps[i, token].item() for i, token in enumerate([*ids, EOS]))
    total = (1 - ctc_weight) * attention
    if ctc_weight:
        total += ctc_weight * ctc_total(ctc_log_probs(modules, encoder_out), ids)
    if lm is not None:
        total += lm_weight * sequence_log_probs(lm, [ids], BOS, EOS).item()
    return total / (len(ids) + 1)


@pytest.mark.parametrize("ctc_weight", [0.0, 0.4])
@pytest.mark.parametrize("with_lm", [False, True])
def test_joint_beam_scores_equal_teacher_forcing(bpe, model, lm_folder, ctc_weight, with_lm):
    modules, encoder_out, counts = model
    folder, lm = lm_folder
    values = hparams(
        ctc_weight_decode=ctc_weight,
        lm_source=str(folder) if with_lm else None,
        lm_model=lambda: small_lm(bpe),
    )
    found, scores = build_decoder("joint_beam", values, modules, bpe).search(encoder_out, counts)
    checked = 0
    for ids, score, frames, count in zip(found, scores, encoder_out, counts):
        frames = frames[:count]
        if len(ids) >= 9:  # without CTC, cut at the longest length and without an end
            continue
        expected = joint_score(modules, frames, ids, ctc_weight, lm if with_lm else None, 0.6)
        assert score.item() == pytest.approx(expected, abs=1e-4)
        checked += 1
    assert checked >= 2


def test_joint_beam_is_at_least_as_good_as_greedy(bpe, model):
    modules, encoder_out, frames = model
    wide = build_decoder("joint_beam", hparams(test_beam_size=4), modules, bpe)
    greedy = build_decoder("joint_beam", hparams(test_beam_size=1), modules, bpe)
    _, best = wide.search(encoder_out, frames)
    _, first = greedy.search(encoder_out, frames)
    assert (best >= first - 1e-5).all()
    assert (best > first + 1e-3).any()


@pytest.mark.parametrize("method", METHODS)
def test_batch_and_padding_do_not_matter(bpe, model, method):
    modules, encoder_out, frames = model
    decoder = build_decoder(method, hparams(), modules, bpe)
    encoder_out = torch.cat([encoder_out, torch.full((3, 2, 16), 50.0)], dim=1)  # all shorter
    together = decoder(encoder_out, ctc_log_probs(modules, encoder_out), frames)
    for index, count in enumerate(frames):
        alone = encoder_out[index : index + 1, :count]
        found = decoder(alone, ctc_log_probs(modules, alone), count[None])
        assert found == together[index : index + 1]
    assert any(together)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_and_one_frame(bpe, model, method, dtype):
    modules, encoder_out, _ = model
    decoder = build_decoder(method, hparams(), modules, bpe)
    inputs = encoder_out[:, :1].to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = decoder(
            inputs, ctc_log_probs(modules, inputs.float()).to(dtype), torch.tensor([1, 0, 0])
        )
    assert found[1:] == [[], []]  # no frame, no words


def test_stage_chooses_beam_and_language_model(bpe, model):
    modules, *_ = model
    values = hparams(lm_source="/nowhere", lm_model=lambda: small_lm(bpe))
    assert build_decoder("joint_beam", values, modules, bpe, "valid").searcher.beam_size == 2
    assert build_decoder("joint_beam", hparams(), modules, bpe).searcher.beam_size == 4
    build_decoder("ctc_greedy", values, modules, bpe, "valid")
    with pytest.raises(FileNotFoundError, match="/nowhere"):
        build_decoder("joint_beam", values, modules, bpe, "test")


def small_lm(tokenizer):
    return TransformerLM(
        vocab=tokenizer.get_piece_size(), d_model=16, nhead=2, num_encoder_layers=1, d_ffn=32
    )


@pytest.fixture
def lm_folder(bpe, tmp_path):
    torch.manual_seed(2)
    lm = small_lm(bpe).eval()
    with torch.no_grad():
        lm.output_proj.layers[-1].w.bias[EOS] = 3.0  # as the decoder
    torch.save(lm.state_dict(), tmp_path / "lm.ckpt")
    return tmp_path, lm


def likes(lm, piece):
    """Make a language model give almost all its probability to one piece."""
    with torch.no_grad():
        lm.output_proj.layers[-1].w.weight.zero_()
        lm.output_proj.layers[-1].w.bias.fill_(-10.0)
        lm.output_proj.layers[-1].w.bias[piece] = 0.0
    return lm


@pytest.mark.parametrize("method", ["ctc_prefix_beam", "joint_beam"])
def test_language_model_weight_flips_the_winner(bpe, lm_folder, method):
    folder, lm = lm_folder
    first, second = bpe.piece_to_id("▁THE"), bpe.piece_to_id("▁A")
    torch.save(likes(lm, second).state_dict(), folder / "lm.ckpt")
    modules = build_modules(bpe.get_piece_size())
    with torch.no_grad():  # both heads prefer `first`, whatever they hear; the decoder then ends
        modules["ctc_lin"].w.weight.zero_()
        modules["ctc_lin"].w.bias.fill_(-20.0)
        modules["ctc_lin"].w.bias[[BLANK, first, second]] = torch.tensor([0.0, 2.0, 1.5])
        modules["seq_lin"].w.weight.zero_()
        modules["seq_lin"].w.bias.fill_(-20.0)
        modules["seq_lin"].w.bias[[EOS, first, second]] = torch.tensor([1.0, 0.5, 0.0])
    # joint_beam needs room for an end behind the piece
    encoder_out = torch.randn(1, 2 if method == "joint_beam" else 1, 16)
    log_probs = ctc_log_probs(modules, encoder_out)

    def decode(weight):
        values = hparams(
            lm_source=str(folder), lm_model=lambda: small_lm(bpe), lm_weight=weight,
            ctc_weight_decode=0.5,
        )  # fmt: skip
        frames = torch.tensor([encoder_out.shape[1]])
        return build_decoder(method, values, modules, bpe)(encoder_out, log_probs, frames)

    assert decode(0.0) == [[first]]
    assert decode(1.0) == [[second]]


def test_language_model_of_another_vocabulary_is_refused(bpe, model, tmp_path):
    modules, *_ = model
    other = TransformerLM(vocab=7, d_model=16, nhead=2, num_encoder_layers=1, d_ffn=32)
    torch.save(other.state_dict(), tmp_path / "lm.ckpt")
    values = hparams(lm_source=str(tmp_path), lm_model=lambda: other)
    with pytest.raises(ValueError, match="has 7 outputs and the tokenizer"):
        build_decoder("ctc_prefix_beam", values, modules, bpe)


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("beam", {}, "unknown decoding method 'beam'.*joint_beam"),
        ("ctc_greedy", {"lm_source": "owner/name"}, "ctc_greedy cannot use.*ctc_prefix_beam"),
        ("joint_beam", {"test_beam_size": 41}, "test_beam_size.*41 cannot be wider"),
        ("ctc_prefix_beam", {"test_beam_size": 0}, "test_beam_size must be at least 1"),
        ("joint_beam", {"ctc_weight_decode": 1.0}, "below 1, not 1.0"),
        ("joint_beam", {"ctc_weight_decode": -0.1}, "at least 0"),
        ("joint_beam", {"eos_index": BOS}, "three different indices"),
    ],
)
def test_impossible_settings_are_refused(bpe, model, method, changes, message):
    modules, *_ = model
    with pytest.raises(ValueError, match=message):
        build_decoder(method, hparams(**changes), modules, bpe)


def test_other_refusals(bpe, model):
    modules, encoder_out, frames = model
    ctc_only = {name: modules[name] for name in ("Transformer", "ctc_lin")}
    with pytest.raises(ValueError, match=r"no module seq_lin.*ctc_greedy or ctc_prefix_beam"):
        build_decoder("joint_beam", hparams(), ctc_only, bpe)
    with pytest.raises(ValueError, match="needs the hyperparameter test_beam_size"):
        build_decoder("ctc_prefix_beam", {"lm_source": None}, modules, bpe)
    with pytest.raises(ValueError, match="unknown stage 'dev'"):
        build_decoder("ctc_greedy", hparams(), modules, bpe, stage="dev")
    for method in METHODS:
        decoder = build_decoder(method, hparams(), modules, bpe)
        with pytest.raises(ValueError, match="7 CTC outputs and the tokenizer"):
            decoder(encoder_out, torch.zeros(3, 9, 7), frames)


def test_no_language_model_is_named(bpe, model):
    modules, encoder_out, frames = model
    values = vars(hparams())
    found = []
    for keys in (values, [key for key in values if not key.startswith("lm_")]):
        decoder = build_decoder("ctc_prefix_beam", {key: values[key] for key in keys}, modules, bpe)
        found.append(decoder(encoder_out, ctc_log_probs(modules, encoder_out), frames))
    assert found[0] == found[1]
    assert any(found[0])


def test_distributed_modules_decode_alike(bpe, model):
    modules, encoder_out, frames = model
    inputs = encoder_out, ctc_log_probs(modules, encoder_out), frames
    expected = build_decoder("joint_beam", hparams(), modules, bpe)(*inputs)
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        wrapped = {
            name: torch.nn.parallel.DistributedDataParallel(module)
            for name, module in modules.items()
        }
        decoder = build_decoder("joint_beam", hparams(), wrapped, bpe)
        assert decoder(*inputs) == expected
    finally:
        torch.distributed.destroy_process_group()


def test_greedy_is_speechbrains(bpe, model):
    modules, encoder_out, frames = model
    log_probs = ctc_log_probs(modules, encoder_out)
    found = build_decoder("ctc_greedy", hparams(), modules, bpe)(encoder_out, log_probs, frames)
    writable = Detokenizer(bpe).writable
    assert found == [writable(ids) for ids in ctc_greedy_decode(log_probs, frames / 9, BLANK)]
