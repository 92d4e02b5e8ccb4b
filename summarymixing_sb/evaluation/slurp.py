"""Files of predictions on SLURP, written and scored as its official scorer reads them."""

import argparse
import json
import sys
from pathlib import Path

from summarymixing_sb.data.semantics import Semantics, annotated_entities, parse_annotation
from summarymixing_sb.evaluation.scoring import check_lengths
from summarymixing_sb.evaluation.slu import NOTHING, Understood, slu_scores, understood
from summarymixing_sb.files import atomic_open

RECORDINGS = ("both", "headset", "far")


def write_predictions(path, ids, predictions, suffix=".flac"):
    """Write predictions as JSON lines that SLURP's official scorer reads.

    Each line has the keys ``file``, ``text``, ``scenario``, ``action`` and ``entities``, a list
    of ``type`` and ``filler``. The fillers are SLURP's tokens, as in the scorer's references.

    Parameters
    ----------
    path : str or Path
        The file, usually ``predictions.jsonl``; written whole or not at all.
    ids : sequence of str
        Name of each recording's file, without suffix.
    predictions : sequence of Semantics or None
        In the same order. None, like whatever could not be read, is written as empty.
        :func:`summarymixing_sb.data.semantics.recover` makes them of any text.
    suffix : str
        Of the recordings' files.

    Raises
    ------
    ValueError
        When there is nothing to write, or the two differ in length.
    """
    check_lengths(ids, predictions)
    with atomic_open(path) as file:
        for name, prediction in zip(ids, predictions):
            prediction = prediction or NOTHING
            record = {
                "file": name + suffix,
                "text": prediction.sentence,
                "scenario": prediction.scenario,
                "action": prediction.action,
                "entities": [
                    {"type": kind, "filler": filler}
                    for kind, filler in understood(prediction).entities
                ],
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def is_chosen(file, recordings):
    """Tell whether a recording of a person is among those that are asked for.

    Parameters
    ----------
    file : str
        Its name.
    recordings : str
        ``both``, ``headset`` or ``far``.

    Returns
    -------
    bool
    """
    return recordings in ("both", "headset" if "-headset" in file else "far")


def score_predictions(annotations, predictions, recordings="both"):
    """Score a file of predictions, whatever program wrote it.

    Parameters
    ----------
    annotations : str or Path
        SLURP's JSON lines of the test set, one sentence each.
    predictions : str or Path
        JSON lines with the keys ``file``, ``scenario``, ``action`` and ``entities``, a list of
        ``type`` and ``filler``: what the official scorer takes, and
        :func:`write_predictions` writes.
    recordings : str
        ``both``, ``headset`` or ``far``: those to be scored.

    Returns
    -------
    dict
        The scores of :func:`summarymixing_sb.evaluation.slu.slu_scores` with intervals,
        ``recordings``, and ``missing``: those without a prediction, which count as not understood.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If a line is not what it should be, a prediction is there twice or is of no recording of
        the annotations, or nothing is left to score.
    """
    gold = {}
    for number, sentence in _lines(annotations):
        try:
            parts = parse_annotation(sentence["sentence_annotation"])
            meaning = Semantics(sentence["scenario"], sentence["action"], parts)
            reference = understood(meaning, annotated_entities(sentence))
            files = [recording["file"] for recording in sentence["recordings"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{annotations}, line {number} is no sentence of SLURP: {error!r}"
            ) from error
        gold |= dict.fromkeys(files, reference)
    found = {}
    for number, line in _lines(predictions):
        try:
            file, prediction = line["file"], _prediction(line)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{predictions}, line {number} is no prediction with the keys file, scenario, "
                f"action and entities (type, filler): {error!r}"
            ) from error
        if file in found:
            raise ValueError(f"{predictions}, line {number}: {file} was predicted before")
        if file not in gold:
            raise ValueError(f"{predictions}, line {number}: {annotations} has no recording {file}")
        found[file] = prediction
    names = [name for name in gold if is_chosen(name, recordings)]
    references, predictions = [gold[name] for name in names], [found.get(name) for name in names]
    scores = slu_scores(references, predictions, intervals=True)
    missing = sum(name not in found for name in names)
    return {**scores, "recordings": len(names), "missing": missing}


def _prediction(line):
    entities = [(e["type"].lower(), e["filler"].lower()) for e in line["entities"]]
    return Understood(line["scenario"], line["action"], entities)


def _lines(file):
    """Read JSON lines with their numbers."""
    for number, line in enumerate(Path(file).read_bytes().splitlines(), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise ValueError(f"{file}, line {number} is not JSON: {error}") from error


def main(argv=None):
    """Command line: ``summarymixing-score-slurp``."""
    parser = argparse.ArgumentParser(
        description="Score predictions on SLURP as its official scorer counts, with 95 % intervals."
    )
    parser.add_argument("annotations", help="JSON lines of SLURP, for instance test.jsonl")
    parser.add_argument("predictions", help="JSON lines with file, scenario, action, entities")
    parser.add_argument("--recordings", choices=RECORDINGS, default="both", help="default: both")
    options = parser.parse_args(argv)
    try:
        scores = score_predictions(options.annotations, options.predictions, options.recordings)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    json.dump(scores, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
