"""Reading audio: rates, channels, formats, and files that cannot be read."""

import numpy as np
import pytest
import soundfile
import torch

from summarymixing_sb.data.audio import decode_audio, probe_audio, read_audio
from summarymixing_sb.data.mp3 import why_cut

RATE = 16000


def tone(rate, seconds=1.0, hertz=440.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def power_at(signal, hertz):
    """Share of the energy within 2 Hz of a frequency; the signal is at 16 kHz and lasts 1 s."""
    spectrum = np.abs(np.fft.rfft(np.asarray(signal), RATE)) ** 2
    return spectrum[int(hertz) - 2 : int(hertz) + 3].sum() / spectrum.sum()


def test_samples_at_the_right_rate_are_those_of_the_file(tmp_path):
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, 1000, dtype=np.int16)
    soundfile.write(tmp_path / "a.flac", samples, RATE)
    signal = read_audio(tmp_path / "a.flac", RATE)
    assert signal.dtype == torch.float32
    assert signal.equal(torch.from_numpy(samples / 2**15).float())


@pytest.mark.parametrize("rate", [8000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize("suffix", ["wav", "mp3"])
def test_other_rates_are_converted(rate, suffix, tmp_path):
    soundfile.write(tmp_path / f"a.{suffix}", tone(rate), rate)
    signal = read_audio(tmp_path / f"a.{suffix}", RATE)
    assert signal.shape == (RATE,)
    assert power_at(signal, 440) > 0.99
    assert signal[4000:12000].abs().max() == pytest.approx(0.5, abs=0.06)


def test_what_the_new_rate_cannot_hold_is_taken_away(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(48000, hertz=11000), 48000)
    assert read_audio(tmp_path / "a.wav", RATE)[100:-100].abs().max() < 0.01


def test_channels_are_averaged(tmp_path):
    left, right = tone(RATE), tone(RATE, hertz=1000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    expected = torch.from_numpy((left + right) / 2).float()
    assert torch.allclose(read_audio(tmp_path / "a.wav", RATE), expected, atol=1e-6)


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "b.mp3").write_bytes(b"<html>404</html>" * 100)
    soundfile.write(tmp_path / "c.wav", np.zeros(0), RATE)
    for name in ("a.mp3", "b.mp3", "c.wav"):
        with pytest.raises((RuntimeError, ValueError), match=name):
            read_audio(tmp_path / name, RATE)


def test_probe_asks_for_one_channel_only_where_it_asks_for_a_rate(tmp_path):
    path = str(tmp_path / "a.wav")
    soundfile.write(path, np.zeros((48000, 2)), 48000)
    assert probe_audio(path)[:3] == (1.0, "", "")
    assert probe_audio(path, 48000)[1:3] == ("more than one channel", "2 channels")


def test_probe_gives_the_length_that_is_read(tmp_path):
    for seconds in (0.1, 0.77, 3.0):
        path = str(tmp_path / "a.mp3")
        soundfile.write(path, tone(48000, seconds), 48000)
        probed, problem, *_ = probe_audio(path)
        assert problem == ""
        assert probed == pytest.approx(len(read_audio(path, RATE)) / RATE, abs=1 / RATE)


def without_length(path, with_md5=True):
    """Take the number of samples, and the checksum, out of the header of a FLAC."""
    content = bytearray(path.read_bytes())
    assert content[:4] == b"fLaC"
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    if not with_md5:
        content[26:42] = bytes(16)
    path.write_bytes(content)


@pytest.mark.parametrize("with_md5", [True, False])
@pytest.mark.parametrize("seconds", [0.1, 20.0])
def test_a_flac_without_a_length_in_its_header(seconds, with_md5, tmp_path):
    """Encoders that write to a pipe cannot know the length."""
    file = tmp_path / "piped.flac"
    samples = np.random.default_rng(0).integers(
        -(2**14), 2**14, int(seconds * RATE), dtype=np.int16
    )
    soundfile.write(file, samples, RATE)
    without_length(file, with_md5)
    assert probe_audio(str(file), RATE)[:3] == (seconds, "", "")
    for read in (read_audio, decode_audio):
        assert read(file, RATE).equal(torch.from_numpy(samples / 2**15).float())


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_cut_mp3(tmp_path, rate, channels):
    """By its frames; the length that libsndfile states for it is what is left."""
    noise = np.random.default_rng(0).normal(0, 0.1, (2 * rate, channels))
    file = tmp_path / "a.mp3"
    soundfile.write(file, noise, rate)
    assert probe_audio(file).problem == ""
    content = file.read_bytes()
    for share in (0.3, 0.5, 0.999):
        file.write_bytes(content[: round(share * len(content))])
        assert probe_audio(file).problem == "truncated or damaged audio"


def test_real_mp3_files_are_whole(real_data):
    files = sorted(real_data.rglob("*.mp3"))
    assert files
    assert not [file for file in files if why_cut(file)]
