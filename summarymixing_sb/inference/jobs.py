"""What the transcription command does: whole recordings, or streams.

A job checks the options of the command line when it is made, and raises ValueError or
FileNotFoundError for those that cannot work; its `do` then fails for single recordings only.
"""

import math
import sys
import time
from pathlib import Path

from tqdm import tqdm

from summarymixing_sb.inference.batches import batches_by_length
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.recordings import (
    STANDARD_INPUT,
    check_recording,
    find_recordings,
    output_names,
    read_recording,
    stated_seconds,
)
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.writers import FORMATS, Transcript, write_transcript

# What reading a file may raise
UNREADABLE = (OSError, RuntimeError, ValueError)


class FilesJob:
    """Transcribe recordings, those of like length together, the longest first.

    Several recordings on standard output are a line each, ``path: text``.

    Parameters
    ----------
    options : argparse.Namespace
        From :mod:`summarymixing_sb.inference.transcribe`.
    """

    def __init__(self, options):
        if STANDARD_INPUT in options.sources:
            raise ValueError("- (standard input) is for --streaming; name a file or a folder")
        self.paths = find_recordings(options.sources)
        self.formats = list(dict.fromkeys(options.format or ["txt"]))
        several = len(self.paths) * len(self.formats) > 1
        if options.output is None and several and self.formats != ["txt"]:
            raise ValueError(
                f"{len(self.paths)} recording(s) as {', '.join(self.formats)} cannot be told apart "
                "on standard output: add --output FOLDER"
            )
        self.folder = None if options.output is None else Path(options.output)
        self.names = dict(zip(self.paths, output_names(self.paths)))
        self.seconds = {path: stated_seconds(path) for path in self.paths}
        self.decoding = options.decoding
        self.recogniser = Recogniser(
            load_run(options.run, options.device),
            options.decoding,
            options.window,
            options.overlap,
            options.batch_seconds,
        )

    def do(self):
        """Transcribe and write; return how many recordings could not be read."""
        started, audio, failed = time.perf_counter(), 0.0, 0
        total = math.ceil(sum(self.seconds.values()))
        bar_format = "{l_bar}{bar}| {n:.0f}/{total} s of sound [{elapsed}<{remaining}]"
        # on a terminal only: in a log file, every step would be a line
        with tqdm(total=total, bar_format=bar_format, disable=None) as bar:
            for path, result in self.results():
                bar.update(self.seconds[path])
                if isinstance(result, Exception):
                    failed += 1
                    tqdm.write(f"not transcribed: {result}", file=sys.stderr)
                else:
                    audio += result.seconds
                    self._write(path, result)
        seconds = time.perf_counter() - started
        print(_summary(len(self.paths) - failed, failed, audio, seconds), file=sys.stderr)
        return failed

    def results(self):
        """Yield each recording and its Transcript, or the error why it could not be read."""
        run = self.recogniser.run
        lengths = list(self.seconds.values())
        for batch in batches_by_length(lengths, self.recogniser.batch_seconds):
            signals = {}
            for path in (self.paths[index] for index in batch):
                try:
                    signals[path] = read_recording(path, run.sample_rate)
                except UNREADABLE as error:
                    yield path, error
            found = self.recogniser.transcribe(list(signals.values()))
            for (path, signal), words in zip(signals.items(), found):
                seconds = len(signal) / run.sample_rate
                yield path, Transcript(str(path), seconds, words, str(run.folder), self.decoding)

    def _write(self, path, transcript):
        if self.folder is not None:
            write_transcript(transcript, self.folder, self.names[path], self.formats)
            return
        text = FORMATS[self.formats[0]](transcript)
        tqdm.write(text if len(self.paths) == 1 else f"{path}: {text}", end="")


class StreamingJob:
    """Transcribe recordings, or standard input, one after the other and chunk by chunk.

    Parameters
    ----------
    options : argparse.Namespace
        From :mod:`summarymixing_sb.inference.transcribe`.
    """

    def __init__(self, options):
        # where no stream is transcribed, what it needs is not loaded
        from summarymixing_sb.inference.live import LiveRecogniser

        if options.format or options.output is not None:
            raise ValueError("--streaming writes text to standard output: no --format or --output")
        if options.sources == [STANDARD_INPUT]:
            self.sources = [STANDARD_INPUT]
        elif STANDARD_INPUT in options.sources:
            raise ValueError("- (standard input) is a stream without end: name nothing beside it")
        else:
            self.sources = find_recordings(options.sources)
        self.chunks = (options.streaming, options.left_context)
        self.run = load_run(options.run, options.device)
        LiveRecogniser(self.run, *self.chunks)  # refuses what cannot stream

    def do(self):
        """Transcribe; return how many recordings could not be read."""
        from summarymixing_sb.inference.stream import transcribe_stream

        failed = 0
        for source in self.sources:
            try:
                if source != STANDARD_INPUT:
                    check_recording(source)
            except UNREADABLE as error:
                failed += 1
                print(f"not transcribed: {error}", file=sys.stderr)
                continue
            if len(self.sources) > 1:
                print(f"{source}: ", end="", flush=True)
            if transcribe_stream(self.run, source, *self.chunks)["interrupted"]:
                break
        return failed


def _summary(done, failed, audio, seconds):
    """Say in a line what was done and how fast."""
    line = f"{done} recording(s), {audio:.1f} s ({audio / 3600:.2f} hours)"
    if audio:
        line += f", real-time factor {seconds / audio:.4f}"
    return line + (f"; {failed} not transcribed" if failed else "")
