"""Pre-training without texts: what the ways of it share, which is to hide frames and guess them."""

import random
from contextlib import contextmanager, nullcontext

import speechbrain as sb
import torch
from speechbrain.lobes.models.BESTRQ import compute_mask

from summarymixing_sb.data.targets import Untranscribed
from summarymixing_sb.evaluation import write_scores
from summarymixing_sb.lengths import feature_frames, from_relative
from summarymixing_sb.training.brain import EncoderBrain
from summarymixing_sb.training.checkpoints import RandomState


class MaskedBrain(EncoderBrain):
    """Train an encoder to guess what is behind masked frames.

    A way of it is a subclass with ``guess`` and ``compute_objectives``, which counts in `right` and
    `masked`. A mask is of the whole batch, inside of its shortest utterance, as SpeechBrain draws
    it for BEST-RQ.
    """

    error_keys = ("error_rate",)

    @classmethod
    def load_targets(cls, settings, overrides):
        """Nothing is learned but the speech itself."""
        del settings, overrides
        return Untranscribed()

    def guess(self, batch, stage, masked):
        """From waveforms to what `compute_objectives` takes.

        Parameters
        ----------
        batch : speechbrain.dataio.batch.PaddedBatch
        stage : speechbrain.Stage
        masked : torch.Tensor
            (M,) the encoder's frames to hide.
        """
        raise NotImplementedError

    def compute_forward(self, batch, stage):
        """Draw a mask, and guess; draws of validation and test are the same each time."""
        same = nullcontext() if stage == sb.Stage.TRAIN else same_each_time(self.hparams.seed)
        with same:
            masked = self.draw_mask(batch).to(self.device)
            return self.guess(batch.to(self.device), stage, masked)

    def draw_mask(self, batch):
        """Draw the masked frames of a batch, before it is on a GPU, which would have to wait."""
        hop = self.hparams.sample_rate * self.hparams.hop_length // 1000
        samples = from_relative(batch.sig.lengths.cpu(), batch.sig.data.shape[1])
        frames = self.unwrapped_modules["CNN"].subsampled(feature_frames(samples, hop)).tolist()
        length = min(self.hparams.mask_length, *frames)
        return compute_mask(None, frames, self.hparams.mask_prob, length)

    def on_stage_start(self, stage, epoch=None):
        """Reset what a stage collects."""
        super().on_stage_start(stage, epoch)
        self.right, self.masked = torch.zeros((), device=self.device), 0

    def stage_stats(self, stage):
        """Share of masked frames that were guessed wrong, in percent."""
        return {"error_rate": 100 - 100 * float(self.right) / self.masked}

    def write_results(self, folder, split, info):
        """Write the accuracy at masked frames."""
        accuracy = 100 - self.test_stats["error_rate"]
        scores = {"masked_accuracy": accuracy, "masked_frames": self.masked}
        return write_scores(folder, split, scores, info), f"masked accuracy {accuracy:.2f} %"


@contextmanager
def same_each_time(seed):
    """Draw from generators of this seed, and put them back."""
    before = RandomState.capture()
    random.seed(seed)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        RandomState.restore(before)
