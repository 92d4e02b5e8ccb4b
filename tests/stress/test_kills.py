"""Kills at random moments, full disks, damaged files, clocks: the same weights in the end."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest
from interruptions import OFTEN, SIZES, assert_same, run, start
from tones import make_librispeech

EPOCHS = 6


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_librispeech(tmp_path_factory.mktemp("corpus") / "LibriSpeech", SIZES)


@pytest.fixture(scope="module")
def expected(corpus, tmp_path_factory):
    """Weights of a run that nobody killed."""
    return run(corpus, tmp_path_factory.mktemp("straight"), number_of_epochs=EPOCHS)


@pytest.mark.parametrize("seed", range(4))
def test_kills(corpus, tmp_path, expected, seed):
    """Fifty kills -9 each; whenever a run came to its end, it is compared and begun anew."""
    draw = random.Random(seed)
    kills = ends = 0
    folder = tmp_path / "0"
    while kills < 50:
        process = start(corpus, folder, *OFTEN, number_of_epochs=EPOCHS)
        process.join(draw.uniform(0.3, 3.0))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        if process.exitcode == 0:
            assert_same(run(corpus, folder, *OFTEN, number_of_epochs=EPOCHS), expected)
            ends += 1
            folder = tmp_path / str(ends)
    assert_same(run(corpus, folder, *OFTEN, number_of_epochs=EPOCHS), expected)
    print(f"{kills} kills, {ends} runs to the end before the last")


def test_full_disk(corpus, tmp_path, expected):
    """A file system that fills up: named, nothing damaged, gone on with once there is room."""
    disk, folder = tmp_path / "disk", tmp_path / "disk" / "run"
    disk.mkdir()
    if shutil.which("mount") is None or os.geteuid():
        pytest.skip("mounting a small file system needs root")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)])
    if mount.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        run(corpus, folder, *OFTEN, number_of_epochs=1)
        filler = disk / "filler"
        for room in range(0, 1200, 100):  # kB
            free = shutil.disk_usage(disk).free
            filler.write_bytes(bytes(max(free - 1000 * room, 0)))
            process = start(corpus, folder, *OFTEN, number_of_epochs=EPOCHS)
            process.join()
            filler.unlink()
        assert_same(run(corpus, folder, *OFTEN, number_of_epochs=EPOCHS), expected)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_every_file_of_the_newest_checkpoint(corpus, tmp_path, expected):
    """Truncated, emptied or removed."""
    whole = tmp_path / "whole"
    run(corpus, whole, number_of_epochs=1, avg_checkpoints=2)
    run(corpus, whole, number_of_epochs=2, avg_checkpoints=2)
    newest = max((whole / "save").glob("CKPT*"), key=os.path.getmtime).name
    for name in sorted(file.name for file in (whole / "save" / newest).iterdir()):
        for change in ("truncated", "emptied", "removed"):
            folder = tmp_path / f"{name} {change}"
            shutil.copytree(whole, folder)
            file = folder / "save" / newest / name
            content = file.read_bytes()
            file.unlink()
            if change != "removed":
                file.write_bytes(content[: len(content) // 2 if change == "truncated" else 0])
            assert_same(run(corpus, folder, number_of_epochs=EPOCHS, avg_checkpoints=1), expected)
            assert (folder / "save" / newest).is_dir()


def test_signals(corpus, tmp_path, expected):
    """Twenty times each of those that ask to stop, at random moments."""
    draw = random.Random(0)
    for name, status in (("SIGTERM", 75), ("SIGUSR1", 75), ("SIGINT", 130)):
        folder = tmp_path / name
        for _ in range(20):
            process = start(corpus, folder, number_of_epochs=EPOCHS)
            process.join(draw.uniform(1.0, 2.5))
            if process.exitcode is None:
                sent = time.monotonic()
                os.kill(process.pid, getattr(signal, name))
                process.join(30)
                assert time.monotonic() - sent < 10
            assert process.exitcode in (0, 1, status), process.exitcode
        assert_same(run(corpus, folder, number_of_epochs=EPOCHS), expected)
