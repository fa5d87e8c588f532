"""What the bit helpers of the dtypes chapter promise, tried on random numbers and patterns."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.dtypes import (
    decode,
    float_fields,
    gap_above,
    quantize_rows,
    round_to_tf32,
)

BINARY_DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
BINARY_DTYPES += [torch.float8_e5m2]


@pytest.mark.parametrize("dtype", BINARY_DTYPES, ids=str)
@settings(max_examples=25, deadline=None)
@given(number=st.floats())
def test_decode_undoes_float_fields(dtype, number):
    """Fields and formula give back what torch stores, whatever the number."""
    stored = torch.tensor(number, dtype=torch.float64).to(dtype)
    value, expected = decode(*float_fields(stored)), stored.double().item()
    if math.isnan(expected):
        assert math.isnan(value)
    else:
        assert value == expected
        assert math.copysign(1, value) == math.copysign(1, expected)


@settings(max_examples=25, deadline=None)
@given(number=st.floats(min_value=0, max_value=2.0**100, width=32))
def test_gap_above_is_the_distance_to_nextafter(number):
    """The next bit pattern is the next float32."""
    start = torch.tensor(number, dtype=torch.float32)
    following = torch.nextafter(start, torch.tensor(math.inf))
    assert gap_above(start) == following.double() - start.double()


@settings(max_examples=25, deadline=None)
@given(number=st.floats(min_value=2.0**-14, max_value=65000, width=32))
def test_tf32_has_the_fraction_of_float16(number):
    """Within float16's normal range both keep 10 bits, so they differ by a tie at most."""
    start = torch.tensor(number, dtype=torch.float32)
    rounded, half = round_to_tf32(start), start.half()
    assert abs(rounded - half.float()) <= gap_above(half)
    assert abs(rounded - start) <= gap_above(half) / 2
    assert int(float_fields(rounded)[2][10:], 2) == 0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_quantized_rows_err_by_half_a_step(seed):
    """No weight moves by more than half of its row's scale."""
    weight = torch.randn(4, 16, generator=torch.Generator().manual_seed(seed))
    codes, scale = quantize_rows(weight)
    assert codes.dtype == torch.int8
    assert ((weight - codes * scale).abs() <= scale * 0.50001).all()


def test_the_promotion_table_holds_every_pair(run):
    """The demo checked real sums, and its names are distinct."""
    namespace = run("snippets.dtypes.promotion_table")
    assert len(set(namespace["short_names"].values())) == len(namespace["short_names"])
