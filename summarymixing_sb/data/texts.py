"""Texts as token ids on disk: as many as there are, read in batches of like length."""

import gzip
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from speechbrain.utils.logger import get_logger

from summarymixing_sb.data.fingerprint import Fingerprint, signature
from summarymixing_sb.files import atomic_open, digest

logger = get_logger(__name__)

TRANSCRIPTS = ".trans.txt"
#: Sentences that are sorted by length at a time.
POOL = 2**16
#: Lines that are tokenised at a time.
LINES = 2**14


def read_lines(file):
    """Read the texts of a file, one a line; blank lines are left out.

    Parameters
    ----------
    file : str or Path
        Text in UTF-8, also compressed (``.gz``); of LibriSpeech's ``.trans.txt`` the first word of
        a line is a name, and left out.

    Yields
    ------
    str

    Raises
    ------
    ValueError
        If it is no such text.
    """
    name = str(file)
    try:
        with (gzip.open if name.endswith(".gz") else open)(
            file, "rt", encoding="utf-8-sig"
        ) as text:
            for line in text:
                words = line.split()
                if name.endswith(TRANSCRIPTS):  # in upper case, as the recipe has them
                    words = line.upper().split()[1:]
                if words:
                    yield " ".join(words)
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise ValueError(f"{file} is no text in UTF-8: {error}") from error


def tokenize_texts(folder, name, files, tokenizer_file, tokenizer, longest):
    """Write the token ids of texts, unless they are there and up to date.

    Parameters
    ----------
    folder : str or Path
        ``<name>.tokens.npy``, ``<name>.starts.npy`` and ``<name>.json`` are written into it.
    name : str
    files : list of str
        See :func:`read_lines`.
    tokenizer_file : str or Path
    tokenizer : sentencepiece.SentencePieceProcessor
    longest : int
        Tokens; longer texts are left out.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If there is no text.
    """
    for file in files:
        if not Path(file).is_file():
            raise FileNotFoundError(f"there is no text file {file}")
    options = {"tokenizer": digest(tokenizer_file), "longest": longest}
    inputs = signature({name: [str(Path(file).resolve()) for file in files]})
    fingerprint = Fingerprint(Path(folder) / f"{name}.json", options, inputs, "texts")
    outdated = fingerprint.why_outdated()
    if outdated is None:
        return
    logger.info(f"Tokenising the texts of {name} ({outdated})")
    Path(folder).mkdir(parents=True, exist_ok=True)
    kind = np.uint16 if tokenizer.get_piece_size() <= 2**16 else np.int32
    parts, lengths = [], []  # an array for each piece of lines
    too_long = unknown = 0
    for lines in _in_pieces(line for file in files for line in read_lines(file)):
        encoded = tokenizer.encode(lines)
        kept = [ids for ids in encoded if len(ids) <= longest]
        too_long += len(encoded) - len(kept)
        lengths.append(np.fromiter(map(len, kept), np.int64, len(kept)))
        parts.append(np.fromiter(chain.from_iterable(kept), kind))
        unknown += int((parts[-1] == tokenizer.unk_id()).sum())
    if not any(map(len, lengths)):
        raise ValueError(f"there is no text in {', '.join(map(str, files)) or f'{name}: no files'}")
    lengths, tokens = np.concatenate(lengths), np.concatenate(parts)
    files_made = {
        f"{name}.tokens.npy": tokens,
        f"{name}.starts.npy": np.concatenate([[0], lengths.cumsum()]),
    }
    for file, content in files_made.items():
        with atomic_open(Path(folder) / file, binary=True) as stream:
            np.save(stream, content)
    fingerprint.write(files_made)
    total = len(tokens)
    logger.info(f"{name}: {len(lengths)} texts, {total} tokens, {too_long} texts left out (longer)")
    if unknown:
        logger.warning(
            f"{name}: {100 * unknown / total:.2f} % of the tokens are unknown to the tokenizer; "
            "are the texts written as those that it was trained on?"
        )


def _in_pieces(lines):
    """Yield lists of lines."""
    piece = []
    for line in lines:
        piece.append(line)
        if len(piece) == LINES:
            yield piece
            piece = []
    if piece:
        yield piece


class TokenTexts(torch.utils.data.Dataset):
    """Texts that :func:`tokenize_texts` wrote, with begin and end.

    Parameters
    ----------
    folder : str or Path
    name : str
    bos_index, eos_index : int
    """

    def __init__(self, folder, name, bos_index, eos_index):
        self.name, self.bos_index, self.eos_index = name, bos_index, eos_index
        self.tokens = np.load(Path(folder) / f"{name}.tokens.npy", mmap_mode="r")
        self.starts = np.load(Path(folder) / f"{name}.starts.npy")

    def __len__(self):
        return len(self.starts) - 1

    def __getitem__(self, index):
        ids = self.tokens[self.starts[index] : self.starts[index + 1]].tolist()
        return {
            "id": f"{self.name}:{index}",
            "tokens_bos": torch.tensor([self.bos_index, *ids]),
            "tokens_eos": torch.tensor([*ids, self.eos_index]),
        }

    @property
    def lengths(self):
        """Tokens of each text, its end included."""
        return np.diff(self.starts) + 1


class TokenBatches(torch.utils.data.Sampler):
    """Batches of texts of like length, other ones in each epoch.

    Parameters
    ----------
    lengths : numpy.ndarray
        Tokens of each text.
    most : int
        Tokens of a batch, padding included; a longer text is a batch of its own.
    seed : int, optional
        None keeps the order of the texts, but for their lengths.

    Examples
    --------
    >>> batches = TokenBatches(np.array([3, 9, 2, 3, 8]), most=9)
    >>> list(batches)
    [[2, 0, 3], [4], [1]]
    """

    def __init__(self, lengths, most, seed=None):
        self.lengths, self.most, self.seed = lengths, most, seed
        self.set_epoch(0)

    def set_epoch(self, epoch):
        """Make the batches of an epoch."""
        draw = np.random.default_rng([self.seed or 0, epoch])
        order = np.arange(len(self.lengths))
        if self.seed is not None:
            order = draw.permutation(len(self.lengths))
        self._batches = []
        for start in range(0, len(order), POOL):
            pool = order[start : start + POOL]
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            first = 0
            lengths = self.lengths[pool].tolist()
            for last, length in enumerate(lengths):
                # sorted: this text is the longest one so far
                if last > first and length * (last - first + 1) > self.most:
                    self._batches.append(pool[first:last])
                    first = last
            self._batches.append(pool[first:])
        if self.seed is not None:
            draw.shuffle(self._batches)

    def __iter__(self):
        """Yield lists of indices."""
        for batch in self._batches:
            yield batch.tolist()

    def __len__(self):
        return len(self._batches)
