"""Recognition by onnxruntime, with the graphs of exported models.

Letters: B batch, N samples, T frames of the encoder, V pieces of the vocabulary.
"""

import importlib
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from summarymixing_sb.inference.recogniser import Encoding, Recogniser

ONNX_FILE, INT8_FILE = "model.onnx", "model.int8.onnx"
CTC_METHODS = ("ctc_greedy", "ctc_prefix_beam")
#: What the command line calls them.
FILES = {"float32": ONNX_FILE, "int8": INT8_FILE}


def require(*packages):
    """Refuse to go on without packages.

    Parameters
    ----------
    *packages : str

    Raises
    ------
    ValueError
        If one cannot be imported.
    """
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ValueError(f"ONNX needs the package {package}: pip install {package}") from error


def open_session(file, hint, threads=None):
    """Open a graph with onnxruntime.

    Parameters
    ----------
    file : str or Path
    hint : str
        What makes the file.
    threads : int, optional
        As many as onnxruntime likes if None.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    ValueError
        If onnxruntime is not installed, or the file is no such graph.
    """
    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no {file}: {hint}")
    require("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has many kinds
        raise ValueError(f"{file} cannot be run: {error}") from error


class OnnxModel:
    """A graph that :func:`export_onnx` wrote, run by onnxruntime.

    Parameters
    ----------
    file, threads
        See :func:`open_session`, also for its errors.
    """

    def __init__(self, file, threads=None):
        hint = "export the run with summarymixing-export --onnx, or --int8"
        self.session = open_session(file, hint, threads)

    def __call__(self, signals, samples):
        """Compute log-probabilities of CTC.

        Parameters
        ----------
        signals : numpy.ndarray
            (B, N), float32.
        samples : numpy.ndarray
            (B,), int64.

        Returns
        -------
        log_probs : numpy.ndarray
            (B, T, V).
        frames : numpy.ndarray
            (B,).
        """
        return self.session.run(None, {"signals": signals, "samples": samples})


class OnnxRecogniser(Recogniser):
    """Transcribe waveforms with the graph of an exported model.

    Parameters
    ----------
    run : TrainedRun
        The exported model.
    precision : str
        ``float32`` or ``int8``.
    decoding : str, optional
        ``ctc_greedy``, the default, or ``ctc_prefix_beam``: no graph has another decoder.
    **options
        See :class:`summarymixing_sb.inference.recogniser.Recogniser`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such graph, or it has no such decoding.
    """

    def __init__(self, run, precision, decoding=None, **options):
        decoding = decoding or CTC_METHODS[0]
        if decoding not in CTC_METHODS:
            raise ValueError(
                f"{decoding} needs a decoder or joint, which is in no ONNX graph: decode with "
                f"{' or '.join(CTC_METHODS)}"
            )
        super().__init__(run, decoding, **options)
        self.model = OnnxModel(run.folder / FILES[precision], torch.get_num_threads())

    def _encode_batch(self, signals):
        samples = np.array([len(signal) for signal in signals])
        padded = pad_sequence(signals, batch_first=True).float().numpy()
        found, counts = self.model(padded, samples)
        rows = [torch.from_numpy(row[:count]) for row, count in zip(found, counts)]
        # decoding by CTC reads no encoder output
        return [Encoding(row, row) for row in rows]
