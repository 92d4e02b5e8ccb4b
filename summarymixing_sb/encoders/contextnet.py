"""ContextNet encoder (arXiv 2005.03191): convolutions from the features on, without a mixer.

Letters: B batch, T feature frames, T' frames after subsampling, E channels.
"""

import math

import torch.nn.functional as F
from speechbrain.lobes.models import ContextNet as speechbrain_contextnet
from speechbrain.nnet.CNN import Conv1d, DepthwiseSeparableConv1d
from speechbrain.nnet.normalization import BatchNorm1d

from summarymixing_sb.encoders.convolution import mirror_ends
from summarymixing_sb.encoders.depthwise import depthwise_convolution
from summarymixing_sb.lengths import padding_mask
from summarymixing_sb.pooling import utterance_mean


class ContextNet(speechbrain_contextnet.ContextNet):
    """SpeechBrain's ContextNet, same arguments, parameters and outputs, independent of padding.

    It takes the place of the front end, before a ``TransformerASR`` without encoder layers. With
    the numbers of valid frames, every utterance is mirrored at its own ends, as SpeechBrain mirrors
    the batch. Squeeze-and-excitation averages over valid frames, and so do batch norms in training.
    In evaluation, the output of an utterance is the same alone and in any batch.

    Parameters
    ----------
    input_shape : tuple
        (B, T, F), of which only F is used; B and T may be None.
    **options
        SpeechBrain's other arguments, ``alpha`` (scales the channels of the blocks),
        ``kernel_size``, ``out_channels``, ``dropout`` and so on, except ``norm``: norms other than
        ``BatchNorm1d`` would include padding.

    Raises
    ------
    ValueError
        If ``kernel_size`` is even, or ``norm`` is given.

    Examples
    --------
    >>> import torch
    >>> encoder = ContextNet(
    ...     (None, None, 80), num_blocks=2, conv_channels=[16, 32], strides=[2, 2], out_channels=24
    ... )
    >>> frames = torch.tensor([101, 50])
    >>> encoder(torch.rand(2, 101, 80), frames).shape
    torch.Size([2, 26, 24])
    >>> encoder.subsampled(frames)
    tensor([26, 13])
    """

    def __init__(self, input_shape, **options):
        if "norm" in options:
            raise ValueError("norm cannot be chosen: ContextNet has BatchNorm1d.")
        super().__init__(input_shape, **options)

    def forward(self, x, frames=None):
        """Encode features.

        Parameters
        ----------
        x : torch.Tensor
            (B, T, F) features.
        frames : torch.Tensor, optional
            (B,) valid frames of each utterance; None when all are valid.

        Returns
        -------
        torch.Tensor
            (B, T', out_channels), with T' of :meth:`subsampled`.
        """
        mask = padding_mask(frames, x.size(1))  # (B, T)
        if mask is not None:
            x = x.masked_fill(mask.unsqueeze(-1), 0)
        return _run(self, x, mask)[0]

    def subsampled(self, frames):
        """Count the output frames.

        Parameters
        ----------
        frames : torch.Tensor
            (B,) feature frames.

        Returns
        -------
        torch.Tensor
            (B,) int64.
        """
        stride = math.prod(
            layer.depthwise.stride
            for layer in self.modules()
            if isinstance(layer, DepthwiseSeparableConv1d)
        )
        # Rounding up once gives the same as rounding up at each stride.
        return (frames + stride - 1).div(stride, rounding_mode="floor")


def _run(layers, x, padding_mask):
    """Run layers in sequence; return the frames and their padding mask, both subsampled."""
    for layer in layers.values():
        if isinstance(layer, speechbrain_contextnet.ContextNetBlock):
            x, padding_mask = _run_block(layer, x, padding_mask)
        elif isinstance(layer, DepthwiseSeparableConv1d):
            x, padding_mask = _convolve(layer.depthwise, x, padding_mask)
            x = layer.pointwise(x)
        elif isinstance(layer, Conv1d):
            x, padding_mask = _convolve(layer, x, padding_mask)
        elif isinstance(layer, BatchNorm1d):
            x = _normalise(layer, x, padding_mask)
        else:
            x = layer(x)
    return x, padding_mask


def _run_block(block, x, padding_mask):
    out, out_mask = _run(block.Convs, x, padding_mask)
    out = _excite(block.SE, out, out_mask)
    if block.reduced_cov is not None:
        out = out + _run(block.reduced_cov, x, padding_mask)[0]
    return block.drop(block.activation(out)), out_mask


def _excite(module, x, padding_mask):
    """Apply squeeze-and-excitation: scale every channel by a function of the utterance mean."""
    x, _ = _run(module.conv, x, padding_mask)
    return x * module.bottleneck(utterance_mean(x, padding_mask))


def _convolve(conv, x, padding_mask):
    """Convolve mirrored utterances, and subsample frames and mask by the stride."""
    weight, bias, stride = conv.conv.weight, conv.conv.bias, conv.stride
    reach = conv.kernel_size // 2
    if reach:
        x = mirror_ends(x, padding_mask, reach)
    if conv.conv.groups > 1:
        # The faster kernel has no stride, which only three of the convolutions need.
        x = depthwise_convolution(x, weight, bias)[:, ::stride]
    else:
        x = F.conv1d(x.transpose(1, 2), weight, bias, stride).transpose(1, 2)
    return x, None if padding_mask is None else padding_mask[:, ::stride]


def _normalise(norm, x, padding_mask):
    if padding_mask is None or not norm.training:
        return norm(x)
    # Batch statistics of valid frames only.
    valid = ~padding_mask
    normalised = norm(x[valid])  # (valid frames, E)
    return normalised.new_zeros(x.shape).index_put((valid,), normalised)
