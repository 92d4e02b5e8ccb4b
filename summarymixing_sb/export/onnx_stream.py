"""ONNX graphs of streams: features of the next samples, and one chunk of the encoder.

Letters: N samples, T frames of the features, C encoder frames of a chunk, D model width, V
vocabulary.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from summarymixing_sb.export.onnx import (
    FourierTransform,
    GlobalNormalization,
    quantize,
    simplify,
)
from summarymixing_sb.inference.onnx import require
from summarymixing_sb.inference.onnx_stream import (
    CHUNK_FILES,
    FEATURES_FILE,
    INFO_FILE,
    START,
    STATE_FILE,
    OnnxStreamingRecogniser,
)
from summarymixing_sb.inference.streaming import StreamingRecogniser

#: Greatest difference of encoded frames from the model's.
TOLERANCE = 1e-2


def export_onnx_stream(run, folder, chunk_ms, left_context=None, int8=False):
    """Write the graphs of a stream into a folder, and the state with which a stream starts.

    ``stream_features.onnx`` gives ``frames`` (1, C', F) and ``loudest`` (1, T) of ``samples`` (1,
    N) and ``before`` (1, 1). ``stream_chunk.onnx`` takes in ``frames`` (1, C, F), ``valid`` (1,),
    the share of them that is speech (less than 1 in the last chunk only), and the tensors of
    ``stream_state.npz`` by name; it gives ``log_probs`` (1, C, V) of CTC, ``encoded`` (1, C, D),
    and the tensors that the next chunk takes in, each named ``next.`` and its name.

    Parameters
    ----------
    run : TrainedRun
    folder : str or Path
    chunk_ms : int
        Length of a chunk in milliseconds.
    left_context : int, optional
        Chunks before its own that a chunk sees; all if None.
    int8 : bool
        Also write ``stream_chunk.int8.onnx``, see
        :func:`summarymixing_sb.export.onnx.export_onnx`.

    Raises
    ------
    ValueError
        If a package is missing, the model cannot stream, or a graph gives something else than the
        model.
    """
    require("onnx", "onnxscript", "onnxruntime")
    folder = Path(folder)
    stream = StreamingRecogniser(run, chunk_ms, left_context)
    samples = torch.zeros(1, stream.missing)
    frames, _ = stream.features.module(samples)
    frames = frames.flatten(2)[:, : stream.chunks.chunk_size]  # (1, C, F)
    _write_features(stream, folder / FEATURES_FILE)
    chunk = _Chunk(run, stream.chunks).eval()
    names = [f"state{place}" for place in range(len(chunk.start))]
    program = torch.export.export(chunk, (frames, torch.ones(1), *chunk.start), strict=False)
    torch.onnx.export(
        program,
        (),
        input_names=["frames", "valid", *names],
        output_names=["log_probs", "encoded", *(f"next.{name}" for name in names)],
        verbose=False,
    ).save(str(folder / CHUNK_FILES["float32"]))
    np.savez(folder / STATE_FILE, **dict(zip(names, (x.numpy() for x in chunk.start))))
    info = {"chunk_ms": chunk_ms, "left_context": left_context}
    (folder / INFO_FILE).write_text(json.dumps(info) + "\n", encoding="utf-8")
    _compare(run, folder, info)
    if int8:
        quantize(folder / CHUNK_FILES["float32"], folder / CHUNK_FILES["int8"])


def _write_features(stream, file):
    """Write the graph of the front end, which takes in any number of samples."""
    graph = _Features(stream.features.module).eval()
    example = torch.zeros(1, 3 * stream.chunk_samples), torch.full((1, 1), START)
    length = torch.export.Dim("length", min=2 * stream.features.properties.stride)
    with torch.no_grad():
        program = torch.export.export(
            graph,
            example,
            dynamic_shapes={"samples": {1: length}, "before": None},
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    names = {"input_names": ["samples", "before"], "output_names": ["frames", "loudest"]}
    torch.onnx.export(simplify(program), (), **names, verbose=False).save(str(file))


class _Features(nn.Module):
    """CausalFeatures, in what graphs have: no cumulative maximum, and no None."""

    def __init__(self, features):
        super().__init__()
        self.incomplete, self.top_db = features.incomplete, features.top_db
        self.unlimited = features.unlimited
        self.unlimited.compute_STFT = FourierTransform(self.unlimited.compute_STFT)
        self.normalize = GlobalNormalization(features.normalize)
        self.subsampling = features.subsampling

    def forward(self, samples, before):
        """Give frames and the loudest so far."""
        features = self.unlimited(samples)  # (1, T, mels)
        loudest = features.amax(dim=2)
        place = torch.arange(loudest.size(1))
        loudest = torch.where((place < self.incomplete) & (before > START), before, loudest)
        seen = place[:, None] >= place
        loudest = torch.where(seen, loudest[:, None], START).amax(-1)
        features = torch.maximum(features, (loudest - self.top_db).unsqueeze(2))
        return self.subsampling(self.normalize(features)).flatten(2), loudest


class _Chunk(nn.Module):
    """Encoder and CTC of one chunk; the state comes and goes as a list of tensors."""

    def __init__(self, run, chunks):
        super().__init__()
        self.transformer, self.ctc_lin = run.modules["Transformer"], run.modules["ctc_lin"]
        self.chunks = chunks
        context = self._context()
        self.start = [getattr(owner, name) for owner, name in _tensors(context)]

    def _context(self):
        """Start a stream whose position is a tensor, too."""
        context = self.transformer.make_streaming_context(self.chunks)
        state, layers = context.encoder_context, self.transformer.encoder.layers
        state.layers = [layer.make_state(1, self.chunks) for layer in layers]
        state.batch_size, state.position = 1, torch.zeros((), dtype=torch.int64)
        return context

    def forward(self, frames, valid, *state):
        """Give log-probabilities, encoded frames and the next state."""
        context = self._context()
        for (owner, name), tensor in zip(_tensors(context), state, strict=True):
            setattr(owner, name, tensor)
        encoded = self.transformer.encode_streaming(frames, context, valid)
        log_probs = self.ctc_lin(encoded).log_softmax(-1)
        # another tensor each, also where a state stays as it is
        after = (getattr(owner, name).clone() for owner, name in _tensors(context))
        return log_probs, encoded, *after


def _tensors(context):
    """Find the tensors of a stream's state: the objects that hold them, and their names there."""
    found = [(context.encoder_context, "position")]
    for layer in context.encoder_context.layers:
        for owner in vars(layer).values():
            if owner is not None:
                found += [
                    (owner, name)
                    for name, value in vars(owner).items()
                    if isinstance(value, torch.Tensor)
                ]
    return found


def _compare(run, folder, info):
    """Refuse graphs that give something else than the model, on a stream of a few chunks."""
    draw = torch.Generator().manual_seed(0)
    seconds = 4.3 * info["chunk_ms"] / 1000
    signal = 0.1 * torch.randn(round(seconds * run.sample_rate), generator=draw)
    streams = (
        StreamingRecogniser(run, **info),
        OnnxStreamingRecogniser(run, **info, folder=folder),
    )
    expected, found = (
        torch.cat([*stream.encode(signal), *stream.encode_rest()], dim=1) for stream in streams
    )
    if expected.shape != found.shape or not (expected - found).abs().max() < TOLERANCE:
        raise ValueError(
            f"{folder}: the graph of a chunk differs from the model: this mixer or front end "
            "cannot be exported as ONNX"
        )
