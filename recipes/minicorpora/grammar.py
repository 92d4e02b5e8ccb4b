"""Random sentences from a context-free grammar."""

from itertools import pairwise

START = "SENTENCE"


class Grammar:
    """A grammar that draws sentences.

    Parameters
    ----------
    rules : dict of str to str
        ``{NAME: "alternative | alternative"}``. Words in capitals are names of rules, other words
        are said; alternatives are equally likely. Sentences start from the rule SENTENCE.
    shortest, longest : int
        Words that a sentence may have. Others are drawn again.
    may_repeat : collection of str
        Words that may stand in a sentence twice. Other sentences that repeat themselves are drawn
        again.
    finish : callable, optional
        ``finish(text) -> text``, a last touch that changes a word by its neighbour, such as
        English "a" before a vowel.

    Raises
    ------
    ValueError
        A rule is named and not there, or there and never named.

    Examples
    --------
    >>> import numpy as np
    >>> rules = {"SENTENCE": "the ANIMAL slept", "ANIMAL": "cat | dog"}
    >>> grammar = Grammar(rules, shortest=3)
    >>> grammar.combinations()
    2
    >>> grammar.sentence(np.random.default_rng(0))
    'the dog slept'
    """

    def __init__(self, rules, shortest=5, longest=10, may_repeat=frozenset(), finish=None):
        self.rules = {
            name: [alternative.split() for alternative in text.split("|")]
            for name, text in rules.items()
        }
        self.shortest, self.longest = shortest, longest
        self.may_repeat = frozenset(may_repeat)
        self.finish = finish or str
        named = {part for part in self._parts() if part.isupper()} | {START}
        if odd := sorted(named ^ self.rules.keys()):
            raise ValueError(
                f"a grammar's rules must be those that it names; only named or only there: {odd}"
            )

    def combinations(self, symbol=START):
        """Count the ways to derive a symbol, sentences of any length included."""
        ways = {}

        def count(symbol):
            if symbol not in self.rules:
                return 1
            if symbol not in ways:
                ways[symbol] = 0
                for alternative in self.rules[symbol]:
                    product = 1
                    for part in alternative:
                        product *= count(part)
                    ways[symbol] += product
            return ways[symbol]

        return count(symbol)

    def vocabulary(self):
        """Return every word that the grammar can say, sorted.

        Examples
        --------
        >>> rules = {"SENTENCE": "a THING fell", "THING": "egg | cup"}
        >>> Grammar(rules, finish=lambda text: text.replace("a egg", "an egg")).vocabulary()
        ['a', 'an', 'cup', 'egg', 'fell']
        """
        return sorted(
            {word for pair in self._pairs() for word in self.finish(" ".join(pair)).split()}
        )

    def sentence(self, rng):
        """Draw one sentence.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of every choice.

        Returns
        -------
        str
            As the rules spell it, without punctuation.
        """
        while True:
            words = self._expand(START, rng)
            content = [word for word in words if word not in self.may_repeat]
            if self.shortest <= len(words) <= self.longest and len(content) == len(set(content)):
                return self.finish(" ".join(words))

    def sentences(self, count, rng, taken=()):
        """Draw distinct sentences.

        Parameters
        ----------
        count : int
            How many.
        rng : numpy.random.Generator
            Source of every choice.
        taken : collection of str
            Sentences that must not be among them.

        Returns
        -------
        list of str

        Raises
        ------
        ValueError
            More are asked for than the grammar can say without searching for long.
        """
        if count > self.combinations() // 100:
            raise ValueError(
                f"{count} sentences are too many for a grammar of {self.combinations()}"
            )
        taken, drawn = set(taken), []
        while len(drawn) < count:
            text = self.sentence(rng)
            if text not in taken:
                taken.add(text)
                drawn.append(text)
        return drawn

    def _parts(self):
        """Yield the parts of every alternative of every rule."""
        for alternatives in self.rules.values():
            for alternative in alternatives:
                yield from alternative

    def _pairs(self):
        """Return the words that can stand next to each other, as a set of pairs."""
        return {
            (one, other)
            for alternatives in self.rules.values()
            for alternative in alternatives
            for left, right in pairwise(alternative)
            for one in self._edge(left, -1)
            for other in self._edge(right, 0)
        }

    def _edge(self, symbol, place):
        """Return the words with which a symbol can begin (place 0) or end (place -1)."""
        if symbol not in self.rules:
            return {symbol}
        edges = [self._edge(alternative[place], place) for alternative in self.rules[symbol]]
        return set().union(*edges)

    def _expand(self, symbol, rng):
        """Derive a symbol at random into a list of words."""
        if symbol not in self.rules:
            return [symbol]
        alternatives = self.rules[symbol]
        words = []
        for part in alternatives[rng.integers(len(alternatives))]:
            words += self._expand(part, rng)
        return words
