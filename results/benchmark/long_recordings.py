"""Error rates of a long recording in one pass, in windows and cut into utterances.

``python -m results.benchmark.long_recordings RUN CHAPTER... --output FILE.csv`` joins
the utterances of each chapter, a folder of LibriSpeech, to one recording.
"""

import argparse
from pathlib import Path

import torch
from kaldialign import align

from results.benchmark.rows import machine_columns, write_rows
from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.evaluation import score
from summarymixing_sb.evaluation.bootstrap import error_rate_interval
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.run import load_run

#: Stands for no word in an alignment; LibriSpeech's words are letters and apostrophes.
NO_WORD = "*"


def read_chapter(folder, sample_rate):
    """Read the utterances of a chapter in their order.

    Parameters
    ----------
    folder : str or Path
        Of LibriSpeech's layout: FLAC files and one ``.trans.txt``.
    sample_rate : int
        Hz, that of the model.

    Returns
    -------
    signals : list of torch.Tensor
        (samples,) each.
    texts : list of str

    Raises
    ------
    FileNotFoundError
        When the folder has no transcripts.
    """
    transcripts = sorted(Path(folder).glob("*.trans.txt"))
    if not transcripts:
        raise FileNotFoundError(f"{folder} is no chapter of LibriSpeech: it has no .trans.txt")
    lines = transcripts[0].read_text(encoding="utf-8").splitlines()
    pairs = sorted(line.split(" ", 1) for line in lines if line.strip())
    signals = [read_audio(Path(folder) / f"{name}.flac", sample_rate) for name, _ in pairs]
    return signals, [text for _, text in pairs]


def split_by_reference(references, hypothesis):
    """Give each utterance the words that a transcript of all of them has for it.

    Parameters
    ----------
    references : list of list of str
        Words of each utterance.
    hypothesis : list of str
        Words of the whole; they are aligned at the least number of errors, which the parts keep.

    Returns
    -------
    list of list of str

    Examples
    --------
    >>> split_by_reference([["A", "B"], ["C", "D"]], ["A", "X", "C", "D", "E"])
    [['A', 'X'], ['C', 'D', 'E']]
    """
    owners = [number for number, words in enumerate(references) for _ in words]
    parts = [[] for _ in references]
    passed = 0  # words of the references
    pairs = align([word for words in references for word in words], hypothesis, NO_WORD)
    for reference, word in pairs:
        passed += reference != NO_WORD
        if word != NO_WORD:
            parts[owners[max(passed - 1, 0)]].append(word)
    return parts


def compare(run, signals, texts, window, overlap):
    """Recognise a chapter in three ways.

    Parameters
    ----------
    run : TrainedRun
    signals : list of torch.Tensor
        (samples,) each.
    texts : list of str
    window, overlap : float
        Seconds, see :class:`summarymixing_sb.inference.recogniser.Recogniser`.

    Returns
    -------
    list of dict
        ``how``: "utterances", "one pass" or "windows"; ``wer`` with ``wer_low`` and ``wer_high``,
        its 95 % interval over utterances; ``wer_to_one_pass``, that of the words of one pass taken
        as reference; ``seconds``; ``utterances``; and ``text``.
    """
    references = [text.split() for text in texts]
    joined = torch.cat(signals)
    utterances = Recogniser(run, window=0).transcribe(signals)
    (at_once,) = Recogniser(run, window=0).transcribe([joined])
    (in_windows,) = Recogniser(run, window=window, overlap=overlap).transcribe([joined])
    found = {
        "utterances": [[word.word for word in words] for words in utterances],
        "one pass": split_by_reference(references, [word.word for word in at_once]),
        "windows": split_by_reference(references, [word.word for word in in_windows]),
    }
    one_pass = [word.word for word in at_once]
    rows = []
    for how, hypotheses in found.items():
        words = [word for part in hypotheses for word in part]
        low, high = error_rate_interval(references, hypotheses)
        rows.append(
            {
                "how": how,
                "wer": round(score(references, hypotheses)["wer"], 2),
                "wer_low": round(low, 2),
                "wer_high": round(high, 2),
                "wer_to_one_pass": round(score([one_pass], [words])["wer"], 2),
                "seconds": round(len(joined) / run.sample_rate, 1),
                "utterances": len(texts),
                "text": " ".join(words),
            }
        )
    return rows


def main(argv=None):
    """Measure every chapter, print the texts and write a CSV of the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="output folder of a training")
    parser.add_argument("chapters", nargs="+", help="folders of LibriSpeech: SPLIT/SPEAKER/CHAPTER")
    parser.add_argument("--window", type=float, default=30.0, help="seconds; default: 30")
    parser.add_argument("--overlap", type=float, default=4.0, help="seconds; default: 4")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", help="CSV file; without it, the rows are printed only")
    options = parser.parse_args(argv)

    run = load_run(options.run, options.device)
    constants = {
        "window_s": options.window,
        "overlap_s": options.overlap,
        "pooling": run.hparams["summary_pooling"],
        "encoder_positions": run.hparams["encoder_positions"],
        "train_splits": " ".join(run.hparams["train_splits"]),
        "seed": run.hparams["seed"],
    } | machine_columns()
    rows = []
    for chapter in map(Path, options.chapters):
        signals, texts = read_chapter(chapter, run.sample_rate)
        for row in compare(run, signals, texts, options.window, options.overlap):
            text = row.pop("text")
            rows.append({"chapter": "/".join(chapter.resolve().parts[-3:])} | row | constants)
            print(*(f"{key} {value}" for key, value in row.items()), text, sep="  ")
    if options.output:
        write_rows(options.output, rows)


if __name__ == "__main__":
    main()
