"""Frames of a stream are those of the whole recording, in whatever stretches it comes."""

import pytest
import torch
from speechbrain.lobes.features import Fbank
from speechbrain.processing.features import InputNormalization

from summarymixing_sb import ContextNet, ConvolutionFrontEnd
from summarymixing_sb.encoders.state import state_bytes
from summarymixing_sb.inference.streaming_features import CausalFeatures, StreamingFeatures
from summarymixing_sb.models.front_end import FrontEnd

HOP = 160  # samples


def parts(blocks=3, norm_type="global", win_length=25, **options):
    """Fbank, normalisation and a front end that subsamples by 2 in every block."""
    fbank = Fbank(sample_rate=16000, n_fft=512, n_mels=20, win_length=win_length, **options)
    normalize = InputNormalization(norm_type=norm_type)
    normalize(fbank(torch.randn(2, 8000)))
    front_end = ConvolutionFrontEnd(
        (None, None, 20),
        num_blocks=blocks,
        num_layers_per_block=1,
        out_channels=(4,) * blocks,
        kernel_sizes=(3,) * blocks,
        strides=(2,) * blocks,
        residuals=(False,) * blocks,
    )
    return fbank, normalize.eval(), front_end.eval()


def noise(*sizes):
    """Sound of which no band is near the limit of 80 dB below the loudest."""
    return 0.1 * torch.randn(1, sum(sizes))


def stream(features, samples, stretches):
    """Frames of samples that come in stretches of so many, until they are all in."""
    context, frames, start = features.make_streaming_context(), [], 0
    for size in stretches:
        frames.append(features(samples[:, start : start + size], context))
        start += size
    frames.append(features(samples[:, start:], context, last=True))
    return torch.cat([stretch for stretch in frames if stretch.numel()], dim=1)


@pytest.mark.parametrize("win_length", [20, 25, 32])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_any_stretches_give_the_frames_of_the_whole(blocks, win_length):
    fbank, normalize, front_end = parts(blocks, win_length=win_length)
    features = StreamingFeatures(FrontEnd(fbank, normalize, front_end, HOP))
    draw = torch.Generator().manual_seed(blocks)
    for size in (1300, 5120, 8961, 16000):
        samples = noise(size)
        with torch.no_grad():
            expected = front_end(normalize(fbank(samples)))
        sizes = torch.randint(0, 3000, (5,), generator=draw).tolist()
        for stretches in ([], [size], sizes, [640] * 20, [1] * 50):
            found = stream(features, samples, stretches)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_waits_for_no_sample_too_many():
    features = StreamingFeatures(FrontEnd(*parts(), HOP))
    samples = noise(20000)
    for frames in (1, 2, 5):
        needed = features.samples_for(frames)
        found = features(samples[:, :needed], features.make_streaming_context())
        assert found.size(1) == frames
        before = features(samples[:, : needed - 1], features.make_streaming_context())
        assert (before.size(1) if before.numel() else 0) == frames - 1
    # the last of the frames does change with the last samples, that of the window's edge aside
    changed = samples[:, : features.samples_for(5)].clone()
    changed[:, -5:] += 1
    found_changed = features(changed, features.make_streaming_context())
    assert (found_changed[:, 4] - found[:, 4]).abs().max() > 1e-6
    assert torch.equal(found_changed[:, :3], found[:, :3])


def test_sound_shorter_than_a_frame():
    features = StreamingFeatures(FrontEnd(*parts(), HOP))
    for size in (1, 100, 1279):
        found = features(noise(size), features.make_streaming_context(), last=True)
        assert found.shape[1] >= 1
        assert torch.isfinite(found).all()


def test_what_is_kept_does_not_grow():
    features = StreamingFeatures(FrontEnd(*parts(), HOP))
    context, sizes = features.make_streaming_context(), []
    for _ in range(200):
        features(noise(100_000)[:, :2560], context)  # a view of something large
        sizes.append(state_bytes(context))
    # two frames of 1280 samples to look back, what the features need ahead, and the loudest
    assert len(set(sizes[5:])) == 1
    assert sizes[-1] <= 4 * (2 * 1280 + 2560 + 1)


def test_quiet_bands_are_lifted_to_80_db_below_the_loudest_so_far():
    fbank, normalize, front_end = parts()
    loud, quiet = noise(8000), 1e-6 * torch.randn(1, 16000)
    loud_first = torch.cat([loud, quiet], dim=1)
    with torch.no_grad():
        expected = front_end(normalize(fbank(loud_first)))
    features = StreamingFeatures(FrontEnd(fbank, normalize, front_end, HOP))
    found = stream(features, loud_first, [2560] * 8)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    # the limit is felt: alone the quiet part is another
    assert (fbank(quiet).amin() - fbank(loud_first).amin()).abs() > 10

    # Before the loud part has come, nothing of it is known.
    module, loud_last = (
        CausalFeatures(FrontEnd(fbank, normalize, front_end, HOP)),
        torch.cat([quiet, loud], dim=1),
    )
    with torch.no_grad():
        before, alone = module(loud_last)[0], module(quiet)[0]
        known = front_end(normalize(fbank(loud_last)))
    assert torch.equal(before[:, :10], alone[:, :10])
    assert (known[:, :10] - alone[:, :10]).abs().max() > 0.01


def test_what_needs_the_whole_recording_is_refused():
    fbank, normalize, front_end = parts()
    for options in ({"deltas": True}, {"context": True}):
        with pytest.raises(ValueError, match=r"compute_features: Fbank cannot .* deltas: False"):
            StreamingFeatures(FrontEnd(parts(**options)[0], normalize, front_end, HOP))
    with pytest.raises(ValueError, match=r"norm_type sentence .* norm_type: global"):
        StreamingFeatures(FrontEnd(fbank, InputNormalization(norm_type="sentence"), front_end, HOP))
    encoder = ContextNet(
        (None, None, 20), num_blocks=1, conv_channels=[8], strides=[2], out_channels=8
    )
    with pytest.raises(ValueError, match="CNN: ContextNet sees the whole"):
        StreamingFeatures(FrontEnd(fbank, normalize, encoder, HOP))
