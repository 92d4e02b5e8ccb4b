"""Greedy decoders that return the token ids of a stream, chunk by chunk.

Letters: C encoder frames of a chunk, D model width.
"""

import torch
from speechbrain.decoders.transducer import TransducerGreedySearcherStreamingContext

from summarymixing_sb.decoding.transducer import make_searcher


class StreamingCTC:
    """Greedy CTC decoding of one stream; the state is the last best piece.

    Parameters
    ----------
    ctc_lin : torch.nn.Module
        From the encoder's output to the pieces.
    blank_index : int

    Examples
    --------
    >>> decode, scores = StreamingCTC(torch.nn.Identity(), 0), torch.eye(3)
    >>> decode(scores[None, [1, 1, 0, 2]]), decode(scores[None, [2, 0, 2]])
    ([1, 2], [2])
    """

    def __init__(self, ctc_lin, blank_index):
        self.ctc_lin, self.blank_index = ctc_lin, blank_index
        self.last = blank_index

    @torch.no_grad()
    def __call__(self, encoded):
        """Decode the next chunk.

        Parameters
        ----------
        encoded : torch.Tensor
            (1, C, D).

        Returns
        -------
        list of int
        """
        best = self.ctc_lin(encoded)[0].argmax(dim=-1).tolist()
        before, self.last = [self.last, *best[:-1]], best[-1]
        return [
            index
            for previous, index in zip(before, best)
            if index not in (previous, self.blank_index)
        ]

    @torch.no_grad()
    def blanks(self, encoded):
        """Give the probability of the blank in each frame of the last chunk.

        Parameters
        ----------
        encoded : torch.Tensor
            (1, C, D), which has been decoded.

        Returns
        -------
        list of float
        """
        return self.ctc_lin(encoded)[0].softmax(dim=-1)[:, self.blank_index].tolist()


class StreamingTransducer:
    """SpeechBrain's greedy transducer decoding of one stream.

    Parameters
    ----------
    modules : mapping of str to torch.nn.Module
        ``enc_lin`` and those that :func:`summarymixing_sb.decoding.transducer.make_searcher` needs.
    blank_index : int
    """

    def __init__(self, modules, blank_index):
        self.enc_lin = modules["enc_lin"]
        self.searcher = make_searcher(modules, blank_index)
        self.context = TransducerGreedySearcherStreamingContext()

    @torch.no_grad()
    def __call__(self, encoded):
        """Decode the next chunk, see :class:`StreamingCTC`."""
        projected = self.enc_lin(encoded)
        return self.searcher.transducer_greedy_decode_streaming(projected, self.context)[0]

    @torch.no_grad()
    def blanks(self, encoded):
        """Give those after all of the chunk's pieces, see :meth:`StreamingCTC.blanks`."""
        predicted, _ = self.context.hidden
        joined = self.searcher._joint_forward_step(
            self.enc_lin(encoded).unsqueeze(2), predicted.unsqueeze(1)
        )  # (1, C, 1, V)
        return joined[0, :, 0, self.searcher.blank_id].exp().tolist()
