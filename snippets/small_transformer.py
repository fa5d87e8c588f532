"""A small Transformer, whose attention is written by hand, learns to reverse sequences of digits."""

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from torch import nn

# The digits are the tokens 0 to 9; this one says: now reverse what you have seen.
REVERSE = 10


def reversed_sequences(count, length, generator):
    """Random digits, the sign for reversing, and the digits again in reversed order."""
    digits = torch.randint(10, (count, length), generator=generator)
    sign = torch.full((count, 1), REVERSE)
    return torch.cat([digits, sign, digits.flip(1)], dim=1)


def as_text(tokens):
    """Tokens in a form to be read."""
    return " ".join(
        "|" if token == REVERSE else str(token) for token in tokens.tolist()
    )


def show_task(count, length, seed):
    """A few sequences."""
    generator = torch.Generator().manual_seed(seed)
    for tokens in reversed_sequences(count, length, generator):
        print(as_text(tokens))


def attention(queries, keys, values, mask=None):
    """Scaled dot-product attention; returns the outputs and the weights they were made with."""
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    if mask is not None:
        # A weight becomes 0 where the score is minus infinity.
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-1)
    return weights @ values, weights


def causal_mask(length):
    """True where a row may look at a column: at itself and at what came before."""
    return torch.ones(length, length, dtype=torch.bool).tril()


def compare_attention(length, features, seed):
    """Attention by hand equals the library's, without and with a mask, and so do its gradients."""
    torch.manual_seed(seed)
    queries, keys, values = torch.randn(3, 2, 4, length, features, requires_grad=True)
    for name, mask in {"no mask": None, "causal mask": causal_mask(length)}.items():
        by_hand, weights = attention(queries, keys, values, mask)
        library = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        difference = (by_hand - library).abs().max().item()
        print(f"{name:12} equal within 1e-5: {difference < 1e-5}")
        assert difference < 1e-5
        assert torch.allclose(weights.sum(dim=-1), torch.ones(length))
        inputs = (queries, keys, values)
        ours = torch.autograd.grad(by_hand.square().sum(), inputs)
        theirs = torch.autograd.grad(library.square().sum(), inputs)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    causal = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    assert torch.allclose(by_hand, causal, rtol=0, atol=1e-5)


def why_divide(keys, features, seed):
    """The largest of the attention weights, with and without the division."""
    torch.manual_seed(seed)
    for width in features:
        scores = torch.randn(1000, 1, width) @ torch.randn(1000, width, keys)
        plain = scores.softmax(dim=-1).amax(dim=-1).mean().item()
        divided = (scores / width**0.5).softmax(dim=-1).amax(dim=-1).mean().item()
        print(
            f"{width:4} features: deviation of scores {scores.std():5.1f},"
            f" largest weight {plain:.2f}, divided {divided:.2f}"
        )


def position_code(length, features):
    """For each position the sines and cosines of its number, from fast to slow waves."""
    positions = torch.arange(length).unsqueeze(1)
    speeds = 10_000 ** (-torch.arange(0, features, 2) / features)
    # The paper alternates sines and cosines; the order of features does not matter.
    return torch.cat([(positions * speeds).sin(), (positions * speeds).cos()], dim=1)


def show_position_code(length, features):
    """The code of each position, and how similar the codes of two positions are."""
    code = position_code(length, features)
    similarity = code @ code.T
    for distance in range(length):
        products = similarity.diagonal(distance)
        assert torch.allclose(products, products.mean().expand_as(products), atol=1e-4)
        if distance < 3:
            print(f"positions {distance} apart: dot product {products.mean():.2f}")

    fig, axes = plt.subplots(1, 2, figsize=(6.4, 2.8), layout="constrained")
    axes[0].imshow(code.tolist(), aspect="auto", cmap="PuOr", interpolation="none")
    axes[0].set(xlabel="feature", ylabel="position", title="code")
    axes[1].imshow(similarity.tolist(), interpolation="none")
    axes[1].set(xlabel="position", ylabel="position", title="dot products")
    plt.show()


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each on its own share of the features."""

    def __init__(self, features, heads):
        super().__init__()
        self.heads = heads
        self.queries = nn.Linear(features, features)
        self.keys = nn.Linear(features, features)
        self.values = nn.Linear(features, features)
        self.output = nn.Linear(features, features)

    def split(self, inputs):
        """From (batch, length, features) to (batch, heads, length, features of a head)."""
        return inputs.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, inputs):
        queries = self.split(self.queries(inputs))
        keys, values = self.split(self.keys(inputs)), self.split(self.values(inputs))
        mask = causal_mask(inputs.shape[1]).to(inputs.device)
        mixed, self.weights = attention(queries, keys, values, mask)
        return self.output(mixed.transpose(1, 2).flatten(2))


def compare_heads(length, features, heads, seed):
    """The heads by hand equal `nn.MultiheadAttention` with the same weights."""
    torch.manual_seed(seed)
    by_hand = MultiHeadAttention(features, heads)
    library = nn.MultiheadAttention(features, heads, batch_first=True)
    parts = (by_hand.queries, by_hand.keys, by_hand.values)
    with torch.no_grad():
        library.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        library.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    library.out_proj.load_state_dict(by_hand.output.state_dict())

    inputs = torch.randn(2, length, features)
    # Here, True says where it may NOT look.
    forbidden = ~causal_mask(length)
    expected, weights = library(
        inputs, inputs, inputs, attn_mask=forbidden, average_attn_weights=False
    )
    outputs = by_hand(inputs)
    print("outputs:", tuple(outputs.shape))
    print("weights:", tuple(by_hand.weights.shape))
    assert torch.allclose(outputs, expected, rtol=0, atol=1e-5)
    assert torch.allclose(by_hand.weights, weights, rtol=0, atol=1e-5)


class Block(nn.Module):
    """Attention mixes the positions, a small network works on each; both add to what was there."""

    def __init__(self, features, heads):
        super().__init__()
        self.attention = MultiHeadAttention(features, heads)
        self.network = nn.Sequential(
            nn.Linear(features, 4 * features),
            nn.ReLU(),
            nn.Linear(4 * features, features),
        )
        self.norm1, self.norm2 = nn.LayerNorm(features), nn.LayerNorm(features)

    def forward(self, inputs):
        mixed = inputs + self.attention(self.norm1(inputs))
        return mixed + self.network(self.norm2(mixed))


class SmallTransformer(nn.Module):
    """Logits of the next token at each position, with or without a code of the positions."""

    def __init__(self, features, heads, blocks, positions=True):
        super().__init__()
        self.embedding = nn.Embedding(11, features)
        self.blocks = nn.Sequential(*[Block(features, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(features)
        self.logits = nn.Linear(features, 11)
        self.positions = positions

    def forward(self, tokens):
        inputs = self.embedding(tokens)
        if self.positions:
            code = position_code(tokens.shape[1], inputs.shape[2])
            inputs = inputs + code.to(inputs.device)
        return self.logits(self.norm(self.blocks(inputs)))


def make_transformer(features, heads, blocks, positions, seed):
    """A Transformer with seeded weights."""
    torch.manual_seed(seed)
    model = SmallTransformer(features, heads, blocks, positions)
    print("parameters:", sum(parameter.numel() for parameter in model.parameters()))
    return model


def no_peeking(model, length, seed):
    """The logits at a position do not change when later tokens change."""
    generator = torch.Generator().manual_seed(seed)
    tokens = reversed_sequences(1, length, generator)
    changed = tokens.clone()
    changed[:, length:] = 0
    with torch.no_grad():
        difference = (model(tokens) - model(changed)).abs().amax(dim=(0, 2))
    print(
        f"positions 0 to {length - 1}: largest change {difference[:length].max():.0e}"
    )
    print(f"from position {length}: smallest change {difference[length:].min():.2f}")
    assert difference[:length].max() < 1e-5 < difference[length:].min()


def order_is_invisible(model, length, seed):
    """Without a code of positions, one block cannot tell in which order the tokens came."""
    generator = torch.Generator().manual_seed(seed)
    tokens = reversed_sequences(1, length, generator)[:, : length + 1]
    shuffled = torch.cat([tokens[:, :length].flip(1), tokens[:, length:]], dim=1)
    with torch.no_grad():
        logits, other = model(tokens)[0, -1], model(shuffled)[0, -1]
    print(as_text(tokens[0]), "and", as_text(shuffled[0]))
    print("same prediction:", torch.allclose(logits, other, atol=1e-5))
    assert torch.allclose(logits, other, rtol=0, atol=1e-5)
    assert not model.positions


def train(model, length, steps, seed):
    """Train on new sequences at every step; returns the losses."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.003, total_steps=steps
    )
    losses = []
    for _ in range(steps):
        tokens = reversed_sequences(64, length, generator)
        logits = model(tokens[:, :-1])
        # Nobody can predict random digits: only what follows the sign counts.
        loss = F.cross_entropy(
            logits[:, length:].flatten(0, 1), tokens[:, length + 1 :].flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


def plot_losses(with_positions, without_positions):
    """The losses of two runs, and that of guessing one of ten digits."""
    fig, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    ax.plot(without_positions, color="C1", label="without positions")
    ax.plot(with_positions, color="C0", label="with positions")
    guessing = torch.tensor(10.0).log().item()
    ax.axhline(guessing, color="0.5", linestyle=":", label="guessing")
    ax.set(xlabel="step", ylabel="loss", yscale="log")
    ax.legend()
    plt.show()
    assert with_positions[-1] < 0.05 < 1 < without_positions[-1]


def generate(model, tokens, count):
    """Append the likeliest token, again and again; each one is read with the next."""
    with torch.no_grad():
        for _ in range(count):
            best = model(tokens)[:, -1:].argmax(dim=2)
            tokens = torch.cat([tokens, best], dim=1)
    return tokens


def whole_sequences_right(model, length, seed):
    """The share of 1,000 new sequences that the model reverses without a single mistake."""
    generator = torch.Generator().manual_seed(seed)
    expected = reversed_sequences(1000, length, generator)
    produced = generate(model, expected[:, : length + 1], count=length)
    return (produced == expected).all(dim=1).float().mean().item()


def judge(model, length, seed):
    """Sequences reversed without a mistake, of the length it was trained on."""
    right = whole_sequences_right(model, length, seed)
    print(f"length {length}: {right:.2f} of 1,000 sequences have no mistake")
    assert right >= 0.99


def try_longer(model, length, seed):
    """The same for a length it has never seen."""
    right = whole_sequences_right(model, length, seed)
    print(f"length {length}: {right:.2f} of 1,000 sequences have no mistake")
    assert right < 0.5


def show_attention(model, length, seed):
    """Where the model looks while it writes one answer: a row for each digit it writes."""
    generator = torch.Generator().manual_seed(seed)
    tokens = reversed_sequences(1, length, generator)
    tokens = generate(model, tokens[:, : length + 1], count=length)
    with torch.no_grad():
        model(tokens[:, :-1])
    weights = model.blocks[-1].attention.weights[0]
    names = as_text(tokens[0]).split()
    shades = LinearSegmentedColormap.from_list(
        "shades", [to_rgba("C0", 0), to_rgba("C0", 1)]
    )
    fig, axes = plt.subplots(
        1, len(weights), figsize=(6.4, 2.4), sharey=True, layout="constrained"
    )
    for head, (ax, map_) in enumerate(zip(axes, weights, strict=True)):
        ax.imshow(map_[length:].tolist(), cmap=shades, vmin=0, vmax=1)
        ax.set(title=f"head {head}", xlabel="looks at")
        ax.set_xticks(range(2 * length), names[:-1], fontsize=8)
        ax.set_yticks(range(length), names[length + 1 :], fontsize=8)
    axes[0].set_ylabel("writes")
    plt.show()


def looks_at_the_mirror(model, length, seed):
    """On 200 sequences, what each row looks at most, on average, is the mirrored digit."""
    generator = torch.Generator().manual_seed(seed)
    tokens = reversed_sequences(200, length, generator)
    with torch.no_grad():
        model(tokens[:, :-1])
    weights = model.blocks[-1].attention.weights.mean(dim=(0, 1))[length:]
    places = weights.argmax(dim=1)
    print("most weight at places:", places.tolist())
    print(f"it is between {weights.amax(dim=1).min():.1f}", end=" ")
    print(f"and {weights.amax(dim=1).max():.1f} of the whole")
    assert places.tolist() == list(range(length))[::-1]
