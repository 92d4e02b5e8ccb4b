"""The transducer's Brain: its loss, its chunks, its share of CTC, its settings."""

from itertools import combinations
from pathlib import Path

import pytest
import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.lengths import to_relative
from summarymixing_sb.training.chunks import ChunkTest
from summarymixing_sb.training.config import check_settings, load_hparams, read_settings
from summarymixing_sb.training.tasks.transducer import SCALES, TransducerBrain, transducer_loss

HPARAMS = Path(__file__).resolve().parents[3] / "hparams" / "LibriSpeech"
YAML = HPARAMS / "conformer_transducer.yaml"
TINY = {
    "data_folder": ".",
    "output_neurons": 12,
    "d_model": 16,
    "nhead": 2,
    "num_encoder_layers": 2,
    "d_ffn": 32,
    "local_out": 16,
    "summary_out": 16,
    "predictor_size": 10,
    "joint_size": 14,
    "test_chunks": [None, [4, 2]],
}


@pytest.fixture
def brain(targets, items, tmp_path):
    """A small transducer, which has seen a batch but learnt nothing."""
    hparams = load_hparams(YAML, {**TINY, "output_folder": str(tmp_path)})
    brain = TransducerBrain(
        targets,
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts={"device": "cpu"},
    )
    brain.init_optimizers()
    brain.modules.train()
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    brain.fit_batch(PaddedBatch(items))  # the warm-up begins at 0
    return brain


def summed_over_alignments(log_probs, tokens):
    """Minus the log-probability of tokens, path by path; log_probs is (T, U + 1, V)."""
    frames, count = log_probs.shape[0], len(tokens)
    paths = []
    # a path is a word of T blanks and U tokens, and the last is a blank
    for places in combinations(range(frames + count - 1), count):
        frame = written = 0
        score = torch.zeros((), dtype=log_probs.dtype)
        for step in range(frames + count):
            if step in places:
                score = score + log_probs[frame, written, tokens[written]]
                written += 1
            else:
                score = score + log_probs[frame, written, 0]
                frame += 1
        paths.append(score)
    return -torch.stack(paths).logsumexp(0)


@pytest.mark.parametrize("scale", SCALES)
def test_loss_is_the_sum_over_alignments(scale):
    """With the scale of SpeechBrain's: the value a frame, but the gradient of the whole sum."""
    logits = torch.randn(3, 5, 4, 6, requires_grad=True)
    tokens = torch.tensor([[1, 5, 5], [2, 3, 0], [4, 0, 0]])
    frames, counts = [5, 4, 1], [3, 2, 1]
    found = transducer_loss(
        logits,
        tokens,
        torch.tensor(frames) / 5,
        torch.tensor(counts) / 3,
        blank_index=0,
        scale=scale,
    )
    (gradient,) = torch.autograd.grad(found, logits)
    alone = torch.stack(
        [
            summed_over_alignments(row[:length, : count + 1].log_softmax(-1), ids[:count].tolist())
            for row, length, count, ids in zip(logits, frames, counts, tokens)
        ]
    )
    if scale == "mean":
        value = descended = alone.mean()
    else:
        value, descended = (alone / torch.tensor(frames)).mean(), alone.sum()
    torch.testing.assert_close(found, value)
    torch.testing.assert_close(gradient, torch.autograd.grad(descended, logits)[0])


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="transducer_scale: choose mean or speechbrain"):
        transducer_loss(*[None] * 5, scale="sum")


def test_joins_every_frame_with_every_prefix(brain, items):
    brain.modules.eval()
    brain.on_stage_start(sb.Stage.VALID, 1)
    brain.decoder = None
    with torch.no_grad():
        together = brain.compute_forward(PaddedBatch(items), sb.Stage.VALID)
        longest = max(len(item["tokens"]) for item in items)
        assert together["logits"].shape[2:] == (longest + 1, 12)
        for row, item in enumerate(items):
            alone = brain.compute_forward(PaddedBatch([item]), sb.Stage.VALID)["logits"][0]
            frames, prefixes = alone.shape[:2]
            assert prefixes == len(item["tokens"]) + 1
            error = (alone - together["logits"][row, :frames, :prefixes]).abs().max()
            assert error < 1e-4


def test_draws_the_chunks_of_its_settings(brain):
    drawn = [brain.chunks(sb.Stage.TRAIN) for _ in range(400)]
    chunks = [chunk for chunk in drawn if chunk is not None]
    assert len(chunks) / 400 == pytest.approx(0.6, abs=0.1)
    assert {chunk.chunk_size for chunk in chunks} == set(range(8, 33))
    left = [chunk.left_context_size for chunk in chunks]
    assert 1 - left.count(None) / len(left) == pytest.approx(0.75, abs=0.1)
    assert {size for size in left if size is not None} == set(range(2, 33))
    assert brain.chunks(sb.Stage.VALID) is None


def test_a_training_batch_sees_the_chunks_it_draws(brain, items):
    """Frames of the first two chunks know nothing of what comes behind."""
    brain.hparams.fea_augment = None
    brain.modules.train()
    for module in brain.modules.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    brain.hparams.normalize.update_until_epoch = 0
    late = {**items[0], "sig": items[0]["sig"].clone()}
    late["sig"][-4000:] = 0.1 * torch.randn(4000)
    different = {}
    for chunks in (None, DynChunkTrainConfig(8, 2)):
        brain.hparams.dynchunktrain_config_sampler = lambda stage, drawn=chunks: drawn
        logits = [
            brain.compute_forward(PaddedBatch([item]), sb.Stage.TRAIN)["logits"]
            for item in (items[0], late)
        ]
        error = (logits[0] - logits[1]).abs().amax(dim=(0, 2, 3))  # (T,)
        different[chunks is not None] = error > 1e-5
    assert different[False].all()
    assert not different[True][:16].any()
    assert different[True][24:].any()


def test_tests_have_the_chunks_of_their_condition(brain, items):
    brain.modules.eval()
    brain.on_stage_start(sb.Stage.TEST, None)
    brain.decoder = None
    outputs = {}
    for condition in brain.test_conditions:
        brain.test_condition = condition
        with torch.no_grad():
            output = brain.compute_forward(PaddedBatch(items), sb.Stage.TEST)
        outputs[condition] = output["ctc"]
    features, frames = brain.front_end(PaddedBatch(items), sb.Stage.TEST)
    lengths = to_relative(frames, features.shape[1])
    for condition, found in outputs.items():
        encoded, _ = brain.modules["Transformer"](
            features, None, lengths, dynchunktrain_config=condition.config
        )
        torch.testing.assert_close(found, brain.modules["ctc_lin"](encoded).log_softmax(-1))
    assert not torch.allclose(*outputs.values())
    assert list(outputs) == [ChunkTest(), ChunkTest(4, 2)]


def test_ctc_has_a_share_in_the_first_epochs_of_training(brain, items):
    batch = PaddedBatch(items)
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    outputs = brain.compute_forward(batch, sb.Stage.TRAIN)
    brain.hparams.ctc_epochs = 3

    def loss(stage, epoch, weight):
        brain.hparams.epoch_counter.current, brain.hparams.ctc_weight = epoch, weight
        return brain.compute_objectives(outputs, batch, stage)

    ctc, transducer = loss(sb.Stage.TRAIN, 3, 1.0), loss(sb.Stage.TRAIN, 3, 0.0)
    assert abs(float((ctc - transducer).detach())) > 0.1
    torch.testing.assert_close(loss(sb.Stage.TRAIN, 3, 0.3), 0.3 * ctc + 0.7 * transducer)
    torch.testing.assert_close(loss(sb.Stage.VALID, 3, 0.3), transducer)
    late = loss(sb.Stage.TRAIN, 4, 0.3)
    torch.testing.assert_close(late, transducer)
    late.backward()
    # DistributedDataParallel waits for it
    assert not brain.modules["ctc_lin"].w.weight.grad.any()


def test_frame_of_the_encoder(brain):
    assert brain.frame_ms() == 40


def test_learning_rate_rises_then_falls_to_a_twentieth(brain):
    schedule, optimizer = brain.hparams.lr_annealing, brain.optimizer
    rates = {}
    for step in (0, 12500, 25000, 210000):
        schedule.current_step = step
        schedule(optimizer)
        rates[step] = optimizer.param_groups[0]["lr"]
    assert rates[0] == 0
    assert rates[12500] == pytest.approx(0.0004)
    assert rates[25000] == pytest.approx(0.0008)
    assert rates[210000] == pytest.approx(0.00004)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"test_decoding": "joint_beam"}, "choose transducer_greedy"),
        ({"num_decoder_layers": 2}, "has no attention decoder"),
        ({"ctc_weight": 1.5}, "ctc_weight: give a number from 0 to 1, not 1.5"),
        ({"chunkwise_prob": -1}, "chunkwise_prob: give"),
        ({"chunk_size_min": 40}, "chunk_size_min and chunk_size_max.*40 and 32"),
        (
            {"left_context_chunks_min": -1},
            "left_context_chunks_min: give .*not -1",
        ),
        ({"test_chunks": [[8, 4], 8]}, "test_chunks: an entry is null"),
        ({"attention_type": "SummaryMixing,fastformer"}, "fastformer sees the whole .*prob 0 and"),
        ({"attention_type": "mamba"}, "mamba remembers all chunks: give limited_left_context_prob"),
        (
            {"attention_type": "mamba", "limited_left_context_prob": 0},
            "mamba remembers all chunks: .* test_chunks without",
        ),
    ],
)
def test_settings_that_cannot_work(overrides, message):
    settings = read_settings(YAML, {**TINY, **overrides})
    with pytest.raises(ValueError, match=message):
        check_settings(settings, TransducerBrain)


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "attention_type": "mamba",
            "limited_left_context_prob": 0,
            "test_chunks": [None, [8, None]],
        },
        {"attention_type": "fastformer", "chunkwise_prob": 0, "test_chunks": [None]},
    ],
)
def test_mixers_and_the_chunks_that_they_can_have(overrides, tmp_path):
    settings = read_settings(YAML, {**TINY, "data_folder": str(tmp_path), **overrides})
    check_settings(settings, TransducerBrain)


def test_dual_mode(brain, items):
    """Both passes have half the loss; the divergence is that of every valid frame and prefix."""
    brain.hparams.fea_augment = None
    brain.hparams.normalize.update_until_epoch = 0
    brain.modules.eval()
    brain.hparams.consistency_weight = 0.3
    brain.hparams.dynchunktrain_config_sampler = lambda stage: DynChunkTrainConfig(4, 1)
    batch = PaddedBatch(items)
    outputs = brain.compute_forward(batch, sb.Stage.TRAIN)
    found = brain.compute_objectives(outputs, batch, sb.Stage.TRAIN)
    whole = outputs.pop("whole")
    losses = [brain.loss(output, batch, sb.Stage.TRAIN) for output in (outputs, whole)]
    assert not torch.allclose(*losses)

    divergences = []
    frames = (outputs["lengths"] * outputs["logits"].shape[1]).round().int()
    for row, item in enumerate(items):
        valid = slice(0, int(frames[row])), slice(0, len(item["tokens"]) + 1)
        p, q = (output["logits"][row][valid].log_softmax(-1) for output in (outputs, whole))
        kl = [(a.exp() * (a - b)).sum(-1) for a, b in ((p, q), (q, p))]
        divergences.append((sum(kl) / 2).flatten())
    divergence = torch.cat(divergences).mean()
    assert divergence > 1e-6
    torch.testing.assert_close(found, sum(losses) / 2 + 0.3 * divergence)

    assert "whole" not in brain.compute_forward(batch, sb.Stage.VALID)
    brain.hparams.dynchunktrain_config_sampler = lambda stage: None
    assert "whole" not in brain.compute_forward(batch, sb.Stage.TRAIN)
    brain.hparams.consistency_weight = 0.0
    brain.hparams.dynchunktrain_config_sampler = lambda stage: DynChunkTrainConfig(4, 1)
    assert "whole" not in brain.compute_forward(batch, sb.Stage.TRAIN)
