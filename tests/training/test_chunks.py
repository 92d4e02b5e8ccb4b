"""Chunks to test at."""

import pytest
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.training.chunks import read_chunk_tests


def test_what_the_encoder_and_the_record_get():
    offline, chunk, limited = read_chunk_tests([None, [32, None], [16, 0]])
    assert offline.config is None
    assert chunk.config == DynChunkTrainConfig(32, None)
    assert limited.config == DynChunkTrainConfig(16, 0)
    assert limited.name == "chunk16_left0"
    assert limited.info(40) == {"chunk_size": 16, "chunk_ms": 640, "left_context_chunks": 0}
    assert offline.info(40) == dict.fromkeys(["chunk_size", "chunk_ms", "left_context_chunks"])


@pytest.mark.parametrize(
    "value", [None, [], "offline", 8, [8], [[8]], [[0, 1]], [[8, -1]], [[8.5, 1]], [[True, 1]]]
)
def test_what_is_no_list_of_chunks(value):
    with pytest.raises(ValueError, match=r"test_chunks.*\[16, 8\]"):
        read_chunk_tests(value)


def test_an_entry_twice():
    with pytest.raises(ValueError, match="twice: chunk8_left4, chunk8_left4"):
        read_chunk_tests([[8, 4], [8, 4]])
