"""The guard of a corpus folder."""

import pytest

from recipes.minicorpora.manifest import claim, finish

PARAMETERS = {"train": [4, 2], "seed": 0, "version": "abc"}
CONTENTS = ["train-mini", "SPEAKERS.TXT"]


def write_corpus(folder):
    """Put something where a corpus would be."""
    (folder / "train-mini").mkdir()
    (folder / "SPEAKERS.TXT").write_text("1")


def test_a_finished_corpus_is_left_alone(tmp_path):
    folder = tmp_path / "corpus"
    assert claim(folder, PARAMETERS, CONTENTS) is None
    write_corpus(folder)
    finish(folder, PARAMETERS, CONTENTS, {"hours": 1.0})
    assert claim(folder, PARAMETERS, CONTENTS) == {"hours": 1.0}
    assert (folder / "SPEAKERS.TXT").is_file()


def test_a_half_written_corpus_is_removed_and_nothing_else(tmp_path):
    claim(tmp_path, PARAMETERS, CONTENTS)
    write_corpus(tmp_path)
    (tmp_path / "notes").write_text("mine")
    assert claim(tmp_path, {**PARAMETERS, "seed": 1}, CONTENTS) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "notes"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 7, "version": "def"}, r"\(seed is 0, not 7\)"),
        ({"version": "def"}, "another version of the package"),
    ],
)
def test_another_corpus_is_refused(tmp_path, change, message):
    claim(tmp_path, PARAMETERS, CONTENTS)
    finish(tmp_path, PARAMETERS, CONTENTS, {})
    with pytest.raises(FileExistsError, match=message):
        claim(tmp_path, {**PARAMETERS, **change}, CONTENTS)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "dev-clean").mkdir()
    with pytest.raises(FileExistsError, match="choose another output folder"):
        claim(tmp_path, PARAMETERS, CONTENTS)
