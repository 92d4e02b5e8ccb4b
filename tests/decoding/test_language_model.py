"""Loading a language model, and its scores of whole sequences."""

import shutil

import pytest
import torch
from speechbrain.lobes.models.transformer.TransformerLM import TransformerLM

from summarymixing_sb.decoding.language_model import load_language_model, sequence_log_probs


def small_lm(vocab=12, d_model=16):
    return TransformerLM(
        vocab=vocab, d_model=d_model, nhead=2, num_encoder_layers=1, d_ffn=32, dropout=0.1
    )


@pytest.fixture
def saved(tmp_path):
    model = small_lm()
    torch.save(model.state_dict(), tmp_path / "lm.ckpt")
    return tmp_path, model


def assert_same_parameters(first, second):
    for (name, one), two in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two), name


def test_loads_from_a_folder(saved):
    folder, model = saved
    loaded = load_language_model(folder, small_lm)
    assert_same_parameters(loaded, model)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_loads_from_the_hub(saved, tmp_path, monkeypatch):
    folder, model = saved
    cache = tmp_path / "cache"
    cache.mkdir()
    asked = []

    def download(repo_id, filename, **_):
        asked.append((repo_id, filename))
        return shutil.copy(folder / filename, cache / filename)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert_same_parameters(load_language_model("owner/name", small_lm), model)
    assert set(asked) == {("owner/name", "lm.ckpt")}


def test_hub_failure_names_source_and_file(monkeypatch):
    def download(**_):
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    with pytest.raises(FileNotFoundError, match=r"owner/name is no folder here.*lm\.ckpt.*network"):
        load_language_model("owner/name", small_lm)


def test_missing_file_or_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path} holds no lm\.ckpt"):
        load_language_model(tmp_path, small_lm)
    with pytest.raises(FileNotFoundError, match=r"nowhere is neither a folder with lm\.ckpt"):
        load_language_model(tmp_path / "nowhere", small_lm)


def test_other_model_is_refused(saved):
    folder, _ = saved
    with pytest.raises(ValueError, match="other sizes"):
        load_language_model(folder, lambda: small_lm(vocab=13))
    torch.save({"layer.weight": torch.zeros(2)}, folder / "lm.ckpt")
    with pytest.raises(ValueError, match=r"parameters missing.*1 unknown \['layer.weight'\]"):
        load_language_model(folder, small_lm)


def test_sequence_log_probs_one_token_at_a_time():
    model = small_lm().eval()
    sequences = [[5, 6, 7], [], [8]]
    batched = sequence_log_probs(model, sequences, bos_index=1, eos_index=2, temperature=1.5)
    for tokens, total in zip(sequences, batched):
        prefix, expected = [1], 0.0
        for token in [*tokens, 2]:
            with torch.no_grad():
                logits = model(torch.tensor([prefix]))[0, -1]
            expected += (logits / 1.5).log_softmax(-1)[token].item()
            prefix.append(token)
        assert total.item() == pytest.approx(expected, abs=1e-5)
