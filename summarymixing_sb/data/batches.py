"""From CSV manifests to batches of waveforms and tokens."""

from collections import Counter

import torch
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.data_pipeline import DynamicItem
from speechbrain.utils.logger import get_logger

from summarymixing_sb.data.audio import decode_audio, read_audio, read_segment
from summarymixing_sb.data.manifests import FINGERPRINT_FILE, read_manifest
from summarymixing_sb.data.sampler import EpochBatchSampler

logger = get_logger(__name__)


def read_manifests(paths):
    """Read CSV manifests into one dict of utterances.

    Parameters
    ----------
    paths : list of str or Path

    Returns
    -------
    dict of str to dict
        ID to ``duration`` (float, seconds), ``wav``, ``spk_id`` and what is to be learned.

    Raises
    ------
    ValueError
        If two utterances have the same ID.
    """
    data, sources = {}, {}
    for path in paths:
        for row in read_manifest(path):
            key = row.pop("ID")
            if key in data:
                raise ValueError(
                    f"the utterance ID {key!r} stands in {sources[key]} and again in {path}: sets "
                    "that are taken together need different IDs; rename one, or choose other splits"
                )
            data[key] = {**row, "duration": float(row["duration"])}
            sources[key] = path
    return data


def make_dataset(data, targets, hparams, train=False):
    """Turn utterances into items of waveform and targets.

    Parameters
    ----------
    data : dict of str to dict
        From :func:`read_manifests`.
    targets : Tokens, Labels or Untranscribed
        See :mod:`summarymixing_sb.data.targets`.
    hparams : dict
        ``sample_rate``, what the targets read and, to train, ``speed_perturb`` (or None).
    train : bool
        Change the speed of every waveform at random.

    Returns
    -------
    speechbrain.dataio.dataset.DynamicItemDataset
        Items with ``id``, ``sig`` (samples,) and the keys of the targets.
    """
    read = ReadForTraining(hparams) if train else ReadWhole(hparams)
    whole = {"start": "", "end": ""}
    data = {key: {**whole, **item} for key, item in data.items()}
    pipelines = [DynamicItem(["wav", "start", "end"], read, ["sig"])]
    if targets.keys:
        pipelines.append(targets.pipeline(hparams))
    return DynamicItemDataset(data, pipelines, ["id", "sig", *targets.keys])


class ReadWhole:
    """Reads recordings to evaluate on; refuses those that are not whole, or no sound.

    A class and not a function in a function, so that it can be sent to the workers of a loader
    where processes are not forked.

    Parameters
    ----------
    hparams : dict
        ``sample_rate`` and, for the error, ``manifest_folder``.
    """

    def __init__(self, hparams):
        self.sample_rate = hparams["sample_rate"]
        self.manifest_folder = hparams.get("manifest_folder")

    def __call__(self, path, start, end):
        """Give the samples of a file, or of a segment of it, (samples,).

        `start` and `end` are those of the manifest, in seconds; both are empty for the whole file.
        Several files are joined.
        """
        if isinstance(path, list):
            return torch.cat([self(one, "", "") for one in path])
        try:
            if start == end == "":
                return self.read(path)
            return self.read_segment(path, float(start or 0), float(end) if end else None)
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{path} was changed since the data were prepared: {error}. Mend it, or remove "
                f"{self.manifest_folder}/{FINGERPRINT_FILE} to prepare the data again"
            ) from error

    def read(self, path):
        """Read a file and refuse one that is not whole."""
        return decode_audio(path, self.sample_rate)

    def read_segment(self, path, start, end):
        """Read a segment of a file, which preparation found whole."""
        return read_segment(path, self.sample_rate, start, end)


class ReadForTraining(ReadWhole):
    """Reads recordings to train on, whose speed may be changed at random.

    Samples are not checked: the training itself skips batches that are not finite.

    Parameters
    ----------
    hparams : dict
        Also ``speed_perturb``, or None.
    """

    def __init__(self, hparams):
        super().__init__(hparams)
        self.speed_perturb = hparams["speed_perturb"]

    def read(self, path):
        """Read a file, and change its speed."""
        return self._change_speed(read_audio(path, self.sample_rate))

    def read_segment(self, path, start, end):
        """Read a segment of a file, and change its speed."""
        return self._change_speed(super().read_segment(path, start, end))

    def _change_speed(self, signal):
        return signal if self.speed_perturb is None else self.speed_perturb(signal[None])[0]


def filter_utterances(data, targets, hparams):
    """Keep the utterances that can and should be trained on, and log how many are skipped.

    Durations are those of the fastest speed perturbation.

    Parameters
    ----------
    data : dict of str to dict
        Training utterances.
    targets : Tokens or Labels
        Their ``skip_reasons`` say what cannot be learned.
    hparams : dict
        ``sample_rate``, ``hop_length`` (ms), ``CNN`` (its ``subsampled``), ``speed_changes`` (%),
        ``avoid_if_longer_than``, ``avoid_if_shorter_than`` (seconds), and what the targets read.

    Returns
    -------
    dict of str to dict
        The utterances kept.

    Raises
    ------
    ValueError
        When nothing is left.
    """
    shortest, longest = hparams["avoid_if_shorter_than"], hparams["avoid_if_longer_than"]
    items = list(data.values())
    frames = _encoder_frames([item["duration"] for item in items], hparams)
    kept, reasons = {}, Counter()
    for (key, item), problem in zip(data.items(), targets.skip_reasons(items, frames, hparams)):
        if item["duration"] > longest:
            problem = f"longer than {longest} s (avoid_if_longer_than)"
        elif item["duration"] < shortest:
            problem = f"shorter than {shortest} s (avoid_if_shorter_than)"
        if problem is None:
            kept[key] = item
        else:
            reasons[problem] += 1
    counted = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    logger.info(f"{len(kept)} of {len(data)} utterances to train on; skipped: {counted or 'none'}")
    if not kept:
        raise ValueError(f"no utterance is left to train on; skipped: {counted or 'none'}")
    return kept


def make_batches(dataset, hparams, stage):
    """Group utterances of like length into batches of so many seconds, padding included.

    Parameters
    ----------
    dataset : speechbrain.dataio.dataset.DynamicItemDataset
    hparams : dict
        ``max_batch_length_<stage>`` (seconds), ``num_buckets``, ``seed`` and, to train,
        ``max_batch_ex`` and ``batch_ordering``.
    stage : str
        ``train``, ``valid`` or ``test``. The last two are not shuffled; longest batch first.

    Returns
    -------
    EpochBatchSampler
    """
    train = stage == "train"
    return EpochBatchSampler(
        dataset,
        hparams[f"max_batch_length_{stage}"],
        num_buckets=hparams["num_buckets"],
        shuffle=train,
        batch_ordering=hparams["batch_ordering"] if train else "descending",
        max_batch_ex=hparams["max_batch_ex"],
        seed=hparams["seed"],
    )


def _encoder_frames(durations, hparams):
    """Count the encoder frames of each utterance, at the fastest speed perturbation."""
    fastest = max(hparams["speed_changes"] or [100]) / 100
    rate = hparams["sample_rate"]
    samples = torch.tensor(durations, dtype=torch.float64).mul(rate / fastest).round().long()
    frames = samples // (rate * hparams["hop_length"] // 1000) + 1
    return hparams["CNN"].subsampled(frames).tolist()
