"""From waveforms to subsampled frames, with exact lengths.

Letters: B batch, T feature frames, T' frames after subsampling, F mel bands.
"""

import torch
from speechbrain.lobes.models import convolution
from speechbrain.nnet.CNN import Conv2d
from torch import nn

from summarymixing_sb.lengths import feature_frames, to_relative


class FrontEnd(nn.Module):
    """Features, normalisation and subsampling: all that stands before the encoder.

    A module for subsampling follows this protocol, as :class:`ConvolutionFrontEnd` and
    :class:`summarymixing_sb.ContextNet` do:

    * ``subsampling(features, frames)`` maps (B, T, F) features, of which ``frames`` (B,) are
      valid, to (B, T', ...), and an utterance comes out the same alone and in any batch;
    * ``subsampling.subsampled(frames)`` counts the valid frames that come out, (B,) int64.

    Parameters
    ----------
    compute_features : torch.nn.Module
        From (B, samples) to (B, T, F); a centred STFT, so that T is ``samples // hop + 1``.
    normalize : speechbrain.processing.features.InputNormalization
        Normalises the features.
    subsampling : torch.nn.Module
        Follows the protocol above; may be wrapped in DistributedDataParallel.
    hop : int
        Samples from one feature frame to the next.

    Raises
    ------
    ValueError
        If ``subsampling`` does not follow the protocol, as SpeechBrain's front ends do not.

    Examples
    --------
    >>> from speechbrain.lobes.features import Fbank
    >>> from speechbrain.processing.features import InputNormalization
    >>> convolutions = ConvolutionFrontEnd(
    ...     (None, None, 40), num_blocks=2, num_layers_per_block=1, out_channels=(64, 32),
    ...     kernel_sizes=(3, 3), strides=(2, 2), dilations=(1, 1), residuals=(False, False),
    ... )
    >>> front_end = FrontEnd(Fbank(), InputNormalization(), convolutions, hop=160)
    >>> frames, counts = front_end(torch.rand(2, 16000), torch.tensor([16000, 8000]))
    >>> frames.shape, counts
    (torch.Size([2, 26, 10, 32]), tensor([26, 13]))
    """

    def __init__(self, compute_features, normalize, subsampling, hop):
        super().__init__()
        require_subsampling(subsampling)
        self.compute_features, self.normalize = compute_features, normalize
        self.subsampling, self.hop = subsampling, hop

    def forward(self, signals, samples, epoch=None, augment=None):
        """Make what the encoder takes.

        Parameters
        ----------
        signals : torch.Tensor
            (B, N) waveforms.
        samples : torch.Tensor
            (B,) valid samples of each.
        epoch : int, optional
            In training, for a normaliser that stops to adapt after some epochs.
        augment : callable, optional
            SpeechBrain's ``Augmenter``, applied to the normalised features.

        Returns
        -------
        frames : torch.Tensor
            (B, T', ...).
        counts : torch.Tensor
            (B,) int64, the valid ones of each utterance.
        """
        counts = feature_frames(samples, self.hop)  # (B,)
        features = self.compute_features(signals)  # (B, T, F)
        relative = to_relative(counts, features.size(1))
        features = self.normalize(features, relative, epoch=epoch)
        if augment is not None:
            features, _ = augment(features, relative)
        return self.subsampling(features, counts), unwrapped(self.subsampling).subsampled(counts)


def require_subsampling(module):
    """Refuse a module that does not follow the protocol of :class:`FrontEnd`.

    Parameters
    ----------
    module : torch.nn.Module
        What the YAML key ``CNN`` builds.

    Raises
    ------
    ValueError
        If it cannot count the frames that come out.
    """
    if not hasattr(unwrapped(module), "subsampled"):
        kind = type(module)
        raise ValueError(
            f"CNN: {kind.__module__}.{kind.__qualname__} has no subsampled(frames), by which "
            "valid frames are counted; use summarymixing_sb.ConvolutionFrontEnd or "
            "summarymixing_sb.ContextNet, which take SpeechBrain's arguments, or write a module as "
            "summarymixing_sb.models.front_end.FrontEnd describes"
        )


def unwrapped(module):
    """Take a module out of DistributedDataParallel or DataParallel, which hide its methods."""
    parallel = nn.parallel.DistributedDataParallel, nn.DataParallel
    return module.module if isinstance(module, parallel) else module


class ConvolutionFrontEnd(convolution.ConvolutionFrontEnd):
    """SpeechBrain's convolutional front end, its parameters and outputs, exact under padding.

    SpeechBrain mirrors the features at the end of the batch, so that a shorter utterance sees its
    padding instead of its mirror image. Told the valid frames, this class mirrors every utterance
    at its own end: it comes out the same alone and in any batch.

    The arguments are SpeechBrain's. Lengths can be given for kernels of 3 without dilation.

    Examples
    --------
    >>> front_end = ConvolutionFrontEnd(
    ...     (None, None, 80), num_blocks=2, num_layers_per_block=1, out_channels=(64, 32),
    ...     kernel_sizes=(3, 3), strides=(2, 2), dilations=(1, 1), residuals=(False, False),
    ... )
    >>> frames = torch.tensor([101, 51])
    >>> front_end(torch.rand(2, 101, 80), frames).shape
    torch.Size([2, 26, 20, 32])
    >>> front_end.subsampled(frames)
    tensor([26, 13])
    """

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
            (B, T', F', channels).

        Raises
        ------
        ValueError
            If frames are given and a kernel is not one of 3 without dilation, padded to "same".
        """
        for block in self.values():
            shortcut = x
            for layer in block.convs.values():
                if frames is not None and isinstance(layer, Conv2d):
                    _require_mirrored_by_one(layer)
                    x = _mirror_end(x, frames)
                    frames = _after_stride(frames, layer)
                x = layer(x)
            if block.reduce_conv:
                x = block.drop(x + block.reduce_conv(shortcut))
        return x

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
        for block in self.values():
            for layer in block.convs.values():
                if isinstance(layer, Conv2d):
                    frames = _after_stride(frames, layer)
        return frames


def _require_mirrored_by_one(layer):
    if (
        max(layer.kernel_size) > 3
        or max(layer.dilation) > 1
        or (layer.padding, layer.padding_mode) != ("same", "reflect")
    ):
        raise ValueError(
            "Lengths can be given to a ConvolutionFrontEnd whose kernels are 3 at most, without "
            f"dilation, padding 'same'; one has kernel {layer.kernel_size}, dilation "
            f"{layer.dilation}, padding {layer.padding!r}."
        )


def _after_stride(frames, layer):
    stride = layer.stride[-1]
    return torch.div(frames + stride - 1, stride, rounding_mode="floor")


def _mirror_end(x, frames):
    """Put, behind the last valid frame of each utterance, the frame before it."""
    inside = (frames < x.size(1)).view(-1, *[1] * (x.dim() - 1))
    rows = torch.arange(x.size(0), device=x.device)
    behind = frames.clamp(max=x.size(1) - 1)
    mirrored = x[rows, (frames - 2).clamp(min=0)].unsqueeze(1)
    current = x[rows, behind].unsqueeze(1)
    return x.index_put((rows, behind), torch.where(inside, mirrored, current).squeeze(1))
