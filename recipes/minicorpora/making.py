"""Speaking a corpus once, in parallel, and counting it: shared by all mini corpora."""

import hashlib
import re
from pathlib import Path

import soundfile
from scipy.signal import resample_poly
from speechbrain.utils.parallel import parallel_map

from recipes.minicorpora import manifest
from recipes.minicorpora.speech import SAMPLE_RATE, require_espeakng
from recipes.minicorpora.utterances import record

# What soundfile writes, by the file's suffix: the sampling rate in Hz, and the coding.
FORMATS = {
    ".flac": (16000, "PCM_16"),
    ".wav": (16000, "PCM_16"),
    ".mp3": (48000, "MPEG_LAYER_III"),
}


def make_once(folder, parameters, plan, contents, write):
    """Write a corpus, unless it is there already.

    Parameters
    ----------
    folder : pathlib.Path
        Where the corpus goes.
    parameters : dict
        The options that determine the corpus, as JSON holds them.
    plan : object
        Everything that the corpus says and how. Its ``repr`` tells two versions of the package
        apart that make other corpora from the same options.
    contents : sequence of str
        Names of the files and folders that `write` writes in the folder.
    write : callable
        ``write() -> statistics`` writes the corpus; its statistics are what JSON holds.

    Returns
    -------
    dict
        The statistics.

    Raises
    ------
    FileExistsError
        The folder holds another corpus, or something that is none of ours.
    ImportError
        The package espeakng-loader is not installed.
    """
    version = hashlib.sha256(repr(plan).encode()).hexdigest()[:16]
    parameters = {**parameters, "version": version}
    statistics = manifest.claim(folder, parameters, contents)
    if statistics is None:
        require_espeakng()
        statistics = write()
        manifest.finish(folder, parameters, contents, statistics)
    return statistics


def speak_all(paths, workers=None, progress=True):
    """Speak utterances into files.

    Parameters
    ----------
    paths : dict of Utterance to pathlib.Path
        The file of each utterance; folders are made. The suffix decides the format, see `FORMATS`.
    workers : int, optional
        Processes that speak; as many as there are cores if not given.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    dict of Utterance to float
        Lengths in seconds.

    Raises
    ------
    ValueError
        The number of workers is out of range.
    RuntimeError
        espeak-ng cannot start, or this process has it loaded already.
    """
    check_workers(workers)
    for folder in {path.parent for path in paths.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    lengths = parallel_map(
        _speak_one,
        list(paths.items()),
        process_count=workers,
        progress_bar=progress,
        progress_bar_kwargs={"desc": "speaking", "unit": "sentence", "mininterval": 1},
    )
    return dict(zip(paths, lengths))


def check_workers(workers):
    """Refuse a number of processes that cannot be."""
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")


def _speak_one(job):
    """Speak one utterance into its file; returns its length in seconds."""
    utterance, path = job
    wave = record(utterance)
    rate, coding = FORMATS[Path(path).suffix]
    soundfile.write(path, resample_poly(wave, rate // SAMPLE_RATE, 1), rate, subtype=coding)
    return len(wave) / SAMPLE_RATE


def words_of(text):
    """Return the words of a sentence, without punctuation and in lower case.

    >>> words_of("Dov'è il gatto?")
    ["dov'è", 'il', 'gatto']
    """
    return re.findall(r"[\w'-]+", text.lower())


def statistics_of(corpus, seconds):
    """Count what a corpus holds.

    Parameters
    ----------
    corpus : dict of str to list of Speaker
        See `utterances.plan`.
    seconds : dict of Utterance to float
        See `speak_all`.

    Returns
    -------
    dict
        ``{split: {"hours", "sentences", "speakers", "vocabulary", "unknown"}}``, where "unknown"
        lists the words that the first split, which is the training split, does not have.
    """
    statistics, training_words = {}, None
    for split, speakers in corpus.items():
        utterances = [utterance for speaker in speakers for utterance in speaker.utterances]
        words = {word for utterance in utterances for word in words_of(utterance.text)}
        training_words = words if training_words is None else training_words
        statistics[split] = {
            "hours": round(sum(seconds[utterance] for utterance in utterances) / 3600, 4),
            "sentences": len(utterances),
            "speakers": len(speakers),
            "vocabulary": len(words),
            "unknown": sorted(words - training_words),
        }
    return statistics
