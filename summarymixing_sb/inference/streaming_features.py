"""Front end of streams: from the next samples to the next frames of the encoder.

Letters: B streams, N samples, T frames of the features, T' subsampled frames.
"""

import copy
import math
from dataclasses import dataclass

import torch
from speechbrain.lobes.features import (
    Fbank,
    StreamingFeatureWrapper,
    StreamingFeatureWrapperContext,
)
from speechbrain.utils.filter_analysis import stack_filter_properties
from torch import nn


@dataclass
class StreamingFeaturesContext(StreamingFeatureWrapperContext):
    """State of a stream: the samples that the next frames reach back to.

    Attributes
    ----------
    left_context : torch.Tensor or None
        (B, N) the newest samples.
    given : int
        Subsampled frames of these samples that were returned before.
    loudest : torch.Tensor or None
        (B, 1) decibels of the loudest feature before these samples; None while they begin where
        the stream does.
    """

    given: int = 0
    loudest: torch.Tensor | None = None


class StreamingFeatures(StreamingFeatureWrapper):
    """SpeechBrain's streaming wrapper around a front end.

    It also treats the two ends of a stream as those of a recording, where SpeechBrain's inserts
    silence, and waits for no more samples than the frames need. So the frames are those that
    :attr:`module` gives for the whole recording, however the samples are divided.

    Parameters
    ----------
    front_end : summarymixing_sb.models.front_end.FrontEnd
        With an ``Fbank``, centred, without deltas and context windows; an ``InputNormalization`` of
        ``norm_type`` global; and a ``ConvolutionFrontEnd``.

    Raises
    ------
    ValueError
        If one of them needs the whole recording.
    """

    def __init__(self, front_end):
        _require_streamable(front_end)
        properties = stack_filter_properties([front_end.compute_features, front_end.subsampling])
        super().__init__(CausalFeatures(front_end), properties)

    @property
    def reach(self):
        """int: samples from the centre of a frame to the last one that it depends on."""
        return (self.properties.window_size + 1) // 2

    def samples_for(self, frames):
        """Count the samples from the start of the stream that so many frames need.

        Parameters
        ----------
        frames : int

        Returns
        -------
        int
        """
        return (frames - 1) * self.properties.stride + self.reach

    def make_streaming_context(self):
        """Start streams.

        Returns
        -------
        StreamingFeaturesContext
        """
        return StreamingFeaturesContext(None)

    @torch.no_grad()
    def forward(self, chunk, context, last=False):
        """Take in samples, return the frames that no later sample can change.

        Parameters
        ----------
        chunk : torch.Tensor
            (B, N) any number of samples, also none.
        context : StreamingFeaturesContext
            State of the streams, which is updated.
        last : bool
            Whether the recording ends here; then all remaining frames are returned.

        Returns
        -------
        torch.Tensor
            (B, T', F', channels); (B, 0) where no frame is ready.
        """
        samples = chunk
        if context.left_context is not None:
            samples = torch.cat([context.left_context, chunk], dim=1)
        stride, given = self.properties.stride, context.given
        if last:
            # the front end mirrors at both ends, for which less than a frame is too short
            samples = nn.functional.pad(samples, (0, max(0, stride - samples.size(1))))
            return self.module(samples, context.loudest)[0][:, given:]
        ready = max(given, (samples.size(1) - self.reach) // stride + 1)
        if ready == given:
            context.left_context = samples.clone()
            return chunk.new_empty(chunk.size(0), 0)
        frames, loudest = self.module(samples, context.loudest)
        self._keep(context, samples, ready, loudest)
        return frames[:, given:ready]

    def _keep(self, context, samples, ready, loudest):
        """Forget what the frames that come next do not reach back to."""
        context.given = min(ready, self.get_output_count_per_pad_frame())
        start = (ready - context.given) * self.properties.stride
        # a copy, since a view would keep all of the samples
        context.left_context = samples[:, start:].clone()
        if start:
            last_before = start // self.module.hop + self.module.incomplete - 1
            context.loudest = loudest[:, last_before : last_before + 1].clone()


class CausalFeatures(nn.Module):
    """A front end whose frames do not depend on how loud later samples are.

    SpeechBrain's Fbank raises features to ``top_db`` below the loudest of the recording. Here it is
    the loudest so far: the features agree with SpeechBrain's from the loudest on.

    Parameters
    ----------
    front_end : summarymixing_sb.models.front_end.FrontEnd
        See :class:`StreamingFeatures`.

    Attributes
    ----------
    hop : int
        Samples from one feature frame to the next.
    incomplete : int
        Feature frames whose window reaches to before the first sample.
    """

    def __init__(self, front_end):
        super().__init__()
        compute_features = front_end.compute_features
        properties = compute_features.get_filter_properties()
        self.hop = properties.stride
        self.incomplete = math.ceil(properties.window_size / 2 / self.hop)
        self.top_db = compute_features.compute_fbanks.top_db
        self.unlimited = copy.deepcopy(compute_features)
        self.unlimited.compute_fbanks.top_db = math.inf
        self.normalize, self.subsampling = front_end.normalize, front_end.subsampling

    def forward(self, samples, before=None):
        """Compute features.

        Parameters
        ----------
        samples : torch.Tensor
            (B, N).
        before : torch.Tensor, optional
            (B, 1) decibels of the loudest up to the first frames, whose windows are not complete;
            None at the start of a recording.

        Returns
        -------
        frames : torch.Tensor
            (B, T', F', channels).
        loudest : torch.Tensor
            (B, T) decibels of the loudest so far.
        """
        features = self.unlimited(samples)  # (B, T, mels)
        loudest = features.amax(dim=2)
        if before is not None:
            loudest[:, : self.incomplete] = before
        loudest = loudest.cummax(dim=1).values
        features = torch.maximum(features, (loudest - self.top_db).unsqueeze(2))
        return self.subsampling(self.normalize(features)), loudest


def _require_streamable(front_end):
    features, normalize = front_end.compute_features, front_end.normalize
    if not isinstance(features, Fbank) or features.deltas or features.context:
        raise ValueError(
            f"compute_features: {type(features).__name__} cannot be streamed as it is set; a model "
            "that is to stream has an Fbank with deltas: False and context: False"
        )
    if normalize.norm_type != "global":
        raise ValueError(
            f"normalize: norm_type {normalize.norm_type} needs the whole recording; a model that "
            "is to stream is trained with norm_type: global"
        )
    if not hasattr(front_end.subsampling, "get_filter_properties"):
        raise ValueError(
            f"CNN: {type(front_end.subsampling).__name__} sees the whole recording; a model that "
            "is to stream has a ConvolutionFrontEnd"
        )
