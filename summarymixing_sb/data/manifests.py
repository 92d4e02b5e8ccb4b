"""From a dataset's files to CSV manifests: what every recipe's ``<dataset>_prepare.py`` shares.

A recipe says which files each split consists of and which recordings its annotations name;
this module decodes every recording, leaves out what cannot be trained on and says so, writes
one CSV per manifest, and prepares again whenever the files, the options or the CSV files changed.
"""

import csv
import glob
import json
import math
import os
import re
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from speechbrain.utils.logger import get_logger
from speechbrain.utils.parallel import get_available_cpu_count, parallel_map

from summarymixing_sb.data.audio import probe_audio
from summarymixing_sb.data.fingerprint import Fingerprint, signature
from summarymixing_sb.files import atomic_open, digest

logger = get_logger(__name__)

SKIPPED_FILE = "skipped.csv"
FINGERPRINT_FILE = "preparation.json"
#: Notes of the fingerprint: a line a split, and how many recordings each has by its annotations.
NOTES = ("summary", "annotated")
NAMES_PER_LOG_LINE = 10
#: Seconds by which a segment may end behind its recording.
ROUNDING = 0.05
# what ends a line or a column, in a file name: files of hypotheses have a line an utterance
_BREAKS = re.compile(r"[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True)
class Recording:
    """One recording as the annotations name it, before its audio is opened.

    Attributes
    ----------
    id : str
        Unique name of the utterance.
    path : str
        Absolute path of its audio file.
    fields : dict[str, str]
        The CSV columns after ``ID``, ``duration`` and ``wav``; ``spk_id`` must be one of them.
        An utterance that is a part of its file has ``start`` and ``end``, in seconds; an empty
        one stands for that of the file.
    """

    id: str
    path: str
    fields: dict[str, str]

    @property
    def segment(self):
        """Start and end in seconds, 0 and infinity if it is the whole file."""
        start, end = (self.fields.get(key, "") for key in ("start", "end"))
        return float(start or 0), float(end or math.inf)


@dataclass(frozen=True)
class Skipped:
    """One recording or file that goes into no manifest, and why.

    Attributes
    ----------
    id : str
        Name of the utterance.
    path : str
        The file to look at: the audio, or the annotation that names it.
    problem : str
        Kind of the problem, the same words for all its cases, since they are counted by it.
    detail : str
        What is particular to this case.
    """

    id: str
    path: str
    problem: str
    detail: str = ""


def find_files(folder, *patterns):
    """Absolute paths of the visible files below a folder that match glob patterns, sorted.

    Parameters
    ----------
    folder : str or Path
        Where to look. Links to folders are followed.
    *patterns : str
        Glob patterns relative to the folder, such as ``*/*/*.flac``.

    Returns
    -------
    list[str]
    """
    folder = os.path.abspath(folder)  # not realpath: users name their data by links
    # glob.glob and not Path.glob, which also gives hidden files ("._name" of macOS archives).
    return sorted(
        os.path.join(folder, name)
        for pattern in patterns
        for name in glob.glob(pattern, root_dir=folder)
    )


def write_manifests(
    save_folder,
    manifests,
    sources,
    read_split,
    options,
    sample_rate=None,
    complete=(),
    allow_overlap=False,
    annotations=None,
):
    """Write one CSV per manifest, unless the CSV files there are still right.

    Also written: ``skipped.csv`` (what went into no manifest, and why) and the fingerprint by
    which the next call knows whether anything changed. Each file appears whole or not at all.

    Parameters
    ----------
    save_folder : str or Path
        Where the files go; made if it does not exist.
    manifests : dict[str, list[str]]
        Name of each CSV, without suffix, and the splits that it merges.
    sources : dict[str, list[str]]
        Every file, audio and annotation, that each of these splits depends on.
    read_split : callable
        ``read_split(split) -> (recordings, skipped)``: the annotations of one split as a list
        of `Recording`, and a list of `Skipped` for what they do not allow to use.
    options : dict
        Whatever else decides what the CSV files hold; must be representable as JSON.
    sample_rate : int, optional
        The only sampling rate, in Hz, that is accepted, and then with one channel only; any rate
        and any number of channels if None.
    complete : collection of str
        Splits of which nothing may be skipped, since their scores would change.
    allow_overlap : bool
        Go on where a recording is trained on and evaluated.
    annotations : dict of str to str, optional
        The annotation file of each split, where it has one that tells releases of a dataset apart;
        results note its hash.

    Raises
    ------
    ValueError
        If a recording is trained on and evaluated, no usable recording is left in a split, anything
        is missing from one that must be
        complete, or an ID would be twice in one CSV. Nothing is written then.
    """
    save_folder = Path(save_folder)
    save_folder.mkdir(parents=True, exist_ok=True)
    options = {
        **options,
        "manifests": manifests,
        "sample_rate": sample_rate,
        "complete": sorted(complete),
        "allow_overlap": allow_overlap,
    }
    inputs = signature(sources)
    fingerprint = Fingerprint(
        save_folder / FINGERPRINT_FILE, options, inputs, "files of the data set", NOTES
    )
    outdated = fingerprint.why_outdated()
    if outdated is None:
        logger.info(f"The data in {save_folder} is up to date:")
        for line in fingerprint.recorded["summary"]:
            logger.info(line)
        return
    logger.info(f"Preparing the data in {save_folder} ({outdated}).")

    annotated = {split: _writable(*read_split(split)) for split in sources}
    _refuse_repeated_ids(manifests, annotated)
    if not allow_overlap:
        _refuse_overlap(manifests, annotated)
    usable, missing, summary = {}, {}, []
    for split, (recordings, unusable) in annotated.items():
        usable[split], undecodable = _decode(split, recordings, sample_rate)
        missing[split] = [*unusable, *undecodable]
        _log_skipped(split, missing[split], save_folder / SKIPPED_FILE)
        if not usable[split]:
            raise ValueError(_nothing_usable(split, missing[split]))
        summary.append(_summary_line(split, usable[split], len(missing[split])))
        logger.info(summary[-1])
    _refuse_incomplete({split: missing[split] for split in missing if split in complete})

    for name, members in manifests.items():
        rows = [row for split in members for row in usable[split]]
        _write_csv(save_folder / f"{name}.csv", list(rows[0]), rows)
    columns = ["ID", "path", "split", "reason"]
    reports = [_report_row(split, case) for split in missing for case in missing[split]]
    _write_csv(save_folder / SKIPPED_FILE, columns, reports)
    fingerprint.write(
        [*(f"{name}.csv" for name in manifests), SKIPPED_FILE],
        summary=summary,
        annotated={split: _count(*found) for split, found in annotated.items()},
        annotations={
            split: {"file": os.path.basename(file), "sha256": digest(file)}
            for split, file in (annotations or {}).items()
        },
    )


def read_manifest(path):
    """Read a CSV manifest.

    Unlike SpeechBrain's reader, this one takes every character as it is: it substitutes no
    ``$variable`` and keeps spaces.

    Parameters
    ----------
    path : str or Path
        Written by :func:`write_manifests`.

    Returns
    -------
    list of dict of str to str
        Cells by column, a dict for each utterance.
    """
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def annotated_counts(save_folder):
    """How many recordings each split has by its annotations, those skipped included.

    Parameters
    ----------
    save_folder : str or Path
        Folder that `write_manifests` wrote into.

    Returns
    -------
    dict[str, int]
        By split. A set was scored whole if so many of its utterances were scored.

    Raises
    ------
    FileNotFoundError
        If nothing was prepared there.
    ValueError
        If the record of it is damaged.
    """
    return dict(_note(save_folder, "annotated"))


def annotation_files(save_folder):
    """Give the annotation file of each split and its hash, where preparation noted them.

    Parameters
    ----------
    save_folder : str or Path
        Folder that `write_manifests` wrote into.

    Returns
    -------
    dict of str to dict of str to str
        ``file`` and ``sha256`` by split.

    Raises
    ------
    FileNotFoundError, ValueError
        As `annotated_counts` does.
    """
    return dict(_note(save_folder, "annotations", {}))


def _note(save_folder, name, *default):
    """Read a note of the record of a preparation."""
    path = Path(save_folder) / FINGERPRINT_FILE
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: no data were prepared in this folder")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return record.get(name, *default) if default else record[name]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: remove it, and prepare the data again") from error


def _count(recordings, skipped):
    """Count the recordings that annotations name; one that they name twice counts once."""
    return len({case.id for case in (*recordings, *skipped)})


def _refuse_incomplete(missing):
    """Raise if anything was skipped in splits that must be complete."""
    cases = [(split, case) for split, skipped in missing.items() for case in skipped]
    if not cases:
        return
    counts = ", ".join(f"{len(left)} of {split}" for split, left in missing.items() if left)
    named = "; ".join(
        f"{case.id} ({split}, {case.problem}: {case.path})"
        for split, case in cases[:NAMES_PER_LOG_LINE]
    )
    if len(cases) > NAMES_PER_LOG_LINE:
        named += f"; and {len(cases) - NAMES_PER_LOG_LINE} more"
    raise ValueError(
        f"Recordings to evaluate on are missing or cannot be used: {counts}. Without them the "
        f"error rates are not those of the whole set. They are {named}. Mend the data, or say "
        f"allow_incomplete_evaluation=True: they are then skipped and listed in {SKIPPED_FILE}."
    )


def _writable(recordings, skipped):
    """Give IDs a line each, and skip what no text file can name."""
    usable, skipped = [], [replace(case, path=_shown(case.path)) for case in skipped]
    for recording in recordings:
        key = _BREAKS.sub(lambda found: f"%{ord(found[0]):02X}", recording.id)
        if _shown(key + recording.path) != key + recording.path:
            problem = "file name that is not UTF-8"
            skipped.append(Skipped(_shown(key), _shown(recording.path), problem))
        else:
            usable.append(replace(recording, id=key))
    return usable, skipped


def _shown(name):
    """Give a file name, its bytes that are not UTF-8 as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _refuse_repeated_ids(manifests, annotated):
    """Raise before any decoding if one CSV would hold two utterances of the same name."""
    for name, members in manifests.items():
        paths = {}
        for recording in (r for split in members for r in annotated[split][0]):
            if recording.id in paths:
                raise ValueError(
                    f"Two recordings for {name}.csv have the same ID '{recording.id}': "
                    f"{paths[recording.id]} and {recording.path}. Take one out of the data."
                )
            paths[recording.id] = recording.path


def _refuse_overlap(manifests, annotated):
    """Raise before any decoding if a recording is trained on and evaluated."""
    trained = defaultdict(list)
    for recording in (r for split in manifests.get("train", ()) for r in annotated[split][0]):
        trained[os.path.realpath(recording.path)].append(recording.segment)
    found = {
        split: [r.id for r in annotated[split][0] if _heard(r, trained)]
        for name, members in manifests.items()
        for split in members
        if name != "train"
    }
    found = {split: ids for split, ids in found.items() if ids}
    if found:
        counts = ", ".join(f"{len(ids)} of {split}" for split, ids in found.items())
        names = ", ".join([key for ids in found.values() for key in ids][:NAMES_PER_LOG_LINE])
        raise ValueError(
            f"train_splits hold recordings that are evaluated: {counts} ({names}, ...). Their "
            "scores would tell nothing: train on other splits, or say allow_overlap=True"
        )


def _heard(recording, trained):
    """Say whether any of a recording is trained on."""
    start, end = recording.segment
    segments = trained.get(os.path.realpath(recording.path), ())
    return any(start < their_end and their_start < end for their_start, their_end in segments)


def _decode(split, recordings, sample_rate):
    """CSV rows of the recordings that decode, and a `Skipped` for each of the others."""
    paths = list(dict.fromkeys(recording.path for recording in recordings))
    logger.info(f"{split}: decoding {len(paths)} recordings.")
    # Threads, because soundfile decodes outside the interpreter's lock: as fast as processes,
    # and nothing is forked from a process that may already hold a GPU.
    with ThreadPoolExecutor(get_available_cpu_count()) as pool:
        probes = parallel_map(
            partial(probe_audio, sample_rate=sample_rate),
            paths,
            executor=pool,
            progress_bar_kwargs={"desc": split, "unit": "file", "disable": None},
        )
        probes = dict(zip(paths, probes))
    rows, skipped, remarks = [], [], Counter()
    for recording in recordings:
        probe = probes[recording.path]
        problem, detail = probe.problem, probe.detail
        start, end = recording.segment
        end = min(end, probe.seconds) if recording.fields.get("end", "") == "" else end
        if not problem and not 0 <= start < end <= probe.seconds + ROUNDING:
            problem = "segment outside of its recording"
            detail = f"{start} to {end} s of {probe.seconds} s"
        if problem:
            skipped.append(Skipped(recording.id, recording.path, problem, detail))
            continue
        remarks[probe.remark] += 1
        seconds = min(end, probe.seconds) - start
        row = {"ID": recording.id, "duration": seconds, "wav": recording.path}
        rows.append({**row, **recording.fields})
    del remarks[""]
    if remarks:
        counts = ", ".join(f"{count} {remark}" for remark, count in sorted(remarks.items()))
        logger.warning(f"{split}: used all the same, of odd sound: {counts}")
    return rows, skipped


def _by_problem(skipped):
    """Give the cases of each kind of problem, most frequent kind first."""
    kinds = defaultdict(list)
    for case in skipped:
        kinds[case.problem].append(case)
    return dict(sorted(kinds.items(), key=lambda item: -len(item[1])))


def _log_skipped(split, skipped, full_list):
    """One warning per kind of problem: how many there are, and the names of some."""
    for problem, cases in _by_problem(skipped).items():
        names = ", ".join(case.id for case in cases[:NAMES_PER_LOG_LINE])
        if len(cases) > NAMES_PER_LOG_LINE:
            names += f", and {len(cases) - NAMES_PER_LOG_LINE} more in {full_list}"
        logger.warning(f"{split}: {len(cases)} skipped, {problem}: {names}")


def _nothing_usable(split, skipped):
    """Text of the error for a split whose every recording was skipped."""
    kinds = _by_problem(skipped)
    reasons = "; ".join(f"{len(cases)} x {kind}" for kind, cases in kinds.items())
    example = f" For example {skipped[0].path}." if skipped else ""
    reasons = reasons or "its annotations name none"
    return f"No usable recording in split '{split}': {reasons}.{example}"


def _report_row(split, case):
    """Give the row of ``skipped.csv`` for one case."""
    reason = f"{case.problem}: {case.detail}" if case.detail else case.problem
    return {"ID": case.id, "path": case.path, "split": split, "reason": reason}


def _summary_line(split, rows, skipped):
    """Sum up a split in one line."""
    hours = sum(row["duration"] for row in rows) / 3600
    speakers = len({row["spk_id"] for row in rows})
    return f"{split}: {len(rows)} utterances, {hours:.2f} h, {speakers} speakers; {skipped} skipped"


def _write_csv(path, columns, rows):
    """Write a CSV whole or not at all."""
    with atomic_open(path) as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
