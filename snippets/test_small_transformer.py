"""Properties of attention and of the small Transformer."""

import pytest
import torch

from snippets.small_transformer import (
    SmallTransformer,
    attention,
    causal_mask,
    generate,
    position_code,
    reversed_sequences,
)


def test_attention_does_not_see_the_order_of_keys():
    """Keys and values shuffled together give the same outputs."""
    torch.manual_seed(0)
    queries, keys, values = torch.randn(3, 2, 6, 8)
    order = torch.randperm(6)
    outputs, weights = attention(queries, keys, values)
    shuffled, moved = attention(queries, keys[:, order], values[:, order])
    torch.testing.assert_close(shuffled, outputs)
    torch.testing.assert_close(moved, weights[:, :, order])


def test_masked_keys_get_nothing():
    """A masked key has the weight 0, whatever its value is."""
    torch.manual_seed(0)
    queries, keys, values = torch.randn(3, 2, 6, 8)
    outputs, weights = attention(queries, keys, values, causal_mask(6))
    assert torch.equal(weights.triu(1), torch.zeros(2, 6, 6))
    torch.testing.assert_close(outputs[:, 0], values[:, 0])


def test_every_position_has_a_code_of_its_own():
    """No two of a hundred positions are alike, and the numbers stay between -1 and 1."""
    code = position_code(length=100, features=16)
    assert torch.cdist(code, code).fill_diagonal_(1).min() > 0.1
    assert code.abs().max() <= 1


@pytest.mark.parametrize("blocks", [1, 3])
def test_prediction_ignores_what_comes_later(blocks):
    """The logits of a prefix are those of the whole sequence."""
    torch.manual_seed(0)
    model = SmallTransformer(features=16, heads=4, blocks=blocks)
    tokens = reversed_sequences(3, 5, torch.Generator().manual_seed(0))
    whole = model(tokens)
    for length in (1, 4, 9):
        torch.testing.assert_close(model(tokens[:, :length]), whole[:, :length])


def test_generated_tokens_follow_the_given_ones():
    """What is given stays, and each new token is the likeliest after all before it."""
    torch.manual_seed(0)
    model = SmallTransformer(features=16, heads=2, blocks=1)
    start = reversed_sequences(2, 3, torch.Generator().manual_seed(0))[:, :4]
    tokens = generate(model, start, count=3)
    assert torch.equal(tokens[:, :4], start)
    for place in (4, 5, 6):
        assert torch.equal(
            tokens[:, place], model(tokens[:, :place])[:, -1].argmax(dim=1)
        )


def test_order_is_invisible_to_one_block_alone():
    """Without a code of positions one block has a bag of tokens; with two, the mask shows some order."""
    torch.manual_seed(0)
    tokens = torch.tensor([[3, 1, 4, 1, 5, 9, 10]])
    shuffled = torch.tensor([[9, 1, 5, 3, 4, 1, 10]])
    for blocks in (1, 2):
        model = SmallTransformer(features=16, heads=2, blocks=blocks, positions=False)
        one, other = model(tokens)[0, -1], model(shuffled)[0, -1]
        assert torch.allclose(one, other, rtol=0, atol=1e-5) == (blocks == 1)
