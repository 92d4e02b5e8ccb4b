"""The floor holds every matrix product of a model, and nothing else."""

import pytest
import torch
from torch import nn

from results.benchmark.contestants import build_contestant
from results.benchmark.floor import MatrixProducts, record_products
from results.benchmark.levels import make_inputs
from results.benchmark.points import Kind

TIME, BATCH, D, FFN = 10, 3, 16, 24  # those of `tiny`
FRAMES = BATCH * TIME


def flops(name, kind):
    model = build_contestant(name, kind)
    products = record_products(model, make_inputs(kind, BATCH, TIME, 0), kind)
    products.run()
    return products.flops()


def hand_count(form):
    """Multiplications and additions of one mixer; those of the summary half are for B frames."""
    local = {"full": 2 * D * D + D * D, "lite": 0, "fast": D * 2 * D + D * D}[form]
    summary = {"full": 2 * D * D, "lite": 2 * D * D, "fast": 0}[form]
    of_means = 0 if form == "lite" else D * D
    return 2 * (FRAMES * (local + summary) + BATCH * of_means)


@pytest.mark.parametrize("form", ["full", "lite", "fast"])
def test_products_of_a_mixer(form, tiny):
    assert flops(f"SummaryMixing {form}", Kind("mixer", sizes=tiny)) == hand_count(form)


def test_products_of_a_conformer(tiny):
    feed_forward = 2 * FRAMES * 2 * (2 * D * FFN)
    pointwise = 2 * FRAMES * (D * 2 * D + D * D)
    layer = hand_count("full") + feed_forward + pointwise
    assert flops("SummaryMixing full", Kind("encoder", sizes=tiny)) == tiny.layers * layer


def test_fused_attention_counts_as_its_products(tiny):
    attention = 2 * BATCH * 2 * TIME * TIME * D
    linear = 2 * FRAMES * 4 * D * D
    assert flops("RoPESDPA", Kind("mixer", sizes=tiny)) == attention + linear


def test_a_training_step_has_three_times_the_products(tiny):
    """Each product again for the gradients of its two sides; lite repeats nothing over time."""
    forward = flops("SummaryMixing lite", Kind("mixer", sizes=tiny))
    assert flops("SummaryMixing lite", Kind("mixer_step", sizes=tiny)) == 3 * forward


def test_pointwise_convolutions_are_products_and_others_are_not():
    x = torch.randn(2, 4, 7, requires_grad=True)
    for conv, expected in ((nn.Conv1d(4, 6, 1), 2 * 2 * 7 * 4 * 6), (nn.Conv1d(4, 4, 3), 0)):
        with MatrixProducts(conv.parameters()) as products:
            out = conv(x)
        assert products.flops() == expected
        with products:
            out.sum().backward()
        assert products.flops() == 3 * expected
        products.run()


def test_parameters_are_used_where_they_are():
    layer = nn.Linear(4, 4)
    with torch.no_grad(), MatrixProducts(layer.parameters()) as products:
        layer(torch.randn(2, 4))
    ((_, operands),) = products.calls
    addresses = [operand.data_ptr() for operand in operands]
    assert layer.weight.data_ptr() in addresses
    assert layer.bias.data_ptr() in addresses
