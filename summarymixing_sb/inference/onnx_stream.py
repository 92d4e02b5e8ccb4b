"""Recognition of streams by onnxruntime, with the graphs of exported models.

Letters: N samples, C frames of a chunk, D model width.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from summarymixing_sb.encoders.state import state_bytes
from summarymixing_sb.inference.onnx import open_session
from summarymixing_sb.inference.streaming import StreamingRecogniser

FEATURES_FILE, STATE_FILE, INFO_FILE = "stream_features.onnx", "stream_state.npz", "stream.json"
CHUNK_FILES = {"float32": "stream_chunk.onnx", "int8": "stream_chunk.int8.onnx"}
#: Decibels of the loudest before a stream has begun.
START = -1e30


class OnnxStreamingRecogniser(StreamingRecogniser):
    """Recognise one stream with the graphs of an exported model, chunk by chunk.

    Parameters
    ----------
    run : TrainedRun
        The exported model; of its weights, those of the decoder are used.
    chunk_ms, left_context
        Those of the graphs; see :class:`StreamingRecogniser`.
    endpoint : EndpointRule, optional
    precision : str
        ``float32`` or ``int8``.
    folder : str or Path, optional
        Where the graphs are, if not in the model's folder.

    Raises
    ------
    FileNotFoundError
        If there are no such graphs.
    ValueError
        If they are of other chunks.
    """

    def __init__(
        self,
        run,
        chunk_ms,
        left_context=None,
        precision="float32",
        folder=None,
        endpoint=None,
    ):
        self.start = {}  # until the file is read: starting a segment asks for it
        super().__init__(run, chunk_ms, left_context, endpoint)
        folder = Path(folder or run.folder)
        hint = "export the run with summarymixing-export --onnx --onnx_chunk MILLISECONDS"
        self.session = open_session(folder / CHUNK_FILES[precision], hint)
        made = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
        asked = {"chunk_ms": chunk_ms, "left_context": left_context}
        if made != asked:
            raise ValueError(
                f"{folder}: its graphs are of chunk_ms {made['chunk_ms']} and left_context "
                f"{made['left_context']}, not {chunk_ms} and {left_context}"
            )
        session = open_session(folder / FEATURES_FILE, hint)
        self.features.module = _OnnxFeatures(self.features, session)
        with np.load(folder / STATE_FILE) as state:
            self.state = self.start = dict(state)

    def start_segment(self):
        """See :meth:`StreamingRecogniser.start_segment`."""
        super().start_segment()
        self.state = self.start

    @property
    def state_bytes(self):
        """int: see :attr:`StreamingRecogniser.state_bytes`."""
        arrays = sum(array.nbytes for array in self.state.values())
        return arrays + state_bytes([self.features_context, self.decoder])

    def _encode(self, samples, last=False):
        frames = self.features(samples[None], self.features_context, last)
        for chunk in frames.split(self.chunks.chunk_size, dim=1):
            count = chunk.size(1)
            if count:
                yield self._step(chunk.numpy())[:, :count]

    def _step(self, frames):
        """Encode frames, (1, C, F) or fewer: (1, C, D)."""
        size, count = self.chunks.chunk_size, frames.shape[1]
        inputs = {
            "frames": np.pad(frames, ((0, 0), (0, size - count), (0, 0))),
            "valid": np.array([count / size], np.float32),
        }
        _, encoded, *state = self.session.run(None, {**inputs, **self.state})
        self.state = dict(zip(self.state, state))
        return torch.from_numpy(encoded)


class _OnnxFeatures(nn.Module):
    """CausalFeatures by onnxruntime."""

    def __init__(self, features, session):
        super().__init__()
        self.by_torch, self.session = features.module, session
        self.hop, self.incomplete = self.by_torch.hop, self.by_torch.incomplete
        self.least = 2 * features.properties.stride

    def forward(self, samples, before=None):
        """See :class:`summarymixing_sb.inference.streaming_features.CausalFeatures`."""
        if samples.size(1) < self.least:  # a recording too short for the graph
            frames, loudest = self.by_torch(samples, before)
            return frames.flatten(2), loudest
        before = torch.full((1, 1), START) if before is None else before
        inputs = {"samples": samples.numpy(), "before": before.numpy()}
        return tuple(torch.from_numpy(x) for x in self.session.run(None, inputs))
