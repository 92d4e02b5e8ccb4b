"""What scores hypotheses beside the attention decoder in a beam search: CTC and a language model.

SpeechBrain's ScorerBuilder knows scorers by the names of their classes, so these have the names of
those whose place they take, and give the same scores.

Letters: B batch, T frames, K beams of an utterance, V vocabulary.
"""

import torch
import torch.nn.functional as F
from speechbrain.decoders import scorer as speechbrain_scorers

from summarymixing_sb.decoding.language_model import LanguageModelState
from summarymixing_sb.lengths import padding_mask


def language_model_scorer(model, temperature):
    """Choose the scorer of a language model.

    Parameters
    ----------
    model : torch.nn.Module
        From tokens (N, L) to logits (N, L, V).
    temperature : float
        Divides the logits.

    Returns
    -------
    speechbrain.decoders.scorer.TransformerLMScorer
        :class:`TransformerLMScorer` for those of SpeechBrain's TransformerLM that a state serves;
        SpeechBrain's, which computes the whole prefix each time, for others.
    """
    if LanguageModelState.serves(model):
        return TransformerLMScorer(model, temperature)
    return speechbrain_scorers.TransformerLMScorer(model, temperature)


class TransformerLMScorer(speechbrain_scorers.TransformerLMScorer):
    """Scores of a TransformerLM that keeps keys and values, and takes in one token at a time."""

    def score(self, inp_tokens, memory, candidates, attn):
        """Score all next tokens; see SpeechBrain's TransformerLMScorer."""
        if memory is None:
            memory = LanguageModelState(self.lm)
        logits = memory.step(inp_tokens)
        return (logits / self.temperature).log_softmax(-1), memory

    def permute_mem(self, memory, index):
        """Let row i go on from row ``index[i]``."""
        memory.reorder(index)
        return memory


class CTCScorer(speechbrain_scorers.CTCScorer):
    """CTC prefix scores of the whole vocabulary, in matrix products."""

    def reset_mem(self, x, enc_lens):
        """Take in the encoded speech (B, T, D) of ``enc_lens`` (B,) frames."""
        log_probs = self.softmax(self.ctc_fc(x))
        self.ctc_score = CTCPrefixScore(log_probs, enc_lens, self.blank_index, self.eos_index)

    def permute_mem(self, memory, index):
        """Let hypotheses go on, see :meth:`CTCPrefixScore.permute_mem`."""
        return self.ctc_score.permute_mem(memory, index)


class CTCPrefixScore:
    """Algorithm 2 of Watanabe et al. 2017 (hybrid CTC/attention), without a table of (T, K, V).

    Let ``token(t)`` and ``blank(t)`` be the log-probability that the first t frames write a prefix
    and end with its last token or with a blank. The probability that a text begins with this prefix
    and then c is the sum over t of ``exp(before(t - 1)) p_t(c)``, with ``before = log(exp token +
    exp blank)``, or ``blank`` if c is the last token. But for the latter, ``before`` is the same
    for all c: this is a matrix product of (K, T) and (T, V), and the recursions of ``token`` and
    ``blank`` are needed for the chosen hypotheses only. All of it is in float64, so that neither
    products nor long sums lose digits.

    Parameters
    ----------
    log_probs : torch.Tensor
        (B, T, V), finite.
    frames : torch.Tensor
        (B,), valid frames.
    blank_index, eos_index : int

    Examples
    --------
    Two frames that each write token 1, token 2 or blank with the same probability: 4 of 9 paths
    begin with 1, and 3 of these 4 write nothing else.

    >>> log_probs = torch.full((1, 2, 4), 1 / 3).log()
    >>> log_probs[..., 3] = -1000
    >>> ctc = CTCPrefixScore(log_probs, torch.tensor([2]), blank_index=0, eos_index=3)
    >>> scores, memory = ctc.forward_step(torch.tensor([3]), None)
    >>> (9 * scores.exp()).round()
    tensor([[0., 4., 4., 1.]])
    >>> memory = ctc.permute_mem(memory, torch.tensor([[1]]))
    >>> scores, memory = ctc.forward_step(torch.tensor([1]), memory)
    >>> (4 * scores.exp()).round()
    tensor([[0., 0., 1., 3.]])
    """

    minus_inf = -1e20  # what SpeechBrain's ScorerBuilder gives to the blank

    def __init__(self, log_probs, frames, blank_index, eos_index):
        self.blank_index, self.eos_index = blank_index, eos_index
        self.frames = frames.long().to(log_probs.device)
        log_probs = log_probs.double().mT.contiguous()  # (B, V, T)
        self.probs = log_probs.exp()
        # of a token in each of the first t frames, from t = 0 on
        self.totals = F.pad(log_probs, (1, 0)).cumsum(-1)  # (B, V, T + 1)
        self.padding = padding_mask(self.frames, log_probs.size(-1))[:, None]  # (B, 1, T)

    @torch.no_grad()
    def forward_step(self, inp_tokens, states, candidates=None, attn=None):
        """Score all next tokens of every hypothesis.

        Parameters
        ----------
        inp_tokens : torch.Tensor
            (B K,), the last token of every hypothesis.
        states : tuple, optional
            Of :meth:`permute_mem`; None at first.
        candidates, attn
            Not used; SpeechBrain's signature.

        Returns
        -------
        scores : torch.Tensor
            (B K, V), log-probability of the prefix with this token less that of the prefix alone.
        memory : tuple
            For :meth:`permute_mem`.
        """
        last = inp_tokens.view(len(self.frames), -1)  # (B, K)
        if states is None:  # only blanks write nothing
            blank = self.totals[:, self.blank_index, None].expand(-1, last.size(1), -1)
            states = torch.full_like(blank, -torch.inf), blank, 0.0
        token, blank, prefix = states  # (B, K, T + 1) twice, (B, K, 1)
        either = torch.logaddexp(token, blank)
        psi = self._sum_over_time(either, lambda weights: weights @ self.probs.mT)  # (B, K, V)
        own = _rows(self.probs, last)
        again = self._sum_over_time(blank, lambda weights: (weights * own).sum(-1, keepdim=True))
        psi.scatter_(2, last[..., None], again)
        end = self.frames[:, None, None].expand(-1, last.size(1), -1)
        psi[..., self.eos_index] = either.gather(2, end).squeeze(2)
        psi[..., self.blank_index] = -torch.inf
        psi = psi.clamp(min=self.minus_inf)
        scores = (psi - prefix).flatten(0, 1).to(torch.float32)
        return scores, (blank, either, last, psi)

    def _sum_over_time(self, before, weigh):
        """Compute log sum_t exp(before(t - 1)) p_t, of valid frames."""
        before = before[..., :-1].masked_fill(self.padding, -torch.inf)
        highest = before.amax(-1, keepdim=True).clamp(min=self.minus_inf)
        return weigh((before - highest).exp()).log() + highest

    @torch.no_grad()
    def permute_mem(self, memory, index):
        """Let hypotheses go on, each with one token more.

        Parameters
        ----------
        memory : tuple
            Of :meth:`forward_step`.
        index : torch.Tensor
            (B, K), hypothesis times V plus token.

        Returns
        -------
        tuple
            For :meth:`forward_step`.
        """
        blank, either, last, psi = memory
        hypothesis, chosen = index // psi.size(-1), index % psi.size(-1)
        again = (chosen == last.gather(1, hypothesis))[..., None]
        before = torch.where(again, _rows(blank, hypothesis), _rows(either, hypothesis))
        token = _write(before, _rows(self.totals, chosen))
        blank = _write(token, self.totals[:, self.blank_index, None])
        return token, blank, psi.flatten(1).gather(1, index)[..., None]


def _rows(table, index):
    """Take rows of (B, N, L) by an index (B, K): (B, K, L)."""
    return table.gather(1, index[..., None].expand(-1, -1, table.size(-1)))


def _write(before, total):
    """Compute r(t) = log(exp r(t - 1) + exp before(t - 1)) + p(t), from r(0) = -inf, all at once.

    `total` is the sum of the p so far; less it, r is a cumulative sum.
    """
    after = (before - total)[..., :-1].logcumsumexp(-1) + total[..., 1:]
    return F.pad(after, (1, 0), value=-torch.inf)
