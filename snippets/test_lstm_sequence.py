"""Properties of the task and of the layers of the LSTM tutorial."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snippets.lstm_sequence import lstm_by_hand, make_patient, marked_letters


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 5), length=st.integers(10, 40), seed=st.integers(0, 1000))
def test_answer_is_the_marked_letter(count, length, seed):
    """One letter at each step, one mark among the first ten, and the answer below the mark."""
    inputs, answers = marked_letters(count, length, torch.Generator().manual_seed(seed))
    letters, marks = inputs[:, :, :4], inputs[:, :, 4]
    assert torch.equal(letters.sum(dim=2), torch.ones(count, length))
    assert torch.equal(marks.sum(dim=1), torch.ones(count))
    assert torch.equal(marks[:, :10].sum(dim=1), torch.ones(count))
    marked = (letters * marks.unsqueeze(2)).sum(dim=1)
    assert torch.equal(marked.argmax(dim=1), answers)


@settings(max_examples=15, deadline=None)
@given(hidden=st.integers(1, 20), length=st.integers(1, 12), seed=st.integers(0, 1000))
def test_lstm_by_hand_is_the_librarys(hidden, length, seed):
    """Outputs and the last cell, for any size."""
    torch.manual_seed(seed)
    layer = nn.LSTM(input_size=5, hidden_size=hidden, batch_first=True)
    inputs = torch.randn(3, length, 5)
    outputs, inside = lstm_by_hand(layer, inputs)
    expected, (_, last_cell) = layer(inputs)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(inside["cell"][:, -1], last_cell[0], rtol=0, atol=1e-5)


def test_patient_gates_start_where_they_should():
    """Without inputs, the write gates are near 0.12 and the keep gates near 0.993."""
    torch.manual_seed(0)
    layer = make_patient(nn.LSTM(input_size=5, hidden_size=16, batch_first=True))
    _, inside = lstm_by_hand(layer, torch.zeros(1, 1, 5))
    torch.testing.assert_close(inside["write"].mean().item(), 0.1192, rtol=0, atol=1e-4)
    torch.testing.assert_close(inside["keep"].mean().item(), 0.9933, rtol=0, atol=1e-4)
