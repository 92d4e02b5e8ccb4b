"""Subsampling by depthwise separable convolutions, as FastConformer has it.

Letters: B batch, T feature frames, T' frames after subsampling, F mel bands.
"""

import torch
import torch.nn.functional as F
from speechbrain.utils.filter_analysis import FilterProperties, stack_filter_properties
from torch import nn

from summarymixing_sb.lengths import padding_mask


class DepthwiseSeparableFrontEnd(nn.Module):
    """Subsampling of FastConformer (arXiv 2305.05084, section 2), exact under padding.

    Convolutions of 3 by 3 with stride 2 and ReLU, of which all but the first are depthwise and
    followed by a pointwise one. Behind the last valid frame of an utterance every layer sees zeros:
    it comes out the same alone and in any batch.

    Parameters
    ----------
    num_stages : int
        Convolutions with stride 2; 3 keep one frame in eight.
    channels : int
        Channels of each.

    Examples
    --------
    >>> front_end = DepthwiseSeparableFrontEnd(channels=16)
    >>> frames = torch.tensor([101, 51])
    >>> front_end(torch.rand(2, 101, 80), frames).shape
    torch.Size([2, 13, 10, 16])
    >>> front_end.subsampled(frames)
    tensor([13, 7])
    """

    def __init__(self, num_stages=3, channels=256):
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.depthwise, self.pointwise = nn.ModuleList(), nn.ModuleList()
        for _ in range(num_stages - 1):
            self.depthwise.append(
                nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels)
            )
            self.pointwise.append(nn.Conv2d(channels, channels, 1))
        # faster on processors, the longer the utterance
        self.to(memory_format=torch.channels_last)

    def forward(self, x, frames=None):
        """Subsample features.

        Parameters
        ----------
        x : torch.Tensor
            (B, T, F) features.
        frames : torch.Tensor, optional
            (B,) valid frames of each utterance; None when all are valid.

        Returns
        -------
        torch.Tensor
            (B, T', F', channels), with F / 8 bands left of F by three stages.
        """
        x = F.relu(self.first(_hide_padding(x.unsqueeze(1), frames)))
        for depthwise, pointwise in zip(self.depthwise, self.pointwise):
            frames = _halve(frames)
            x = F.relu(pointwise(depthwise(_hide_padding(x, frames))))
        return x.permute(0, 2, 3, 1)

    def subsampled(self, frames):
        """Count the frames that come out.

        Parameters
        ----------
        frames : torch.Tensor
            (B,) feature frames.

        Returns
        -------
        torch.Tensor
            (B,) int64.
        """
        for _ in range(1 + len(self.depthwise)):
            frames = _halve(frames)
        return frames

    def get_filter_properties(self):
        """Describe window and stride in feature frames, for SpeechBrain's streaming wrappers.

        Returns
        -------
        speechbrain.utils.filter_analysis.FilterProperties
        """
        stage = FilterProperties(window_size=3, stride=2)
        return stack_filter_properties([stage] * (1 + len(self.depthwise)))


def _halve(frames):
    return None if frames is None else (frames + 1).div(2, rounding_mode="floor")


def _hide_padding(x, frames):
    """Set frames of (B, channels, T, F) behind the valid ones to 0."""
    mask = padding_mask(frames, x.size(2))
    return x if mask is None else x.masked_fill(mask[:, None, :, None], 0)
