"""Chunks to test at: reading them, and their table."""

import csv
import json

import pytest
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.training.streaming_eval import read_chunk_tests, write_streaming_table


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


def test_table(tmp_path):
    tested = []
    for number, chunks in enumerate(read_chunk_tests([None, [4, 2]])):
        record = {
            "test_set": f"dev.{chunks.name}",
            "wer": 10.0 + number,
            "wer_interval": [9.0, 12.5],
            "cer": 4.0,
            "real_time_factor": 0.25,
            **chunks.info(80),
        }
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(record))
        tested.append(("dev", file))
    table = write_streaming_table(tmp_path / "streaming.csv", tested).splitlines()
    assert [" ".join(line.split()) for line in table[1:]] == [
        "dev whole all 10.00 % (9.00 to 12.50) 4.00 % 0.250",
        "dev 320 ms 2 chunks 11.00 % (9.00 to 12.50) 4.00 % 0.250",
    ]
    assert len({line.index("4.00 %") for line in table[1:]}) == 1
    with open(tmp_path / "streaming.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["chunk_ms"] == ""
    assert rows[1] == {
        "test_set": "dev",
        "chunk_ms": "320",
        "left_context_chunks": "2",
        "wer": "11.0",
        "wer_low": "9.0",
        "wer_high": "12.5",
        "cer": "4.0",
        "real_time_factor": "0.25",
    }


def test_a_test_set_of_one_utterance(tmp_path):
    """It has no interval."""
    [chunks] = read_chunk_tests([None])
    scores = {"wer": 0.0, "wer_interval": None, "cer": 0.0, "real_time_factor": 0.1}
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"test_set": "dev", **scores, **chunks.info(80)}))
    table = write_streaming_table(tmp_path / "streaming.csv", [("dev", file)])
    assert " ".join(table.splitlines()[1].split()) == "dev whole all 0.00 % 0.00 % 0.100"
