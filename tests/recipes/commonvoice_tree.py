"""CommonVoice in small: trees of noise in its layout."""

import numpy as np
import soundfile

# The columns of two releases: they differ in order, names and number.
RELEASE_6 = (
    *("client_id", "path", "sentence", "up_votes", "down_votes"),
    *("age", "gender", "accent", "locale", "segment"),
)
RELEASE_17 = (
    *("client_id", "path", "sentence_id", "sentence", "sentence_domain", "up_votes", "down_votes"),
    *("age", "gender", "accents", "variant", "locale", "segment"),
)
SENTENCES = (
    "Een ton, nummer één.",
    "Is dit “twee”?",
    "Foto\N{RIGHT SINGLE QUOTATION MARK}s van drie",
)


def write_clip(path, seconds=0.5, rate=48000, channels=1):
    samples = np.random.default_rng(0).normal(0, 0.1, (int(seconds * rate), channels))
    soundfile.write(path, samples, rate)


def row(columns=RELEASE_6, **cells):
    """One line of a TSV file."""
    votes = {"up_votes": "2", "down_votes": "0"}
    return "\t".join({**votes, **cells}.get(column, "") for column in columns) + "\n"


def make_language(root, language="nl", columns=RELEASE_6, clips=3):
    """A language with three splits; the sentences are taken in turn."""
    folder = root / language
    (folder / "clips").mkdir(parents=True)
    for number, split in enumerate(("train", "dev", "test")):
        lines = ["\t".join(columns) + "\n"]
        for i in range(clips):
            name = f"common_voice_{language}_{number}{i:02}.mp3"
            write_clip(folder / "clips" / name)
            cells = {"client_id": f"{split}{i}", "path": name, "locale": language}
            lines.append(row(columns, sentence=SENTENCES[i % 3], **cells))
        (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    return folder
