"""Package definition of summarymixing_sb."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
version = {}
exec((ROOT / "summarymixing_sb" / "version.py").read_text(encoding="utf-8"), version)

DEMO = ["espeakng-loader>=0.2.4"]
SSL = ["transformers>=4.49"]
PLOT = ["matplotlib>=3.8"]
NORMALIZER = ["whisper-normalizer>=0.1"]
ONNX = ["onnx>=1.17", "onnxruntime>=1.20", "onnxscript>=0.5"]
NGRAM = ["arpa>=0.1.0b4"]
TEST = [
    *NGRAM,
    *SSL,
    *DEMO,
    *PLOT,
    *NORMALIZER,
    *ONNX,
    "pytest>=8",
    "pytest-xdist>=3.6",
    "ruff>=0.9",
    "tensorboard>=2.15",
]

setup(
    name="summarymixing-sb",
    version=version["__version__"],
    description="SummaryMixing, a linear-time replacement of self-attention, for SpeechBrain",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=find_packages(include=["summarymixing_sb", "summarymixing_sb.*"]),
    install_requires=[
        "speechbrain>=1.1.2",
        "torch>=2.7.1",
        "torchaudio>=2.7.1",
        "huggingface_hub>=0.23",
        "hyperpyyaml>=1.2",
        "sentencepiece>=0.2",
        "jiwer>=4.0",
        "kaldialign>=0.9",
        "numpy",
        "scipy>=1.15",
        "soundfile>=0.12",
        "tqdm>=4.60",
    ],
    extras_require={
        "demo": DEMO,
        "ngram": NGRAM,
        "normalizer": NORMALIZER,
        "onnx": ONNX,
        "tensorboard": ["tensorboard>=2.15"],
        "test": TEST,
        "plot": PLOT,
        "ssl": SSL,
    },
    entry_points={
        "console_scripts": [
            "summarymixing-transcribe = summarymixing_sb.inference.transcribe:main",
            "summarymixing-compare = summarymixing_sb.evaluation.compare:main",
            "summarymixing-export = summarymixing_sb.export.command:main",
            "summarymixing-convert = summarymixing_sb.training.convert:main",
            "summarymixing-report = summarymixing_sb.report.page:main",
            "summarymixing-score-slurp = summarymixing_sb.evaluation.slurp:main",
        ]
    },
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
