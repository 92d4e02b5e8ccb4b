"""CTC prefix beam search of whole batches, with hotwords and n-grams.

Letters: B batch, T frames, K beams of an utterance, C pieces that a frame offers, V vocabulary.
"""

from types import SimpleNamespace

import torch

from summarymixing_sb.lengths import padding_mask

#: Odd, so that codes of prefixes differ as far as 64 bits can.
CODE_MULTIPLIER = 6364136223846793005


class PrefixBeamSearch:
    """Sum the CTC paths of each piece sequence, and keep the best sequences.

    All utterances of a batch go through the search together; a frame costs a few operations on
    (B, K, C). A blank, and the last piece again, are never pruned.

    Parameters
    ----------
    blank_index : int
    beam_size : int
        K.
    min_piece : float
        A frame offers the pieces above this log-probability, and its best one.
    min_beam : float
        A sequence survives within this of the best one.
    fusions : sequence of summarymixing_sb.decoding.hotwords.Hotwords or Ngram
        Their scores are added to those of CTC.

    Examples
    --------
    Two frames that each give piece 1 and the blank the same probability: three of four paths write
    1, and one writes nothing.

    >>> search = PrefixBeamSearch(blank_index=0, beam_size=2)
    >>> log_probs = torch.tensor([[[0.5, 0.5], [0.5, 0.5]]]).log()
    >>> [(ids, round(score, 3)) for ids, score in search(log_probs, torch.tensor([2]))[0]]
    [([1], -0.288), ([], -1.386)]
    """

    def __init__(self, blank_index, beam_size, min_piece=-5.0, min_beam=-10.0, fusions=()):
        self.blank_index, self.beam_size = blank_index, beam_size
        self.min_piece, self.min_beam = min_piece, min_beam
        self.fusions = tuple(fusions)

    @torch.no_grad()
    def __call__(self, log_probs, frames):
        """Find the best piece sequences of each utterance.

        Parameters
        ----------
        log_probs : torch.Tensor
            (B, T, V).
        frames : torch.Tensor
            (B,), valid frames.

        Returns
        -------
        list of list of (list of int, float)
            Per utterance, best first: pieces, and their log-probability (with what fusions add).
        """
        log_probs = log_probs.double()
        frames = frames.to(log_probs.device)
        batch, times = log_probs.shape[:2]
        pieces = log_probs.clone()
        pieces[..., self.blank_index] = -torch.inf
        offered = (pieces > self.min_piece).sum(-1).masked_fill(padding_mask(frames, times), 0)
        most = offered.amax(0).clamp(min=1).tolist()  # of each frame; the device is waited for once
        beams = _first_beams(batch, self.beam_size, len(self.fusions), log_probs.device)
        steps = []
        for time in range(int(frames.max()) if batch else 0):
            values, tokens = pieces[:, time].topk(min(most[time], pieces.size(-1) - 1))
            low = values <= self.min_piece
            low[:, 0] = False
            values = values.masked_fill(low, -torch.inf)
            beams, step = self._advance(beams, log_probs[:, time], values, tokens, time < frames)
            steps.append(step)
        return self._trace(beams, steps)

    def _advance(self, beams, frame, values, tokens, valid):
        """Take in a frame: (B, V), its best pieces (B, C) twice, and who has not ended (B,)."""
        total = torch.logaddexp(beams.blank, beams.token)
        last = beams.last.clamp(min=0)
        stay_blank = total + frame[:, self.blank_index, None]
        stay_token = beams.token + frame.gather(1, last)
        # a piece follows itself only behind a blank
        again = tokens[:, None] == beams.last[..., None]  # (B, K, C)
        extended = torch.where(again, beams.blank[..., None], total[..., None]) + values[:, None]
        code = beams.code[..., None] * CODE_MULTIPLIER + tokens[:, None] + 1
        bonus, offered = beams.bonus[..., None].expand_as(extended), tokens[:, None].expand_as(code)
        states = {}
        for place, fusion in enumerate(self.fusions):
            gain, states[f"state{place}"] = fusion.extend(getattr(beams, f"state{place}"), offered)
            bonus = bonus + gain
        # what makes a sequence that is there already is added to that
        same = code[..., None] == beams.code[:, None, None]  # (B, K, C, K)
        merged = extended[..., None].masked_fill(~same, -torch.inf).flatten(1, 2)
        stay_token = torch.logaddexp(stay_token, merged.logsumexp(1))
        extended = extended.masked_fill(same.any(-1), -torch.inf)

        def joined(stay, extension):
            return torch.cat([stay, extension.flatten(1)], dim=1)

        beam = torch.arange(beams.code.size(1), device=code.device).expand_as(beams.code)
        found = {
            "blank": joined(stay_blank, torch.full_like(extended, -torch.inf)),
            "token": joined(stay_token, extended),
            "code": joined(beams.code, code),
            "last": joined(beams.last, tokens[:, None].expand_as(code)),
            "bonus": joined(beams.bonus, bonus),
            **{name: joined(getattr(beams, name), state) for name, state in states.items()},
        }
        score = torch.logaddexp(found["blank"], found["token"]) + found["bonus"]
        best, kept = score.topk(self.beam_size, dim=1)
        kept_beams = {name: values.gather(1, kept) for name, values in found.items()}
        # those that fill up the beam, or are too bad; they must not have the code of another one
        worse = ~(best >= best[:, :1] + self.min_beam)
        for name in ("blank", "token"):
            kept_beams[name] = kept_beams[name].masked_fill(worse, -torch.inf)
        unique = -1 - torch.arange(best.size(1), device=best.device)
        kept_beams["code"] = torch.where(worse, unique, kept_beams["code"])
        source = joined(beam, beam[..., None].expand_as(code)).gather(1, kept)
        written = torch.where(kept < beam.size(1), -1, kept_beams["last"])
        return self._end(beams, kept_beams, source, written, valid)

    @staticmethod
    def _end(beams, found, source, written, valid):
        """Leave the beams of utterances that have ended as they are."""
        own = torch.arange(source.size(1), device=source.device).expand_as(source)
        source = torch.where(valid[:, None], source, own)
        written = torch.where(valid[:, None], written, -1)
        for name, values in found.items():
            found[name] = torch.where(valid[:, None], values, getattr(beams, name))
        return SimpleNamespace(**found), (source, written)

    def _trace(self, beams, steps):
        """Read the pieces of each beam back from the last frame to the first."""
        scores = torch.logaddexp(beams.blank, beams.token) + beams.bonus
        for place, fusion in enumerate(self.fusions):
            scores = scores + fusion.finish(getattr(beams, f"state{place}"))
        batch, size = scores.shape
        place = torch.arange(size, device=scores.device).expand(batch, size)
        written = []
        for source, tokens in reversed(steps):
            written.append(tokens.gather(1, place))
            place = source.gather(1, place)
        # without a frame there is nothing to stack
        columns = torch.stack([place, *written[::-1]], dim=-1)[..., 1:]
        results = []
        for rows, values in zip(columns.tolist(), scores.tolist()):
            found = [
                ([token for token in row if token >= 0], score)
                for row, score in zip(rows, values)
                if score > -torch.inf
            ]
            results.append(sorted(found, key=lambda pair: -pair[1]))
        return results


def _first_beams(batch, size, fusions, device):
    """Make the beams before the first frame: the empty sequence, and places that are not taken.

    Returns
    -------
    types.SimpleNamespace
        Each value is (B, K). ``blank`` and ``token``: log-probability of the paths that end with a
        blank, or with the last piece. ``code`` and ``last``: a number for the sequence, and its
        last piece, -1 for none. ``bonus`` and ``state0`` and so on: score and states of fusions.
    """
    zeros = torch.zeros(batch, size, dtype=torch.float64, device=device)
    whole = torch.zeros(batch, size, dtype=torch.int64, device=device)
    blank = zeros - torch.inf
    blank[:, 0] = 0.0
    code = -torch.arange(size, device=device).expand(batch, size)
    values = {"blank": blank, "token": zeros - torch.inf, "code": code, "last": whole - 1}
    states = {f"state{place}": whole for place in range(fusions)}
    return SimpleNamespace(**values, bonus=zeros, **states)
