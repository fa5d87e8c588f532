"""The reference tables leave nothing out."""

import inspect

import torch
from torch import nn

from snippets.reference import (
    ACTIVATIONS,
    FAMILIES,
    SINGLE_LAYERS,
    layers_of,
    limits,
    settings_of,
)

# Not layers to look up: bases and containers, wrappers of processes, old names.
NO_LAYERS = {"Module", "Container", "Sequential", "ModuleList", "ModuleDict"}
NO_LAYERS |= {"ParameterList", "ParameterDict", "RNNBase", "RNNCellBase"}
NO_LAYERS |= {"DataParallel", "SyncBatchNorm"}


def test_the_layer_tables_name_every_layer_of_torch(run):
    """Losses have a table of their own; a lazy layer is the one it turns into."""
    listed = {type(layer).__name__ for f in FAMILIES for _, layer, _ in layers_of(f)}
    listed |= {type(make()).__name__ for make in ACTIVATIONS}
    listed |= {type(make()).__name__ for row in SINGLE_LAYERS.values() for make in row}
    rows = run("snippets.reference.layers_of_several_inputs")["rows"]
    listed |= {type(layer).__name__ for layer, *_ in rows}
    layers = {
        name
        for name, value in vars(nn).items()
        if inspect.isclass(value)
        and issubclass(value, nn.Module)
        and "Loss" not in name
        and not name.startswith("Lazy")
    }
    assert layers - listed <= NO_LAYERS


def test_limits_of_dtypes_with_and_without():
    assert limits(torch.int8) == ("-128", "127", "")
    assert limits(torch.float16) == ("-65504", "65504", "0.000977")
    assert limits(torch.bool) is None


def test_settings_are_those_of_the_constructor():
    text = settings_of(torch.optim.SGD, skipped=["params"])
    assert text.startswith("SGD: lr=0.001, momentum=0, dampening=0")
    assert max(map(len, text.splitlines())) <= 80
