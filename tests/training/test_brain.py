"""The Brain: what testing must not change, padding, learning rate."""

import pytest
import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch


def test_evaluation_leaves_the_normaliser(brain, items):
    brain.modules.train()
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    brain.fit_batch(PaddedBatch(items))
    normalize = brain.hparams.normalize
    before = normalize.count, normalize.glob_mean.clone(), normalize.glob_std.clone()
    brain.modules.eval()
    for stage in (sb.Stage.VALID, sb.Stage.TEST):
        brain.on_stage_start(stage, 1)
        brain.evaluate_batch(PaddedBatch(items), stage)
    assert normalize.count == before[0]
    assert normalize.glob_mean.equal(before[1])
    assert normalize.glob_std.equal(before[2])


def test_an_utterance_alone_and_in_a_batch(brain, items):
    """From waveform to log-probabilities, over the valid frames."""
    brain.modules.train()
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    brain.fit_batch(PaddedBatch(items))
    brain.modules.eval()
    brain.decoder = None
    with torch.no_grad():
        together = brain.compute_forward(PaddedBatch(items), sb.Stage.VALID)
        for row, item in enumerate(items):
            alone = brain.compute_forward(PaddedBatch([item]), sb.Stage.VALID)
            frames = round(float(together["lengths"][row]) * together["ctc"].shape[1])
            assert alone["ctc"].shape[1] == frames
            error = (alone["ctc"][0] - together["ctc"][row, :frames]).abs().max()
            # of the analysis window at an utterance's end, SpeechBrain's STFT sees the padding
            # as zeros in either case; its 80 dB floor is that of the batch
            assert error < 1e-4


def test_first_step_is_warmed_up(brain, items):
    brain.modules.train()
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    brain.step = 1
    brain.fit_batch(PaddedBatch(items))
    peak, warmup = brain.hparams.lr, brain.hparams.n_warmup_steps
    assert brain.optimizer.param_groups[0]["lr"] == pytest.approx(peak / warmup)


def test_loss_is_the_weighted_sum(brain, items):
    brain.modules.train()
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    batch = PaddedBatch(items)
    outputs = brain.compute_forward(batch, sb.Stage.TRAIN)
    losses = []
    for weight in (0.0, 1.0, 0.4):
        brain.hparams.ctc_weight = weight
        losses.append(brain.compute_objectives(outputs, batch, sb.Stage.TRAIN))
    attention, ctc, mixed = losses
    torch.testing.assert_close(mixed, 0.4 * ctc + 0.6 * attention)


def test_validation_decodes_every_so_many_epochs(brain):
    brain.hparams.valid_search_interval = 3
    decoded = []
    for epoch in range(1, brain.hparams.number_of_epochs + 1):
        brain.on_stage_start(sb.Stage.VALID, epoch)
        decoded.append(brain.decoder is not None)
    assert [epoch for epoch, done in enumerate(decoded, 1) if done] == [3, 6, 9, 12, 15, 18, 20]


def test_optimiser_state_of_other_shapes_is_refused(brain, items):
    """As of a layer that an earlier version divided into heads."""
    brain.modules.train()
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    brain.fit_batch(PaddedBatch(items))
    state = next(iter(brain.optimizer.state.values()))
    state["exp_avg"] = state["exp_avg"].new_zeros(3, 3, 3)
    brain.checkpointer.save_checkpoint()
    with pytest.raises(ValueError, match=r"another model .*exp_avg of shape \(3, 3, 3\)"):
        brain.on_fit_start()
