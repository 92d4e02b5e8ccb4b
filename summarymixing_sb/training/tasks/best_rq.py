"""Pre-training without texts: BEST-RQ, labels of a random projection at masked frames."""

import speechbrain as sb
import torch
import torch.nn.functional as F

from summarymixing_sb.lengths import subsampling_factor, to_relative
from summarymixing_sb.training.tasks.masked import MaskedBrain


class BestRQBrain(MaskedBrain):
    """Train an encoder to guess the codes of masked frames (arXiv 2202.01855).

    Normalised features are stacked to the encoder's frame rate; a fixed random projection and a
    fixed random codebook, SpeechBrain's ``RandomProjectionQuantizer``, make a label of each. Masked
    frames are replaced by noise, and cross entropy compares what the model guesses of them, through
    ``code_lin``, with their labels.

    B batch, T frames after the front end, M masked ones, S features of a stacked frame, D model
    width, V codes. The modules have ``quantizer`` and ``code_lin``.
    """

    def guess(self, batch, stage, masked):
        """From waveforms to scores (B, M, V) and codes (B, M) of the masked frames."""
        modules = self.stage_modules(stage)
        factor = subsampling_factor(self.unwrapped_modules["CNN"])
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
