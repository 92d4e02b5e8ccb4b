"""Decoders by CTC and by attention: SpeechBrain's searches behind one call.

Letters: B batch, T frames, D model width, V vocabulary.
"""

import torch
from speechbrain.decoders import (
    S2STransformerBeamSearcher,
    ScorerBuilder,
    ctc_greedy_decode,
)

from summarymixing_sb.decoding.language_model import sequence_log_probs
from summarymixing_sb.decoding.prefix_beam import PrefixBeamSearch
from summarymixing_sb.decoding.scorers import CTCScorer, language_model_scorer
from summarymixing_sb.decoding.text import Detokenizer
from summarymixing_sb.lengths import to_relative
from summarymixing_sb.models.front_end import unwrapped

# Pruning of the CTC beam search, in natural logarithms: a frame offers the pieces above the first
# (and always its best one); a hypothesis survives within the second of the best hypothesis. They
# make the time depend on how sure the model is, not on the vocabulary.
MIN_PIECE_LOG_PROB = -5.0
MIN_BEAM_LOG_PROB = -10.0


class Decoder:
    """Base class of decoders, which return token ids.

    A decoder runs in float32 whatever the precision of training. A subclass has
    ``decode(encoded, log_probs, frames)``, which may return control and unknown pieces.

    Parameters
    ----------
    tokenizer : sentencepiece.SentencePieceProcessor
    """

    def __init__(self, tokenizer):
        self.detokenizer = Detokenizer(tokenizer)

    def __call__(self, encoded, log_probs, frames):
        """Decode a batch.

        Parameters
        ----------
        encoded : torch.Tensor
            (B, T, D) output of the encoder; CTC decoders do not read it.
        log_probs : torch.Tensor
            (B, T, V) of CTC.
        frames : torch.Tensor
            (B,) int64, the valid frames of each utterance.

        Returns
        -------
        list of list of int
            Token ids of each utterance, without control and unknown pieces.

        Raises
        ------
        ValueError
            If the model has another vocabulary than the tokenizer.
        """
        self.detokenizer.check_outputs(log_probs.shape[-1])
        found = self.decode(encoded, log_probs, frames.cpu())
        return [self.detokenizer.writable(ids) for ids in found]


class CTCGreedy(Decoder):
    """Take the best piece of each frame, merge repetitions, drop blanks."""

    def __init__(self, tokenizer, blank_index):
        super().__init__(tokenizer)
        self.blank_index = blank_index

    def decode(self, encoded, log_probs, frames):
        """Decode, see :class:`Decoder`."""
        relative = to_relative(frames, log_probs.shape[1])
        return ctc_greedy_decode(log_probs, relative, self.blank_index)


class CTCPrefixBeam(Decoder):
    """Sum the CTC paths of each piece sequence, keep the best sequences, choose one with the LM.

    The total of a sequence is ``log p_ctc + lm_weight * log p_lm``.

    SpeechBrain's searches take one utterance after the other, and piece by piece in Python.
    """

    def __init__(self, tokenizer, values, beam_size, lm=None, fusions=()):
        super().__init__(tokenizer)
        self.lm = lm
        if lm is not None:
            self.lm_weight = values["lm_weight"]
            self.lm_options = {
                "bos_index": values["bos_index"],
                "eos_index": values["eos_index"],
                "temperature": values["lm_temperature"],
            }
        self.search = PrefixBeamSearch(
            values["blank_index"], beam_size, MIN_PIECE_LOG_PROB, MIN_BEAM_LOG_PROB, fusions
        )

    def decode(self, encoded, log_probs, frames):
        """Decode, see :class:`Decoder`."""
        return [self._choose(found) for found in self.search(log_probs, frames)]

    def _choose(self, found):
        """Choose among the sequences of one utterance."""
        if self.lm is None:
            return found[0][0]
        sequences = [self.detokenizer.writable(ids) for ids, _ in found]
        lm_scores = sequence_log_probs(self.lm, sequences, **self.lm_options).tolist()
        totals = [ctc + self.lm_weight * lm for (_, ctc), lm in zip(found, lm_scores)]
        return sequences[totals.index(max(totals))]


class JointBeam(Decoder):
    """Beam search of the attention decoder with CTC prefix scores and LM fusion.

    With w for ``ctc_weight_decode``, a hypothesis scores
    ``((1 - w) * attention + w * CTC + lm_weight * LM) / pieces``, all three log-probabilities of
    the whole hypothesis; its end counts as a piece.
    """

    def __init__(self, tokenizer, values, beam_size, modules, lm=None):
        super().__init__(tokenizer)
        ctc_weight = values["ctc_weight_decode"]
        if not 0 <= ctc_weight < 1:
            # At 1, SpeechBrain's search skips the decoder and adds each step's scores to the last
            # step's, of other hypotheses.
            raise ValueError(
                "ctc_weight_decode of joint_beam must be at least 0 and below 1, "
                f"not {ctc_weight}; for CTC alone decode with ctc_prefix_beam"
            )
        bos, eos, blank = (values[f"{name}_index"] for name in ("bos", "eos", "blank"))
        if len({bos, eos, blank}) < 3:
            raise ValueError(
                f"joint_beam needs three different indices, not bos_index {bos}, eos_index {eos}, "
                f"blank_index {blank}"
            )
        scorers, weights = [], {}
        if ctc_weight > 0:
            linear = unwrapped(modules["ctc_lin"])
            scorers.append(CTCScorer(ctc_fc=linear, blank_index=blank, eos_index=eos))
            weights["ctc"] = ctc_weight
        if lm is not None:
            scorers.append(language_model_scorer(lm, values["lm_temperature"]))
            weights["transformerlm"] = values["lm_weight"]
        self.searcher = OneTokenAtATime(
            modules=[unwrapped(modules["Transformer"]), unwrapped(modules["seq_lin"])],
            bos_index=bos,
            eos_index=eos,
            min_decode_ratio=0.0,
            max_decode_ratio=1.0,
            beam_size=beam_size,
            scorer=ScorerBuilder(full_scorers=scorers, weights=weights) if scorers else None,
            # meant for attention alone; CTC ends a hypothesis by itself
            using_eos_threshold=False,
            length_normalization=True,
        )

    def decode(self, encoded, log_probs, frames):
        """Decode, see :class:`Decoder`."""
        hypotheses, _ = self.search(encoded, frames)
        return [ids if count else [] for ids, count in zip(hypotheses, frames.tolist())]

    @torch.no_grad()
    def search(self, encoded, frames):
        """Find the best piece sequence of each utterance.

        Parameters
        ----------
        encoded : torch.Tensor
            (B, T, D).
        frames : torch.Tensor
            (B,); an utterance without frames is searched as if it had one.

        Returns
        -------
        ids : list of list of int
            Without the end.
        scores : torch.Tensor
            (B,).
        """
        # attention needs a frame to look at
        frames = frames.clamp(min=1)
        # the search builds masks as long as its longest utterance, so no frame may lie behind that
        longest = int(frames.max())
        relative = to_relative(frames, longest).to(encoded.device)
        # CTC's "impossible" is -1e20, which half precision cannot hold
        with torch.autocast(encoded.device.type, enabled=False):
            hypotheses, _, scores, _ = self.searcher(encoded[:, :longest].float(), relative)
        return hypotheses, scores


class OneTokenAtATime(S2STransformerBeamSearcher):
    """Beam search that gives each token once to a decoder that remembers those before.

    It takes at most as many pieces as frames, which is all that CTC allows, and the end. Without a
    step for the end, the search gives up on such a hypothesis and cuts its last piece off; and what
    an utterance is batched with decides whether that happens.
    """

    def change_max_decoding_length(self, min_decode_steps, max_decode_steps):
        """Add the step for the end."""
        return min_decode_steps, max_decode_steps + 1

    def forward_step(self, inp_tokens, memory, enc_states, enc_lens):
        """Give the last token of each hypothesis, (B K,), to the decoder."""
        if memory is None:  # the beams of an utterance share its speech
            memory = self.model.make_decoder_state(
                enc_states[:: self.beam_size], enc_lens[:: self.beam_size], self.beam_size
            )
        predicted = self.model.decode_step(inp_tokens, memory)  # (B K, D)
        log_probs = self.softmax(self.fc(predicted) / self.temperature)
        # no attention map: nothing of this search looks at it
        return log_probs, memory, None

    def permute_mem(self, memory, index):
        """Let row i go on from row ``index[i]``."""
        memory.reorder(index)
        return memory
