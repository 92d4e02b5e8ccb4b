"""SummaryMixing with every pooling: its definition, its streams, its cost."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb import TransformerASR
from summarymixing_sb.mixers.reference import reference_summary_mixing
from summarymixing_sb.mixers.summary_mixing import FORMS, PRESETS, SummaryMixing

POOLINGS = {
    "decay": {"pooling": "decay", "decay": 0.8},
    "learned decay": {"pooling": "decay", "decay": 0.8, "learn_decay": True},
    "window": {"pooling": "window", "window": 3},
    "wide window": {"pooling": "window", "window": 40},
}
CHUNKS = {
    "chunks": DynChunkTrainConfig(4, None),
    "limited": DynChunkTrainConfig(4, 2),
    "alone": DynChunkTrainConfig(3, 0),
    "causal": DynChunkTrainConfig(1, None),
    "one frame, limited": DynChunkTrainConfig(1, 3),
    "longer than the speech": DynChunkTrainConfig(50, 1),
}
KINDS = [
    pytest.param(form, options, id=f"{form}-{name}")
    for form in FORMS
    for name, options in POOLINGS.items()
    if (form, options["pooling"]) != ("lite", "window")
]


def make_mixer(form, preset="speechbrain1.0", nhead=1, **options):
    mixer = SummaryMixing(12, nhead, form=form, preset=preset, dropout=0.5, **options)
    mixer = mixer.double().eval()
    for name, parameter in mixer.named_parameters():
        if "norm" in name:  # not at its trivial initial value
            torch.nn.init.normal_(parameter)
    return mixer


def rows_of(time):
    """A full row, a padded one, and one that is all padding."""
    return torch.arange(time) >= torch.tensor([[time], [max(1, time // 2)], [0]])


def output_and_gradients(function, mixer, x, weights):
    x = x.clone().requires_grad_()
    mixer.zero_grad()
    out = function(x)
    (out * weights).sum().backward()
    return [out.detach(), x.grad, *(parameter.grad.clone() for parameter in mixer.parameters())]


def stream(mixer, x, chunks, padding_mask):
    state = mixer.make_state(x.size(0), chunks)
    pieces = zip(*(y.split(chunks.chunk_size, dim=1) for y in (x, padding_mask)))
    return torch.cat([mixer.step(piece, state, mask) for piece, mask in pieces], dim=1)


@pytest.mark.parametrize("chunks", [None, *CHUNKS.values()], ids=["utterance", *CHUNKS])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("form", "options"), KINDS)
def test_equals_reference(form, options, preset, chunks):
    mixer = make_mixer(form, preset, nhead=4, **options)
    for time in (1, 13):
        x, weights = torch.randn(2, 3, time, 12, dtype=torch.double)
        for mask in (None, rows_of(time)):
            fast, slow = (
                output_and_gradients(lambda x: run(mixer, x, mask, chunks), mixer, x, weights)  # noqa: B023
                for run in (SummaryMixing.forward, reference_summary_mixing)
            )
            for found, expected in zip(fast, slow, strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize(("form", "options"), KINDS)
def test_chunk_by_chunk_equals_all_at_once(form, options, chunks):
    mixer = make_mixer(form, "interspeech2024", **options)  # the preset that has more parameters
    x, weights = torch.randn(2, 3, 13, 12, dtype=torch.double)
    for mask in (torch.zeros(3, 13, dtype=torch.bool), rows_of(13)):
        streamed, at_once = (
            output_and_gradients(lambda x: run(mixer, x, chunks, mask), mixer, x, weights)  # noqa: B023
            for run in (stream, lambda mixer, x, chunks, mask: mixer(x, mask, chunks))
        )
        for found, expected in zip(streamed, at_once, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("options", POOLINGS.values(), ids=POOLINGS)
@pytest.mark.parametrize("left", [None, 0, 2])
def test_state_does_not_grow_and_rows_can_be_reordered(options, left):
    mixer, chunks = make_mixer("full", **options), DynChunkTrainConfig(2, left)
    x, index = torch.randn(3, 40, 12, dtype=torch.double), torch.tensor([2, 0, 0])
    ends = torch.tensor([[40], [40], [35]])  # the last row goes on after padding, as another
    padding_mask = (torch.arange(40) >= ends) & (torch.arange(40) < 36)
    state = mixer.make_state(3, chunks)
    sizes = []
    for chunk, mask in zip(x[:, :36].split(2, dim=1), padding_mask.split(2, dim=1)):
        mixer.step(chunk, state, mask)
        sizes.append([v.shape for v in vars(state).values() if torch.is_tensor(v)])
    assert sizes[0] == sizes[-1]
    assert sum(shape.numel() for shape in sizes[-1]) <= 3 * 13 * (1 + 40 + 2)
    state.reorder(index)
    rest = [mixer.step(chunk, state) for chunk in x[:, 36:].split(2, dim=1)]
    as_if = torch.cat((x[index, :36], x[:, 36:]), dim=1)
    expected = mixer(as_if, padding_mask[index], chunks)[:, 36:]
    torch.testing.assert_close(torch.cat(rest, dim=1), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("form", "options"), KINDS)
def test_a_stream_needs_chunks_no_longer_than_said(form, options):
    mixer = make_mixer(form, **options)
    with pytest.raises(ValueError, match="cannot be streamed: give chunks"):
        mixer.make_state(1, None)
    state = mixer.make_state(1, DynChunkTrainConfig(4, None))
    with pytest.raises(ValueError, match="at most 4 frames, not 5"):
        mixer.step(torch.randn(1, 5, 12, dtype=torch.double), state)


@pytest.mark.parametrize(("form", "options"), KINDS)
@pytest.mark.parametrize("chunks", [None, DynChunkTrainConfig(4, 1)], ids=["utterance", "chunks"])
def test_padding_is_never_read(form, options, chunks):
    mixer = make_mixer(form, **options)
    x = torch.randn(2, 9, 12, dtype=torch.double)
    padding_mask = torch.arange(9) >= torch.tensor([[9], [4]])
    clean = mixer(x, padding_mask, chunks)[~padding_mask]
    x[padding_mask] = torch.nan
    assert torch.equal(mixer(x, padding_mask, chunks)[~padding_mask], clean)
    torch.testing.assert_close(mixer(x[1:, :4], None, chunks)[0], clean[9:])


@pytest.mark.parametrize(("form", "options"), KINDS)
@pytest.mark.parametrize("chunks", [None, DynChunkTrainConfig(16, 2)], ids=["utterance", "chunks"])
def test_bfloat16_sums_in_float32(form, options, chunks):
    options = options | {"decay": 0.999, "window": 700}
    mixer = SummaryMixing(32, form=form, **options)
    x = torch.randn(2, 2000, 32) + 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = mixer(x, chunks=chunks)
    exact = mixer(x, chunks=chunks)
    # A bfloat16 running sum would stop growing after 256 frames and be off by far more.
    assert (low.float() - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize(("form", "options"), KINDS)
@pytest.mark.parametrize("chunks", [None, DynChunkTrainConfig(4, 1)], ids=["utterance", "chunks"])
def test_every_tensor_is_made_on_the_device_of_the_input(form, options, chunks):
    mixer = SummaryMixing(8, 2, form=form, dropout=0.1, **options).to("meta")
    x = torch.empty(2, 9, 8, device="meta")
    for mask in (None, torch.empty(2, 9, dtype=torch.bool, device="meta")):
        assert mixer(x, mask, chunks).device.type == "meta"


@pytest.mark.parametrize(("form", "options"), KINDS)
@pytest.mark.parametrize("chunks", [None, DynChunkTrainConfig(1, None), DynChunkTrainConfig(7, 2)])
def test_no_tensor_is_much_larger_than_the_input(form, options, chunks, largest_tensor):
    mixer, time = SummaryMixing(32, form=form, dropout=0.1, **options), 8000
    with largest_tensor as largest:
        mixer(torch.randn(1, time, 32, requires_grad=True), None, chunks).sum().backward()
    # A learned gamma makes a matrix of 64 by 64 for each block of 64 frames.
    assert largest.elements < 2.1 * time * 32


def test_a_window_adds_its_part_of_the_combiner_alone():
    plain, windowed = (
        {name for name, _ in SummaryMixing(8, pooling=pooling).named_parameters()}
        for pooling in ("utterance", "window")
    )
    assert windowed - plain == {"combine_window.weight"}
    assert plain < windowed


def test_initialisation_follows_the_fan_of_the_whole_combiner():
    mixer = SummaryMixing(256, pooling="window")
    torch.nn.init.xavier_normal_(mixer.combine_window.weight)
    mixer.reset_mixer_parameters()
    for linear in (mixer.combine_local, mixer.combine_summary, mixer.combine_window):
        assert linear.weight.std().item() == pytest.approx((2 / (3 * 256 + 256)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("summary_dropout", ["per_frame", "shared"])
def test_means_of_one_frame_have_dropout_of_their_own(summary_dropout):
    mixer = SummaryMixing(
        8, dropout=0.5, summary_dropout=summary_dropout, pooling="window", window=100
    )
    with torch.no_grad():  # only the window counts, which is the same for all frames
        mixer.combine_local.weight.zero_()
        mixer.combine_summary.weight.zero_()
    x = torch.randn(1, 50, 8)
    assert mixer(x).std(dim=1).max() > 1e-3
    assert mixer.eval()(x).std(dim=1).max() < 1e-6


@pytest.mark.parametrize("encoder", ["conformer", "branchformer"])
@pytest.mark.parametrize("name", POOLINGS)
def test_encoders_learn_with_it(encoder, name):
    options = {"SummaryMixing": POOLINGS[name]}
    model = TransformerASR(
        tgt_vocab=8,
        input_size=6,
        d_model=16,
        nhead=2,
        num_encoder_layers=2,
        num_decoder_layers=0,
        d_ffn=32,
        encoder_module=encoder,
        attention_type="SummaryMixing",
        mixer_options=options,
        causal=False,
    )
    x, wav_len = torch.randn(3, 40, 6), torch.tensor([1.0, 0.6, 0.3])
    out = model.encode(x, wav_len)
    out.square().sum().backward()
    mixed = [p for key, p in model.named_parameters() if ".pool." in key or "combine_" in key]
    assert len(mixed) == 2 * (3 + ("decay" in name) * ("learn" in name) + ("window" in name))
    for parameter in mixed:
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "median"}, "utterance, decay, window"),
        ({"pooling": "window", "form": "lite"}, "full or fast, or pooling utterance or decay"),
        ({"pooling": "window", "window": 0}, "1 or more frames on either side, not 0"),
        ({"pooling": "decay", "decay": 1.0}, "above 0 and below 1, not 1.0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SummaryMixing(12, **options)
