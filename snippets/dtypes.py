"""Dtypes: what each holds, bit by bit, and what happens where they meet."""

import math
from decimal import Decimal
from time import perf_counter

import matplotlib.pyplot as plt
import pytest
import torch

INTEGER_OF_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def name_of(dtype):
    """The name of a dtype without `torch.` before it."""
    return str(dtype).removeprefix("torch.")


def float_fields(number):
    """Sign, exponent and fraction of a one-element float tensor, as strings of bits."""
    width = 8 * number.element_size()
    fraction_bits = round(-math.log2(torch.finfo(number.dtype).eps))
    same_bits = number.view(INTEGER_OF_SIZE[number.element_size()]).item()
    # Python writes a minus sign; the mask gives the plain pattern instead.
    pattern = f"{same_bits & (2**width - 1):0{width}b}"
    return pattern[0], pattern[1:-fraction_bits], pattern[-fraction_bits:]


def decode(sign, exponent, fraction):
    """The number which three fields of bits stand for, by the rules of IEEE 754."""
    bias = 2 ** (len(exponent) - 1) - 1
    share = int(fraction, 2) / 2 ** len(fraction)
    if "0" not in exponent:
        magnitude = math.nan if "1" in fraction else math.inf
    elif "1" not in exponent:
        magnitude = share * 2.0 ** (1 - bias)
    else:
        magnitude = (1 + share) * 2.0 ** (int(exponent, 2) - bias)
    return -magnitude if sign == "1" else magnitude


def gap_above(numbers):
    """The distance from each positive float to the next larger one of its dtype."""
    # Positive floats are ordered as their patterns are: the next one is the next number.
    patterns = numbers.view(INTEGER_OF_SIZE[numbers.element_size()])
    return (patterns + 1).view(numbers.dtype).double() - numbers.double()


def round_to_tf32(numbers):
    """Keep 10 of the 23 fraction bits of each float32, rounded to the nearest."""
    patterns = numbers.view(torch.int32)
    dropped_bits = 13
    half_a_step = 1 << (dropped_bits - 1)
    kept = (patterns + half_a_step) >> dropped_bits << dropped_bits
    return kept.view(torch.float32)


def quantize_rows(weight):
    """One int8 for each weight and one float scale for each row."""
    scale = weight.abs().amax(dim=1, keepdim=True) / torch.iinfo(torch.int8).max
    return torch.round(weight / scale).to(torch.int8), scale


def relative_error(exact, restored):
    """The size of all differences together, as a share of that of all exact numbers."""
    pairs = zip(exact, restored, strict=True)
    error = math.hypot(*((old - new).norm().item() for old, new in pairs))
    return error / math.hypot(*(old.norm().item() for old in exact))


def draw_bits(ax, rows):
    """Draw one strip of bits for each label: filled cells are 1, empty cells are 0."""
    for place, fields in enumerate(rows.values()):
        start = 0
        for field, color in zip(fields, ["C3", "C1", "C0"], strict=True):
            cells = [(start + i, 1) for i in range(len(field))]
            fills = [(color, 0.6) if bit == "1" else "none" for bit in field]
            band = (place - 0.35, 0.7)
            ax.broken_barh(cells, band, facecolors=fills, edgecolors=color)
            start += len(field)
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def integer_table() -> None:
    """Every integer dtype with its bytes and range, asked from torch.iinfo."""
    dtypes = [torch.uint8, torch.uint16, torch.uint32, torch.uint64]
    dtypes += [torch.int8, torch.int16, torch.int32, torch.int64]

    print(f"{'dtype':8} {'bytes':>5} {'smallest':>21} {'largest':>21}")
    for dtype in dtypes:
        info = torch.iinfo(dtype)
        print(f"{name_of(dtype):8} {dtype.itemsize:>5} {info.min:>21} {info.max:>21}")
        assert info.bits == 8 * dtype.itemsize
        assert info.max - info.min == 2**info.bits - 1
        assert dtype.is_signed == (info.min < 0)


def float_table() -> None:
    """The common float dtypes with their limits, asked from torch.finfo."""
    dtypes = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
    dtypes += [torch.float8_e5m2, torch.float8_e4m3fn]

    titles = f"{'tiny':>10} {'largest':>11} {'eps':>10} {'digits':>6}"
    print(f"{'dtype':13} {'bytes':>5} {titles}")
    for dtype in dtypes:
        info = torch.finfo(dtype)
        digits = -math.log10(info.eps)
        limits = f"{info.tiny:10.3g} {info.max:>11.5g} {info.eps:10.3g} {digits:6.1f}"
        print(f"{name_of(dtype):13} {dtype.itemsize:>5} {limits}")
        assert info.min == -info.max
        assert gap_above(torch.tensor(1.0).to(dtype)) == info.eps


def defaults_of_factories() -> None:
    """Which dtype each factory chooses when none is named."""
    torch.manual_seed(0)
    tensors = {
        "ones(2)": torch.ones(2),
        "rand(2)": torch.rand(2),
        "linspace(0, 1, 3)": torch.linspace(0, 1, 3),
        "tensor([1.0])": torch.tensor([1.0]),
        "tensor([1])": torch.tensor([1]),
        "tensor([1, 2.5])": torch.tensor([1, 2.5]),
        "tensor([True])": torch.tensor([True]),
        "tensor([1j])": torch.tensor([1j]),
        "arange(3)": torch.arange(3),
        "arange(3.0)": torch.arange(3.0),
        "full((2,), 7)": torch.full((2,), 7),
        "randint(9, (2,))": torch.randint(9, (2,)),
    }
    for call, tensor in tensors.items():
        print(f"{call:17} {name_of(tensor.dtype)}")

    assert torch.ones(2).dtype == torch.get_default_dtype() == torch.float32
    assert torch.tensor([1]).dtype == torch.int64


def change_the_default() -> None:
    """The default dtype decides about floats and complex numbers, not integers."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        made = {
            "ones(2)": torch.ones(2),
            "tensor([1.0])": torch.tensor([1.0]),
            "tensor([1j])": torch.tensor([1j]),
            "tensor([1])": torch.tensor([1]),
        }
    finally:
        # The setting holds for the whole process, so put it back.
        torch.set_default_dtype(previous)
    made["ones(2), put back"] = torch.ones(2)
    made["ones(2), named"] = torch.ones(2, dtype=torch.float64)

    for call, tensor in made.items():
        print(f"{call:17} {name_of(tensor.dtype)}")
    assert made["ones(2)"].dtype == made["ones(2), named"].dtype == torch.float64
    assert made["tensor([1])"].dtype == torch.int64
    assert made["ones(2), put back"].dtype == torch.float32


def names_of_casts() -> None:
    """Each casting method, and the dtype it means."""
    counts = torch.tensor([1, 2, 3], dtype=torch.int16)
    methods = ["double", "float", "half", "bfloat16"]
    methods += ["long", "int", "short", "char", "byte", "bool"]
    for method in methods:
        cast = getattr(counts, method)()
        print(f".{method + '()':11} {name_of(cast.dtype)}")
        assert torch.equal(cast, counts.to(cast.dtype))

    print("counts is still", name_of(counts.dtype))
    assert counts.double().dtype == torch.float64
    assert counts.to(torch.int16) is counts, "nothing to cast: the tensor itself"
    assert counts.to(torch.int16, copy=True) is not counts


def casts_that_lose() -> None:
    """What a cast cuts off, rounds, or turns into true."""
    measured = torch.tensor([-2.7, -0.2, 0.2, 2.7])
    print("measured:          ", [round(number, 1) for number in measured.tolist()])
    print("to int64:          ", measured.to(torch.int64).tolist())
    print("round, then int64: ", measured.round().to(torch.int64).tolist())
    print("to bool:           ", measured.to(torch.bool).tolist())
    assert measured.to(torch.int64).tolist() == [-2, 0, 0, 2]

    token_ids = torch.tensor([16_777_216, 16_777_217, 16_777_218])
    through_float = token_ids.to(torch.float32).to(torch.int64)
    print("token_ids:         ", token_ids.tolist())
    print("through float32:   ", through_float.tolist())
    print("through float64 ok:", torch.equal(token_ids.double().long(), token_ids))
    assert through_float[1] == token_ids[1] - 1
    assert torch.equal(token_ids.double().long(), token_ids)


def integer_overflow_wraps() -> None:
    """Integers that leave their range come back at the other end, without a word."""
    signed = torch.tensor([127, -128], dtype=torch.int8)
    unsigned = torch.tensor([0, 200], dtype=torch.uint8)

    print("int8  127 + 1:     ", (signed + 1)[0].item())
    print("int8  abs(-128):   ", signed.abs()[1].item())
    print("uint8 0 - 1:       ", (unsigned - 1)[0].item())
    print("uint8 200 + 100:   ", (unsigned + 100)[1].item())
    print("int64 2**63 - 1 + 1:", (torch.tensor(2**63 - 1) + 1).item())
    assert (signed + 1)[0] == -128
    assert (unsigned + 100)[1] == (200 + 100) % 256

    total = torch.full((3,), 100, dtype=torch.int8).sum()
    print("sum of three int8 100s:", total.item(), name_of(total.dtype))
    assert total == 300
    assert total.dtype == torch.int64


def float32_bit_by_bit() -> None:
    """The 32 bits of five numbers, taken apart and put together again."""
    numbers = [1.0, 2.0, 6.5, -6.5, 0.1]
    rows = {}
    for number in numbers:
        stored = torch.tensor(number, dtype=torch.float32)
        sign, exponent, fraction = rows[str(number)] = float_fields(stored)
        power = int(exponent, 2) - 127
        share = int(fraction, 2) / 2**23
        product = f"(-1)**{sign} * {1 + share:.7f} * 2**{power}"
        print(f"{number:>4}: {sign} {exponent} {fraction} = {product}")
        assert (-1) ** int(sign) * (1 + share) * 2.0**power == stored.item()
        assert decode(sign, exponent, fraction) == stored.item()

    fig, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    draw_bits(ax, rows)
    ax.set_xticks([0.5, 5, 20.5], ["sign", "exponent", "fraction"])
    plt.show()


def float32_special_patterns() -> None:
    """Both ends of the exponent: zeros, subnormals, infinities and nan."""
    info = torch.finfo(torch.float32)
    specials = {
        "0": 0.0,
        "-0": -0.0,
        "smallest": info.smallest_normal * info.eps,
        "tiny": info.smallest_normal,
        "largest": info.max,
        "inf": math.inf,
        "nan": math.nan,
    }
    for name, value in specials.items():
        fields = float_fields(torch.tensor(value, dtype=torch.float32))
        print(f"{name:8}", *fields, f"{value:.4g}")
        assert decode(*fields) == value or math.isnan(value)

    zero, tiny, largest = torch.tensor([0.0, info.tiny, info.max])
    assert zero == -zero
    assert 0 < tiny / 2 < tiny, "below tiny, subnormals fill the gap to zero"
    assert tiny * info.eps / 2 == 0, "half of the smallest is zero"
    assert largest * 2 == math.inf
    assert 1 / zero == math.inf == -(1 / -zero)
    undefined = zero / zero
    assert undefined.isnan()
    assert undefined != undefined, "nan equals nothing, not even itself"


def tenths_add_up() -> None:
    """Floats hold neighbors of tenths, so 0.1 + 0.2 depends on rounding."""
    for dtype in [torch.float64, torch.float32, torch.float16]:
        tenths = torch.tensor([0.1, 0.2, 0.3], dtype=dtype)
        total = tenths[0] + tenths[1]
        print(name_of(dtype))
        print(f"  0.1 is stored as: {Decimal(tenths[0].item()):.24f}")
        print("  0.1 + 0.2 == 0.3:", bool(total == tenths[2]))
        assert abs(total - tenths[2]) <= gap_above(tenths[2]), "at most one step apart"

    single, double = torch.tensor([0.1]), torch.tensor([0.1], dtype=torch.float64)
    print("float32 0.1 == float64 0.1:", bool(single == double))
    print("float32 0.1 == Python's 0.1:", bool(single == 0.1))
    assert 0.1 + 0.2 != 0.3
    assert torch.tensor(0.1) + torch.tensor(0.2) == torch.tensor(0.3)
    assert single != double
    assert single == 0.1


def close_enough() -> None:
    """`isclose` allows an absolute part plus a share of the second argument."""
    measured = torch.tensor([1.00001, 1.001, 10_000.05, 5e-9, math.nan])
    expected = torch.tensor([1.0, 1.0, 10_000.0, 1e-9, math.nan])
    rtol, atol = 1e-5, 1e-8

    close = torch.isclose(measured, expected, rtol=rtol, atol=atol)
    with_nan = torch.isclose(measured, expected, equal_nan=True)
    print("isclose:              ", close.tolist())
    print("with equal_nan=True:  ", with_nan.tolist())
    print("allclose on the first:", torch.allclose(measured[:1], expected[:1]))
    by_rule = (measured - expected).abs() <= atol + rtol * expected.abs()
    assert torch.equal(close, by_rule)
    assert close[3], "5e-9 is five times 1e-9, and both are below atol"

    short, long = torch.tensor(9.05), torch.tensor(10.0)
    one_way = torch.isclose(short, long, rtol=0.1).item()
    other_way = torch.isclose(long, short, rtol=0.1).item()
    print("9.05 near 10, 10 near 9.05:", one_way, other_way)
    assert one_way
    assert not other_way

    message = ""
    try:
        torch.testing.assert_close(measured[:2], expected[:2])
    except AssertionError as error:
        message = str(error)
    print("\n".join(line for line in message.splitlines() if line))
    assert "Mismatched elements: 1 / 2" in message


def formats_side_by_side() -> None:
    """The bits of pi in five float dtypes: where each format spends its bits."""
    dtypes = [torch.float32, torch.bfloat16, torch.float16]
    dtypes += [torch.float8_e5m2, torch.float8_e4m3fn]
    rows = {}
    for dtype in dtypes:
        number = torch.tensor(math.pi).to(dtype)
        sign, exponent, fraction = float_fields(number)
        rows[name_of(dtype)] = (sign, exponent, fraction)
        value = number.double().item()
        widths = f"{len(exponent)} exponent and {len(fraction):>2} fraction bits"
        print(f"{name_of(dtype):13} {widths}: {value:.7f}")
        assert decode(sign, exponent, fraction) == value

    patterns = {name: "".join(fields) for name, fields in rows.items()}
    assert patterns["float32"].startswith(patterns["bfloat16"])
    assert patterns["float16"].startswith(patterns["float8_e5m2"])

    fig, ax = plt.subplots(figsize=(6.4, 2.4), layout="constrained")
    draw_bits(ax, rows)
    plt.show()


def float16_versus_bfloat16() -> None:
    """Same 16 bits: float16 has the finer steps, bfloat16 the wider range."""
    for dtype in [torch.float16, torch.bfloat16]:
        limit = torch.finfo(dtype).max
        one = torch.tensor(1.0, dtype=dtype)
        # Steps double with every power of two; here they have grown from eps to 2.
        first_gap = int(2 / torch.finfo(dtype).eps)
        counter = torch.tensor(first_gap, dtype=dtype)
        print(name_of(dtype))
        print("  step after 1: ", gap_above(one).item())
        print(f"  {f'{first_gap} + 1:':13}", int((counter + 1).item()))
        print(f"  largest:       {limit:.5g}")
        print("  65519 becomes:", torch.tensor(65519.0).to(dtype).item())
        print("  65520 becomes:", torch.tensor(65520.0).to(dtype).item())
        assert counter + 1 == counter

    assert torch.finfo(torch.float16).max == 65504
    assert torch.tensor(65520.0).half().isinf()
    assert torch.tensor(65520.0).bfloat16().isfinite()


def steps_of_half_precision() -> None:
    """The distance between neighboring numbers over the whole range, drawn."""
    fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    colors = {torch.float16: "C0", torch.bfloat16: "C1", torch.float32: "0.5"}
    for dtype, color in colors.items():
        powers = 2.0 ** torch.arange(-30, 31, dtype=torch.float64)
        numbers = powers.to(dtype)
        numbers = numbers[(numbers > 0) & numbers.isfinite()]
        gaps = gap_above(numbers)
        ax.loglog(numbers.tolist(), gaps.tolist(), color=color, label=name_of(dtype))
        smallest, after_one = gaps[0].item(), gaps[numbers == 1].item()
        print(f"{name_of(dtype):8} from {smallest:.3g}, after 1 {after_one:.3g}")
        assert after_one == torch.finfo(dtype).eps
    ax.axvline(torch.finfo(torch.float16).max, color="C0", linestyle=":")
    ax.axvline(torch.finfo(torch.float16).tiny, color="C0", linestyle=":")
    ax.set_xlabel("number")
    ax.set_ylabel("step to the next number")
    ax.legend(frameon=False)
    plt.show()


def what_each_half_loses() -> None:
    """Numbers through both 16-bit formats: either steps or range is lost."""
    numbers = [math.pi, 1.001, 257.0, 2049.0, 70_000.0, 1e-8, 1e30]
    print(f"{'number':>10} {'float16':>12} {'bfloat16':>12}")
    for number in numbers:
        half = torch.tensor(number).half().item()
        brain = torch.tensor(number).bfloat16().item()
        print(f"{number:10.6g} {half:12.6g} {brain:12.6g}")

    change = torch.tensor(1e-8)
    assert change.half() == 0
    assert change.bfloat16() > 0
    assert (change * 1024).half() > 0, "scaled up before the cast, it survives"
    assert torch.tensor(1.001).bfloat16() == 1
    assert torch.tensor(1.001).half() > 1


def accumulating_in_half() -> None:
    """A running total in half precision stops growing, `sum` does not."""
    count = 4096
    fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
    colors = {torch.float32: "0.5", torch.float16: "C0", torch.bfloat16: "C1"}
    for dtype, color in colors.items():
        total, totals = torch.zeros((), dtype=dtype), []
        for step in range(count):
            if step % 64 == 0:
                totals.append(total.item())
            total = total + 1
        ones = torch.ones(count, dtype=dtype)
        by_sum = ones.sum().item()
        print(f"{name_of(dtype):8} total {total.item():.0f}, sum() {by_sum:.0f}")
        assert by_sum == count
        ax.plot(range(0, count, 64), totals, color=color, label=name_of(dtype))
    ax.set_xlabel("ones added")
    ax.set_ylabel("running total")
    ax.legend(frameon=False)
    plt.show()

    many = torch.ones(70_000, dtype=torch.float16)
    print("sum of 70000 in float16:", many.sum().item())
    print("sum(dtype=float32):     ", many.sum(dtype=torch.float32).item())
    assert many.sum().isinf()
    assert many.sum(dtype=torch.float32) == 70_000


@pytest.mark.cpu_only("the question is whether a CPU computes in half precision")
def half_on_the_cpu() -> None:
    """A CPU computes in float16 and bfloat16 today."""
    torch.manual_seed(0)
    weights, features = torch.randn(64, 256), torch.randn(256, 32)
    exact = weights.double() @ features.double()

    for dtype in [torch.float16, torch.bfloat16]:
        logits = weights.to(dtype) @ features.to(dtype)
        probabilities = logits.softmax(dim=0)
        error = (logits.double() - exact).abs().max().item()
        largest = logits.abs().max().item()
        print(name_of(dtype))
        print("  matmul gives:  ", name_of(logits.dtype))
        print("  softmax gives: ", name_of(probabilities.dtype))
        print(f"  largest error:  {error:.3f} in logits up to {largest:.1f}")
        assert logits.dtype == probabilities.dtype == dtype
        bound = 2 * torch.finfo(dtype).eps * largest
        assert error < bound
        column_sums = probabilities.sum(dim=0, dtype=torch.float32)
        assert torch.allclose(column_sums, torch.ones(32), atol=0.02)


@pytest.mark.measurement
@pytest.mark.cpu_only("the time shown is that of a CPU")
def half_speed_on_the_cpu() -> None:
    """The time of one matrix product in three dtypes on this CPU, measured."""
    torch.manual_seed(0)
    weights = torch.randn(256, 256)

    milliseconds = {}
    for dtype in [torch.float32, torch.bfloat16, torch.float16]:
        matrix = weights.to(dtype)
        durations = []
        for _ in range(20):
            start = perf_counter()
            product = matrix @ matrix
            durations.append(1000 * (perf_counter() - start))
        assert product.dtype == dtype
        milliseconds[name_of(dtype)] = min(durations)

    for name, duration in milliseconds.items():
        ratio = duration / milliseconds["float32"]
        print(f"{name:8} {duration:7.2f} ms, {ratio:.2f} of the time in float32")


def tf32_keeps_ten_bits() -> None:
    """TF32 has the range of float32 and the fraction of float16."""
    numbers = torch.tensor([1 + 2**-10, 1 + 2**-12, math.pi, 1e38])
    rounded = round_to_tf32(numbers)
    for number, kept in zip(numbers.tolist(), rounded.tolist(), strict=True):
        print(f"{number:.7g} becomes {kept:.7g}")
    assert rounded[0] == numbers[0]
    assert rounded[1] == 1
    assert rounded[3].isfinite()
    assert numbers[3].half().isinf()
    assert torch.equal(rounded[:3], numbers[:3].half().float()), "as in float16"

    torch.manual_seed(0)
    weights, features = torch.randn(128, 512), torch.randn(512, 128)
    exact = weights.double() @ features.double()
    reduced = round_to_tf32(weights).double() @ round_to_tf32(features).double()
    error = (reduced - exact).norm() / exact.norm()
    print(f"relative error of a product: {error.item():.6f}")
    assert error < 2**-10

    setting = torch.get_float32_matmul_precision()
    print("allowed in matrix products:     ", setting != "highest")
    print("allowed in cuDNN's convolutions:", torch.backends.cudnn.allow_tf32)


def float8_has_256_patterns() -> None:
    """Both float8 types, drawn in full: every pattern is a number that you can see."""
    patterns = torch.arange(256, dtype=torch.uint8)
    fig, axes = plt.subplots(2, figsize=(6.4, 2.8), sharex=True, layout="constrained")
    for dtype, ax in zip([torch.float8_e4m3fn, torch.float8_e5m2], axes, strict=True):
        numbers = patterns.view(dtype).float()
        positive = numbers[numbers.isfinite() & (numbers > 0)]
        print(name_of(dtype))
        print("  finite:     ", int(numbers.isfinite().sum()))
        print("  inf, nan:   ", int(numbers.isinf().sum()), int(numbers.isnan().sum()))
        smallest, largest = positive.min().item(), positive.max().item()
        print(f"  positive:    {smallest:.3g} to {largest:g}")
        print("  from 1 to 2:", positive[(positive >= 1) & (positive <= 2)].tolist())
        assert largest == torch.finfo(dtype).max
        ax.plot(positive.tolist(), [0] * len(positive), "|", color="C0", markersize=24)
        ax.set_xscale("log", base=2)
        ax.set_yticks([])
        ax.set_title(name_of(dtype), fontsize=9)
    axes[1].set_xlabel("positive numbers")
    plt.show()


def float8_needs_a_scale() -> None:
    """Float8 stores numbers; a scale brings them into its narrow range."""
    torch.manual_seed(0)
    weights = torch.randn(1000) / 1000
    scale = torch.finfo(torch.float8_e4m3fn).max / weights.abs().max()

    plain = weights.to(torch.float8_e4m3fn).float()
    scaled = (weights * scale).to(torch.float8_e4m3fn).float() / scale
    for name, restored in {"plain": plain, "scaled": scaled}.items():
        error = (restored - weights).norm() / weights.norm()
        zeros = int((restored == 0).sum())
        print(f"{name:7} {zeros:>4} zeros, relative error {error.item():.3f}")
    assert (scaled - weights).norm() < 0.05 * weights.norm() < (plain - weights).norm()

    stored = (weights * scale).to(torch.float8_e4m3fn)
    refused = False
    try:
        stored + stored
    except RuntimeError:
        refused = True
    print("a sum of float8 is refused:", refused)
    assert refused


def promotion_table() -> None:
    """The dtype of a sum for every pair, as torch.promote_types gives it."""
    dtypes = [torch.bool, torch.uint8, torch.int8, torch.int64]
    dtypes += [torch.float16, torch.bfloat16, torch.float32, torch.complex64]
    initials = {"complex": "c", "bfloat": "bf", "uint": "u", "float": "f", "int": "i"}
    short_names = {}
    for dtype in [*dtypes, torch.int16]:
        short_names[dtype] = name_of(dtype)
        for word, initial in initials.items():
            short_names[dtype] = short_names[dtype].replace(word, initial)

    print("     ", *(f"{short_names[dtype]:>4}" for dtype in dtypes))
    for left in dtypes:
        row = [torch.promote_types(left, right) for right in dtypes]
        print(f"{short_names[left]:>5}", *(f"{short_names[dtype]:>4}" for dtype in row))
        for right, promoted in zip(dtypes, row, strict=True):
            total = torch.ones(1, dtype=left) + torch.ones(1, dtype=right)
            assert total.dtype == promoted == torch.promote_types(right, left)

    assert torch.promote_types(torch.uint8, torch.int8) == torch.int16
    assert torch.promote_types(torch.float16, torch.bfloat16) == torch.float32
    assert torch.promote_types(torch.int64, torch.float16) == torch.float16
    one = torch.tensor([1.0], dtype=torch.float16)
    assert (torch.tensor([70_000]) + one).isinf(), "too large for float16"


def numbers_give_way() -> None:
    """Python numbers and 0-d tensors change a dtype only by a higher category."""
    counts = torch.tensor([1, 2, 3], dtype=torch.int16)
    weights = torch.tensor([0.5, 1.5, 2.5], dtype=torch.float16)
    scalar_int = torch.tensor(10, dtype=torch.int64)
    scalar_float = torch.tensor(0.5, dtype=torch.float64)
    results = {
        "counts + 1": counts + 1,
        "counts + scalar_int": counts + scalar_int,
        "counts + 0.5": counts + 0.5,
        "counts + scalar_float": counts + scalar_float,
        "counts / counts": counts / counts,
        "counts + weights": counts + weights,
        "weights + 0.5": weights + 0.5,
        "weights + scalar_float": weights + scalar_float,
        "weights + scalar_float[None]": weights + scalar_float[None],
        "weights > 1": weights > 1,
    }
    for expression, result in results.items():
        print(f"{expression:28} {name_of(result.dtype)}")

    assert (counts + scalar_int).dtype == torch.int16
    assert (weights + scalar_float).dtype == torch.float16
    assert (weights + scalar_float[None]).dtype == torch.float64


def where_nothing_is_promoted() -> None:
    """In-place results and matrix products keep to the dtypes they were given."""
    counts = torch.tensor([1, 2, 3])
    weights, features = torch.ones(2, 3), torch.ones(3, 4, dtype=torch.float64)
    pixels = torch.tensor([1, 2, 3], dtype=torch.uint16)
    attempts = {
        "counts.add_(0.5)": lambda: counts.add_(0.5),
        "counts + pixels": lambda: counts + pixels,
        "weights @ features": lambda: weights @ features,
        "counts.float().mean()": lambda: counts.float().mean(),
        "counts.mean()": lambda: counts.mean(),
    }
    refused = []
    for expression, attempt in attempts.items():
        try:
            print(f"{expression}: {attempt()}")
        except RuntimeError as error:
            refused.append(expression)
            print(f"{expression}: RuntimeError: {str(error).split('. ')[0]}")
    assert set(attempts) - set(refused) == {"counts.float().mean()"}
    assert counts.tolist() == [1, 2, 3]


def complex_is_a_pair() -> None:
    """A complex64 is two float32 side by side."""
    waves = torch.tensor([3 + 4j, 0.5 + 0j])
    pairs = torch.view_as_real(waves)

    print("dtype:  ", name_of(waves.dtype), "of", waves.element_size(), "bytes")
    print("pairs:  ", pairs.tolist(), name_of(pairs.dtype))
    print("abs:    ", waves.abs().tolist())
    print("product:", (waves * waves).tolist())
    assert pairs.data_ptr() == waves.data_ptr()
    assert waves.element_size() == 2 * pairs.element_size()

    message = ""
    try:
        print(waves > waves.conj())
    except RuntimeError as error:
        message = str(error)
    print("waves > waves.conj():", message)
    assert message


def bool_is_a_byte() -> None:
    """A bool tensor uses a byte for each truth value, and `+` means or."""
    passed = torch.tensor([True, True, False, False])
    retried = torch.tensor([True, False, True, False])

    print("bytes:           ", passed.nbytes, "for", passed.numel())
    print("passed + retried:", (passed + retried).tolist())
    print("passed ^ retried:", (passed ^ retried).tolist())
    print("passed.sum():    ", passed.sum().item(), name_of(passed.sum().dtype))
    print("share passed:    ", passed.float().mean().item())
    assert passed.nbytes == passed.numel()
    assert torch.equal(passed + retried, passed | retried)

    refused = []
    for name, operation in {"-passed": torch.neg, "~passed": torch.bitwise_not}.items():
        try:
            operation(passed)
        except RuntimeError:
            refused.append(name)
    print("refused:         ", refused)
    assert refused == ["-passed"]


def model_cost_by_dtype() -> None:
    """The bytes and the rounding error of the same weights in six dtypes."""
    torch.manual_seed(0)
    layers = [torch.randn(256, 784).double() / 28, torch.randn(10, 256).double() / 16]

    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
    dtypes += [torch.float8_e4m3fn]
    costs, errors = {}, {}
    for dtype in dtypes:
        stored = [weight.to(dtype) for weight in layers]
        restored = [weight.double() for weight in stored]
        costs[name_of(dtype)] = sum(weight.nbytes for weight in stored)
        errors[name_of(dtype)] = relative_error(layers, restored)
    rows = [quantize_rows(weight.float()) for weight in layers]
    restored = [codes * scale for codes, scale in rows]
    costs["int8 + scales"] = sum(codes.nbytes + scale.nbytes for codes, scale in rows)
    errors["int8 + scales"] = relative_error(layers, restored)

    for name, cost in costs.items():
        print(f"{name:13} {cost:>8} bytes, relative error {errors[name]:.1e}")
    assert costs["float32"] == 4 * costs["float8_e4m3fn"]
    by_error = sorted(errors, key=errors.get)
    assert by_error[2:] == ["float16", "bfloat16", "int8 + scales", "float8_e4m3fn"]

    fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
    for name in [name for name, error in errors.items() if error > 0]:
        ax.semilogy(costs[name] / 1000, errors[name], "o", color="C0")
        place = (costs[name] / 1000, errors[name])
        ax.annotate(name, place, xytext=(7, -3), textcoords="offset points", fontsize=8)
    ax.set_xlim(0, 1.2 * costs["float32"] / 1000)
    ax.set_xlabel("thousands of bytes")
    ax.set_ylabel("relative error")
    plt.show()


def solution_brighten_without_wrapping() -> None:
    """Brighten an image of bytes without wrapping around."""
    image = torch.tensor([[10, 120, 200], [250, 60, 196]], dtype=torch.uint8)
    wrapped = image + 60
    # int16 has room for the sums; clamp brings them back into the range of a byte.
    brighter = (image.to(torch.int16) + 60).clamp(0, 255).to(torch.uint8)

    print("image:   ", image.tolist())
    print("wrapped: ", wrapped.tolist())
    print("brighter:", brighter.tolist())
    assert (brighter >= image).all()
    assert not (wrapped >= image).all()


def solution_first_missing_integer() -> None:
    """The first positive integer which a float dtype does not have."""
    for dtype in [torch.float16, torch.bfloat16, torch.float32, torch.float64]:
        last_whole_run = int(2 / torch.finfo(dtype).eps)
        missing = last_whole_run + 1
        stored = int(torch.tensor(missing, dtype=torch.int64).to(dtype).item())
        print(f"{name_of(dtype):8} first missing: {missing}, stored as {stored}")
        assert stored == last_whole_run
        assert gap_above(torch.tensor(last_whole_run // 2, dtype=dtype)) == 1
        assert gap_above(torch.tensor(last_whole_run, dtype=dtype)) == 2


def solution_norm_in_float16() -> None:
    """The length of a vector in float16, without overflow on the way."""
    forces = torch.tensor([300.0, 400.0], dtype=torch.float16)
    naive = forces.pow(2).sum().sqrt()
    largest = forces.abs().max()
    scaled = largest * (forces / largest).pow(2).sum().sqrt()
    widened = forces.float().pow(2).sum().sqrt().half()

    print("naive:  ", naive.item())
    print("scaled: ", scaled.item())
    print("widened:", widened.item())
    assert naive.isinf()
    assert scaled == widened == 500
