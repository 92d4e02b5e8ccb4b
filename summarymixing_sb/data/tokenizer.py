"""SentencePiece tokenizers: trained on the training transcripts or given, and checked."""

import csv
import hashlib
import io
from pathlib import Path

import sentencepiece
from speechbrain.tokenizers.SentencePiece import SentencePiece
from speechbrain.utils.data_utils import split_path
from speechbrain.utils.distributed import run_on_main
from speechbrain.utils.fetching import fetch
from speechbrain.utils.logger import get_logger

from summarymixing_sb.data.fingerprint import Fingerprint
from summarymixing_sb.data.manifests import read_manifest

logger = get_logger(__name__)

#: SentencePiece's character for a space.
WORD_BOUNDARY = "\N{LOWER ONE EIGHTH BLOCK}"


def fetch_tokenizer(source, folder):
    """Find a tokenizer file here, or on the Hugging Face hub.

    Parameters
    ----------
    source : str
        A path, or a hub name followed by the file's: ``owner/name/tokenizer.ckpt``.
    folder : str or Path
        Where a file from the hub is put.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        When it is in neither place.
    """
    if Path(source).is_file():
        return Path(source)
    repository, name = split_path(source)
    if Path(source).is_absolute() or repository.count("/") != 1 or repository.startswith("."):
        raise FileNotFoundError(
            f"tokenizer_file: there is no file {source} (a file on the hub is owner/name/file)"
        )
    try:
        run_on_main(fetch, kwargs={"filename": name, "source": repository, "savedir": folder})
    except Exception as error:  # the hub's client raises many unrelated kinds
        raise FileNotFoundError(
            f"tokenizer_file: {source} is no file here, and did not come from the hub: {error}"
        ) from error
    return Path(folder) / name


def train_tokenizer(
    folder, train_csv, kind, size, bos_index, eos_index, keep, column="wrd", symbols=()
):
    """Train a tokenizer on a column of a CSV file, unless it has been before.

    Parameters
    ----------
    folder : str or Path
        Where the tokenizer is kept.
    train_csv : str or Path
    kind : str
        ``unigram``, ``bpe`` or ``char``.
    size : int
        Number of pieces; index 0 is the unknown piece, which is also CTC's blank.
    bos_index, eos_index : int
    keep : bool
        Keep an existing tokenizer although the transcripts changed, because a model was trained
        with it.
    column : str
        Column of the CSV file that holds the texts.
    symbols : sequence of str
        Parts of texts that are one piece each, spaces inside them included. Those that begin with
        a space begin a word, at the start of a text too.

    Returns
    -------
    Path
        The tokenizer's file.

    Raises
    ------
    ValueError
        When the transcripts do not support a vocabulary of this size.
    """
    file = Path(folder) / f"{size}_{kind}.model"
    options = {"kind": kind, "size": size, "bos": bos_index, "eos": eos_index}
    options |= {"column": column, "symbols": list(symbols)}
    run_on_main(_train_if_stale, [file, train_csv, options, keep])
    return file


def load_tokenizer(file):
    """Load a SentencePiece model.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    sentencepiece.SentencePieceProcessor

    Raises
    ------
    ValueError
        When the file is no SentencePiece model.
    """
    tokenizer = sentencepiece.SentencePieceProcessor()
    try:
        tokenizer.load(str(file))
    except (OSError, RuntimeError) as error:
        raise ValueError(f"tokenizer_file: {file} is no SentencePiece model: {error}") from error
    return tokenizer


def check_tokenizer(tokenizer, file, settings):
    """Refuse a tokenizer of another size than the model; warn of one made for CTC alone.

    Parameters
    ----------
    tokenizer : sentencepiece.SentencePieceProcessor
    file : str or Path
        Where it came from, for the message.
    settings : dict
        ``output_neurons``, and for a model with a decoder ``bos_index`` and ``eos_index``.

    Raises
    ------
    ValueError
    """
    pieces, outputs = tokenizer.get_piece_size(), settings["output_neurons"]
    if pieces != outputs:
        raise ValueError(
            f"the tokenizer {file} has {pieces} pieces and the model {outputs} outputs: set "
            f"output_neurons to {pieces}, or tokenizer_file to a tokenizer of {outputs} pieces"
        )
    for key in ("bos_index", "eos_index") if settings["num_decoder_layers"] else ():
        index = settings[key]
        if not tokenizer.is_control(index):
            logger.warning(
                f"{key} is {index}, and the tokenizer {file} has the piece "
                f"{tokenizer.id_to_piece(index)!r} there, which the decoder can then not write"
            )


def _train_if_stale(file, train_csv, options, keep):
    """Train, unless a fingerprint beside the tokenizer says that it was trained on just this."""
    if file.is_file() and not Path(train_csv).is_file():
        return  # testing, where the training data are not
    texts = "\n".join(row[options["column"]] for row in read_manifest(train_csv))
    content = hashlib.sha256(texts.encode()).hexdigest()
    # one beside each tokenizer: several may share the folder
    note = file.with_suffix(".json")
    fingerprint = Fingerprint(note, options, content, "training transcripts")
    outdated = fingerprint.why_outdated()
    if file.is_file() and outdated is None:
        return
    if file.is_file() and keep:
        if fingerprint.recorded:  # earlier versions recorded nothing that can be told apart
            logger.warning(
                f"{outdated}; the tokenizer {file} stays, because there are checkpoints of a model "
                "trained with it"
            )
        return
    # SpeechBrain's class takes up whatever lies in its folder
    for stale in (file, file.parent / f"{Path(train_csv).stem}.txt"):
        stale.unlink(missing_ok=True)
    try:
        SentencePiece(
            str(file.parent),
            options["size"],
            annotation_train=str(train_csv),
            annotation_read=options["column"],
            model_type=options["kind"],
            user_defined_symbols=_written_by_sentencepiece(options["symbols"]),
            bos_id=options["bos"],
            eos_id=options["eos"],
        )
    except (RuntimeError, OSError) as error:
        raise ValueError(
            f"output_neurons: no {options['kind']} tokenizer of {options['size']} pieces can be "
            f"trained on {train_csv}, its transcripts allow other sizes: {error}"
        ) from error
    fingerprint.write([file.name])


def _written_by_sentencepiece(symbols):
    """SpeechBrain wants one line of CSV or None; SentencePiece writes a space as a low block."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(
        symbol.replace(" ", WORD_BOUNDARY) for symbol in symbols
    )
    return line.getvalue() or None
