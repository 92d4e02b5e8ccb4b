"""From encoder output to words: one class per decoding method.

The searches are SpeechBrain's; this file wires them, and hides what differs between them:

* Every decoder takes ``(encoder_out (B, T, D), ctc_log_probs (B, T, V), rel_lens (B,))`` and
  returns a list of words per utterance. It runs in float32 whatever the precision of training.
* Control and unknown pieces are never written.
"""

import torch
from speechbrain.decoders import (
    CTCBeamSearcher,
    CTCScorer,
    S2STransformerBeamSearcher,
    ScorerBuilder,
    TransformerLMScorer,
    ctc_greedy_decode,
)

from summarymixing_sb.decoding.language_model import sequence_log_probs

# Pruning of the CTC beam search, in natural logarithms: a frame offers the pieces above the first
# (and always its best one); a hypothesis survives within the second of the best hypothesis. They
# make the time depend on how sure the model is, not on the vocabulary.
MIN_PIECE_LOG_PROB = -5.0
MIN_BEAM_LOG_PROB = -10.0

# Unicode's private use planes: one character per piece, none of them white space
FIRST_SYMBOL = 0xF0000


class CTCGreedy:
    """Take the best piece of each frame, merge repetitions, drop blanks."""

    def __init__(self, tokenizer, blank_index):
        self.to_words = PiecesToWords(tokenizer)
        self.blank_index = blank_index

    def __call__(self, encoder_out, ctc_log_probs, rel_lens):
        self.to_words.check(ctc_log_probs)
        hypotheses = ctc_greedy_decode(ctc_log_probs, rel_lens, self.blank_index)
        return [self.to_words(ids) for ids in hypotheses]


class CTCPrefixBeam:
    """Sum the CTC paths of each piece sequence, keep the best sequences, choose one with the LM.

    The total of a sequence is ``log p_ctc + lm_weight * log p_lm``.

    Of SpeechBrain's two searches in Python, `CTCBeamSearcher` is taken: with SentencePiece,
    `CTCPrefixBeamSearcher` does not merge hypotheses across a word boundary, and so splits their
    probability. The search sees each piece as one private character instead of its text: what comes
    back is then exactly a piece sequence, for every kind of SentencePiece model (byte pieces,
    pieces with a space inside), and the tokenizer alone writes words.
    """

    def __init__(self, tokenizer, values, beam_size, lm=None):
        self.to_words = PiecesToWords(tokenizer)
        self.lm = lm
        if lm is not None:
            self.lm_weight = values["lm_weight"]
            self.lm_options = {
                "bos_index": values["bos_index"],
                "eos_index": values["eos_index"],
                "temperature": values["lm_temperature"],
            }
        blank_index = values["blank_index"]
        symbols = [chr(FIRST_SYMBOL + index) for index in range(tokenizer.get_piece_size())]
        self.searcher = CTCBeamSearcher(
            blank_index=blank_index,
            vocab_list=symbols,
            # the search asks for a space, and none of these characters is one: blank is never text
            space_token=symbols[blank_index],
            beam_size=beam_size,
            topk=1 if lm is None else beam_size,
            token_prune_min_logp=MIN_PIECE_LOG_PROB,
            beam_prune_logp=MIN_BEAM_LOG_PROB,
            # would drop hypotheses that end alike, whatever they begin with
            prune_history=False,
            # 1 skips no frame: a skipped blank would merge the equal pieces on its two sides
            blank_skip_threshold=1.0,
        )

    def __call__(self, encoder_out, ctc_log_probs, rel_lens):
        return [self.to_words(self.best(found)) for found in self.search(ctc_log_probs, rel_lens)]

    def search(self, ctc_log_probs, rel_lens):
        """Find the best piece sequences of each utterance.

        Returns
        -------
        list of list of (list of int, float)
            Per utterance, best first: pieces and the log-probability that CTC gives them.
        """
        self.to_words.check(ctc_log_probs)
        frames = _valid_frames(rel_lens, ctc_log_probs.shape[1])
        utterances = ctc_log_probs.detach().float().cpu().numpy()
        # frame counts go in as integers: the search's own conversion from relative lengths rounds
        # down and loses a frame
        found = [self.searcher.decode_log_probs(*pair) for pair in zip(utterances, frames.tolist())]
        return [
            [
                ([ord(symbol) - FIRST_SYMBOL for symbol in h.text], float(h.score))
                for h in hypotheses
            ]
            for hypotheses in found
        ]

    def best(self, found):
        """Choose among the sequences of one utterance."""
        if self.lm is None:
            return found[0][0]
        sequences = [self.to_words.writable(ids) for ids, _ in found]
        lm_scores = sequence_log_probs(self.lm, sequences, **self.lm_options).tolist()
        totals = [ctc + self.lm_weight * lm for (_, ctc), lm in zip(found, lm_scores)]
        return sequences[totals.index(max(totals))]


class JointBeam:
    """Beam search of the attention decoder with CTC prefix scores and LM fusion.

    With w for ``ctc_weight_decode``, a hypothesis scores
    ``((1 - w) * attention + w * CTC + lm_weight * LM) / pieces``, all three log-probabilities of
    the whole hypothesis; its end counts as a piece.
    """

    def __init__(self, tokenizer, values, beam_size, modules, lm=None):
        self.to_words = PiecesToWords(tokenizer)
        ctc_weight = values["ctc_weight_decode"]
        if not 0 <= ctc_weight < 1:
            # At 1, SpeechBrain's search leaves the decoder out and adds each step's scores to the
            # last step's, of other hypotheses.
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
            linear = _unwrapped(modules["ctc_lin"])
            scorers.append(CTCScorer(ctc_fc=linear, blank_index=blank, eos_index=eos))
            weights["ctc"] = ctc_weight
        if lm is not None:
            scorers.append(TransformerLMScorer(lm, temperature=values["lm_temperature"]))
            weights["transformerlm"] = values["lm_weight"]
        transformer = _unwrapped(modules["Transformer"])
        from_state = transformer.decoder_attention_type == "SummaryMixing"
        searcher = _OneTokenAtATime if from_state else _OneStepForTheEnd
        self.searcher = searcher(
            modules=[transformer, _unwrapped(modules["seq_lin"])],
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

    def __call__(self, encoder_out, ctc_log_probs, rel_lens):
        hypotheses, _ = self.search(encoder_out, rel_lens)
        frames = _valid_frames(rel_lens, encoder_out.shape[1])
        return [self.to_words(ids) if count else [] for ids, count in zip(hypotheses, frames)]

    @torch.no_grad()
    def search(self, encoder_out, rel_lens):
        """Find the best piece sequence of each utterance.

        Returns
        -------
        list of list of int, torch.Tensor (B,)
            Pieces, without the end, and scores.
        """
        # attention needs a frame to look at, even where an utterance has none
        frames = _valid_frames(rel_lens, encoder_out.shape[1]).clamp(min=1)
        # the search builds masks as long as its longest utterance, so no frame may lie behind that
        longest = int(frames.max())
        # CTC's "impossible" is -1e20, which half precision cannot hold
        with torch.autocast(encoder_out.device.type, enabled=False):
            hypotheses, _, scores, _ = self.searcher(
                encoder_out[:, :longest].float(), (frames / longest).to(encoder_out.device)
            )
        return hypotheses, scores


class _OneStepForTheEnd(S2STransformerBeamSearcher):
    """Beam search of at most as many pieces as frames, which is all that CTC allows, and the end.

    Without a step for the end, the search gives up on such a hypothesis and cuts its last piece
    off; and what an utterance is batched with decides whether that happens.
    """

    def change_max_decoding_length(self, min_decode_steps, max_decode_steps):
        return min_decode_steps, max_decode_steps + 1


class _OneTokenAtATime(_OneStepForTheEnd):
    """The same search for a summary decoder, whose (sum, count) stand for the whole prefix."""

    def forward_step(self, inp_tokens, memory, enc_states, enc_lens):
        if memory is None:  # the beams of an utterance share its speech
            memory = self.model.make_decoder_state(
                enc_states[:: self.beam_size], enc_lens[:: self.beam_size], self.beam_size
            )
        predicted = self.model.decode_step(inp_tokens, memory)  # (B K, D)
        log_probs = self.softmax(self.fc(predicted) / self.temperature)
        # no attention map: nothing of this search looks at it
        return log_probs, memory, None

    def permute_mem(self, memory, index):
        memory.reorder(index)
        return memory


class PiecesToWords:
    """Turn piece ids into words, without control and unknown pieces."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.size = tokenizer.get_piece_size()
        self.silent = {
            index
            for index in range(self.size)
            if tokenizer.is_control(index) or tokenizer.is_unknown(index)
        }

    def writable(self, ids):
        """Drop the pieces that stand for no text."""
        return [index for index in ids if index not in self.silent]

    def __call__(self, ids):
        return self.tokenizer.decode(self.writable(ids)).split()

    def check(self, ctc_log_probs):
        """Refuse a model of another vocabulary."""
        if ctc_log_probs.shape[-1] != self.size:
            raise ValueError(
                f"the model has {ctc_log_probs.shape[-1]} CTC outputs and the tokenizer "
                f"{self.size} pieces: use the tokenizer that the model was trained with"
            )


def _valid_frames(rel_lens, num_frames):
    """Turn relative lengths into frames."""
    return torch.round(rel_lens.detach().float().cpu() * num_frames).long()


def _unwrapped(module):
    """Take a module out of DistributedDataParallel, which hides its methods."""
    if isinstance(module, torch.nn.parallel.DistributedDataParallel):
        return module.module
    return module
