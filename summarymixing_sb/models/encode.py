"""From waveforms to the encoder's frames, whatever their lengths.

Letters: B batch, N samples, T frames, D model width.
"""

import torch.nn.functional as F

from summarymixing_sb.lengths import subsampling_factor, to_relative


def encode(front_end, transformer, signals, samples):
    """Encode waveforms together; each comes out as it does alone.

    Parameters
    ----------
    front_end : summarymixing_sb.models.front_end.FrontEnd
    transformer : summarymixing_sb.TransformerASR
    signals : torch.Tensor
        (B, N).
    samples : torch.Tensor
        (B,) valid samples of each.

    Returns
    -------
    encoded : torch.Tensor
        (B, T, D).
    frames : torch.Tensor
        (B,) int64, valid frames of each.
    """
    # the front end mirrors the last frame, so it wants two; the lengths stay as they are
    least = 2 * front_end.hop * subsampling_factor(front_end.subsampling)
    signals = F.pad(signals, (0, max(least - signals.size(1), 0)))
    features, frames = front_end(signals, samples)
    encoded, *_ = transformer(features, None, to_relative(frames, features.size(1)))
    return encoded, frames
