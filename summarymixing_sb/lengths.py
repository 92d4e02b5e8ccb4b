"""Lengths of padded batches: each conversion once.

Inside this package, a length is an integer count of samples or frames. Relative lengths, between 0
and 1, are SpeechBrain's: they are converted here as they come in and go out.

Letters: B batch, T frames.
"""

import torch


def from_relative(relative, longest):
    """Count samples or frames from relative lengths.

    Parameters
    ----------
    relative : torch.Tensor
        (B,) lengths relative to ``longest``.
    longest : int
        Samples or frames of the padded batch.

    Returns
    -------
    torch.Tensor
        (B,) int64. Exact for up to 2 ** 24 of them (17 minutes of samples at 16 kHz), the integers
        that float32 lengths can tell apart.

    Examples
    --------
    >>> from_relative(torch.tensor([1.0, 0.5]), 101)
    tensor([101,  50])
    """
    # In float64, since a float32 product loses samples of long recordings.
    return torch.round(relative.double() * longest).long()


def to_relative(counts, longest):
    """Divide counts by the length of the padded batch, as SpeechBrain's modules want it.

    Parameters
    ----------
    counts : torch.Tensor
        (B,) samples or frames.
    longest : int
        Samples or frames of the padded batch.

    Returns
    -------
    torch.Tensor
        (B,) float32.

    Examples
    --------
    >>> to_relative(torch.tensor([101, 51]), 102)
    tensor([0.9902, 0.5000])
    """
    return counts / longest


def padding_mask(counts, longest):
    """Mark padding.

    Parameters
    ----------
    counts : torch.Tensor or None
        (B,) valid frames of each utterance; None when all are valid.
    longest : int
        Frames T of the padded batch.

    Returns
    -------
    torch.Tensor or None
        (B, T) bool, True where a frame is padding; None without counts.

    Examples
    --------
    >>> padding_mask(torch.tensor([3, 1]), 3)
    tensor([[False, False, False],
            [False,  True,  True]])
    """
    if counts is None:
        return None
    # not SpeechBrain's length_to_mask, which a traced graph keeps for one batch size alone
    return torch.arange(longest, device=counts.device) >= counts[:, None]


def feature_frames(samples, hop):
    """Count the frames of a centred STFT, as of each utterance alone.

    Rounding a relative length times the frames of the batch is off by one for some utterances,
    which changes their outputs.

    Parameters
    ----------
    samples : torch.Tensor or int
        (B,) samples of each utterance.
    hop : int
        Samples from one frame to the next.

    Returns
    -------
    torch.Tensor or int
        (B,) int64.

    Examples
    --------
    >>> feature_frames(torch.tensor([16000, 8000]), hop=160)
    tensor([101,  51])
    """
    return samples // hop + 1


def subsampling_factor(front_end):
    """Count the feature frames for each frame of the encoder.

    Parameters
    ----------
    front_end : torch.nn.Module
        Has ``subsampled``, see :class:`summarymixing_sb.models.front_end.FrontEnd`.

    Returns
    -------
    int
    """
    many = 2**20
    return round(many / int(front_end.subsampled(torch.tensor(many))))
