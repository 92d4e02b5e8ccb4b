"""The page about a run: what it says, that it stands alone, and that a browser shows it."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from summarymixing_sb.report.page import main
from summarymixing_sb.report.record import NO_WORD, TestSet, Utterance, read_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
OPTIONS += ("--disable-background-networking", "--window-size=800,2400")


@pytest.fixture(scope="module")
def wrong_run(trained_run, tmp_path_factory):
    """The run of tones, as if it had heard some words wrong."""
    run = shutil.copytree(trained_run, tmp_path_factory.mktemp("wrong") / "run")
    file = run / "results" / "dev.hyp.txt"
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    lines[0][1] = f"{lines[0][1]} <B>EXTRA</B>"
    lines[1][1] = lines[1][1].replace(lines[1][1].split()[0], "OTHER", 1)
    lines[2][1] = ""
    file.write_text("".join(f"{key}\t{text}\n" for key, text in lines))
    return run


@pytest.fixture(scope="module")
def text(wrong_run):
    assert main([str(wrong_run)]) == 0
    return (wrong_run / "report.html").read_text(encoding="utf-8")


class Parser(HTMLParser):
    """Collects what is open at the end, and what the page would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "br", "path", "use"):
            self.open.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_startendtag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()


def test_it_stands_alone_and_is_whole(text):
    parser = Parser()
    parser.feed(text)
    assert not parser.open
    assert all(source.startswith(("data:", "#")) for source in parser.sources)
    assert text.count("data:audio/flac;base64,") == 3
    assert text.count("<svg") == 2  # curves of the training, and errors by length


def test_what_it_says(text, wrong_run):
    assert "asr: conformer with SummaryMixing" in text
    assert "&lt;B&gt;EXTRA&lt;/B&gt;" in text
    assert "<B>EXTRA" not in text
    assert "<td class=wrong>OTHER</td>" in text
    assert f"<td class=missing>{NO_WORD}</td>" in text
    assert "epoch 5" in text
    assert "d_model: 48" in text
    first = read_run(wrong_run).tests[0]
    worst = first.worst(1)[0]
    assert re.search(rf"audio></audio>|<b>{worst.id}</b>", text)
    assert worst.hypothesis == []


def test_counts():
    utterances = [
        Utterance("a", ["A", "B"], ["A", "C"], "one"),
        Utterance("b", ["A"], ["A", "D"], "two"),
        Utterance("c", ["A", "B", "E"], ["A", "C"], "two"),
    ]
    test = TestSet("dev", {}, utterances)
    assert test.confusions("substitutions") == [(("B", "C"), 2)]
    assert test.confusions("insertions") == [((NO_WORD, "D"), 1)]
    assert test.confusions("deletions") == [(("E", NO_WORD), 1)]
    assert test.by_speaker() == [("two", 2, 4, 3), ("one", 1, 2, 1)]
    assert [utterance.id for utterance in test.worst(2)] == ["c", "a"]


def test_without_recordings_and_results(wrong_run, tmp_path):
    run = shutil.copytree(wrong_run, tmp_path / "run")
    shutil.rmtree(run / "save")
    output = tmp_path / "page.html"
    file = run / "hyperparams.yaml"
    text = file.read_text()
    file.write_text(re.sub(r"manifest_folder: .*", "manifest_folder: /nowhere", text))
    assert main([str(run), "--output", str(output)]) == 0
    assert "(the recording is not there)" in output.read_text()
    shutil.rmtree(run / "results")
    assert main([str(run), "--output", str(output)]) == 0
    assert "No test of this run has ended." in output.read_text()


def test_bad_input(wrong_run, tmp_path, capsys):
    damaged = shutil.copytree(wrong_run, tmp_path / "damaged")
    (damaged / "results" / "dev.json").write_text('{"wer": 1')
    begun = shutil.copytree(wrong_run, tmp_path / "begun")
    (begun / "train_log.txt").unlink()
    for arguments, message in (
        ([str(tmp_path)], "is no run: it has no hyperparams.yaml"),
        ([str(begun)], "no epoch of it has ended"),
        ([str(damaged)], "dev.json is damaged"),
        ([str(wrong_run), "--utterances", "-1"], "give 0 or more"),
        ([str(wrong_run), "--output", str(tmp_path / "no" / "page.html")], "No such file"),
    ):
        assert main(arguments) == 2
        assert message in capsys.readouterr().err


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_shows_it(text, wrong_run, tmp_path):
    from matplotlib.image import imread

    picture = tmp_path / "page.png"
    address = (wrong_run / "report.html").as_uri()
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={tmp_path / 'user'}"]
    subprocess.run(
        [*command, f"--screenshot={picture}", address], capture_output=True, timeout=60, check=True
    )
    pixels = imread(picture)[..., :3]
    red, yellow = ((251, 208, 208), (253, 231, 179))
    for colour in (red, yellow):
        distance = abs(255 * pixels - colour).max(axis=-1)
        assert (distance < 2).sum() > 100, colour
    # text and curves: neither empty nor a page of errors
    assert 0.01 < (pixels.min(axis=-1) < 0.9).mean() < 0.5
