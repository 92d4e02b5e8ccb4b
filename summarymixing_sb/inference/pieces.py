"""The decoders of tests, for who wants pieces instead of words.

B segments, T frames, D model width, V pieces of the vocabulary.
"""

from speechbrain.decoders import ctc_greedy_decode

from summarymixing_sb.decoding.build import build_decoder


def build_piece_decoder(method, run):
    """Build what turns the encoder's output into the pieces that spell what was said.

    Parameters
    ----------
    method : str
        ``ctc_greedy`` (never with a language model), ``ctc_prefix_beam`` or ``joint_beam``.
    run : TrainedRun
        Its hyperparameters hold beam, weights and language model, as for its tests.

    Returns
    -------
    callable
        ``decode(encoded (B, T, D), log_probs (B, T, V), lengths (B,)) -> list of list of int``;
        lengths are relative to T, and pieces that stand for no text are left out.

    Raises
    ------
    ValueError, FileNotFoundError
        As :func:`summarymixing_sb.decoding.build.build_decoder` does, and for a `joint_beam`
        without CTC, which may write what no CTC path spells.
    """
    # a transducer's hyperparameters know no language model
    hparams = {"lm_source": None, **run.hparams}
    if method == "ctc_greedy":
        hparams["lm_source"] = None
    elif method == "joint_beam" and hparams.get("ctc_weight_decode") == 0:
        raise ValueError(
            "joint_beam needs a ctc_weight_decode above 0 here, since CTC finds the times of its "
            "words; decode with ctc_greedy or ctc_prefix_beam"
        )
    decoder = build_decoder(method, hparams, run.modules, run.tokenizer)

    def greedy(encoded, log_probs, lengths):
        return ctc_greedy_decode(log_probs, lengths, decoder.blank_index)

    def prefix_beam(encoded, log_probs, lengths):
        return [decoder.best(found) for found in decoder.search(log_probs, lengths)]

    def joint_beam(encoded, log_probs, lengths):
        return decoder.search(encoded, lengths)[0]

    methods = {"ctc_greedy": greedy, "ctc_prefix_beam": prefix_beam, "joint_beam": joint_beam}
    search, to_words = methods[method], decoder.to_words

    def decode(encoded, log_probs, lengths):
        to_words.check(log_probs)
        return [to_words.writable(ids) for ids in search(encoded, log_probs, lengths)]

    return decode
