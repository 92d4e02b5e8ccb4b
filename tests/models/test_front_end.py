"""Exact lengths from samples to subsampled frames."""

import pytest
import torch
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models import convolution
from speechbrain.processing.features import InputNormalization

from summarymixing_sb import ConvolutionFrontEnd
from summarymixing_sb.lengths import feature_frames, from_relative
from summarymixing_sb.models.front_end import FrontEnd

OPTIONS = {
    "input_shape": (None, None, 80),
    "num_blocks": 2,
    "num_layers_per_block": 1,
    "out_channels": (8, 4),
    "kernel_sizes": (3, 3),
    "strides": (2, 2),
    "dilations": (1, 1),
    "residuals": (False, False),
}


def test_valid_frames_are_those_of_the_utterance_alone():
    fbank = Fbank(sample_rate=16000, n_fft=512, win_length=32, n_mels=80)
    samples = torch.tensor([16000, 15999, 8080, 8079, 3])
    counted = feature_frames(from_relative(samples / 16000, 16000), 160)
    assert counted.tolist() == [fbank(torch.rand(1, n)).shape[1] for n in samples.tolist()]


def test_valid_frames_of_long_recordings():
    samples = torch.tensor([16_000_000, 15_999_999, 12_345_679])  # up to 1000 seconds
    counted = from_relative(samples / samples[0], int(samples[0]))
    assert feature_frames(counted, 160).tolist() == [n // 160 + 1 for n in samples.tolist()]


@pytest.mark.parametrize("residual", [False, True])
def test_same_outputs_as_speechbrain_without_padding(residual):
    options = OPTIONS | {"residuals": (residual, residual)}
    theirs = convolution.ConvolutionFrontEnd(**options).eval()
    ours = ConvolutionFrontEnd(**options).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 37, 80)
    for frames in (None, torch.tensor([37, 37])):
        assert (ours(x, frames) - theirs(x)).abs().max() < 1e-6


def test_alone_equals_batched():
    front_end = ConvolutionFrontEnd(**OPTIONS).eval()
    frames = torch.tensor([50, 49, 48, 47, 46, 20, 7, 6, 5, 4])
    x = torch.randn(len(frames), 50, 80)
    with torch.no_grad():
        out = front_end(x, frames)
        lengths = front_end.subsampled(frames)
        for row, (count, length) in enumerate(zip(frames.tolist(), lengths.tolist())):
            alone = front_end(x[row : row + 1, :count])
            assert alone.shape[1] == length
            assert (out[row, :length] - alone[0]).abs().max() < 1e-5


def test_lengths_with_a_wide_kernel_are_refused():
    front_end = ConvolutionFrontEnd(**OPTIONS | {"kernel_sizes": (5, 3)})
    with pytest.raises(ValueError, match="kernels are 3 at most"):
        front_end(torch.randn(1, 50, 80), torch.tensor([50]))


def test_a_front_end_that_counts_no_frames_is_refused():
    theirs = convolution.ConvolutionFrontEnd(**OPTIONS)
    message = r"CNN: speechbrain\..*ConvolutionFrontEnd has no subsampled.*summarymixing_sb\.Conv"
    with pytest.raises(ValueError, match=message):
        FrontEnd(Fbank(), InputNormalization(), theirs, hop=160)


def test_an_utterance_comes_out_the_same_alone_and_in_a_batch():
    front_end = FrontEnd(
        Fbank(n_mels=80), InputNormalization(), ConvolutionFrontEnd(**OPTIONS), hop=160
    )
    signals = torch.rand(2, 16000)
    signals[1, 8079:] = 0
    front_end(signals, torch.tensor([16000, 8079]))  # measures the statistics
    front_end.eval()
    together, counts = front_end(signals, torch.tensor([16000, 8079]))
    alone, count = front_end(signals[1:, :8079], torch.tensor([8079]))
    assert counts[1] == count[0] == alone.size(1)
    torch.testing.assert_close(together[1, : count[0]], alone[0], atol=1e-4, rtol=1e-4)
