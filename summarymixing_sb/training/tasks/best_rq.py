"""Pre-training without texts: BEST-RQ, labels of a random projection at masked frames."""

import random
from contextlib import contextmanager, nullcontext

import speechbrain as sb
import torch
import torch.nn.functional as F
from speechbrain.lobes.models.BESTRQ import compute_mask

from summarymixing_sb.data.targets import Untranscribed
from summarymixing_sb.evaluation import write_scores
from summarymixing_sb.lengths import feature_frames, from_relative, subsampling_factor, to_relative
from summarymixing_sb.training.brain import EncoderBrain
from summarymixing_sb.training.checkpoints import RandomState


class BestRQBrain(EncoderBrain):
    """Train an encoder to guess what is behind masked frames (arXiv 2202.01855).

    Normalised features are stacked to the encoder's frame rate; a fixed random projection and a
    fixed random codebook, SpeechBrain's ``RandomProjectionQuantizer``, make a label of each. Masked
    frames are replaced by noise, and cross entropy compares what the model guesses of them, through
    ``code_lin``, with their labels.

    B batch, T frames after the front end, M masked ones, S features of a stacked frame, D model
    width, V codes. The modules have ``quantizer`` and ``code_lin``. A mask is of the whole batch,
    inside of its shortest utterance, as SpeechBrain draws it.
    """

    error_keys = ("error_rate",)

    @classmethod
    def load_targets(cls, settings, overrides):
        """Nothing is learned but the speech itself."""
        del settings, overrides
        return Untranscribed()

    def compute_forward(self, batch, stage):
        """From waveforms to scores of the codes at masked frames (B, M, V), and their codes (B, M).

        Masks of validation and test are the same each time.
        """
        same = nullcontext() if stage == sb.Stage.TRAIN else same_each_time(self.hparams.seed)
        modules = self.stage_modules(stage)
        factor = subsampling_factor(self.unwrapped_modules["CNN"])
        with same:
            masked = self.draw_mask(batch).to(self.device)  # (M,)
            batch = batch.to(self.device)
            mask = MaskFeatures(modules["quantizer"], masked, factor, self.hparams.mask_noise)
            features, frames = self.front_end(batch, stage, mask)
        lengths = to_relative(frames, features.shape[1])
        encoded, _ = modules["Transformer"](features, None, lengths)  # (B, T, D)
        return modules["code_lin"](encoded[:, masked]).float(), mask.codes

    def compute_objectives(self, predictions, batch, stage):
        """Cross entropy of the codes, the mean over masked frames."""
        scores, codes = predictions
        if stage != sb.Stage.TRAIN:
            self.right += (scores.argmax(-1) == codes).sum()
            self.masked += codes.numel()
        return F.cross_entropy(scores.flatten(0, 1), codes.flatten())

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
        """Share of codes that were guessed wrong, in percent."""
        return {"error_rate": 100 - 100 * float(self.right) / self.masked}

    def write_results(self, folder, split, info):
        """Write the accuracy at masked frames."""
        accuracy = 100 - self.test_stats["error_rate"]
        scores = {"masked_accuracy": accuracy, "masked_frames": self.masked}
        return write_scores(folder, split, scores, info), f"masked accuracy {accuracy:.2f} %"


class MaskFeatures:
    """Labels normalised features, and hides some of them, as an augmentation of the front end.

    Parameters
    ----------
    quantizer : speechbrain.nnet.quantisers.RandomProjectionQuantizer
    masked : torch.Tensor
        (M,) the encoder's frames to hide.
    factor : int
        Feature frames for each of the encoder's.
    noise : float
        Standard deviation of what stands in for them.

    Attributes
    ----------
    codes : torch.Tensor
        (B, M), once features came through.
    """

    def __init__(self, quantizer, masked, factor, noise):
        self.quantizer, self.masked, self.factor, self.noise = quantizer, masked, factor, noise
        self.codes = None

    def __call__(self, features, lengths):
        """Label and mask.

        Parameters
        ----------
        features : torch.Tensor
            (B, T * factor, F), the last frames may lack.
        lengths : torch.Tensor
            Given back.

        Returns
        -------
        features, lengths : torch.Tensor
        """
        count, bands = features.shape[1:]
        padded = F.pad(features, (0, 0, 0, -count % self.factor))
        stacked = padded.reshape(len(features), -1, self.factor * bands)  # (B, T, S)
        hidden = stacked[:, self.masked]  # (B, M, S)
        self.codes = nearest_codes(self.quantizer, hidden)
        stacked = stacked.index_copy(1, self.masked, torch.randn_like(hidden) * self.noise)
        return stacked.reshape(padded.shape)[:, :count], lengths


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


@torch.no_grad()
def nearest_codes(quantizer, x):
    """Find the nearest code of each vector, as the quantiser does.

    Both are of length 1, so the nearest code is the one of the greatest product: a matrix of
    products, where the quantiser makes all differences, V times the memory of the vectors.

    Parameters
    ----------
    quantizer : speechbrain.nnet.quantisers.RandomProjectionQuantizer
    x : torch.Tensor
        (B, M, S).

    Returns
    -------
    torch.Tensor
        (B, M) int64.

    Examples
    --------
    >>> from speechbrain.nnet.quantisers import RandomProjectionQuantizer
    >>> quantizer, x = RandomProjectionQuantizer(8, 4, 16), torch.randn(2, 5, 8)
    >>> nearest_codes(quantizer, x).equal(quantizer(x))
    True
    """
    # in half precision many codes would be others
    with torch.autocast(x.device.type, enabled=False):
        return (F.normalize(x.float() @ quantizer.P, dim=-1) @ quantizer.CB.T).argmax(-1)
