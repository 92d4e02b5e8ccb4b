"""Pre-training without texts: wav2vec 2.0, which of several frames is behind a mask."""

import speechbrain as sb
import torch
from speechbrain.nnet.losses import ContrastiveLoss

from summarymixing_sb.lengths import to_relative
from summarymixing_sb.training.tasks.masked import MaskedBrain


class Wav2Vec2Brain(MaskedBrain):
    """Train an encoder to tell the codes of a masked frame from those of others (arXiv 2006.11477).

    Frames behind the front end are quantised, with the Gumbel softmax, by codebooks that are
    learned (SpeechBrain's ``W2VTargetQuantiser``). Then a learned vector takes the place of the
    masked ones, and what the encoder makes of it, through ``context_lin``, is to be nearer to the
    quantised frame than to those of `negatives` other masked frames of its utterance: equation 3
    of the paper. A second loss is for diversity: the share of codes that are not in use, by the
    perplexity of their mean probabilities, where equation 4 has their entropy. With SummaryMixing
    in the encoder: arXiv 2407.13377.

    B batch, T frames after the front end, M masked ones, C their size, D model width, Q size of a
    quantised frame, N negatives. The modules have ``quantizer``, ``mask_embedding`` and
    ``context_lin``.
    """

    def guess(self, batch, stage, masked):
        """From waveforms to contexts and targets (B, M, Q), negatives (N, B, M, Q), and codebooks.

        The latter are what the quantiser tells: ``diversity_loss`` and ``code_perplex``.
        """
        modules = self.stage_modules(stage)
        features, frames = self.front_end(batch, stage)
        features = features.flatten(2)  # (B, T, C)
        self.unwrapped_modules["quantizer"].quantiser.update_temp(self.optimizer_step)
        targets, codebooks = modules["quantizer"](features[:, masked])
        hidden = modules["mask_embedding"](torch.zeros_like(masked)).to(features.dtype)  # (M, C)
        features = features.index_copy(1, masked, hidden.expand(len(features), -1, -1))
        lengths = to_relative(frames, features.shape[1])
        encoded, _ = modules["Transformer"](features, None, lengths)  # (B, T, D)
        contexts = modules["context_lin"](encoded[:, masked]).float()
        return contexts, targets, draw_negatives(targets, self.hparams.negatives), codebooks

    def compute_objectives(self, predictions, batch, stage):
        """Contrastive loss, the mean over masked frames, and the weighted loss of diversity."""
        contexts, targets, negatives, codebooks = predictions
        contrast = ContrastiveLoss(self.hparams.contrastive_temperature)
        loss, accuracy = contrast(contexts, targets, negatives)
        count = targets[..., 0].numel()
        if stage != sb.Stage.TRAIN:
            self.right += accuracy * count
            self.masked += count
            self.perplexities.append(codebooks["code_perplex"])
        return loss / count + self.hparams.diversity_weight * codebooks["diversity_loss"]

    def on_stage_start(self, stage, epoch=None):
        """Reset what a stage collects."""
        super().on_stage_start(stage, epoch)
        self.perplexities = []

    def stage_stats(self, stage):
        """Add the perplexity of the codes: near 1 for each codebook, it tells of a collapse."""
        perplexity = float(torch.stack(self.perplexities).mean())
        return {**super().stage_stats(stage), "code_perplexity": perplexity}


def draw_negatives(targets, count):
    """Draw, for each frame, others of its utterance.

    SpeechBrain's ``sample_negatives`` takes them partly from the utterance before.

    Parameters
    ----------
    targets : torch.Tensor
        (B, M, Q).
    count : int
        N, with replacement.

    Returns
    -------
    torch.Tensor
        (N, B, M, Q).

    Examples
    --------
    >>> targets = torch.arange(3.0).reshape(1, 3, 1)
    >>> negatives = draw_negatives(targets, 100)
    >>> negatives.shape, bool((negatives == targets).any())
    (torch.Size([100, 1, 3, 1]), False)
    """
    batch, frames, _ = targets.shape
    # a frame alone has but itself, which the loss leaves out
    away = torch.randint(1, max(frames, 2), (count, batch, frames), device=targets.device)
    index = (torch.arange(frames, device=targets.device) + away) % frames  # (N, B, M)
    row = torch.arange(batch, device=targets.device).unsqueeze(-1)  # (B, 1)
    return targets[row, index]
