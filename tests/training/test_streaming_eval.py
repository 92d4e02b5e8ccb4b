"""The table over chunks."""

import csv
import json

from summarymixing_sb.training.chunks import read_chunk_tests
from summarymixing_sb.training.streaming_eval import write_streaming_table


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
        if number:
            record |= {"latency_ms": 325.0, "word_delay_ms": 410.5, "emission_chunk": 2.5}
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(record))
        tested.append(("dev", file))
    table = write_streaming_table(tmp_path / "streaming.csv", tested).splitlines()
    assert [" ".join(line.split()) for line in table[1:]] == [
        "dev whole all 10.00 % (9.00 to 12.50) 4.00 % 0.250",
        "dev 320 ms 2 chunks 11.00 % (9.00 to 12.50) 4.00 % 0.250 325 ms 410 ms",
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
        "latency_ms": "325.0",
        "word_delay_ms": "410.5",
        "emission_chunk": "2.5",
        "final_text_ms": "",
    }


def test_a_test_set_of_one_utterance(tmp_path):
    """It has no interval."""
    [chunks] = read_chunk_tests([None])
    scores = {"wer": 0.0, "wer_interval": None, "cer": 0.0, "real_time_factor": 0.1}
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"test_set": "dev", **scores, **chunks.info(80)}))
    table = write_streaming_table(tmp_path / "streaming.csv", [("dev", file)])
    assert " ".join(table.splitlines()[1].split()) == "dev whole all 0.00 % 0.00 % 0.100"
