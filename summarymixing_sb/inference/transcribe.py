"""Transcription command: recordings of any length, or a stream as it comes.

``summarymixing-transcribe RUN FILE_OR_FOLDER... --format srt --output DIR``, or
``python -m summarymixing_sb.inference.transcribe`` with the same arguments. From a microphone:
``arecord -f S16_LE -r 16000 -t raw | summarymixing-transcribe RUN - --streaming 320``

The exit status is 0, 1 if a recording could not be read, 2 for what cannot work at all.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from summarymixing_sb.data.audio import decode_audio
from summarymixing_sb.decoding.build import METHODS
from summarymixing_sb.decoding.hotwords import Hotwords
from summarymixing_sb.decoding.ngram import Ngram
from summarymixing_sb.decoding.transducer import METHODS as TRANSDUCER_METHODS
from summarymixing_sb.inference.endpoint import EndpointRule
from summarymixing_sb.inference.onnx import FILES, OnnxRecogniser
from summarymixing_sb.inference.onnx_stream import OnnxStreamingRecogniser
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.recordings import (
    STANDARD_INPUT,
    UNREAD_SUFFIXES,
    find_recordings,
    output_names,
    stated_seconds,
)
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.splitting import batches_by_length
from summarymixing_sb.inference.stream_meter import StreamMeter, summary
from summarymixing_sb.inference.streaming import StreamingRecogniser
from summarymixing_sb.inference.table import TranscriptTable
from summarymixing_sb.inference.transcripts import (
    FORMATS,
    Transcript,
    drop_unsure,
    write_transcript,
)

#: The format whose file is one for all recordings.
TABLE = "csv"
# Errors of single recordings; a RuntimeError is torch's, for a rate that it cannot convert, or for
# too little memory
FAILURES = (RuntimeError, ValueError, OSError, MemoryError)


def main(argv=None):
    """Transcribe what the command line names.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process if None.

    Returns
    -------
    int
        The exit status.
    """
    options = make_parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        # texts and names that the terminal's encoding does not have
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        job = (FilesJob if options.streaming is None else StreamingJob)(options)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        failed = job.do()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return int(failed > 0)


def make_parser():
    """Describe the command line.

    Returns
    -------
    argparse.ArgumentParser
    """
    parser = argparse.ArgumentParser(
        prog="summarymixing-transcribe",
        description="Transcribe recordings of any length with a trained run, or a stream.",
    )
    add = parser.add_argument
    add("run", metavar="RUN", help="folder of a training, its output_folder")
    add(
        "sources",
        nargs="+",
        metavar="FILE_OR_FOLDER",
        help="recordings; all audio files of a folder; - is standard input, with --streaming",
    )
    add(
        "--format",
        action="append",
        choices=[*FORMATS, TABLE],
        help="of what is written, can be repeated: text (if not given), JSON, subtitles; or a "
        "table of all recordings, which recipes/Folder trains on",
    )
    add("--output", help="folder for a file per recording and format; else standard output")
    methods = dict.fromkeys([*METHODS, *TRANSDUCER_METHODS])
    add("--decoding", choices=methods, help="if not given, greedy, by the transducer or by CTC")
    add(
        "--window",
        type=float,
        help="seconds encoded in one pass, 0 for all; as many as half of the free memory holds, if "
        "not given",
    )
    add("--overlap", type=float, default=4.0, help="seconds that two windows share (%(default)s)")
    add(
        "--batch_seconds",
        type=float,
        default=60.0,
        help="seconds of sound that go together (%(default)s)",
    )
    add(
        "--device",
        type=_device,
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="cpu, cuda or cuda:0; if not given, a GPU where there is one (%(default)s)",
    )
    add(
        "--hotwords",
        metavar="FILE",
        help="phrases to prefer, one a line, with a beam of CTC or transducer",
    )
    add(
        "--hotword_boost",
        type=float,
        default=4.0,
        help="what each of them adds to the log-probability of a text (%(default)s)",
    )
    add("--ngram", metavar="FILE", help="ARPA file of words, for a beam")
    add("--ngram_weight", type=float, default=0.5, help="(%(default)s)")
    add("--word_bonus", type=float, default=1.0, help="for each word, with --ngram (%(default)s)")
    add(
        "--onnx",
        choices=list(FILES),
        help="run the graph of an exported model by onnxruntime, on the CPU",
    )
    add(
        "--streaming",
        type=int,
        metavar="CHUNK_MS",
        help="write text as the sound comes in, in chunks of so many milliseconds",
    )
    add(
        "--min_score",
        type=float,
        default=0.0,
        help="leave out words of a lower score, from 0 to 1; %(default)s keeps all",
    )
    add(
        "--trust",
        action="store_true",
        help="build whatever the run's hyperparams.yaml names, which may run any code",
    )
    add("--left_context", type=int, metavar="CHUNKS", help="that a chunk sees; all, if not given")
    add(
        "--endpoint",
        type=float,
        metavar="SECONDS",
        help="with --streaming, begin a new line after words and so much silence",
    )
    add(
        "--endpoint_threshold",
        type=float,
        default=EndpointRule.threshold,
        help="probability of the blank, from which on a frame is silent (%(default)s)",
    )
    return parser


class FilesJob:
    """Transcription of recordings, those of like length together, the longest first.

    Several recordings on standard output are a line each, ``path: text``.

    Parameters
    ----------
    options : argparse.Namespace
        From :func:`make_parser`.

    Raises
    ------
    FileNotFoundError
        If there is no such recording or no such run.
    ValueError
        If the options cannot work.
    """

    def __init__(self, options):
        if STANDARD_INPUT in options.sources:
            raise ValueError("- (standard input) is for --streaming; name a file or a folder")
        if options.endpoint is not None:
            raise ValueError("--endpoint is for --streaming")
        self.paths = find_recordings(options.sources)
        self.formats = list(dict.fromkeys(options.format or ["txt"]))
        several = len(self.paths) * len(self.formats) > 1
        if options.output is None and several and self.formats not in (["txt"], [TABLE]):
            raise ValueError(
                f"{len(self.paths)} recording(s) as {', '.join(self.formats)} cannot be told apart "
                "on standard output: add --output FOLDER"
            )
        if not 0 <= options.min_score <= 1:
            raise ValueError(f"--min_score must be from 0 to 1, not {options.min_score}")
        self.min_score = options.min_score
        self.folder = None if options.output is None else Path(options.output)
        if self.folder is not None:
            _require_writable(self.folder)
        self.names = dict(zip(self.paths, output_names(self.paths)))
        self.seconds = {path: stated_seconds(path) for path in self.paths}
        self.table = TranscriptTable(self.folder) if TABLE in self.formats else None
        run = load_run(options.run, "cpu" if options.onnx else options.device, options.trust)
        make = partial(OnnxRecogniser, precision=options.onnx) if options.onnx else Recogniser
        self.recogniser = make(
            run,
            decoding=options.decoding,
            window=options.window,
            overlap=options.overlap,
            batch_seconds=options.batch_seconds,
            fusions=[*_hotwords(options, run.tokenizer), *_ngram(options, run.tokenizer)],
        )

    def do(self):
        """Transcribe and write.

        Returns
        -------
        int
            How many recordings could not be read.
        """
        with self.table or nullcontext():
            return self._do()

    def _do(self):
        started, audio, failed = time.perf_counter(), 0.0, 0
        total = math.ceil(sum(self.seconds.values()))
        bar_format = "{l_bar}{bar}| {n:.0f}/{total} s of sound [{elapsed}<{remaining}]"
        # on a terminal only: in a log file, every step would be a line
        with tqdm(total=total, bar_format=bar_format, disable=None) as bar:
            for path, result in self._results():
                bar.update(self.seconds[path])
                if not isinstance(result, Exception):
                    try:
                        self._write(path, result)
                        audio += result.seconds
                        continue
                    except BrokenPipeError:
                        raise
                    except OSError as error:  # a full disk
                        result = error
                failed += 1
                name = "" if str(path) in str(result) else f"{path}: "
                tqdm.write(f"not transcribed: {name}{result}", file=sys.stderr)
        line = f"{len(self.paths) - failed} recording(s), {audio:.1f} s ({audio / 3600:.2f} hours)"
        if audio:
            line += f", real-time factor {(time.perf_counter() - started) / audio:.4f}"
        print(line + (f"; {failed} not transcribed" if failed else ""), file=sys.stderr)
        return failed

    def _results(self):
        """Yield each recording and its Transcript, or the error why it could not be read."""
        run = self.recogniser.run
        lengths = list(self.seconds.values())
        for batch in batches_by_length(lengths, self.recogniser.batch_seconds):
            signals = {}
            for path in (self.paths[index] for index in batch):
                try:
                    if path.suffix.lower() in UNREAD_SUFFIXES:
                        raise ValueError(f"{path}: this format is not read; convert it to FLAC")
                    signals[path] = decode_audio(path, run.sample_rate)
                except FAILURES as error:
                    yield path, error
            for path, words in self._words(signals):
                if not isinstance(words, Exception):
                    words = Transcript(
                        os.fsencode(path).decode("utf-8", "backslashreplace"),
                        len(signals[path]) / run.sample_rate,
                        drop_unsure(words, self.min_score),
                        str(run.folder),
                        self.recogniser.decoding,
                    )
                yield path, words

    def _words(self, signals):
        """Transcribe a batch; where that fails, one by one, so that others do not fail with it."""
        try:
            return list(zip(signals, self.recogniser.transcribe([*signals.values()])))
        except FAILURES as error:
            if len(signals) == 1:
                return [(path, error) for path in signals]
        return [pair for path in signals for pair in self._words({path: signals[path]})]

    def _write(self, path, transcript):
        formats = [name for name in self.formats if name != TABLE]
        if self.table is not None:
            self.table.write(transcript)
        if self.folder is not None:
            write_transcript(transcript, self.folder, self.names[path], formats)
        if self.folder is not None or not formats:
            return
        text = FORMATS[self.formats[0]](transcript)
        tqdm.write(text if len(self.paths) == 1 else f"{path}: {text}", end="")


class StreamingJob:
    """Transcription of recordings, or of standard input, one after the other, chunk by chunk.

    Parameters
    ----------
    options : argparse.Namespace
        From :func:`make_parser`.

    Raises
    ------
    FileNotFoundError, ValueError
        See :class:`FilesJob`.
    """

    def __init__(self, options):
        refused = ("format", "output", "min_score", "hotwords", "ngram")
        if any(getattr(options, name) for name in refused):
            raise ValueError(
                "--streaming writes text to standard output, greedily: no --format, --output, "
                "--min_score, --hotwords or --ngram"
            )
        if options.sources == [STANDARD_INPUT]:
            self.sources = [STANDARD_INPUT]
        elif STANDARD_INPUT in options.sources:
            raise ValueError("- (standard input) is a stream without end: name nothing beside it")
        else:
            self.sources = find_recordings(options.sources)
        device = "cpu" if options.onnx else options.device
        rule = None
        if options.endpoint is not None:
            rule = EndpointRule(options.endpoint, options.endpoint_threshold)
        self.options = {
            "chunk_ms": options.streaming,
            "left_context": options.left_context,
            "onnx": options.onnx,
            "endpoint": rule,
        }
        self.run = load_run(options.run, device, options.trust)
        _stream(self.run, **self.options)  # refuses what cannot stream

    def do(self):
        """Transcribe and print.

        Returns
        -------
        int
            How many recordings could not be read.
        """
        failed = 0
        for source in self.sources:
            try:
                if source == STANDARD_INPUT:
                    sound = sys.stdin.buffer
                else:
                    sound = decode_audio(source, self.run.sample_rate)
            except FAILURES as error:
                failed += 1
                print(f"not transcribed: {error}", file=sys.stderr)
                continue
            if len(self.sources) > 1:
                print(f"{source}: ", end="", flush=True)
            if transcribe_stream(self.run, sound, **self.options)["interrupted"]:
                break
        return failed


def _stream(run, chunk_ms, left_context, onnx, endpoint):
    """Start a stream, by torch or by onnxruntime."""
    if onnx:
        return OnnxStreamingRecogniser(run, chunk_ms, left_context, onnx, endpoint=endpoint)
    return StreamingRecogniser(run, chunk_ms, left_context, endpoint)


def transcribe_stream(run, sound, chunk_ms, left_context=None, out=None, onnx=None, endpoint=None):
    """Transcribe chunk by chunk and print each text as soon as it is recognised.

    Sound is taken in as fast as it comes: a waveform at once, a microphone at its own pace. A
    KeyboardInterrupt (Ctrl-C) ends the stream; what was heard until then is recognised. At the end
    a line on standard error says how fast it was.

    Parameters
    ----------
    run : TrainedRun
        From :func:`summarymixing_sb.inference.run.load_run`.
    sound : torch.Tensor or binary file
        (samples,) at the run's rate; or, such as ``sys.stdin.buffer``, raw sound at that rate, one
        channel of signed 16-bit little-endian integers.
    chunk_ms, left_context
        See :class:`summarymixing_sb.inference.streaming.StreamingRecogniser`.
    out : text file, optional
        Where the text is printed; standard output if None.
    onnx : str, optional
        ``float32`` or ``int8``, to run the graphs of an exported model.
    endpoint : EndpointRule, optional
        See :class:`summarymixing_sb.inference.streaming.StreamingRecogniser`.

    Returns
    -------
    dict
        ``text``; ``interrupted``, whether by Ctrl-C; and the times, see
        :meth:`summarymixing_sb.inference.stream_meter.StreamMeter.report`.

    Raises
    ------
    ValueError
        If the chunk is no multiple of the encoder's frame, or the model cannot stream.
    """
    out = out or sys.stdout
    recogniser = _stream(run, chunk_ms, left_context, onnx, endpoint)
    meter = StreamMeter(recogniser, run.sample_rate)
    pieces = _pieces if isinstance(sound, torch.Tensor) else _raw_pieces
    texts, interrupted = [], False
    try:
        for samples in pieces(sound, recogniser):
            _print(meter.feed(samples), texts, out)
    except KeyboardInterrupt:
        interrupted = True
    _print(meter.finish(), texts, out)
    if not (texts and texts[-1].endswith("\n")):
        print(file=out, flush=True)
    report = {"text": "".join(texts), **meter.report(), "interrupted": interrupted}
    print(summary(report), file=sys.stderr)
    return report


def _print(text, texts, out):
    if text is not None:
        texts.append(text)
        print(text, end="", file=out, flush=True)


def _pieces(samples, recogniser):
    """Cut a waveform into what the recogniser needs for a chunk each."""
    while len(samples):
        count = recogniser.missing  # before what is fed changes it
        yield samples[:count]
        samples = samples[count:]


def _raw_pieces(stream, recogniser):
    """Read 16-bit samples as they come, no more than the next chunk needs."""
    left_over = b""
    while data := stream.read1(2 * recogniser.missing - len(left_over)):
        data = left_over + data
        whole = len(data) // 2 * 2
        left_over = data[whole:]
        yield torch.from_numpy(np.frombuffer(data[:whole], "<i2").astype(np.float32) / 2**15)


def _require_writable(folder):
    """Refuse a folder that no file can be written into, before anything is transcribed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"--output: nothing can be written into {folder}: {error}") from error


def _hotwords(options, tokenizer):
    """Read the phrases that the search shall prefer, if there are any."""
    if options.hotwords is None:
        return []
    if not math.isfinite(options.hotword_boost):
        raise ValueError(f"--hotword_boost must be a number, not {options.hotword_boost}")
    try:
        lines = Path(options.hotwords).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"--hotwords: {options.hotwords} is not UTF-8 text: {error}") from error
    phrases = [line for line in lines if line.strip()]
    if not phrases:
        raise ValueError(f"--hotwords: {options.hotwords} names no phrase")
    return [Hotwords(phrases, tokenizer, options.hotword_boost)]


def _ngram(options, tokenizer):
    """Read the n-gram, if there is one."""
    if options.ngram is None:
        return []
    return [Ngram(options.ngram, tokenizer, options.ngram_weight, options.word_bonus)]


def _device(name):
    """Check the name of a device, and that it is there."""
    try:
        torch.empty(0, device=name)
    except (AssertionError, RuntimeError) as error:
        raise argparse.ArgumentTypeError(f"no device {name}: {error}") from error
    return name


if __name__ == "__main__":
    sys.exit(main())
