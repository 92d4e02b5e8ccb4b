"""N-gram language models of words, in a search over pieces.

Letters: B batch, K beams, C pieces.
"""

import gzip
import math

import torch

from summarymixing_sb.data.tokenizer import WORD_BOUNDARY
from summarymixing_sb.decoding.hotwords import piece_texts

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
#: Natural logarithm of the probability of a word that a model without ``<unk>`` does not have.
UNSEEN = -23.0
#: Share of a model's words that the tokenizer must be able to spell.
SPELLED = 0.5


class Ngram:
    """Log-probability of each word that a hypothesis has ended, given those before it.

    Parameters
    ----------
    path : str or Path
        An ARPA file, also compressed (``.gz``), of words as the training texts have them.
    tokenizer : sentencepiece.SentencePieceProcessor
    weight : float
        Of the log-probability, in nats.
    bonus : float
        Added for each word, against short texts.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the package arpa is not installed, the file is damaged, or most of its words cannot be
        spelled by the tokenizer.
    """

    def __init__(self, path, tokenizer, weight=0.5, bonus=0.0):
        self.model = _load(path)
        self.vocabulary = self.model.vocabulary(sort=False)
        words = [word for word in self.vocabulary if word not in (BEGIN, END, UNKNOWN)]
        unknown = tokenizer.unk_id()
        spelled = sum(unknown not in ids for ids in tokenizer.encode(words))
        if spelled < SPELLED * len(words):
            raise ValueError(
                f"{path}: the tokenizer can spell {spelled} of its {len(words)} words, such as "
                f"{', '.join(words[:3])}; give a model of words as the training texts have them"
            )
        self.weight, self.bonus = weight, bonus
        self.context = self.model.order() - 1
        self.texts = piece_texts(tokenizer)
        # state 0 is the beginning of a text; a state is the words before and what is begun
        self.states, self.numbers = [((BEGIN,)[: self.context], "")], {}
        self.numbers[self.states[0]] = 0
        self.steps, self.ends = {}, {}

    def extend(self, state, tokens):
        """Read one piece more of every hypothesis.

        Parameters
        ----------
        state : torch.Tensor
            (B, K).
        tokens : torch.Tensor
            (B, K, C).

        Returns
        -------
        gain : torch.Tensor
            (B, K, C), float64.
        state : torch.Tensor
            (B, K, C).
        """
        steps = [
            [[self._step(number, token) for token in row] for number, row in zip(numbers, rows)]
            for numbers, rows in zip(state.tolist(), tokens.tolist())
        ]
        table = torch.tensor(steps, dtype=torch.float64, device=state.device)
        return table[..., 0], table[..., 1].long()

    def finish(self, state):
        """Score the last word and the end of every hypothesis, (B, K)."""
        ends = [[self._end(number) for number in numbers] for numbers in state.tolist()]
        return torch.tensor(ends, dtype=torch.float64, device=state.device)

    def _step(self, number, token):
        """Read a piece: what it adds and the next state; each pair is computed once."""
        found = self.steps.get((number, token))
        if found is None:
            context, begun = self.states[number]
            gain = 0.0
            for character in self.texts[token]:
                if character != WORD_BOUNDARY:
                    begun += character
                elif begun:
                    more, context = self._word(context, begun)
                    gain, begun = gain + more, ""
            found = self.steps[number, token] = gain, self._number((context, begun))
        return found

    def _number(self, state):
        number = self.numbers.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(state)
        return number

    def _word(self, context, word):
        """Score a word; give the words before the next one."""
        score = self.weight * self._log_prob(context, word) + self.bonus
        return score, (*context, word)[-self.context :] if self.context else ()

    def _end(self, number):
        if number not in self.ends:
            context, begun = self.states[number]
            score = 0.0
            if begun:
                score, context = self._word(context, begun)
            self.ends[number] = score + self.weight * self._log_prob(context, END)
        return self.ends[number]

    def _log_prob(self, context, word):
        known = tuple(w if w in self.vocabulary else UNKNOWN for w in (*context, word))
        try:
            return math.log(10) * self.model.log_p_raw(known)
        except KeyError:  # a model without <unk>
            return UNSEEN


def _load(path):
    """Read an ARPA file."""
    try:
        import arpa
    except ImportError as error:
        raise ValueError("an n-gram needs the package arpa: pip install arpa") from error
    try:
        opened = gzip.open if str(path).endswith(".gz") else open
        with opened(path, "rt", encoding="utf-8") as file:
            models = arpa.load(file)
    except FileNotFoundError:
        raise
    except Exception as error:  # of the parser, of the encoding, of gzip
        raise ValueError(f"{path} is no ARPA file: {type(error).__name__} {error}") from error
    if not models or not models[0].order():
        raise ValueError(f"{path} is no ARPA file: it has no n-grams")
    return models[0]
