"""The record of versions, commit, machine and memory."""

import json
import subprocess

import torch

from summarymixing_sb.evaluation import environment_record, peak_memory_mb, reset_peak_memory
from summarymixing_sb.evaluation.environment import git_commit


def git(folder, *arguments):
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_record_is_json_and_complete():
    record = json.loads(json.dumps(environment_record()))
    assert record["versions"]["torch"] == torch.__version__
    assert set(record["versions"]) == {"python", "torch", "cuda", "speechbrain", "summarymixing_sb"}
    assert record["machine"]["cpu"]
    assert record["machine"]["cores"] >= 1
    assert record["date"].endswith("+00:00")


def test_commit_clean_dirty_and_nested(tmp_path):
    assert git_commit(tmp_path) is None  # no checkout
    git(tmp_path, "init")
    assert git_commit(tmp_path) is None  # no commit
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(tmp_path) == commit
    (tmp_path / "file").write_text("two")
    assert git_commit(tmp_path) == commit + "-dirty"
    # a package installed somewhere inside another project's checkout
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert git_commit(inside) is None


def test_peak_memory_of_the_process_grows():
    reset_peak_memory("cpu")
    before = peak_memory_mb("cpu")
    # above the peak so far, whatever ran in this process before
    block = torch.ones(int(before + 64) * 2**20 // 4)
    assert peak_memory_mb("cpu") - before > 32
    del block
