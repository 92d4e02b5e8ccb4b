"""Decoders of transducers over the valid frames of each utterance: greedy, or by a beam.

Letters: B batch, T frames, J width of the joint.
"""

import torch
from speechbrain.decoders.transducer import TransducerBeamSearcher

from summarymixing_sb.decoding.searchers import (
    MIN_BEAM_LOG_PROB,
    MIN_PIECE_LOG_PROB,
    CTCGreedy,
    Decoder,
)
from summarymixing_sb.decoding.transducer_beam import TransducerBeamSearch

METHODS = ("transducer_greedy", "transducer_beam", "ctc_greedy")


def build_transducer_decoder(method, hparams, modules, tokenizer, stage="test", fusions=()):
    """Build the decoder that the hyperparameters of a transducer describe.

    Parameters
    ----------
    method : str
        ``transducer_greedy``: best piece at each step. ``transducer_beam``: the most probable piece
        sequences. ``ctc_greedy``: best piece of each frame by the auxiliary CTC head.
    hparams : namespace
        ``blank_index``; for ``transducer_beam`` also ``valid_beam_size`` or ``test_beam_size``.
    modules : mapping of str to torch.nn.Module
        See :func:`make_searcher`; and ``enc_lin``, from the encoder to the joint.
    tokenizer : sentencepiece.SentencePieceProcessor
    stage : str
        ``valid`` or ``test``.
    fusions : sequence of Hotwords or Ngram
        For ``transducer_beam`` alone.

    Returns
    -------
    summarymixing_sb.decoding.searchers.Decoder

    Raises
    ------
    ValueError
        If the method is unknown, or the beam is below 1 or above the vocabulary.
    """
    if method not in METHODS:
        raise ValueError(f"unknown decoding method {method!r}: choose one of {', '.join(METHODS)}")
    if fusions and method != "transducer_beam":
        raise ValueError(f"hotwords and n-grams need transducer_beam, not {method}")
    if method == "ctc_greedy":
        return CTCGreedy(tokenizer, hparams.blank_index)
    if method == "transducer_greedy":
        search = make_searcher(modules, hparams.blank_index).search
        return TransducerDecoder(tokenizer, search, modules["enc_lin"])
    beam_size = getattr(hparams, f"{stage}_beam_size")
    if not 1 <= beam_size <= tokenizer.get_piece_size():
        raise ValueError(
            f"{stage}_beam_size must be from 1 to the vocabulary's "
            f"{tokenizer.get_piece_size()} pieces, not {beam_size}"
        )
    beam = TransducerBeamSearch(
        modules, hparams.blank_index, beam_size, MIN_PIECE_LOG_PROB, MIN_BEAM_LOG_PROB, fusions
    )

    def search(encoded, frames):
        return [found[0][0] for found in beam(encoded, frames)]

    return TransducerDecoder(tokenizer, search, modules["enc_lin"])


def make_searcher(modules, blank_index):
    """Connect SpeechBrain's greedy search to the modules of a transducer.

    Parameters
    ----------
    modules : mapping of str to torch.nn.Module
        ``predictor``, ``pred_lin``, ``joint`` and ``transducer_lin``.
    blank_index : int

    Returns
    -------
    TransducerSearcher
        A ``TransducerBeamSearcher``; what it decodes has gone through ``enc_lin``, (B, T, J). Its
        ``transducer_greedy_decode_streaming`` goes on from chunk to chunk.
    """
    predictor = modules["predictor"]
    return TransducerSearcher(
        # the search knows an LSTM by the name of its class, so it is given the parts
        decode_network_lst=[predictor.embedding, predictor.lstm, modules["pred_lin"]],
        tjoint=modules["joint"],
        classifier_network=[modules["transducer_lin"]],
        blank_id=blank_index,
        beam_size=1,
        nbest=1,
    )


class TransducerDecoder(Decoder):
    """Decode by the joint of encoder and predictor.

    Parameters
    ----------
    tokenizer : sentencepiece.SentencePieceProcessor
    search : callable
        From the encoder's part of the joint, (B, T, J), and the valid frames, a list of int, to the
        pieces of each utterance.
    enc_lin : torch.nn.Module
    """

    def __init__(self, tokenizer, search, enc_lin):
        super().__init__(tokenizer)
        self.search, self.enc_lin = search, enc_lin

    @torch.no_grad()
    def decode(self, encoded, log_probs, frames):
        """Decode, see :class:`summarymixing_sb.decoding.searchers.Decoder`."""
        with torch.autocast(encoded.device.type, enabled=False):
            return self.search(self.enc_lin(encoded.float()), frames.tolist())


class TransducerSearcher(TransducerBeamSearcher):
    """SpeechBrain's greedy search over the valid frames.

    SpeechBrain's searches take no lengths and would decode the padding, too.
    """

    def search(self, encoded, frames):
        """Find a piece sequence for each utterance.

        Decode from one end of an utterance to the next, going on with those that last longer.

        Parameters
        ----------
        encoded : torch.Tensor
            (B, T, J), the encoder's part of the joint.
        frames : list of int
            Valid frames of each utterance.

        Returns
        -------
        list of list of int
        """
        found = [[] for _ in frames]
        rows, state, start = list(range(len(frames))), None, 0
        for end in sorted(set(frames)):
            lasting = [index for index, row in enumerate(rows) if frames[row] >= end]
            rows = [rows[index] for index in lasting]
            if state is not None:
                state = self._get_sentence_to_update(lasting, *state)
            pieces, *_, state = self.transducer_greedy_decode(
                encoded[rows, start:end], state, return_hidden=True
            )
            for row, more in zip(rows, pieces):
                found[row] += more
            start = end
        return found
