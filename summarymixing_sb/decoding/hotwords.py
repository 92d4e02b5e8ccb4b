"""Hotwords: phrases that a search prefers.

Letters: B batch, K beams, C pieces, S states, V vocabulary.
"""

from collections import deque

import torch

from summarymixing_sb.data.tokenizer import WORD_BOUNDARY


class Hotwords:
    """A boost for every phrase of a list that a hypothesis writes, in whole words.

    Phrases are matched as text, however the pieces of a hypothesis spell them. While a phrase is
    being written it has a part of the boost, in proportion to its characters, so that its beginning
    survives the search; it is taken back when something else follows. Of phrases that end together,
    as NEW YORK and YORK, the longest counts.

    Parameters
    ----------
    phrases : list of str
    tokenizer : sentencepiece.SentencePieceProcessor
    boost : float
        Added to the log-probability of a hypothesis for each phrase in it.

    Raises
    ------
    ValueError
        If a phrase is empty, or has characters that the tokenizer does not know.
    """

    def __init__(self, phrases, tokenizer, boost):
        self.boost = boost
        patterns = [_pattern(phrase, tokenizer) for phrase in phrases]
        self._build(sorted(set(patterns)))
        texts = piece_texts(tokenizer)
        # read once for all searches: the state behind each piece, and what it gains, (S, V)
        read = [[self._read(state, text) for text in texts] for state in range(len(self.edges))]
        self.next = torch.tensor([[state for state, _ in row] for row in read])
        self.gain = torch.tensor([[gain for _, gain in row] for row in read], dtype=torch.float64)
        whole = torch.tensor(self.whole)
        self.rest = torch.where(whole, 0.0, -torch.tensor(self.credit, dtype=torch.float64))

    def _build(self, patterns):
        """Make the automaton of Aho and Corasick: a state for each beginning of a pattern."""
        self.edges, self.whole, self.credit = [{}], [False], [0.0]
        for pattern in patterns:
            state = 0
            for place, character in enumerate(pattern, 1):
                if character not in self.edges[state]:
                    self.edges[state][character] = len(self.edges)
                    self.edges.append({})
                    self.whole.append(False)
                    self.credit.append(0.0)
                state = self.edges[state][character]
                self.credit[state] = max(
                    self.credit[state], self.boost * place / len(pattern), key=abs
                )
            self.whole[state] = True
            self.credit[state] = self.boost
        self.failure = [0] * len(self.edges)
        queue = deque(self.edges[0].values())
        while queue:
            state = queue.popleft()
            for character, child in self.edges[state].items():
                self.failure[child] = self._follow(self.failure[state], character)
                queue.append(child)

    def _follow(self, state, character):
        """Go on with a character from the longest beginning that has it."""
        while state and character not in self.edges[state]:
            state = self.failure[state]
        return self.edges[state].get(character, 0)

    def _read(self, state, text):
        """Read the characters of a piece: the state behind them, and what the score gains."""
        gain = 0.0
        for character in text:
            before = state
            state = self._follow(before, character)
            gain += self.credit[state] - self.credit[before]
            if self.whole[before] and character == WORD_BOUNDARY:
                gain += self.boost  # for good
        return state, gain

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
            (B, K, C).
        state : torch.Tensor
            (B, K, C).
        """
        self.next, self.gain = self.next.to(state.device), self.gain.to(state.device)
        where = state[..., None], tokens
        return self.gain[where], self.next[where]

    def finish(self, state):
        """Take back what phrases that were not ended have: (B, K)."""
        return self.rest.to(state.device)[state]


def _pattern(phrase, tokenizer):
    """Write a phrase as pieces do."""
    words = phrase.split()
    if not words:
        raise ValueError("a hotword is empty: give a word or a phrase on each line")
    if tokenizer.unk_id() in tokenizer.encode(" ".join(words)):
        raise ValueError(
            f"hotword {phrase!r}: the tokenizer cannot spell it; write it as the training texts "
            "are, in the same case"
        )
    return "".join(WORD_BOUNDARY + word for word in words)


def piece_texts(tokenizer):
    """Give the text of every piece, with word boundaries.

    Parameters
    ----------
    tokenizer : sentencepiece.SentencePieceProcessor

    Returns
    -------
    list of str
        Empty for control and unknown pieces and for bytes.
    """
    return [
        ""
        if tokenizer.is_control(index) or tokenizer.is_unknown(index) or tokenizer.is_byte(index)
        else tokenizer.id_to_piece(index)
        for index in range(tokenizer.get_piece_size())
    ]
