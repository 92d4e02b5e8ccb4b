"""ONNX: encoder and CTC as one graph, from waveforms to log-probabilities; and its int8 form.

Batch and length are free. The graph is compared with the model before it counts as written.

Letters: B batch, N samples, T frames, K frequencies, V vocabulary.
"""

import copy
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from speechbrain.lobes.features import Fbank
from torch import nn

from summarymixing_sb.inference.onnx import INT8_FILE, ONNX_FILE, OnnxModel, require
from summarymixing_sb.models.encode import encode
from summarymixing_sb.models.front_end import FrontEnd

#: Greatest difference of log-probabilities from the model's, of a graph in float32.
TOLERANCE = 1e-2
#: Seconds of the utterances that the graph is traced and compared with.
TRACED, COMPARED = (2.5, 1.9, 1.2), ((1.0,), (4.0, 0.4), (0.05, 0.7, 0.3))


def export_onnx(run, folder, int8=False):
    """Write ``model.onnx``, and ``model.int8.onnx``, into a folder.

    Inputs are ``signals`` (B, N), float32 at the model's rate, and ``samples`` (B,), int64, the
    valid ones; outputs are ``log_probs`` (B, T, V) of CTC and ``frames`` (B,).

    Parameters
    ----------
    run : TrainedRun
    folder : str or Path
    int8 : bool
        Also write the form whose matrix products are in int8 (onnxruntime's dynamic quantisation).

    Raises
    ------
    ValueError
        If a package is missing, the model has parts that no graph is made of, or the graph gives
        something else than the model.
    """
    require("onnx", "onnxscript", "onnxruntime")
    if "ctc_lin" not in run.modules:
        raise ValueError(
            f"{run.folder} has no CTC output, and only encoders with CTC are exported as ONNX"
        )
    file = Path(folder) / ONNX_FILE
    program = _trace(_Graph(run).eval(), _signals(TRACED, run.sample_rate))
    written = torch.onnx.export(
        program,
        (),
        input_names=["signals", "samples"],
        output_names=["log_probs", "frames"],
        verbose=False,
    )
    written.save(str(file))
    _compare(run, file)
    if int8:
        quantize(file, Path(folder) / INT8_FILE)


class _Graph(nn.Module):
    """What the graph computes."""

    def __init__(self, run):
        super().__init__()
        features = copy.deepcopy(run.front_end.compute_features)
        if not isinstance(features, Fbank):
            raise ValueError(f"ONNX: features of {type(features).__name__} are not exported")
        features.compute_STFT = FourierTransform(features.compute_STFT)
        normalize = GlobalNormalization(run.modules["normalize"])
        hop = run.front_end.hop
        self.front_end = FrontEnd(features, normalize, run.modules["CNN"], hop)
        self.transformer, self.ctc_lin = run.modules["Transformer"], run.modules["ctc_lin"]

    def forward(self, signals, samples):
        """Give log-probabilities and counts of frames."""
        encoded, frames = encode(self.front_end, self.transformer, signals, samples)
        return self.ctc_lin(encoded).log_softmax(-1), frames


class FourierTransform(nn.Module):
    """SpeechBrain's STFT as a convolution, since onnxruntime's own is slow.

    Parameters
    ----------
    stft : speechbrain.processing.features.STFT
    """

    def __init__(self, stft):
        super().__init__()
        if not stft.center or stft.pad_mode != "constant" or stft.normalized_stft:
            raise ValueError("ONNX: only a centred STFT, padded with zeros, is exported")
        self.hop, self.half = stft.hop_length, stft.n_fft // 2
        before = (stft.n_fft - stft.win_length) // 2
        window = F.pad(stft.window, (before, stft.n_fft - stft.win_length - before)).double()
        times = torch.arange(stft.n_fft).double()
        angles = 2 * math.pi / stft.n_fft * torch.outer(torch.arange(self.half + 1).double(), times)
        basis = torch.stack([angles.cos() * window, -angles.sin() * window], dim=1).flatten(0, 1)
        self.register_buffer("basis", basis[:, None].float())  # (2 K, 1, n_fft)

    def forward(self, signals):
        """From (B, N) to (B, T, K, 2), as SpeechBrain's."""
        padded = F.pad(signals, (self.half, self.half))[:, None]
        both = F.conv1d(padded, self.basis, stride=self.hop)  # (B, 2 K, T)
        return both.transpose(1, 2).unflatten(2, (-1, 2))


class GlobalNormalization(nn.Module):
    """SpeechBrain's normaliser with the statistics of the training.

    Parameters
    ----------
    normalize : speechbrain.processing.features.InputNormalization
    """

    def __init__(self, normalize):
        super().__init__()
        if normalize.norm_type != "global" or normalize.avoid_padding_norm:
            raise ValueError("ONNX: only a normaliser of norm_type global is exported")
        mean, std = normalize.glob_mean, normalize.glob_std
        if normalize.std_norm is False:
            std = torch.ones_like(mean)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clamp(min=normalize.epsilon))

    def forward(self, x, lengths=None, epoch=None):
        """Normalise (B, T, F)."""
        return (x - self.mean) / self.std


def _signals(seconds, rate):
    """Give noise of some lengths: (B, N) with zeros behind the end, and (B,)."""
    draw = torch.Generator().manual_seed(0)
    samples = torch.tensor([round(rate * length) for length in seconds])
    signals = 0.1 * torch.randn(len(samples), int(samples.max()), generator=draw)
    return signals * (torch.arange(signals.size(1)) < samples[:, None]), samples


def _trace(graph, example):
    """Trace a graph of free batch and length."""
    shapes = {
        "signals": {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")},
        "samples": {0: torch.export.Dim("batch")},
    }
    with torch.no_grad():
        program = torch.export.export(
            graph,
            example,
            dynamic_shapes=shapes,
            strict=False,
            # what is true of every length of speech, and torch cannot prove
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    return simplify(program)


def simplify(program):
    """Take out what does nothing: squeezes of a dimension that is not 1, powers of 1.

    Parameters
    ----------
    program : torch.export.ExportedProgram
        It is changed.

    Returns
    -------
    torch.export.ExportedProgram
    """
    for node in list(program.graph.nodes):
        # torch's squeeze leaves a dimension that is not 1; ONNX's refuses it
        if node.target is torch.ops.aten.squeeze.dim:
            source, dim = node.args
            size = source.meta["val"].shape[dim]
            if isinstance(size, int) and size != 1:
                node.replace_all_uses_with(source)
                program.graph.erase_node(node)
        elif node.target is torch.ops.aten.pow.Tensor_Scalar and node.args[1] == 1:
            node.replace_all_uses_with(node.args[0])
            program.graph.erase_node(node)
    program.graph_module.recompile()
    return program


def _compare(run, file):
    """Refuse a graph that gives something else than the model, on other batches and lengths."""
    model = OnnxModel(file, threads=1)
    for seconds in COMPARED:
        signals, samples = _signals(seconds, run.sample_rate)
        with torch.no_grad():
            encoded, frames = encode(run.front_end, run.modules["Transformer"], signals, samples)
            expected = run.modules["ctc_lin"](encoded).log_softmax(-1)
        found, counts = model(signals.numpy(), samples.numpy())
        if frames.tolist() != counts.tolist():
            raise ValueError(f"{file} counts {counts.tolist()} frames, not {frames.tolist()}")
        for row, count in enumerate(counts):
            difference = np.abs(found[row, :count] - expected[row, :count].numpy()).max()
            if not difference < TOLERANCE:
                raise ValueError(
                    f"{file} differs from the model by {difference:.2g}: this mixer or front end "
                    "cannot be exported as ONNX"
                )


def quantize(file, target):
    """Bring the matrix products by one matrix of weights to int8.

    Parameters
    ----------
    file, target : Path
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(str(file)).graph
    ranks = {weights.name: len(weights.dims) for weights in graph.initializer}
    # those of several heads have a matrix a head, which onnxruntime does not quantise; and the
    # powers of a spectrum, which the mel filters take in, have too wide a range
    nodes = [
        node.name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm")
        and ranks.get(node.input[1]) == 2
        and "'front_end'" not in _scopes(node)
    ]
    quantize_dynamic(
        str(file),
        str(target),
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        nodes_to_quantize=nodes,
    )


def _scopes(node):
    """Give the names of the modules that a node comes from, as the exporter notes them."""
    return "".join(p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes")
