"""The voices of a language: espeak-ng's accents times its voice variants.

A variant is what a listener takes for a person (formants, pitch, timbre). The three splits share
the accents and no variant, so the voices of dev and test are never heard in training. Variants that
whisper, croak, distort or play a robot are skipped.
"""

from dataclasses import dataclass
from itertools import chain, zip_longest

ENGLISH = (
    "en-us",
    "en-us-nyc",
    "en",  # Great Britain
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-gb-scotland",
    "en-029",  # the Caribbean
)
DUTCH = ("nl",)
ITALIAN = ("it",)
FRENCH = ("fr",)  # fr-be and fr-ch differ from it in a few numbers only
MANDARIN = ("cmn",)
STEP = 3  # accents on, when a variant comes back; no divisor in common with any language's number
# Neighbouring voices (rob and robert, m4 and m5, aunty and f4) are both held out: a test voice
# shall not be a training voice by another name.
VARIANTS = {
    "train": {
        "F": ["f1", "f3", "f5", "grandma", "linda", "shelby", "steph"],
        "M": [
            *("Alex", "Denis", "Diogo", "Gene", "Mario", "Michael", "Mike", "Nguyen", "adam"),
            *("gustave", "john", "klatt3", "klatt4", "m1", "m3", "m6", "m8", "max", "michel"),
            *("norbert", "pablo", "paul", "quincy", "victor"),
        ],
    },
    "dev": {"F": ["aunty", "belinda"], "M": ["m4", "rob"]},
    "test": {"F": ["Annie", "f2", "f4"], "M": ["edward", "m2", "m5", "m7", "robert"]},
}


@dataclass(frozen=True)
class Voice:
    """One speaker.

    Attributes
    ----------
    name : str
        espeak-ng's name, ``<accent>+<variant>``.
    sex : str
        ``"F"`` or ``"M"``.
    rate : int
        Usual speed, in words per minute.
    pitch : int
        Usual pitch, on espeak-ng's scale from 0 to 99 around the variant's own 50.
    """

    name: str
    sex: str
    rate: int
    pitch: int


def choose_voices(split, count, rng, accents=ENGLISH):
    """Choose distinct speakers, women and men in turn as long as there are both.

    Every variant of the split speaks once before one comes back with another accent, and the
    accents take turns: eight speakers of English have eight.

    Parameters
    ----------
    split : str
        ``"train"``, ``"dev"`` or ``"test"``.
    count : int
        Number of speakers.
    rng : numpy.random.Generator
        Source of every choice.
    accents : sequence of str
        espeak-ng's names of the accents to choose from.

    Returns
    -------
    list of Voice

    Raises
    ------
    ValueError
        The split has fewer voices than that.

    Examples
    --------
    >>> import numpy as np
    >>> [voice.sex for voice in choose_voices("test", 3, np.random.default_rng(0))]
    ['F', 'M', 'F']
    """
    accents = rng.permutation(accents)
    by_sex = []
    for first, (sex, variants) in zip((0, len(accents) // 2), VARIANTS[split].items()):
        variants = rng.permutation(variants)
        by_sex.append(
            [
                (f"{accents[(first + place + STEP * turn) % len(accents)]}+{variant}", sex)
                for turn in range(len(accents))
                for place, variant in enumerate(variants)
            ]
        )
    available = [voice for voice in chain(*zip_longest(*by_sex)) if voice]
    if not 1 <= count <= len(available):
        raise ValueError(
            f"{split} speakers must be between 1 and {len(available)} "
            f"(voice variants x accents), not {count}"
        )
    return [
        Voice(name, sex, rate=int(rng.integers(165, 201)), pitch=int(rng.integers(40, 61)))
        for name, sex in available[:count]
    ]
