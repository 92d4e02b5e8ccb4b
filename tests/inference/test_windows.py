"""Windows cover every frame, and each frame comes from where it has most context."""

import pytest
import torch

from summarymixing_sb.inference.splitting import join_windows, plan_windows


@pytest.mark.parametrize("frames", [1, 39, 40, 41, 69, 70, 71, 100, 1234])
@pytest.mark.parametrize("overlap", [0, 1, 9, 10, 39])
def test_every_frame_is_there_once(frames, overlap):
    windows = plan_windows(frames, 40, overlap)
    assert all(end - start == min(frames, 40) for start, end in windows)
    assert windows == sorted(set(windows))
    parts = [torch.arange(start, end) for start, end in windows]
    assert join_windows(parts, windows).equal(torch.arange(frames))


@pytest.mark.parametrize("frames", [100, 77])
def test_each_frame_is_farthest_from_an_edge(frames):
    windows = plan_windows(frames, 40, 21)
    # for each frame, how far it is from the edges of its window that are not the recording's
    parts = [
        torch.tensor(
            [
                min(
                    frame - start + 1 if start else frames,
                    end - frame if end < frames else frames,
                )
                for frame in range(start, end)
            ]
        )
        for start, end in windows
    ]
    joined = join_windows(parts, windows)
    for frame in range(frames):
        distances = [
            part[frame - start]
            for part, (start, end) in zip(parts, windows)
            if start <= frame < end
        ]
        assert joined[frame] >= max(distances) - 1


def test_what_is_behind_a_window_is_skipped():
    # a window that ends within the recording is encoded with one frame more
    parts = [torch.tensor([0, 1, 2, -1]), torch.tensor([3, 4, 5, -1]), torch.tensor([6])]
    assert join_windows(parts, [(0, 3), (3, 6), (6, 7)]).tolist() == [0, 1, 2, 3, 4, 5, 6]
