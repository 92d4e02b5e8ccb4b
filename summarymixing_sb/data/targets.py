"""Training targets: the pieces of a text, one label, or none."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from speechbrain.dataio.encoder import CategoricalEncoder
from speechbrain.utils.data_pipeline import DynamicItem
from speechbrain.utils.distributed import run_on_main

from summarymixing_sb.data.manifests import read_manifest
from summarymixing_sb.data.tokenizer import (
    check_tokenizer,
    fetch_tokenizer,
    load_tokenizer,
    train_tokenizer,
    trained_tokenizer,
)
from summarymixing_sb.files import digest

NO_LABEL = -100  # what torch's cross entropy leaves out
LABELS_FILE = "labels.txt"


class Tokens:
    """A text as pieces of a SentencePiece tokenizer.

    Parameters
    ----------
    tokenizer : sentencepiece.SentencePieceProcessor
    column : str
        Column of the manifests that holds the text.
    file : str or Path, optional
        Where the tokenizer came from.
    counted : bool
        Whether the training texts decide on ``output_neurons``, as they do where each character is
        a piece.
    """

    keys = ("text", "tokens", "tokens_bos", "tokens_eos")

    def __init__(self, tokenizer, column, file=None, counted=False):
        self.tokenizer, self.column, self.file = tokenizer, column, file
        self.counted = counted

    @classmethod
    def given(cls, settings, overrides, column):
        """Load the tokenizer of `tokenizer_file`; one of the command line sets `output_neurons`.

        So do the characters that a run has counted before.
        """
        if settings["tokenizer_file"] is None:
            kind = settings["token_type"]
            file = trained_tokenizer(settings["tokenizer_folder"], kind, settings["output_neurons"])
            if kind == "char" and "output_neurons" not in overrides and file.is_file():
                overrides["output_neurons"] = load_tokenizer(file).get_piece_size()
            return None
        file = fetch_tokenizer(settings["tokenizer_file"], settings["tokenizer_folder"])
        tokenizer = load_tokenizer(file)
        if "tokenizer_file" in overrides and "output_neurons" not in overrides:
            overrides["output_neurons"] = tokenizer.get_piece_size()
        return cls(tokenizer, column, file)

    @classmethod
    def trained(cls, hparams, column, symbols=()):
        """Train a tokenizer on the training texts, or find the one trained before."""
        file = train_tokenizer(
            hparams["tokenizer_folder"],
            _train_csv(hparams),
            hparams["token_type"],
            hparams["output_neurons"],
            hparams["bos_index"],
            hparams["eos_index"],
            keep=bool(hparams["checkpointer"].list_checkpoints()),
            column=column,
            symbols=symbols,
        )
        return cls(load_tokenizer(file), column, file, counted=hparams["token_type"] == "char")

    @property
    def size(self):
        """Number of pieces."""
        return self.tokenizer.get_piece_size()

    @property
    def digest(self):
        """Tells this tokenizer from another."""
        return digest(self.file)

    def check(self, settings):
        """Refuse a model of another size."""
        check_tokenizer(self.tokenizer, self.file, settings)

    def pipeline(self, hparams):
        """Make the function that gives a dataset's items their `keys`."""
        encode = partial(_encode_text, self.tokenizer, hparams["bos_index"], hparams["eos_index"])
        return DynamicItem([self.column], encode, self.keys)

    def lengths(self, items):
        """Count the tokens of each utterance."""
        return [len(ids) for ids in self._encode(items)]

    def skip_reasons(self, items, frames, hparams):
        """Say why utterances cannot be trained on, None for those that can.

        CTC needs a frame for every token and one more between two equal ones.

        Parameters
        ----------
        items : list of dict
        frames : list of int
            Encoder frames of each.
        hparams : dict
            ``blank_index``.

        Returns
        -------
        list of str or None
        """
        skip_reasons = []
        for ids, available in zip(self._encode(items), frames):
            if hparams["blank_index"] in ids:  # SentencePiece's unknown piece, CTC's blank
                skip_reasons.append("with characters that the tokenizer does not know")
            elif available < len(ids) + sum(a == b for a, b in pairwise(ids)):
                skip_reasons.append("too short for CTC")
            else:
                skip_reasons.append(None)
        return skip_reasons

    def _encode(self, items):
        return self.tokenizer.encode([item[self.column] for item in items])


class Labels:
    """One label of an utterance, out of those of the training data.

    Parameters
    ----------
    encoder : speechbrain.dataio.encoder.CategoricalEncoder
    column : str
        Column of the manifests that holds the label.
    """

    keys = ("text", "label")
    counted = True

    def __init__(self, encoder, column):
        self.encoder, self.column = encoder, column

    @classmethod
    def given(cls, settings, overrides, column):
        """Load the labels of a model that has been trained; they set `output_neurons`."""
        file = Path(settings["save_folder"]) / LABELS_FILE
        if not file.is_file() or not any(file.parent.glob("CKPT*")):
            return None
        encoder = CategoricalEncoder()
        encoder.load(file)
        overrides.setdefault("output_neurons", len(encoder))
        return cls(encoder, column)

    @classmethod
    def found(cls, hparams, column):
        """Collect the labels of the training data, and keep them beside the checkpoints."""
        labels = sorted({row[column] for row in read_manifest(_train_csv(hparams))})
        encoder = CategoricalEncoder()
        encoder.update_from_iterable(labels, sequence_input=False)
        run_on_main(encoder.save, [str(Path(hparams["save_folder"]) / LABELS_FILE)])
        return cls(encoder, column)

    @property
    def size(self):
        """Number of labels."""
        return len(self.encoder)

    @property
    def digest(self):
        """Tells these labels from others."""
        return " ".join(self.names())

    def names(self):
        """Give the labels by index."""
        return [self.encoder.ind2lab[index] for index in range(len(self.encoder))]

    def check(self, settings):
        """Refuse a model of another size."""
        if self.size != settings["output_neurons"]:
            raise ValueError(
                f"output_neurons: the training data have {self.size} labels in the column "
                f"{self.column}, not {settings['output_neurons']}"
            )

    def pipeline(self, hparams):
        """Make the function that gives a dataset's items their `keys`."""
        del hparams

        return DynamicItem([self.column], partial(_encode_label, self.encoder.lab2ind), self.keys)

    def lengths(self, items):
        """One label each."""
        return [1] * len(items)

    def skip_reasons(self, items, frames, hparams):
        """Any utterance will do."""
        return [None] * len(items)


class Untranscribed:
    """No target but the speech itself, for pre-training."""

    keys = ()
    counted = False
    digest = None

    def check(self, settings):
        """Any model will do."""

    def lengths(self, items):
        """No token, which counts as one."""
        return [1] * len(items)

    def skip_reasons(self, items, frames, hparams):
        """Say which utterances are shorter than a mask."""
        longest = hparams["mask_length"]
        return [None if count >= longest else "shorter than a mask" for count in frames]


def _encode_text(tokenizer, bos_index, eos_index, text):
    """Give the items of a text, in the order of `Tokens.keys`."""
    tokens = tokenizer.encode(text)
    with_bos, with_eos = [bos_index, *tokens], [*tokens, eos_index]
    return text, *map(torch.LongTensor, (tokens, with_bos, with_eos))


def _encode_label(indices, label):
    """Give a label and its index; one that no training utterance has counts as an error."""
    return label, indices.get(label, NO_LABEL)


def _train_csv(hparams):
    return Path(hparams["manifest_folder"]) / "train.csv"
