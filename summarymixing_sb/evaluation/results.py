"""The files of one test set: scores as JSON, hypotheses as text, alignments."""

import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from speechbrain.utils.metric_stats import ErrorRateStats

from summarymixing_sb.evaluation.environment import environment_record
from summarymixing_sb.evaluation.scoring import as_text, score

INFO_KEYS = (
    "hours_audio",
    "parameters",
    "seconds",
    "peak_memory_mb",
    "seed",
    "command",
    "yaml",
    "overrides",
    "mixer",
    "preset",
    "decoding",
)
DECODING_KEYS = ("method", "beam", "ctc_weight", "lm_source", "lm_weight")


def write_test_results(
    folder, name: str, ids: Sequence[str], references: Sequence, hypotheses: Sequence, info: dict
) -> Path:
    """Score one test set and write its three files, each of them whole or not at all.

    ``<name>.hyp.txt``
        One line per utterance: its id, a tab, the hypothesis.
    ``<name>.wer.txt``
        SpeechBrain's summary and word alignments.
    ``<name>.json``
        Written last. From the scores: ``wer``, ``cer`` (%), ``substitutions``, ``deletions``,
        ``insertions``, ``words``, ``characters``, ``utterances``. From the environment:
        ``versions``, ``commit``, ``machine``, ``date``. From here: ``test_set`` (`name`) and
        ``real_time_factor`` (decoding seconds per second of audio). And everything in `info`.

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
    if len(ids) != len(references):
        raise ValueError(f"{len(ids)} ids for {len(references)} references of test set {name!r}")
    if len(set(ids)) != len(ids):
        repeated = sorted({key for key in ids if ids.count(key) > 1})
        raise ValueError(f"test set {name!r} names utterances twice: {', '.join(repeated[:5])}")
    record = _record(name, score(references, hypotheses), info)
    # NaN and infinity are no JSON; other programs could not read the file
    record = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    references = [as_text(reference) for reference in references]
    hypotheses = [as_text(hypothesis) for hypothesis in hypotheses]
    lines = [f"{key}\t{text}\n" for key, text in zip(ids, hypotheses)]
    _write_whole(folder / f"{name}.hyp.txt", "".join(lines))
    _write_whole(folder / f"{name}.wer.txt", _alignments(ids, references, hypotheses))
    path = folder / f"{name}.json"
    _write_whole(path, record + "\n")
    return path


def _record(name, scores, info):
    """Join scores, run and environment into what the JSON file says."""
    missing = [key for key in INFO_KEYS if key not in info]
    missing += [f"decoding.{key}" for key in DECODING_KEYS if key not in info.get("decoding", {})]
    if missing:
        raise ValueError(f"info of test set {name!r} lacks {', '.join(missing)}")
    if not info["hours_audio"] > 0:
        raise ValueError(f"info['hours_audio'] must be above 0, not {info['hours_audio']}")
    factor = info["seconds"] / (3600 * info["hours_audio"])
    made = {"test_set": name, **scores, "real_time_factor": factor, **environment_record()}
    clash = sorted(made.keys() & info.keys())
    if clash:
        raise ValueError(
            f"info must not give {', '.join(clash)}: filled in when results are written"
        )
    return {**made, **info}


def _alignments(ids, references, hypotheses):
    """Write SpeechBrain's WER summary and alignments as a string."""
    stats = ErrorRateStats()
    stats.append(
        ids=ids,
        predict=[hypothesis.split() for hypothesis in hypotheses],
        target=[reference.split() for reference in references],
    )
    stream = io.StringIO()
    stats.write_stats(stream)
    return stream.getvalue()


def _write_whole(path, text):
    """Write a file so that a reader sees the old one or the new one, never half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        # mkstemp makes files that only their owner may read
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
