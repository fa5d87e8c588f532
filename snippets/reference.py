"""Tables to look things up in, asked from torch itself."""

import inspect
import textwrap
from functools import partial

import torch
from torch import nn

from snippets.modules import shapes, table_row
from snippets.optimizers import EVERY_OPTIMIZER
from snippets.schedulers import EVERY_SCHEDULE

# Families with a class for one, two and three axes, and the arguments which make one.
FAMILIES = {
    "Conv": (4, 6, 3),
    "ConvTranspose": (4, 6, 3),
    "MaxPool": (2,),
    "AvgPool": (2,),
    "LPPool": (2, 2),
    "FractionalMaxPool": (2, 5),
    "AdaptiveMaxPool": (1,),
    "AdaptiveAvgPool": (1,),
    "BatchNorm": (4,),
    "InstanceNorm": (4,),
    "Dropout": (),
    "ZeroPad": (1,),
    "ConstantPad": (1, 0.5),
    "ReflectionPad": (1,),
    "ReplicationPad": (1,),
    "CircularPad": (1,),
}

ACTIVATIONS = [
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU),
    *(nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Sigmoid, nn.LogSigmoid, nn.Tanh),
    *(nn.Softsign, nn.Tanhshrink, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh),
    *(nn.Hardshrink, nn.Softshrink, partial(nn.Threshold, threshold=1, value=0)),
]

# The other layers with one input, by its shape: features, images, windows, sequences.
SINGLE_LAYERS = {
    (2, 8): [
        *(nn.Identity, partial(nn.Linear, 8, 3), nn.GLU, nn.AlphaDropout),
        *(partial(nn.LayerNorm, 8), partial(nn.RMSNorm, 8)),
        *(partial(layer, dim=1) for layer in (nn.Softmax, nn.LogSoftmax, nn.Softmin)),
        *(partial(nn.Unflatten, dim=1, unflattened_size=(2, 4)), nn.Dropout),
    ],
    (2, 4, 6, 6): [
        *(nn.Flatten, nn.Softmax2d, nn.FeatureAlphaDropout),
        *(partial(nn.GroupNorm, 2, 4), partial(nn.LocalResponseNorm, 3)),
        *(partial(nn.CrossMapLRN2d, 3), partial(nn.ChannelShuffle, 2)),
        *(partial(nn.PixelShuffle, 2), partial(nn.PixelUnshuffle, 2)),
        *(partial(nn.Upsample, scale_factor=2), partial(nn.Unfold, kernel_size=3)),
        partial(nn.UpsamplingNearest2d, scale_factor=2),
        partial(nn.UpsamplingBilinear2d, scale_factor=2),
    ],
    (2, 36, 16): [partial(nn.Fold, output_size=6, kernel_size=3)],
    (2, 5, 8): [
        *(
            partial(layer, 8, 16, batch_first=True)
            for layer in (nn.RNN, nn.GRU, nn.LSTM)
        ),
    ],
}


def limits(dtype):
    """Smallest, largest and eps of a dtype, as text; None where torch has no limits."""
    try:
        info = torch.iinfo(dtype)
        return str(info.min), str(info.max), ""
    except TypeError:
        pass
    try:
        info = torch.finfo(dtype)
        return f"{info.min:.7g}", f"{info.max:.7g}", f"{info.eps:.3g}"
    except (TypeError, NotImplementedError):
        return None


def kind_of(dtype):
    """The category of a dtype in type promotion: 0 for integers, 1 floats, 2 complex."""
    return 2 * dtype.is_complex + dtype.is_floating_point


def settings_of(class_, skipped):
    """The parameters of a constructor with their defaults, in lines that fit a page."""
    parameters = inspect.signature(class_).parameters.values()
    settings = [
        p.name if p.default is p.empty else f"{p.name}={p.default!r}"
        for p in parameters
        if p.name not in skipped
    ]
    text = f"{class_.__name__}: {', '.join(settings)}"
    return textwrap.fill(text, 80, subsequent_indent="    ")


def layers_of(family):
    """The layers of a family by their number of axes, each with an input for it."""
    for axes in (1, 2, 3):
        if layer_class := getattr(nn, f"{family}{axes}d", None):
            yield axes, layer_class(*FAMILIES[family]), torch.rand(2, 4, *[9] * axes)


def every_dtype() -> None:
    """All dtypes of torch with width, range and eps, found by asking torch."""
    found = {value for value in vars(torch).values() if isinstance(value, torch.dtype)}
    # A quantized dtype means nothing without the scale which its tensors carry.
    found = {dtype for dtype in found if not str(dtype).startswith("torch.q")}
    known = {dtype: limits(dtype) for dtype in sorted(found, key=str)}
    numbers = [dtype for dtype in known if known[dtype]]

    print(f"{'dtype':15} {'bytes':>5} {'smallest':>20} {'largest':>20}  eps")
    for dtype in sorted(numbers, key=lambda d: (kind_of(d), d.itemsize)):
        smallest, largest, eps = known[dtype]
        name = str(dtype).removeprefix("torch.")
        print(f"{name:15} {dtype.itemsize:5} {smallest:>20} {largest:>20}  {eps}")
    others = [str(dtype).removeprefix("torch.") for dtype in known if not known[dtype]]
    print(textwrap.fill(f"no limits known: {', '.join(others)}", 80))
    assert set(numbers) >= {torch.float32, torch.bfloat16, torch.int64, torch.uint8}


def layers_by_axes() -> None:
    """Layers that exist for one, two and three axes: parameters and output shapes."""
    torch.manual_seed(0)
    print(f"{'layer':22} {'1d':>4} {'2d':>4} {'3d':>4}  channels  each axis")
    for family, arguments in FAMILIES.items():
        counts = dict.fromkeys((1, 2, 3), "")
        changes = set()
        for axes, layer, inputs in layers_of(family):
            outputs = layer(inputs)
            counts[axes] = sum(parameter.numel() for parameter in layer.parameters())
            channels, *sizes = outputs.shape[1:]
            changes |= {f"4 -> {channels}    9 -> {size}" for size in sizes}
        title = f"{family}({', '.join(map(str, arguments))})"
        print(f"{title:22}", *(f"{count:>4}" for count in counts.values()), end="  ")
        # All axes of all three layers change alike.
        (change,) = changes
        print(change)


def activations_at_five_points() -> None:
    """Every activation of torch.nn that works element by element, at five inputs."""
    inputs = torch.tensor([-4.0, -1.0, 0.0, 1.0, 4.0])
    print(f"{'input':12}", *(f"{number:7.1f}" for number in inputs.tolist()))
    for make in ACTIVATIONS:
        # In evaluation mode RReLU takes the middle of its random slopes.
        layer = make().eval()
        outputs = layer(inputs)
        name = type(layer).__name__
        print(f"{name:12}", *(f"{number:7.3f}" for number in outputs.tolist()))
        assert outputs.shape == inputs.shape


def single_layers() -> None:
    """The other layers of torch.nn: parameters, input shape and output shape."""
    torch.manual_seed(0)
    for shape, makers in SINGLE_LAYERS.items():
        for make in makers:
            print(table_row(make(), torch.rand(shape)))


def layers_of_several_inputs() -> None:
    """Layers that take integers, a state, or more than one tensor."""
    torch.manual_seed(0)
    words = torch.randint(10, (2, 5))
    features, others = torch.rand(2, 8), torch.rand(2, 8)
    queries, memory = torch.rand(2, 3, 8), torch.rand(2, 5, 8)
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    decoder = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)
    rows = [
        (nn.Embedding(10, 8), words),
        (nn.EmbeddingBag(10, 8), words),
        (nn.Bilinear(8, 8, 3), features, others),
        (nn.CosineSimilarity(), features, others),
        (nn.PairwiseDistance(), features, others),
        *((cell(8, 16), features) for cell in (nn.RNNCell, nn.GRUCell, nn.LSTMCell)),
        (nn.MultiheadAttention(8, 2, batch_first=True), queries, memory, memory),
        (encoder, memory),
        (decoder, queries, memory),
        (nn.TransformerEncoder(encoder, 2), memory),
        (nn.TransformerDecoder(decoder, 2), queries, memory),
        (nn.Transformer(8, 2, 1, 1, 16, batch_first=True), memory, queries),
    ]
    for axes in (1, 2, 3):
        pool = getattr(nn, f"MaxPool{axes}d")(2, return_indices=True)
        maxima, places = pool(torch.rand(2, 4, *[8] * axes))
        rows.append((getattr(nn, f"MaxUnpool{axes}d")(2), maxima, places))
    for layer, *inputs in rows:
        count = sum(parameter.numel() for parameter in layer.parameters())
        title = f"{type(layer).__name__:23} {count:4}"
        taken = ", ".join(shapes(tensor) for tensor in inputs)
        print(f"{title}  {taken} -> {shapes(layer(*inputs))}")


def settings_of_optimizers() -> None:
    """The settings of every optimizer, with their defaults."""
    # Those of the implementation change the speed, not the steps.
    skipped = ["params", "foreach", "fused", "capturable", "differentiable", "maximize"]
    for optimizer_class in dict.fromkeys(class_ for class_, _ in EVERY_OPTIMIZER):
        print(settings_of(optimizer_class, skipped))


def settings_of_schedulers() -> None:
    """The settings of every scheduler, with their defaults."""
    for name in EVERY_SCHEDULE:
        if scheduler_class := getattr(torch.optim.lr_scheduler, name, None):
            print(settings_of(scheduler_class, skipped=["optimizer", "last_epoch"]))
