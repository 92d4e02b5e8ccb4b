"""The files of one test set: scores as JSON, references and hypotheses as text, alignments."""

import io
import json
from collections import Counter
from itertools import zip_longest
from pathlib import Path

import jiwer
from speechbrain.utils.edit_distance import EDIT_SYMBOLS
from speechbrain.utils.metric_stats import ErrorRateStats

from summarymixing_sb.evaluation.bootstrap import error_rate_interval
from summarymixing_sb.evaluation.normalizers import make_normalizer
from summarymixing_sb.evaluation.record import make_record, write_record
from summarymixing_sb.evaluation.scoring import as_text, score, units_of
from summarymixing_sb.files import atomic_open

#: jiwer's names of what SpeechBrain has symbols for.
SYMBOLS = {
    "equal": EDIT_SYMBOLS["eq"],
    "substitute": EDIT_SYMBOLS["sub"],
    "delete": EDIT_SYMBOLS["del"],
    "insert": EDIT_SYMBOLS["ins"],
}
DECODING_KEYS = ("method", "beam", "ctc_weight", "lm_source", "lm_weight")


def write_test_results(
    folder,
    name,
    ids,
    references,
    hypotheses,
    info,
    more_scores=None,
    normalizer=None,
    unit="word",
):
    """Score the words of one test set and write its files, each of them whole or not at all.

    ``<name>.hyp.txt``, ``<name>.ref.txt``
        One line per utterance: its id, a tab, the hypothesis or the reference.
    ``<name>.wer.txt``
        SpeechBrain's summary and word alignments; counts are those of the JSON file.
    ``<name>.json``
        Written last. From the scores: ``wer``, ``cer`` (%), ``wer_interval`` and ``cer_interval``
        (95 %, by bootstrap), ``substitutions``, ``deletions``, ``insertions``, ``words``,
        ``characters``, ``utterances``, ``error_unit``. From the environment:
        ``versions``, ``commit``, ``machine``, ``date``. From here: ``test_set`` (`name`) and
        ``real_time_factor`` (decoding seconds per second of audio) and ``rtfx`` (seconds of audio
        per second). And everything in `info`.

    Parameters
    ----------
    folder : str or Path
        Made where missing; files of an earlier test are replaced.
    name : str
        The test set, for instance ``test-clean``.
    ids : sequence of str
        One per utterance, all different.
    references, hypotheses : sequence of str, or of sequences of words
        In the order of `ids`.
    info : dict
        What only the run knows. Required: ``hours_audio`` (float, above 0), ``parameters`` (int, of
        the whole model), ``seconds`` (float, spent on decoding the set), ``peak_memory_mb``
        (float), ``seed``, ``command`` (str), ``yaml`` (str), ``overrides`` (dict), ``mixer`` (str),
        ``preset`` (str or None) and ``decoding``, a dict of ``method``, ``beam``, ``ctc_weight``,
        ``lm_source`` and ``lm_weight`` (None for what the method does not have). More keys may be
        added.
    more_scores : dict, optional
        Other scores of the same test, for the JSON file.
    normalizer : str, optional
        Also score normalised texts, see
        :func:`summarymixing_sb.evaluation.normalizers.make_normalizer`: ``normalizer``,
        ``wer_normalized`` and ``wer_normalized_interval``. Utterances whose reference is then empty
        are left out, as the leaderboard does.
    unit : str
        ``word``, or ``character`` for languages that write no blanks: the files then hold the
        characters with blanks between them, counts, alignments and ``cer`` are of them, and ``wer``
        is None.

    Returns
    -------
    Path
        The JSON file.

    Raises
    ------
    ValueError
        When a required key is missing, a key would overwrite one that is filled in here, ids are
        repeated, or lengths differ.
    """
    _check_ids(name, ids, references)
    references = [as_text(units_of(as_text(reference), unit)) for reference in references]
    hypotheses = [as_text(units_of(as_text(hypothesis), unit)) for hypothesis in hypotheses]
    scores = {**score(references, hypotheses), "error_unit": unit}
    if scores["wer"] is not None:
        units = [[text.split() for text in texts] for texts in (references, hypotheses)]
        scores["wer_interval"] = error_rate_interval(*units)
        scores["cer_interval"] = error_rate_interval(references, hypotheses)
    if unit == "character":
        # what was counted as words are characters
        scores |= {"cer": scores["wer"], "cer_interval": scores.pop("wer_interval", None)}
        scores |= {"wer": None, "characters": scores.pop("words")}
    if normalizer is not None:
        scores |= _normalized_scores(references, hypotheses, normalizer)
    missing = [f"decoding.{key}" for key in DECODING_KEYS if key not in info.get("decoding", {})]
    record = make_record(name, {**scores, **(more_scores or {})}, info, missing)
    _write_texts(folder, name, ids, references, hypotheses)
    _write_whole(Path(folder) / f"{name}.wer.txt", _alignments(ids, references, hypotheses))
    return write_record(folder, name, record)


def _normalized_scores(references, hypotheses, name):
    """Score texts after a normaliser."""
    normalize = make_normalizer(name)
    pairs = [(normalize(one), normalize(other)) for one, other in zip(references, hypotheses)]
    kept = [pair for pair in pairs if pair[0].strip()]
    if not kept:
        return {"normalizer": name, "wer_normalized": None}
    references, hypotheses = zip(*kept)
    words = [[text.split() for text in texts] for texts in (references, hypotheses)]
    return {
        "normalizer": name,
        "wer_normalized": score(references, hypotheses)["wer"],
        "wer_normalized_interval": error_rate_interval(*words),
    }


def write_utterances(folder, name, rows):
    """Write a JSON line an utterance, with the keys of the Open ASR Leaderboard and of NeMo.

    Parameters
    ----------
    folder : str or Path
    name : str
        The test set; ``<name>.jsonl`` is written.
    rows : iterable of dict
        ``audio_filepath``, ``duration`` (seconds), ``time`` (seconds of decoding, its share of the
        batch's by duration), ``text``, ``pred_text``.
    """
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
    _write_whole(Path(folder) / f"{name}.jsonl", "".join(lines))


def write_label_results(
    folder,
    name,
    ids,
    references,
    hypotheses,
    scores,
    info,
):
    """Write the files of one test set whose utterances have a label each.

    They are ``<name>.hyp.txt``, ``<name>.ref.txt`` and ``<name>.json`` as
    :func:`write_test_results` writes them, with these scores and ``utterances``.

    Parameters
    ----------
    folder, name, ids
        See :func:`write_test_results`.
    references, hypotheses : sequence of str
        Labels in the order of `ids`.
    scores : dict
        For the JSON file.
    info : dict
        See :func:`write_test_results`; no ``decoding`` is required.

    Returns
    -------
    Path
        The JSON file.

    Raises
    ------
    ValueError
        As :func:`write_test_results` does.
    """
    _check_ids(name, ids, references)
    record = make_record(name, {**scores, "utterances": len(ids)}, info)
    _write_texts(folder, name, ids, references, hypotheses)
    return write_record(folder, name, record)


def _check_ids(name, ids, references):
    if len(ids) != len(references):
        raise ValueError(f"{len(ids)} ids for {len(references)} references of test set {name!r}")
    repeated = sorted(key for key, count in Counter(ids).items() if count > 1)
    if repeated:
        raise ValueError(f"test set {name!r} names utterances twice: {', '.join(repeated[:5])}")


def _write_texts(folder, name, ids, references, hypotheses):
    """Write references and hypotheses, a line each."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for suffix, texts in (("ref", references), ("hyp", hypotheses)):
        lines = [f"{key}\t{text}\n" for key, text in zip(ids, texts)]
        _write_whole(Path(folder) / f"{name}.{suffix}.txt", "".join(lines))


def _alignments(ids, references, hypotheses):
    """Write SpeechBrain's WER summary and alignments as a string, of the alignments that count."""
    words = jiwer.process_words(references, hypotheses)
    stats = ErrorRateStats()
    for key, reference, hypothesis, chunks in zip(
        ids, words.references, words.hypotheses, words.alignments
    ):
        steps = [step for chunk in chunks for step in _steps(chunk)]
        counts = Counter(symbol for symbol, _, _ in steps)
        edits = len(steps) - counts[EDIT_SYMBOLS["eq"]]
        stats.scores.append(
            {
                "key": key,
                "scored": True,
                "hyp_absent": False,
                "hyp_empty": not hypothesis,
                "num_edits": edits,
                "num_ref_tokens": len(reference),
                "WER": 100 * edits / len(reference) if reference else float(edits > 0) * 100,
                "insertions": counts[EDIT_SYMBOLS["ins"]],
                "deletions": counts[EDIT_SYMBOLS["del"]],
                "substitutions": counts[EDIT_SYMBOLS["sub"]],
                "alignment": steps,
                "ref_tokens": reference,
                "hyp_tokens": hypothesis,
            }
        )
    stream = io.StringIO()
    stats.write_stats(stream)
    return stream.getvalue()


def _steps(chunk):
    """Turn a stretch of jiwer's alignment into steps of SpeechBrain's: symbol and two indices."""
    symbol = SYMBOLS[chunk.type]
    reference = range(chunk.ref_start_idx, chunk.ref_end_idx)
    hypothesis = range(chunk.hyp_start_idx, chunk.hyp_end_idx)
    return [(symbol, i, j) for i, j in zip_longest(reference, hypothesis)]


def _write_whole(path, text):
    with atomic_open(path) as file:
        file.write(text)
