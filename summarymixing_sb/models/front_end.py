"""From waveform samples to subsampled frames, with exact lengths."""

import torch
from speechbrain.lobes.models import convolution
from speechbrain.nnet.CNN import Conv2d


def valid_frames(wav_lens, num_samples, hop_samples):
    """Count the feature frames of each utterance, as if it were alone.

    SpeechBrain's centred STFT gives ``samples // hop + 1`` frames. Rounding a relative length
    times the frames of the batch is off by one for some utterances, which changes their outputs.
    The count is exact for batches of up to 2 ** 24 samples (17 minutes at 16 kHz), the integers
    that float32 lengths can tell apart.

    Parameters
    ----------
    wav_lens : torch.Tensor
        (B,) lengths relative to the longest waveform.
    num_samples : int
        Samples of the longest waveform.
    hop_samples : int
        Samples from one frame to the next.

    Returns
    -------
    torch.Tensor
        (B,) int64.

    Examples
    --------
    >>> valid_frames(torch.tensor([1.0, 0.5]), num_samples=16000, hop_samples=160)
    tensor([101,  51])
    """
    # In float64, since a float32 product loses samples of long recordings.
    samples = torch.round(wav_lens.double() * num_samples).long()
    return torch.div(samples, hop_samples, rounding_mode="floor") + 1


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
