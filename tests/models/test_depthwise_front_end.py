"""The front end of FastConformer: its definition, padding, lengths, streams."""

import pytest
import torch
from speechbrain.lobes.features import Fbank
from speechbrain.processing.features import InputNormalization
from torch.nn import functional as F

from summarymixing_sb import DepthwiseSeparableFrontEnd, FrontEnd
from summarymixing_sb.inference.streaming_features import StreamingFeatures
from summarymixing_sb.lengths import subsampling_factor


@torch.no_grad()
def test_as_the_paper_has_it():
    front_end = DepthwiseSeparableFrontEnd()
    assert sum(p.numel() for p in front_end.parameters()) == (
        9 * 256 + 256 + 2 * (9 * 256 + 256 + 256 * 256 + 256)
    )
    assert subsampling_factor(front_end) == 8
    small = DepthwiseSeparableFrontEnd(channels=6).double()
    x = torch.randn(1, 21, 16, dtype=torch.double)
    y = F.conv2d(x[None], small.first.weight, small.first.bias, stride=2, padding=1).relu()
    for depthwise, pointwise in zip(small.depthwise, small.pointwise):
        # each channel by itself, then a matrix over the channels
        y = torch.cat(
            [
                F.conv2d(y[:, [c]], depthwise.weight[[c]], depthwise.bias[[c]], stride=2, padding=1)
                for c in range(6)
            ],
            dim=1,
        )
        weight = pointwise.weight.flatten(1)
        y = (torch.einsum("oc,bctf->botf", weight, y) + pointwise.bias.view(-1, 1, 1)).relu()
    torch.testing.assert_close(small(x), y.permute(0, 2, 3, 1), rtol=0, atol=1e-12)


@torch.no_grad()
def test_alone_equals_batched():
    front_end = DepthwiseSeparableFrontEnd(channels=8).double()
    frames = torch.tensor([50, 49, 48, 47, 46, 45, 44, 43, 42, 20, 9, 8, 7, 5, 4, 3, 2, 1])
    x = torch.randn(len(frames), 50, 40, dtype=torch.double)
    out, lengths = front_end(x, frames), front_end.subsampled(frames)
    for row, (count, length) in enumerate(zip(frames.tolist(), lengths.tolist())):
        alone = front_end(x[row : row + 1, :count])
        assert alone.shape[1] == length
        assert (out[row, :length] - alone[0]).abs().max() < 1e-12


@pytest.mark.parametrize("samples", [1000, 5120, 3])
def test_streams(samples):
    front_end = FrontEnd(
        Fbank(n_mels=16), InputNormalization(), DepthwiseSeparableFrontEnd(channels=4), hop=160
    )
    signal = torch.rand(2, 16000)
    front_end(signal, torch.tensor([16000, 16000]))  # measures the statistics
    features = StreamingFeatures(front_end.eval())
    context, found = features.make_streaming_context(), []
    parts = signal.split(samples if samples > 3 else 1600, dim=1)
    if samples == 3:  # less than a frame at the start and at the end
        parts = (signal[:, :3], signal[:, 3:15990], signal[:, 15990:])
    for number, part in enumerate(parts):
        frames = features(part, context, last=number == len(parts) - 1)
        if frames.numel():
            found.append(frames)
    whole = features.module(signal)[0]
    torch.testing.assert_close(torch.cat(found, dim=1), whole, rtol=0, atol=1e-4)
