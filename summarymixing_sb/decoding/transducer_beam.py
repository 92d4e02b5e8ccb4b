"""Beam search of a transducer over whole batches, with hotwords and n-grams.

Letters: B batch, T frames, K beams of an utterance, J width of the joint, V vocabulary, N
hypotheses, L layers of the predictor, D its width.
"""

from types import SimpleNamespace

import torch

from summarymixing_sb.decoding.prefix_beam import CODE_MULTIPLIER

#: Pieces that a frame writes at most, as in SpeechBrain's greedy search.
MAX_PIECES = 6


class TransducerBeamSearch:
    """Time-synchronous search (Saon et al., ICASSP 2020) that sums the paths of a piece sequence.

    At each frame, hypotheses write pieces, one after the other, until those that write more are
    worse than those that went on by a blank. All utterances of a batch go through it together.

    SpeechBrain's search takes one utterance, hypothesis and piece after the other.

    Parameters
    ----------
    modules : mapping of str to torch.nn.Module
        ``predictor``, ``pred_lin``, ``joint`` and ``transducer_lin``.
    blank_index : int
    beam_size : int
        K.
    min_piece : float
        A hypothesis writes pieces above this log-probability only.
    min_beam : float
        A hypothesis survives within this of the best one.
    fusions : sequence of summarymixing_sb.decoding.hotwords.Hotwords or Ngram
        Their scores are added to those of the transducer.
    """

    def __init__(self, modules, blank_index, beam_size, min_piece=-5.0, min_beam=-10.0, fusions=()):
        self.predictor, self.pred_lin = modules["predictor"], modules["pred_lin"]
        self.joint, self.transducer_lin = modules["joint"], modules["transducer_lin"]
        self.blank_index, self.beam_size = blank_index, beam_size
        self.min_piece, self.min_beam = min_piece, min_beam
        self.fusions = tuple(fusions)
        self._names = [f"state{place}" for place in range(len(self.fusions))]

    @torch.no_grad()
    def __call__(self, encoded, frames):
        """Find the best piece sequences of each utterance.

        Parameters
        ----------
        encoded : torch.Tensor
            (B, T, J), the encoder's part of the joint.
        frames : list of int
            Valid frames of each utterance.

        Returns
        -------
        list of list of (list of int, float)
            Per utterance, best first: pieces, and their log-probability (with what fusions add).
        """
        # the longest first, so that those that go on are always the first rows
        order = sorted(range(len(frames)), key=lambda row: -frames[row])
        lengths = [frames[row] for row in order]
        encoded = encoded[order]
        history, ended = _History(), []
        beams = self._first_beams(len(order), encoded)
        for time in range(max(frames, default=0)):
            lasting = sum(length > time for length in lengths)
            ended.append(_each(beams, lambda values, n=lasting: values[n:]))
            beams = _each(beams, lambda values, n=lasting: values[:n])
            beams = self._advance(beams, encoded[:lasting, time], history)
        ended.append(beams)
        results = [found for part in reversed(ended) for found in self._read(part, history)]
        return [found for _, found in sorted(zip(order, results))]

    def _first_beams(self, batch, encoded):
        """Make the beams before the first frame: the empty sequence, and places not taken.

        Returns
        -------
        types.SimpleNamespace
            Each value begins with (B, K). ``score``: log-probability. ``code`` and ``node``: a
            number for the sequence, and its place in the history. ``bonus``, ``state0`` and so on:
            score and states of fusions. ``predicted`` (B, K, J), ``hidden`` and ``cell`` (B, K, L,
            D): of the predictor behind the last piece.
        """
        device, shape = encoded.device, (batch, self.beam_size)
        start = torch.full((1,), self.blank_index, device=device)
        predicted, hidden, cell = (
            values[None].expand(*shape, *values.shape[1:]) for values in self._predict(start, None)
        )
        score = torch.full(shape, -torch.inf, dtype=torch.float64, device=device)
        score[:, 0] = 0.0
        whole = torch.zeros(shape, dtype=torch.int64, device=device)
        return SimpleNamespace(
            score=score,
            bonus=torch.zeros_like(score),
            code=-torch.arange(self.beam_size, device=device).expand(shape),
            node=whole - 1,
            **dict.fromkeys(self._names, whole),
            **{"predicted": predicted, "hidden": hidden, "cell": cell},
        )

    def _predict(self, pieces, state):
        """Read a piece of each of N hypotheses: (N, J), (N, L, D) twice."""
        output, (hidden, cell) = self.predictor(pieces[:, None], state)
        return self.pred_lin(output)[:, 0], hidden.transpose(0, 1), cell.transpose(0, 1)

    def _advance(self, beams, frame, history):
        """Take in a frame, (B, J)."""
        finished = None
        for _ in range(MAX_PIECES):
            log_probs = self._log_probs(beams, frame)
            finished = self._finish(finished, beams, log_probs[..., self.blank_index])
            beams = self._extend(beams, log_probs, finished, history)
            if beams is None:
                return finished
        return self._finish(finished, beams, self._log_probs(beams, frame)[..., self.blank_index])

    def _log_probs(self, beams, frame):
        """Score all pieces after each hypothesis, (B, K, V)."""
        joined = self.joint(frame[:, None, None], beams.predicted[:, None])  # (B, 1, K, J)
        return self.transducer_lin(joined)[:, 0].double().log_softmax(-1)

    def _finish(self, finished, beams, blank):
        """Go on to the next frame by a blank, (B, K); sum those that write the same."""
        beams = SimpleNamespace(**{**vars(beams), "score": beams.score + blank})
        if finished is not None:
            alive = (finished.score > -torch.inf)[..., None]
            same = (finished.code[..., None] == beams.code[:, None]) & alive  # (B, K, K)
            more = beams.score[:, None].masked_fill(~same, -torch.inf).logsumexp(-1)
            finished.score = torch.logaddexp(finished.score, more)
            beams.score = beams.score.masked_fill(same.any(1), -torch.inf)
            pairs = zip(vars(finished).items(), vars(beams).values())
            beams = SimpleNamespace(**{name: torch.cat([a, b], 1) for (name, a), b in pairs})
        best, kept = (beams.score + beams.bonus).topk(self.beam_size, dim=1)
        beams = _each(beams, lambda values: _rows(values, kept))
        worse = ~(best >= best[:, :1] + self.min_beam)
        beams.score = beams.score.masked_fill(worse, -torch.inf)
        return beams

    def _extend(self, beams, log_probs, finished, history):
        """Write one piece more; None where no hypothesis that does could be among the best."""
        log_probs = log_probs.clone()
        log_probs[..., self.blank_index] = -torch.inf
        offered, pieces = log_probs.topk(min(self.beam_size, log_probs.size(-1) - 1))
        offered = offered.masked_fill(offered <= self.min_piece, -torch.inf)
        scores = beams.score[..., None] + offered  # (B, K, C)
        bonus, states = beams.bonus[..., None].expand_as(scores), {}
        for name, fusion in zip(self._names, self.fusions):
            gain, states[name] = fusion.extend(getattr(beams, name), pieces)
            bonus = bonus + gain
        best, kept = (scores + bonus).flatten(1).topk(self.beam_size, dim=1)
        totals = finished.score + finished.bonus  # the best first
        hopeful = (best > totals[:, -1:]) & (best >= totals[:, :1] + self.min_beam)
        if not hopeful.any():
            return None
        source, written = kept // pieces.size(-1), pieces.flatten(1).gather(1, kept)
        parents = _each(beams, lambda values: _rows(values, source))
        found = SimpleNamespace(
            score=scores.flatten(1).gather(1, kept).masked_fill(~hopeful, -torch.inf),
            bonus=bonus.flatten(1).gather(1, kept),
            code=parents.code * CODE_MULTIPLIER + written + 1,
            node=history.add(parents.node, written),
            **{name: state.flatten(1).gather(1, kept) for name, state in states.items()},
            **{name: getattr(parents, name).clone() for name in ("predicted", "hidden", "cell")},
        )
        state = tuple(
            values[hopeful].transpose(0, 1).contiguous() for values in (found.hidden, found.cell)
        )
        read = self._predict(written[hopeful], state)
        found.predicted[hopeful], found.hidden[hopeful], found.cell[hopeful] = read
        return found

    def _read(self, beams, history):
        """Give pieces and scores of each utterance, the best first."""
        scores = beams.score + beams.bonus
        for name, fusion in zip(self._names, self.fusions):
            scores = scores + fusion.finish(getattr(beams, name))
        results = []
        for nodes, values in zip(beams.node.tolist(), scores.tolist()):
            pairs = [
                (history.read(node), value)
                for node, value in zip(nodes, values)
                if value > -torch.inf
            ]
            results.append(sorted(pairs, key=lambda pair: -pair[1]))
        return results


class _History:
    """The pieces that hypotheses have written: each node is a piece and the node before it."""

    def __init__(self):
        self.steps, self.size, self.nodes = [], 0, []

    def add(self, parents, pieces):
        """Give the numbers of new nodes, for parents and pieces of one shape."""
        numbers = self.size + torch.arange(pieces.numel(), device=pieces.device)
        self.steps.append((parents.flatten(), pieces.flatten()))
        self.size += pieces.numel()
        return numbers.view_as(pieces)

    def read(self, node):
        """List the pieces up to a node; -1 is the beginning."""
        if len(self.nodes) < self.size:
            columns = (torch.cat(column).tolist() for column in zip(*self.steps))
            self.nodes = list(zip(*columns))
        pieces = []
        while node >= 0:
            node, piece = self.nodes[node]
            pieces.append(piece)
        return pieces[::-1]


def _each(beams, function):
    """Apply a function to each value."""
    return SimpleNamespace(**{name: function(values) for name, values in vars(beams).items()})


def _rows(values, index):
    """Take hypotheses (B, K, ...) by an index (B, N)."""
    return values[torch.arange(len(index), device=index.device)[:, None], index]
