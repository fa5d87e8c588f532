"""What the bridge to NumPy promises, tried on random arrays."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snippets.numpy_bridge import outcome, same_memory

REAL_DTYPES = st.sampled_from(["bool", "uint8", "int16", "int64", "float16", "float64"])
DTYPES = REAL_DTYPES | st.just("complex64")
SHAPES = arrays.array_shapes(max_dims=3, max_side=4)
ARRAYS = arrays.arrays(DTYPES, SHAPES, elements={"allow_nan": False})
GRIDS = arrays.arrays("float32", (4, 5), elements=st.floats(-1, 1, width=32))


@settings(max_examples=25, deadline=None)
@given(ndarray=ARRAYS)
def test_there_and_back_is_the_same_memory(ndarray):
    """A round trip keeps address, shape, strides and values."""
    back = torch.from_numpy(ndarray).numpy()
    assert back.ctypes.data == ndarray.ctypes.data
    assert back.shape == ndarray.shape
    assert back.strides == ndarray.strides
    assert back.dtype == ndarray.dtype
    assert np.array_equal(back, ndarray)


@settings(max_examples=25, deadline=None)
@given(ndarray=ARRAYS)
def test_tensor_always_copies(ndarray):
    """`torch.tensor` never shares, `as_tensor` without a dtype always does."""
    assert outcome(torch.tensor, ndarray) == "copies"
    assert outcome(torch.as_tensor, ndarray) == "shares"
    assert np.array_equal(torch.tensor(ndarray).numpy(), ndarray)


@settings(max_examples=25, deadline=None)
@given(grid=GRIDS, step=st.sampled_from([-2, -1, 1, 2]))
def test_only_negative_strides_raise(grid, step):
    """Positive steps share, negative steps raise."""
    expected = "shares" if step > 0 else "raises"
    assert outcome(torch.from_numpy, grid[:, ::step]) == expected


@settings(max_examples=25, deadline=None)
@given(dtype=REAL_DTYPES, wanted=DTYPES)
def test_as_tensor_shares_if_the_dtype_stays(dtype, wanted):
    """Another dtype is a copy, the same dtype is not."""
    ndarray = np.zeros(3, dtype=dtype)
    tensor = torch.as_tensor(ndarray, dtype=getattr(torch, wanted))
    assert same_memory(tensor, ndarray) == (dtype == wanted)


def test_bfloat16_survives_numpy(run):
    """The patterns in NumPy are 16 bits wide."""
    namespace = run("snippets.numpy_bridge.solution_bfloat16_through_numpy")
    assert namespace["patterns"].dtype == np.uint16
