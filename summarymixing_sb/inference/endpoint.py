"""Where a segment of a stream ends: after words, when there has been silence for some time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EndpointRule:
    """When to end a segment.

    Parameters
    ----------
    seconds : float
        Of silence behind words.
    threshold : float
        A frame is silent whose blank is at least so probable.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    seconds: float
    threshold: float = 0.95

    def __post_init__(self):
        if not self.seconds > 0:
            raise ValueError(f"endpoint: give more than 0 seconds of silence, not {self.seconds}")
        if not 0 < self.threshold <= 1:
            raise ValueError(
                f"endpoint threshold: give a probability above 0, up to 1, not {self.threshold}"
            )


class Endpoint:
    """The state of a rule in a segment.

    Parameters
    ----------
    rule : EndpointRule
    frame_seconds : float
        From one frame of the encoder to the next.

    Examples
    --------
    >>> endpoint = Endpoint(EndpointRule(0.3, 0.9), frame_seconds=0.1)
    >>> endpoint([1.0, 1.0, 1.0, 1.0], wrote=False)  # silence before words
    False
    >>> endpoint([0.1, 0.2, 1.0, 0.9], wrote=True), endpoint([1.0, 0.4, 0.9, 0.9], wrote=False)
    (False, False)
    >>> endpoint([0.9, 0.8], wrote=False), endpoint([0.95, 0.95, 0.95], wrote=False)
    (False, True)
    """

    def __init__(self, rule, frame_seconds):
        self.rule, self.frame_seconds = rule, frame_seconds
        self.words, self.silent = False, 0

    def __call__(self, blanks, wrote):
        """Take in a chunk.

        Parameters
        ----------
        blanks : list of float
            Probability of the blank in each of its frames.
        wrote : bool
            Whether the chunk gave pieces.

        Returns
        -------
        bool
            Whether the segment ends with it.
        """
        if wrote:
            self.words, self.silent = True, 0
        for blank in blanks:
            self.silent = self.silent + 1 if blank >= self.rule.threshold else 0
        return self.words and self.silent * self.frame_seconds >= self.rule.seconds - 1e-9
