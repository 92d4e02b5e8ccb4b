"""Searches of transducers: against a slow loop, padding, streams, an end in any case."""

from types import SimpleNamespace

import pytest
import torch
from speechbrain.decoders.transducer import TransducerGreedySearcherStreamingContext
from speechbrain.nnet.linear import Linear
from speechbrain.nnet.transducer.transducer_joint import Transducer_joint
from torch import nn
from torchaudio.functional import rnnt_loss

from summarymixing_sb.decoding import transducer_beam
from summarymixing_sb.decoding.transducer import build_transducer_decoder, make_searcher
from summarymixing_sb.decoding.transducer_beam import TransducerBeamSearch
from summarymixing_sb.models.predictor import Predictor

PIECES, WIDTH, JOINT = 12, 6, 8
HPARAMS = SimpleNamespace(blank_index=0, valid_beam_size=2, test_beam_size=4)


def make_modules(seed=0):
    """A transducer that writes much and is sure of it, though it was never trained."""
    torch.manual_seed(seed)
    modules = {
        "predictor": Predictor(PIECES, WIDTH),
        "enc_lin": Linear(input_size=WIDTH, n_neurons=JOINT),
        "pred_lin": Linear(input_size=WIDTH, n_neurons=JOINT, bias=False),
        "joint": Transducer_joint(joint="sum", nonlinearity=nn.GELU),
        "transducer_lin": Linear(input_size=JOINT, n_neurons=PIECES),
    }
    with torch.no_grad():
        for module in modules.values():
            for parameter in module.parameters():
                parameter.mul_(2)
        modules["transducer_lin"].w.bias[0] += 1.0  # the blank
    return modules


@pytest.fixture
def modules():
    return make_modules()


def joint_log_probs(modules, frame, pieces):
    """Of what follows some pieces at a frame, computed from the start of the sentence."""
    predicted, _ = modules["predictor"](torch.tensor([[0, *pieces]]))
    joined = modules["joint"](frame[None, None, None], modules["pred_lin"](predicted[:, -1:])[None])
    return modules["transducer_lin"](joined).log_softmax(-1).flatten()


def slow_greedy(modules, frames):
    """At each frame the best piece, until that is the blank; six at most, as SpeechBrain does."""
    pieces = []
    for frame in frames:
        for _ in range(6):
            best = int(joint_log_probs(modules, frame, pieces).argmax())
            if best == 0:
                break
            pieces.append(best)
    return pieces


def log_probability(modules, frames, pieces):
    """Of pieces, over all alignments."""
    predicted, _ = modules["predictor"](torch.tensor([[0, *pieces]]))
    joined = modules["joint"](frames[None, :, None], modules["pred_lin"](predicted)[:, None])
    return -rnnt_loss(
        modules["transducer_lin"](joined),
        torch.tensor([pieces], dtype=torch.int32),
        torch.tensor([len(frames)], dtype=torch.int32),
        torch.tensor([len(pieces)], dtype=torch.int32),
        blank=0,
    )


@torch.no_grad()
def test_greedy_is_the_slow_loop_over_valid_frames(modules):
    encoded = 2 * torch.randn(5, 9, JOINT)
    counts = [9, 4, 0, 7, 4]
    found = make_searcher(modules, 0).search(encoded, counts)
    expected = [slow_greedy(modules, row[:count]) for row, count in zip(encoded, counts)]
    assert found == expected
    assert found[2] == []
    assert sum(map(len, found)) > 5


def best_of(modules, beam_size, **options):
    """The search of the best pieces, from (B, T, J) and counts of frames."""
    if beam_size == 1:
        return make_searcher(modules, 0).search
    beam = TransducerBeamSearch(modules, 0, beam_size, **options)
    return lambda encoded, counts: [found[0][0] for found in beam(encoded, counts)]


@pytest.mark.parametrize("beam_size", [1, 4])
def test_padding_and_batch_change_nothing(modules, beam_size):
    encoded = 2 * torch.randn(5, 8, JOINT)
    counts = [5, 8, 3, 5, 0]
    search = best_of(modules, beam_size)
    together = search(encoded, counts)
    poisoned = encoded.clone()
    for row, count in enumerate(counts):
        poisoned[row, count:] = torch.nan
    assert search(poisoned, counts) == together
    for row, count in enumerate(counts):
        assert search(encoded[[row]], [count]) == [together[row]]
    assert any(together)


@torch.no_grad()
def test_a_wide_beam_sums_all_alignments(modules, monkeypatch):
    """Of every sequence that two frames can write with two pieces each at most."""
    monkeypatch.setattr(transducer_beam, "MAX_PIECES", 2)
    modules["transducer_lin"].w.bias[4:] = -torch.inf  # three pieces and the blank
    encoded = torch.randn(2, 2, JOINT)
    [first, second] = TransducerBeamSearch(modules, 0, 200, -1e9, -1e9)(encoded, [2, 1])
    assert len(first) == 1 + 3 + 9 + 27 + 81
    assert len(second) == 1 + 3 + 9
    for frames, found in ((encoded[0], first), (encoded[1, :1], second)):
        assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
        for ids, score in found:
            if 0 < len(ids) <= 2:  # of longer ones, some alignments need a third piece in a frame
                expected = float(log_probability(modules, frames, ids))
                assert score == pytest.approx(expected, abs=1e-4)
            assert all(piece in (1, 2, 3) for piece in ids)


def test_a_hotword_flips_the_winner(modules):
    """The piece of the second best text gets a boost."""

    class Boost:
        def __init__(self, piece, boost):
            self.piece, self.boost = piece, boost

        def extend(self, state, tokens):
            return self.boost * (tokens == self.piece).double(), torch.zeros_like(tokens)

        def finish(self, state):
            return torch.zeros(state.shape, dtype=torch.float64)

    encoded = torch.randn(1, 6, JOINT)
    [found] = TransducerBeamSearch(modules, 0, 8)(encoded, [6])
    plain = {tuple(ids): score for ids, score in found}
    wanted = next(ids[-1] for ids, _ in found if ids and ids[-1] not in found[0][0])
    fusion = Boost(wanted, 5.0)
    [boosted] = TransducerBeamSearch(modules, 0, 8, fusions=[fusion])(encoded, [6])
    assert wanted in boosted[0][0]
    for ids, score in boosted:
        if tuple(ids) in plain:
            gained = score - plain[tuple(ids)]
            assert gained == pytest.approx(5.0 * ids.count(wanted), abs=0.2)  # pruned elsewhere


@torch.no_grad()
def test_greedy_goes_on_from_chunk_to_chunk(modules):
    encoded = 2 * torch.randn(2, 12, JOINT)
    searcher = make_searcher(modules, 0)
    context = TransducerGreedySearcherStreamingContext()
    found = [[], []]
    for chunk in encoded.split(5, dim=1):
        for row, more in zip(found, searcher.transducer_greedy_decode_streaming(chunk, context)):
            row += more
    assert found == searcher.search(encoded, [12, 12])
    assert all(found)


@torch.no_grad()
def test_a_beam_finds_what_is_more_probable():
    gains = []
    for seed in range(12):
        modules = make_modules(seed)
        frames = torch.randn(5, JOINT)
        greedy, beam = (best_of(modules, size)(frames[None], [5])[0] for size in (1, 4))
        gains.append(
            float(log_probability(modules, frames, beam) - log_probability(modules, frames, greedy))
        )
    assert sum(gains) > 0
    assert any(gains)


def test_a_beam_ends_though_the_blank_is_never_likely(modules):
    with torch.no_grad():
        modules["transducer_lin"].w.bias[0] = -100.0
    (found,) = best_of(modules, 3)(torch.randn(1, 4, JOINT), [4])
    assert len(found) <= transducer_beam.MAX_PIECES * 4


def test_decoders_return_token_ids(modules, tokenizer):
    encoded, frames = torch.randn(2, 8, WIDTH), torch.tensor([8, 4])
    ctc = torch.full((2, 8, PIECES), -9.0)
    ctc[:, :, 0] = 0.0
    written = {}
    for method in ("transducer_greedy", "transducer_beam", "ctc_greedy"):
        decoder = build_transducer_decoder(method, HPARAMS, modules, tokenizer, "test")
        written[method] = decoder(encoded, ctc, frames)
        assert all(2 < index < PIECES for ids in written[method] for index in ids)
    assert written["ctc_greedy"] == [[], []]
    pieces = slow_greedy(modules, modules["enc_lin"](encoded[1, :4]))
    assert written["transducer_greedy"][1] == [piece for piece in pieces if piece > 2]
    assert written["transducer_greedy"][0]
    with torch.autocast("cpu", torch.bfloat16):
        greedy = build_transducer_decoder("transducer_greedy", HPARAMS, modules, tokenizer)
        assert greedy(encoded, ctc, frames) == written["transducer_greedy"]


def test_errors_say_what_would_do(modules, tokenizer):
    with pytest.raises(ValueError, match="choose one of transducer_greedy"):
        build_transducer_decoder("joint_beam", HPARAMS, modules, tokenizer)
    wide = SimpleNamespace(blank_index=0, test_beam_size=13)
    with pytest.raises(ValueError, match=r"test_beam_size must be from 1 to .* 12 pieces, not 13"):
        build_transducer_decoder("transducer_beam", wide, modules, tokenizer)
    with pytest.raises(ValueError, match="need transducer_beam, not transducer_greedy"):
        build_transducer_decoder("transducer_greedy", HPARAMS, modules, tokenizer, fusions=[1])
