"""Recogniser of recordings of any length, which finds words and their times.

Letters: B batch, T frames of the encoder, D model width, V pieces of the vocabulary.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

import torch
from torch.nn.utils.rnn import pad_sequence

from summarymixing_sb.data.audio import SILENCE
from summarymixing_sb.decoding.alignment import align_words
from summarymixing_sb.decoding.build import METHODS, build_decoder
from summarymixing_sb.decoding.transducer import METHODS as TRANSDUCER_METHODS
from summarymixing_sb.decoding.transducer import build_transducer_decoder
from summarymixing_sb.inference.one_pass import MEASURED_SECONDS, longest_pass
from summarymixing_sb.inference.splitting import (
    batches_by_length,
    cut_at_pauses,
    join_windows,
    plan_windows,
)
from summarymixing_sb.inference.transcripts import end_with
from summarymixing_sb.models.encode import encode

#: What is decoded and aligned at once; what is longer is cut at a pause.
SEGMENT_SECONDS = 40.0


@dataclass(frozen=True)
class Encoding:
    """Outputs of the model for one recording, on the model's device.

    Parameters
    ----------
    encoded : torch.Tensor
        (T, D).
    log_probs : torch.Tensor
        (T, V) of CTC.
    """

    encoded: torch.Tensor
    log_probs: torch.Tensor


class Recogniser:
    """Transcribe waveforms with a trained run.

    A recording is encoded in one pass where memory allows, else in overlapping windows whose
    log-probabilities are joined before they are decoded and aligned.

    Parameters
    ----------
    run : TrainedRun
        From :func:`summarymixing_sb.inference.run.load_run`.
    decoding : str, optional
        ``ctc_greedy``, ``ctc_prefix_beam`` or ``joint_beam``; of a transducer also
        ``transducer_greedy`` or ``transducer_beam``. None chooses ``transducer_greedy`` or
        ``ctc_greedy``.
    window : float, optional
        Seconds that are encoded in one pass; 0 encodes all of a recording, whatever its length.
        None measures, when a recording is longer than 40 s, what half of the free memory holds.
    overlap : float
        Seconds that neighbouring windows share.
    batch_seconds : float
        Seconds of audio, padding included, that are encoded or decoded together.
    fusions : sequence of summarymixing_sb.decoding.hotwords.Hotwords or Ngram
        What scores the texts of ``ctc_prefix_beam`` or ``transducer_beam`` besides.

    Raises
    ------
    ValueError
        If numbers cannot work, or the run has no such decoding.
    """

    def __init__(
        self,
        run,
        decoding=None,
        window=None,
        overlap=4.0,
        batch_seconds=60.0,
        fusions=(),
    ):
        if not 0 < batch_seconds < math.inf:
            raise ValueError(f"batch_seconds must be above 0, not {batch_seconds}")
        if not 0 <= overlap < math.inf:
            raise ValueError(f"overlap must be 0 or more seconds, not {overlap}")
        if window is not None and not math.isfinite(window):
            raise ValueError(f"a window must be a number of seconds, not {window}")
        if window is not None and window != 0 and window < overlap + 2 * run.frame_seconds:
            raise ValueError(
                f"a window must be 0 or longer than the overlap of {overlap} s by two frames of "
                f"{run.frame_seconds} s, not {window} s"
            )
        self.run = run
        greedy = "transducer_greedy" if "transducer_lin" in run.modules else "ctc_greedy"
        self.decoding = decoding or greedy
        self.decoder = _build_decoder(self.decoding, run, fusions)
        self.window, self.overlap, self.batch_seconds = window, overlap, batch_seconds
        self.frame_samples = round(run.frame_seconds * run.sample_rate)

    def transcribe(self, signals):
        """Transcribe recordings.

        Parameters
        ----------
        signals : list of torch.Tensor
            (samples,) each, at the run's ``sample_rate``.

        Returns
        -------
        list of list of Word
            Without words where the recording is digital silence.
        """
        encodings = self.encode(signals)
        segments = [
            (number, start, end)
            for number, encoding in enumerate(encodings)
            for start, end in self._cut(encoding.log_probs)
        ]
        seconds = [(end - start) * self.run.frame_seconds for _, start, end in segments]
        words = {}
        for batch in batches_by_length(seconds, self.batch_seconds):
            chosen = [segments[index] for index in batch]
            words.update(zip(chosen, self._words_of(encodings, chosen)))
        transcripts = [[] for _ in signals]
        for segment in segments:
            transcripts[segment[0]] += words[segment]
        rate = self.run.sample_rate
        return [
            # a model that was not trained on silence hears words in it
            end_with(found, len(signal) / rate) if signal.abs().max() >= SILENCE else []
            for found, signal in zip(transcripts, signals)
        ]

    def encode(self, signals):
        """Encode recordings, in windows those that are too long for one pass.

        Parameters
        ----------
        signals : list of torch.Tensor
            (samples,) each.

        Returns
        -------
        list of Encoding
        """
        plans = [self._plan(len(signal)) for signal in signals]
        places = [(number, *window) for number, plan in enumerate(plans) for window in plan]
        waveforms = [self._samples_of(signals[number], *window) for number, *window in places]
        seconds = [len(waveform) / self.run.sample_rate for waveform in waveforms]
        encoded = {}
        for batch in batches_by_length(seconds, self.batch_seconds):
            parts = self._encode_batch([waveforms[index] for index in batch])
            encoded.update(zip((places[index] for index in batch), parts))
        encodings = []
        for number, plan in enumerate(plans):
            parts = [encoded.pop((number, *window)) for window in plan]
            encodings.append(
                Encoding(
                    join_windows([part.encoded for part in parts], plan),
                    join_windows([part.log_probs for part in parts], plan),
                )
            )
        return encodings

    def _plan(self, samples):
        """Windows of a recording, in frames."""
        frames = samples // self.frame_samples + 1
        window = self.window
        if window is None:
            short = samples <= MEASURED_SECONDS[1] * self.run.sample_rate
            window = 0 if short else self._longest_pass
        if window == 0:
            return [(0, frames)]
        length, overlap = (int(s / self.run.frame_seconds) for s in (window, self.overlap))
        return plan_windows(frames, length, min(overlap, length - 1))

    @cached_property
    def _longest_pass(self):
        """Seconds that one pass may have."""
        seconds = longest_pass(
            lambda signal: self._encode_batch([signal]), self.run.sample_rate, self.run.device
        )
        return max(seconds, self.overlap + MEASURED_SECONDS[1])

    def _samples_of(self, signal, start, end):
        """Give the waveform of some frames."""
        return signal[start * self.frame_samples : end * self.frame_samples]

    @torch.no_grad()
    def _encode_batch(self, signals):
        """Encode waveforms together; each comes out as it does alone."""
        run = self.run
        samples = torch.tensor([len(signal) for signal in signals], device=run.device)
        padded = pad_sequence(signals, batch_first=True).to(run.device)
        encoded, frames = encode(run.front_end, run.modules["Transformer"], padded, samples)
        log_probs = run.modules["ctc_lin"](encoded).float().log_softmax(-1)  # (B, T, V)
        counts = frames.tolist()
        return [
            Encoding(*(x[:count] for x in both)) for *both, count in zip(encoded, log_probs, counts)
        ]

    def _cut(self, log_probs):
        """Segments of a recording, in frames."""
        longest = int(SEGMENT_SECONDS / self.run.frame_seconds)
        return cut_at_pauses(
            log_probs, self.run.tokenizer, self.run.hparams["blank_index"], longest
        )

    @torch.no_grad()
    def _words_of(self, encodings, segments):
        """Decode and align segments: encoding, first frame and the one after the last of each."""
        run = self.run
        encoded = [encodings[number].encoded[start:end] for number, start, end in segments]
        log_probs = [encodings[number].log_probs[start:end] for number, start, end in segments]
        frames = torch.tensor([len(rows) for rows in log_probs], device=run.device)
        found = self.decoder(
            pad_sequence(encoded, batch_first=True),
            pad_sequence(log_probs, batch_first=True),
            frames,
        )
        detokenizer, blank_index = self.decoder.detokenizer, run.hparams["blank_index"]
        return [
            align_words(ids, rows, detokenizer, blank_index, run.frame_seconds, start)
            for ids, rows, (_, start, _) in zip(found, log_probs, segments)
        ]


def _build_decoder(method, run, fusions):
    """Build the decoder of the run's tests, as far as CTC can find the times of its words."""
    hparams = run.hparams
    if method in TRANSDUCER_METHODS and method not in METHODS:
        if "transducer_lin" not in run.modules:
            raise ValueError(
                f"{method} needs a transducer, and {run.folder} is none: decode with "
                f"{', '.join(METHODS)}"
            )
        values = SimpleNamespace(**hparams)
        return build_transducer_decoder(method, values, run.modules, run.tokenizer, fusions=fusions)
    if method == "ctc_greedy":  # the default, also for a run that was tested with one
        hparams = {**hparams, "lm_source": None}
    elif method == "joint_beam" and hparams.get("ctc_weight_decode") == 0:
        raise ValueError(
            "joint_beam needs a ctc_weight_decode above 0 here, since CTC finds the times of its "
            "words; decode with ctc_greedy or ctc_prefix_beam"
        )
    return build_decoder(method, hparams, run.modules, run.tokenizer, fusions=fusions)
