"""SentencePiece tokenizers: trained on the training transcripts or given, and checked."""

import hashlib
import io
from pathlib import Path

import sentencepiece
from speechbrain.utils.data_utils import split_path
from speechbrain.utils.distributed import run_on_main
from speechbrain.utils.fetching import fetch
from speechbrain.utils.logger import get_logger

from summarymixing_sb.data.fingerprint import Fingerprint
from summarymixing_sb.data.manifests import read_manifest
from summarymixing_sb.files import atomic_open

logger = get_logger(__name__)

#: SentencePiece's character for a space.
WORD_BOUNDARY = "\N{LOWER ONE EIGHTH BLOCK}"
#: File of a trained tokenizer whose pieces are the characters of the transcripts.
COUNTED = "char.model"


def fetch_tokenizer(source, folder, kept=False):
    """Find a tokenizer file here, or on the Hugging Face hub.

    Parameters
    ----------
    source : str
        A path, or a hub name followed by the file's: ``owner/name/tokenizer.ckpt``.
    folder : str or Path
        Where a file from the hub is put, and where a run keeps its copy of any other.
    kept : bool
        Take that copy, if there is one, rather than what is at `source` now.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        When it is in neither place.
    """
    copy = Path(folder) / Path(source).name
    for file in (copy, Path(source)) if kept else (Path(source), copy):
        if file.is_file():
            return file
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


def trained_tokenizer(folder, kind, size):
    """Tell the file of a tokenizer that a run trains.

    Parameters
    ----------
    folder : str or Path
    kind : str
    size : int
        Number of pieces. Of characters there are as many as the transcripts have, so their file is
        not named after it, but in runs of versions before 0.2.

    Returns
    -------
    Path
    """
    file = Path(folder) / f"{size}_{kind}.model"
    return Path(folder) / COUNTED if kind == "char" and not file.is_file() else file


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
    file = trained_tokenizer(folder, kind, size)
    counted = file.name == COUNTED
    options = {"kind": kind, "size": None if counted else size, "bos": bos_index, "eos": eos_index}
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
    texts = [row[options["column"]] for row in read_manifest(train_csv)]
    content = hashlib.sha256("\n".join(texts).encode()).hexdigest()
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
    model = io.BytesIO()
    size = {} if options["kind"] == "char" else {"vocab_size": options["size"]}
    try:
        # not SpeechBrain's class, whose one line of options splits paths and symbols at spaces and
        # commas; the values are its
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type=options["kind"],
            bos_id=options["bos"],
            eos_id=options["eos"],
            pad_id=-1,
            unk_id=0,
            character_coverage=1.0,
            max_sentencepiece_length=10,
            minloglevel=1,
            user_defined_symbols=[
                symbol.replace(" ", WORD_BOUNDARY) for symbol in options["symbols"]
            ],
            **size,
        )
    except (RuntimeError, OSError) as error:
        raise ValueError(
            f"output_neurons: no {options['kind']} tokenizer of {options['size']} pieces can be "
            f"trained on {train_csv}, its transcripts allow other sizes: {error}"
        ) from error
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(file, binary=True) as stream:
        stream.write(model.getvalue())
    fingerprint.write([file.name])
