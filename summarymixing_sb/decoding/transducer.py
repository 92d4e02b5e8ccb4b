"""Decoders of transducers: SpeechBrain's searches over the valid frames of each utterance.

Letters: B batch, T frames, D model width, J width of the joint, V vocabulary.
"""

import torch
from speechbrain.decoders.transducer import TransducerBeamSearcher

from summarymixing_sb.decoding.searchers import CTCGreedy, Decoder

METHODS = ("transducer_greedy", "transducer_beam", "ctc_greedy")


def build_transducer_decoder(method, hparams, modules, tokenizer, stage="test"):
    """Build the decoder that the hyperparameters of a transducer describe.

    Parameters
    ----------
    method : str
        ``transducer_greedy``: best piece at each step. ``transducer_beam``: SpeechBrain's beam
        search. ``ctc_greedy``: best piece of each frame by the auxiliary CTC head.
    hparams : namespace
        ``blank_index``; for ``transducer_beam`` also ``valid_beam_size`` or ``test_beam_size``.
    modules : mapping of str to torch.nn.Module
        See :func:`make_searcher`; and ``enc_lin``, from the encoder to the joint.
    tokenizer : sentencepiece.SentencePieceProcessor
    stage : str
        ``valid`` or ``test``.

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
    if method == "ctc_greedy":
        return CTCGreedy(tokenizer, hparams.blank_index)
    beam_size = 1
    if method == "transducer_beam":
        beam_size = getattr(hparams, f"{stage}_beam_size")
        if not 1 <= beam_size <= tokenizer.get_piece_size():
            raise ValueError(
                f"{stage}_beam_size must be from 1 to the vocabulary's "
                f"{tokenizer.get_piece_size()} pieces, not {beam_size}"
            )
    searcher = make_searcher(modules, hparams.blank_index, beam_size)
    return TransducerDecoder(tokenizer, searcher, modules["enc_lin"])


def make_searcher(modules, blank_index, beam_size):
    """Connect SpeechBrain's search to the modules of a transducer.

    Parameters
    ----------
    modules : mapping of str to torch.nn.Module
        ``predictor``, ``pred_lin``, ``joint`` and ``transducer_lin``.
    blank_index : int
    beam_size : int
        1 decodes greedily.

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
        beam_size=beam_size,
        nbest=1,
    )


class TransducerDecoder(Decoder):
    """Decode by the joint of encoder and predictor."""

    def __init__(self, tokenizer, searcher, enc_lin):
        super().__init__(tokenizer)
        self.searcher, self.enc_lin = searcher, enc_lin

    @torch.no_grad()
    def decode(self, encoded, log_probs, frames):
        """Decode, see :class:`summarymixing_sb.decoding.searchers.Decoder`."""
        with torch.autocast(encoded.device.type, enabled=False):
            return self.searcher.search(self.enc_lin(encoded.float()), frames.tolist())


class TransducerSearcher(TransducerBeamSearcher):
    """SpeechBrain's searches over the valid frames, with an end to the beam search.

    SpeechBrain's searches take no lengths and would decode the padding, too. And its beam search
    goes on to the next frame only by a blank among the best ``beam_size`` pieces: with a model that
    gives the blank too little probability, as after little training, it never ends. Here the
    blank is always one of the ``beam_size`` pieces that extend a hypothesis, so a frame writes at
    most as many. Scores are the same.
    """

    def search(self, encoded, frames):
        """Find a piece sequence for each utterance.

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
        if self.beam_size <= 1:
            return self._search_greedily(encoded, frames)
        rows = (row[None, :count] for row, count in zip(encoded, frames))
        return [self.transducer_beam_search_decode(row)[0][0] for row in rows]

    def _search_greedily(self, encoded, frames):
        """Decode from one end of an utterance to the next, going on with those that last longer."""
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

    def _joint_forward_step(self, h_i, out_PN):
        """Log-probabilities; for a beam, minus infinity but for the blank and the best others."""
        log_probs = super()._joint_forward_step(h_i, out_PN)  # (B, 1, 1, V)
        if self.beam_size <= 1:
            return log_probs
        others = log_probs.index_fill(
            -1, torch.tensor(self.blank_id, device=log_probs.device), -torch.inf
        )
        kept = others.topk(self.beam_size - 1, dim=-1).indices
        blank = torch.full_like(kept[..., :1], self.blank_id)
        kept = torch.cat([blank, kept], dim=-1)
        pruned = torch.full_like(log_probs, -torch.inf)
        return pruned.scatter(-1, kept, log_probs.gather(-1, kept))
