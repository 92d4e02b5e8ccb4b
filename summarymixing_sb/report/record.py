"""What a run left in its folder, read for the page about it."""

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from kaldialign import align

from summarymixing_sb.data.manifests import read_manifest
from summarymixing_sb.hyperparameters import read_settings

#: Stands for no word in an alignment.
NO_WORD = "\N{MIDDLE DOT}"


@dataclass(frozen=True)
class Utterance:
    """A reference and what was heard.

    Attributes
    ----------
    id : str
    reference, hypothesis : list of str
        Words.
    speaker, audio : str
        Empty where the manifest is not there.
    start, end : str
        Seconds, where it is a part of its recording.
    """

    id: str
    reference: list[str]
    hypothesis: list[str]
    speaker: str = ""
    audio: str = ""
    start: str = ""
    end: str = ""

    @cached_property
    def alignment(self):
        """List of (str, str): words of reference and hypothesis, `NO_WORD` where there is none."""
        return align(self.reference, self.hypothesis, NO_WORD)

    @property
    def errors(self):
        """Substitutions, deletions and insertions."""
        return sum(one != other for one, other in self.alignment)


@dataclass
class TestSet:
    """Scores of a test, and its utterances.

    Attributes
    ----------
    name : str
    record : dict
        The result file.
    utterances : list of Utterance
    """

    __test__ = False  # no test of pytest

    name: str
    record: dict
    utterances: list[Utterance] = field(default_factory=list)

    def confusions(self, kind, most=15):
        """Count the errors of a kind.

        Parameters
        ----------
        kind : str
            ``substitutions``, ``deletions`` or ``insertions``.
        most : int

        Returns
        -------
        list of ((str, str), int)
            Words of reference and hypothesis, those made most often first.
        """
        wanted = {
            "substitutions": lambda one, other: one != other and NO_WORD not in (one, other),
            "deletions": lambda one, other: other == NO_WORD,
            "insertions": lambda one, other: one == NO_WORD,
        }[kind]
        pairs = (pair for utterance in self.utterances for pair in utterance.alignment)
        return Counter(pair for pair in pairs if wanted(*pair)).most_common(most)

    def by_speaker(self):
        """Sum up errors and words of each speaker.

        Returns
        -------
        list of (str, int, int, int)
            Speaker, utterances, words and errors, the highest error rate first.
        """
        sums = {}
        for utterance in self.utterances:
            count, words, errors = sums.get(utterance.speaker, (0, 0, 0))
            own = len(utterance.reference), utterance.errors
            sums[utterance.speaker] = (count + 1, words + own[0], errors + own[1])
        rows = [(speaker, *values) for speaker, values in sums.items()]
        return sorted(rows, key=lambda row: -row[3] / max(row[2], 1))

    def worst(self, most):
        """Give the utterances with the most errors."""
        wrong = [utterance for utterance in self.utterances if utterance.errors]
        return sorted(wrong, key=lambda utterance: (-utterance.errors, utterance.id))[:most]


@dataclass(frozen=True)
class RunRecord:
    """All that the page shows of a run.

    Attributes
    ----------
    folder : Path
    settings : dict
    yaml : str
        Its ``hyperparams.yaml``.
    epochs : list of dict of str to float
        Statistics by name, as ``train loss``.
    tests : list of TestSet
    """

    folder: Path
    settings: dict
    yaml: str
    epochs: list[dict]
    tests: list[TestSet]


def read_run(folder, results=None):
    """Read a run's folder.

    Parameters
    ----------
    folder : str or Path
        Its ``output_folder``, which may have been moved.
    results : str or Path, optional
        Folder of the result files; that of the run if None.

    Returns
    -------
    RunRecord

    Raises
    ------
    FileNotFoundError
        If it is no run, or no epoch of it has ended.
    ValueError
        If a file in it is damaged.
    """
    folder = Path(folder).resolve()
    file, log = folder / "hyperparams.yaml", folder / "train_log.txt"
    if not file.is_file():
        raise FileNotFoundError(
            f"{folder} is no run: it has no hyperparams.yaml; name the output_folder of a training"
        )
    if not log.is_file():
        raise FileNotFoundError(f"{folder} has no train_log.txt: no epoch of it has ended")
    settings = read_settings(file, {})
    before = Path(settings["output_folder"])
    results = Path(results or folder / _inside(settings["results_folder"], before, "results"))
    manifests = folder / _inside(settings["manifest_folder"], before, "save/manifests")
    if not manifests.is_dir():
        manifests = Path(settings["manifest_folder"])
    lines = log.read_text(encoding="utf-8").splitlines()
    epochs = [_statistics(line) for line in lines if line.startswith("epoch: ")]
    tests = [_read_test(path, manifests) for path in sorted(results.glob("*.json"))]
    yaml = file.read_text(encoding="utf-8")
    return RunRecord(folder, settings, yaml, epochs, [test for test in tests if test])


def _inside(path, before, otherwise):
    """Give a path relative to the folder that the run was in."""
    path = Path(path)
    return path.relative_to(before) if path.is_relative_to(before) else otherwise


def _statistics(line):
    """Read a line of ``train_log.txt``."""
    found, stage = {}, ""
    for part in line.split(" - "):
        for statistic in part.split(", "):
            name, _, value = statistic.partition(": ")
            words = name.split(" ")
            stage = words[0] if len(words) > 1 else stage
            found[" ".join(words)] = float(value)
    return found


def _read_test(path, manifests):
    """Read a result file and the texts beside it; None if it is something else."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(record, dict) or "test_set" not in record:
        return None
    test = TestSet(record["test_set"], record)
    texts = {suffix: path.with_name(f"{path.stem}.{suffix}.txt") for suffix in ("ref", "hyp")}
    if "wer" not in record or not all(file.is_file() for file in texts.values()):
        return test
    references, hypotheses = (_read_texts(file) for file in texts.values())
    rows = _manifest_of(manifests, record["test_set"])
    for key, reference in references.items():
        row = rows.get(key, {})
        place = (row.get(name, "") for name in ("spk_id", "wav", "start", "end"))
        test.utterances.append(Utterance(key, reference, hypotheses.get(key, []), *place))
    return test


def _read_texts(file):
    """Read ``.ref.txt`` or ``.hyp.txt``: words by utterance."""
    texts = {}
    for line in file.read_text(encoding="utf-8").split("\n"):
        if line:
            key, _, text = line.partition("\t")
            texts[key] = text.split()
    return texts


def _manifest_of(manifests, test_set):
    """Read the manifest of a test set; tests of several conditions add them behind a dot."""
    for name in (test_set, test_set.rpartition(".")[0]):
        file = manifests / f"{name}.csv"
        if name and file.is_file():
            return {row["ID"]: row for row in read_manifest(file)}
    return {}
