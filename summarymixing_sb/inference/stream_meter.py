"""How long a streaming recogniser takes: in all, and for each chunk."""

import time

import numpy as np


class StreamMeter:
    """Times of a streaming recogniser: in all, and for each chunk.

    Parameters
    ----------
    recogniser : summarymixing_sb.inference.streaming.StreamingRecogniser
    sample_rate : int
        Hz.
    """

    def __init__(self, recogniser, sample_rate):
        self.recogniser, self.sample_rate = recogniser, sample_rate
        self.samples, self.seconds, self.chunk_seconds = 0, 0.0, []

    def feed(self, samples):
        """Feed samples, see the recogniser's ``feed``.

        Parameters
        ----------
        samples : torch.Tensor
            (N,), at most as many as the next chunk needs.

        Returns
        -------
        str or None
        """
        whole_chunk = len(samples) == self.recogniser.missing
        text = self._timed(self.recogniser.feed, samples)
        self.samples += len(samples)
        if whole_chunk:
            self.chunk_seconds.append(self.last)
        return text

    def finish(self):
        """End the stream, see the recogniser's ``finish``.

        Returns
        -------
        str or None
        """
        return self._timed(self.recogniser.finish)

    def report(self):
        """Report the times.

        Returns
        -------
        dict
            ``seconds`` of sound; ``real_time_factor`` (computing by sound); ``latency``, a dict of
            ``median_ms``, ``p95_ms`` and ``max_ms`` to compute a chunk, None where the sound was
            shorter than one, and ``algorithmic_ms``, which is the chunk and ``lookahead_ms``;
            ``state_bytes``.
        """
        audio = self.samples / self.sample_rate
        return {
            "seconds": audio,
            "real_time_factor": self.seconds / audio if audio else None,
            "latency": {
                **_percentiles(self.chunk_seconds),
                "algorithmic_ms": self.recogniser.latency_ms,
                "lookahead_ms": self.recogniser.lookahead_ms,
            },
            "state_bytes": self.recogniser.state_bytes,
        }

    def _timed(self, call, *arguments):
        start = time.perf_counter()
        result = call(*arguments)  # a list of pieces left the GPU: nothing is still being computed
        self.last = time.perf_counter() - start
        self.seconds += self.last
        return result


def summary(report):
    """Say in a line how fast a stream was.

    Parameters
    ----------
    report : dict
        From :meth:`StreamMeter.report`.

    Returns
    -------
    str

    Examples
    --------
    >>> latency = {"median_ms": 8.2, "p95_ms": 9.1, "max_ms": 12.0}
    >>> latency |= {"algorithmic_ms": 322.5, "lookahead_ms": 2.5}
    >>> line = summary({"seconds": 60.0, "real_time_factor": 0.0256, "latency": latency})
    >>> for part in line.split("; "):
    ...     print(part)
    60.0 s of sound, real-time factor 0.026
    latency 322.5 ms (2.5 of them lookahead)
    computing a chunk: median 8.2, 95 % within 9.1, at most 12.0 ms
    """
    latency, factor = report["latency"], report["real_time_factor"]
    line = f"{report['seconds']:.1f} s of sound"
    if factor is not None:
        line += f", real-time factor {factor:.3f}"
    line += (
        f"; latency {latency['algorithmic_ms']:.1f} ms ({latency['lookahead_ms']:.1f} of them "
        "lookahead)"
    )
    if latency["median_ms"] is None:
        return line
    return line + (
        f"; computing a chunk: median {latency['median_ms']:.1f}, 95 % within "
        f"{latency['p95_ms']:.1f}, at most {latency['max_ms']:.1f} ms"
    )


def _percentiles(seconds):
    if not seconds:
        return dict.fromkeys(("median_ms", "p95_ms", "max_ms"))
    median, p95, most = 1000 * np.percentile(seconds, (50, 95, 100))
    return {"median_ms": float(median), "p95_ms": float(p95), "max_ms": float(most)}
