"""The chunks that a streaming model is trained and tested with."""

from dataclasses import dataclass

from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.registry import mixer_class, mixer_names


@dataclass(frozen=True)
class ChunkTest:
    """What frames see in a test.

    Parameters
    ----------
    chunk_size : int, optional
        Frames of a chunk; None for the whole utterance.
    left_context_chunks : int, optional
        Chunks before its own that a frame sees; None for all of them.

    Examples
    --------
    >>> ChunkTest(16, 8).name, ChunkTest(16).name, ChunkTest().name
    ('chunk16_left8', 'chunk16', 'offline')
    """

    chunk_size: int | None = None
    left_context_chunks: int | None = None

    @property
    def name(self):
        """For names of files."""
        if self.chunk_size is None:
            return "offline"
        left = self.left_context_chunks
        return f"chunk{self.chunk_size}" + ("" if left is None else f"_left{left}")

    @property
    def config(self):
        """What the encoder takes."""
        if self.chunk_size is None:
            return None
        return DynChunkTrainConfig(self.chunk_size, self.left_context_chunks)

    def info(self, frame_ms):
        """Describe it for the JSON file of a test.

        Parameters
        ----------
        frame_ms : float
            Milliseconds from one frame of the encoder to the next.

        Returns
        -------
        dict
        """
        return {
            "chunk_size": self.chunk_size,
            "chunk_ms": None if self.chunk_size is None else self.chunk_size * frame_ms,
            "left_context_chunks": self.left_context_chunks,
        }


def read_chunk_tests(test_chunks):
    """Read the YAML key ``test_chunks``.

    Parameters
    ----------
    test_chunks : list
        Of null (the whole utterance), and of [frames of a chunk, chunks of left context or null].

    Returns
    -------
    list of ChunkTest

    Raises
    ------
    ValueError
        When it is no such list, or has an entry twice.

    Examples
    --------
    >>> [test.name for test in read_chunk_tests([None, [32, None], [8, 4]])]
    ['offline', 'chunk32', 'chunk8_left4']
    """
    if not isinstance(test_chunks, list) or not test_chunks:
        raise ValueError(f"test_chunks: give a list such as [null, [16, 8]], not {test_chunks!r}")
    tests = []
    for entry in test_chunks:
        if entry is None:
            tests.append(ChunkTest())
        elif _is_pair(entry):
            tests.append(ChunkTest(*entry))
        else:
            raise ValueError(
                "test_chunks: an entry is null, or [frames of a chunk, chunks of left context or "
                f"null] such as [16, 8], not {entry!r}"
            )
    if len(set(tests)) < len(tests):
        raise ValueError(f"test_chunks has an entry twice: {', '.join(t.name for t in tests)}")
    return tests


def check_chunks(settings):
    """Refuse chunks that cannot be, or that a mixer cannot be limited to.

    Parameters
    ----------
    settings : dict
        From :func:`summarymixing_sb.training.config.read_settings`.

    Raises
    ------
    ValueError
        For such chunks, naming the keys.
    """
    for name, least in (("chunk_size", 1), ("left_context_chunks", 0)):
        low, high = settings[f"{name}_min"], settings[f"{name}_max"]
        if not least <= low <= high:
            raise ValueError(
                f"{name}_min and {name}_max: give two counts, at least {least}, of which the "
                f"first is not the larger, not {low} and {high}"
            )
    _check_mixers(settings)


def _check_mixers(settings):
    """Refuse chunks that a mixer cannot be limited to."""
    tests = [test for test in read_chunk_tests(settings["test_chunks"]) if test.chunk_size]
    training = settings["chunkwise_prob"] > 0
    limited = training and settings["limited_left_context_prob"] > 0
    limited |= any(test.left_context_chunks is not None for test in tests)
    for name in mixer_names(settings["attention_type"]):
        mixer = mixer_class(name)
        if not mixer.supports_chunks and (training or tests):
            raise ValueError(
                f"attention_type: {name} sees the whole utterance: give chunkwise_prob 0 and "
                "test_chunks [null], or another mixer"
            )
        if not mixer.forgets and limited:
            raise ValueError(
                f"attention_type: {name} remembers all chunks: give limited_left_context_prob 0 "
                "and test_chunks without left contexts, as [null, [8, null]], or another mixer"
            )


def _is_pair(entry):
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    size, left = entry
    # not isinstance: True is no count
    return type(size) is int and size >= 1 and (left is None or (type(left) is int and left >= 0))
