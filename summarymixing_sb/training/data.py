"""From CSV manifests to batches of waveforms and tokens."""

from itertools import pairwise

import torch
from speechbrain.dataio import audio_io
from speechbrain.dataio.dataio import load_data_csv
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.dataio.sampler import DynamicBatchSampler
from speechbrain.utils.data_pipeline import provides, takes
from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)

OUTPUT_KEYS = ["id", "sig", "wrd", "tokens_bos", "tokens_eos", "tokens"]


def read_manifests(paths):
    """Read CSV manifests into one dict of utterances.

    Parameters
    ----------
    paths : list of str or Path

    Returns
    -------
    dict of str to dict
        ID to ``duration`` (float, seconds), ``wav``, ``spk_id`` and ``wrd``.
    """
    data = {}
    for path in paths:
        data.update(load_data_csv(str(path)))
    return data


def make_dataset(data, tokenizer, hparams, train=False):
    """Turn utterances into items of waveform and tokens.

    Parameters
    ----------
    data : dict of str to dict
        From :func:`read_manifests`.
    tokenizer : sentencepiece.SentencePieceProcessor
    hparams : dict
        ``sample_rate``, ``bos_index``, ``eos_index`` and, to train, ``speed_perturb`` (or None).
    train : bool
        Change the speed of every waveform at random.

    Returns
    -------
    speechbrain.dataio.dataset.DynamicItemDataset
        Items with ``id``, ``sig`` (samples,), ``wrd`` and ``tokens``, ``tokens_bos`` (begins with
        `bos_index`), ``tokens_eos`` (ends with `eos_index`), all int64.
    """
    speed_perturb = hparams["speed_perturb"] if train else None

    @takes("wav")
    @provides("sig")
    def audio_pipeline(wav):
        signal = read_audio(wav, hparams["sample_rate"])
        return signal if speed_perturb is None else speed_perturb(signal[None])[0]

    @takes("wrd")
    @provides("tokens", "tokens_bos", "tokens_eos")
    def text_pipeline(wrd):
        tokens = tokenizer.encode(wrd)
        yield torch.LongTensor(tokens)
        yield torch.LongTensor([hparams["bos_index"], *tokens])
        yield torch.LongTensor([*tokens, hparams["eos_index"]])

    return DynamicItemDataset(data, [audio_pipeline, text_pipeline], OUTPUT_KEYS)


def read_audio(path, sample_rate):
    """Read a mono recording.

    Parameters
    ----------
    path : str
    sample_rate : int
        Hz that the file must have.

    Returns
    -------
    torch.Tensor
        (samples,), float32.

    Raises
    ------
    ValueError
        When the file has another sample rate, or several channels.
    """
    signal, rate = audio_io.load(path)  # (channels, samples)
    if rate != sample_rate or signal.shape[0] != 1:
        raise ValueError(
            f"{path} has {signal.shape[0]} channel(s) at {rate} Hz, and sample_rate asks for one "
            f"at {sample_rate} Hz: convert the recordings"
        )
    return signal[0]


def leave_out(data, tokenizer, hparams):
    """Leave out what cannot, or should not, be trained on, and log how many utterances that are.

    CTC needs a frame for every token and one more between two equal ones. Durations are those of
    the fastest speed perturbation.

    Parameters
    ----------
    data : dict of str to dict
        Training utterances.
    tokenizer : sentencepiece.SentencePieceProcessor
    hparams : dict
        ``sample_rate``, ``hop_length`` (ms), ``CNN`` (its ``subsampled``), ``speed_changes`` (%),
        ``avoid_if_longer_than``, ``avoid_if_shorter_than`` (seconds), ``blank_index``.

    Returns
    -------
    kept : dict of str to dict
    num_tokens : list of int
        Tokens of each utterance kept.

    Raises
    ------
    ValueError
        When nothing is left.
    """
    shortest, longest = hparams["avoid_if_shorter_than"], hparams["avoid_if_longer_than"]
    tokens = tokenizer.encode([item["wrd"] for item in data.values()])
    frames = _ctc_frames([item["duration"] for item in data.values()], hparams)
    kept, num_tokens = {}, []
    reasons = dict.fromkeys(
        (
            "too short for CTC",
            f"longer than {longest} s (avoid_if_longer_than)",
            f"shorter than {shortest} s (avoid_if_shorter_than)",
            "with characters that the tokenizer does not know",
        ),
        0,
    )
    too_short, too_long, below, unknown = reasons
    for (key, item), ids, available in zip(data.items(), tokens, frames):
        if item["duration"] > longest:
            reasons[too_long] += 1
        elif item["duration"] < shortest:
            reasons[below] += 1
        elif hparams["blank_index"] in ids:  # SentencePiece's unknown piece, CTC's blank
            reasons[unknown] += 1
        elif available < len(ids) + sum(a == b for a, b in pairwise(ids)):
            reasons[too_short] += 1
        else:
            kept[key] = item
            num_tokens.append(len(ids))
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
    logger.info(f"{len(kept)} of {len(data)} utterances to train on; left out: {counted or 'none'}")
    if not kept:
        raise ValueError(f"no utterance is left to train on; left out: {counted or 'none'}")
    return kept, num_tokens


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
    speechbrain.dataio.sampler.DynamicBatchSampler
    """
    train = stage == "train"
    return DynamicBatchSampler(
        dataset,
        hparams[f"max_batch_length_{stage}"],
        num_buckets=hparams["num_buckets"],
        shuffle=train,
        batch_ordering=hparams["batch_ordering"] if train else "descending",
        max_batch_ex=hparams["max_batch_ex"],
        seed=hparams["seed"],
    )


def _ctc_frames(durations, hparams):
    """Encoder frames of each utterance, at the fastest speed perturbation."""
    fastest = max(hparams["speed_changes"] or [100]) / 100
    rate = hparams["sample_rate"]
    samples = torch.tensor(durations, dtype=torch.float64).mul(rate / fastest).round().long()
    frames = samples // (rate * hparams["hop_length"] // 1000) + 1
    return hparams["CNN"].subsampled(frames).tolist()
