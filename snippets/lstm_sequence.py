"""A long memory: a task that a plain recurrent network cannot learn, and an LSTM can."""

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from snippets.modules import my_linear
from snippets.training_loop import make_train_step


def marked_letters(count, length, generator):
    """Sequences of random letters, one of the first ten marked; the answer is that letter."""
    letters = torch.randint(4, (count, length), generator=generator)
    places = torch.randint(10, (count,), generator=generator)
    marks = F.one_hot(places, length).unsqueeze(2)
    inputs = torch.cat([F.one_hot(letters, 4), marks], dim=2).float()
    return inputs, letters[torch.arange(count), places]


def one_sequence(length, seed):
    """A batch with a single sequence, and where its mark is."""
    inputs, answers = marked_letters(1, length, torch.Generator().manual_seed(seed))
    return inputs, inputs[0, :, 4].argmax().item(), answers.item()


def show_task(length, seed):
    """One sequence as the network gets it: a column for each step, a row for each input."""
    inputs, place, answer = one_sequence(length, seed)
    print("shape: ", tuple(inputs.shape))
    print("marked:", place)
    print("answer:", "abcd"[answer])

    fig, ax = plt.subplots(figsize=(6.4, 1.8), layout="constrained")
    for row in range(5):
        steps = inputs[0, :, row].nonzero().flatten().tolist()
        ax.plot(steps, [row] * len(steps), "s", markersize=4, color=f"C{row % 4}")
    ax.plot(place, answer, "o", markersize=12, markerfacecolor="none", color="C3")
    ax.set(xlabel="step", yticks=range(5), yticklabels=[*"abcd", "mark"])
    ax.set_ylim(4.6, -0.8)
    plt.show()


def rnn_by_hand(layer, inputs):
    """A plain recurrent layer: the next state is a tanh of the input and the last state."""
    state = inputs.new_zeros(len(inputs), layer.hidden_size)
    states = []
    for step in inputs.unbind(dim=1):
        seen = my_linear(step, layer.weight_ih_l0, layer.bias_ih_l0)
        remembered = my_linear(state, layer.weight_hh_l0, layer.bias_hh_l0)
        state = torch.tanh(seen + remembered)
        states.append(state)
    return torch.stack(states, dim=1)


def lstm_by_hand(layer, inputs):
    """An LSTM layer: its outputs, and by name the gates and cell states of every step."""
    output = cell = inputs.new_zeros(len(inputs), layer.hidden_size)
    steps = []
    for step in inputs.unbind(dim=1):
        seen = my_linear(step, layer.weight_ih_l0, layer.bias_ih_l0)
        remembered = my_linear(output, layer.weight_hh_l0, layer.bias_hh_l0)
        # The library keeps the weights of all four parts in one matrix, in this order.
        write, keep, candidate, read = (seen + remembered).chunk(4, dim=1)
        write, keep, read = write.sigmoid(), keep.sigmoid(), read.sigmoid()
        cell = keep * cell + write * candidate.tanh()
        output = read * cell.tanh()
        steps.append((output, write, keep, read, cell))
    outputs, *inside = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
    return outputs, dict(zip(["write", "keep", "read", "cell"], inside, strict=True))


def check_by_hand(length, seed):
    """Both layers by hand equal the library's, in their values and in their gradients."""
    torch.manual_seed(seed)
    inputs, _ = marked_letters(8, length, torch.Generator().manual_seed(seed))
    inputs.requires_grad_()
    for kind in (nn.RNN, nn.LSTM):
        layer = kind(input_size=5, hidden_size=16, batch_first=True)
        library, _ = layer(inputs)
        if kind is nn.RNN:
            by_hand = rnn_by_hand(layer, inputs)
        else:
            by_hand, _ = lstm_by_hand(layer, inputs)
        equal = torch.allclose(by_hand, library, rtol=0, atol=1e-5)
        print(f"nn.{kind.__name__:4} equal within 1e-5: {equal}")
        assert equal
        (ours,) = torch.autograd.grad(by_hand.square().sum(), inputs)
        (theirs,) = torch.autograd.grad(library.square().sum(), inputs)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


class Reader(nn.Module):
    """Reads a sequence with a recurrent layer, and answers from the output of the last step."""

    def __init__(self, recurrent):
        super().__init__()
        self.recurrent = recurrent
        self.answer = nn.Linear(recurrent.hidden_size, 4)

    def forward(self, inputs):
        outputs, _ = self.recurrent(inputs)
        return self.answer(outputs[:, -1])


def make_patient(layer):
    """The same LSTM, with gates that keep what the cells have and write little."""
    with torch.no_grad():
        write, keep, _, _ = layer.bias_ih_l0.chunk(4)
        write.fill_(-2)
        keep.fill_(5)
        # The layer adds a second bias to each gate.
        layer.bias_hh_l0[: 2 * layer.hidden_size] = 0
    return layer


def make_readers(seed):
    """Three readers: a plain one, one with an LSTM, one with a patient LSTM."""
    torch.manual_seed(seed)
    sizes = {"input_size": 5, "hidden_size": 16, "batch_first": True}
    return {
        "plain RNN": Reader(nn.RNN(**sizes)),
        "LSTM": Reader(nn.LSTM(**sizes)),
        "patient LSTM": Reader(make_patient(nn.LSTM(**sizes))),
    }


def gradient_by_step(model, length, seed):
    """How strongly the loss depends on the inputs of each step: the norms of its gradient."""
    inputs, answers = marked_letters(64, length, torch.Generator().manual_seed(seed))
    inputs.requires_grad_()
    F.cross_entropy(model(inputs), answers).backward()
    return inputs.grad.norm(dim=(0, 2)).tolist()


def show_gradients(readers, length, seed):
    """How the gradient fades on its way back through the steps, before any training."""
    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    shares = {}
    for name, model in readers.items():
        norms = gradient_by_step(model, length, seed)
        shares[name] = norms[0] / norms[-1]
        print(f"{name:12} first step / last step: {shares[name]:.0e}")
        ax.plot(norms, label=name)
    ax.set(xlabel="step", ylabel="gradient of the loss", yscale="log")
    ax.legend(loc="lower right")
    plt.show()
    assert shares["plain RNN"] < 1e-6
    assert shares["LSTM"] < 1e-6
    assert shares["patient LSTM"] > 0.01


def accuracy(model, length, seed):
    """The share of right answers on 1,000 sequences."""
    inputs, answers = marked_letters(1000, length, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return (model(inputs).argmax(dim=1) == answers).float().mean().item()


def train_reader(model, length, steps, seed):
    """Train on new sequences at every step; returns the accuracies on the way."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    train_step = make_train_step(model, nn.CrossEntropyLoss(), optimizer)
    accuracies = []
    for step in range(1, steps + 1):
        train_step(*marked_letters(64, length, generator))
        if step % 25 == 0:
            accuracies.append(accuracy(model, length, seed=1000 + step))
    return accuracies


def train_readers(readers, length, steps):
    """Train all three, and show how their accuracies grow or not."""
    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    final = {}
    for name, model in readers.items():
        accuracies = train_reader(model, length, steps, seed=0)
        final[name] = accuracy(model, length, seed=1)
        print(f"{name:12} accuracy {final[name]:.2f}")
        ax.plot(range(25, steps + 1, 25), accuracies, label=name)
    ax.axhline(0.25, color="0.5", linestyle=":", label="guessing")
    ax.set(xlabel="step of training", ylabel="accuracy", ylim=(0, 1.05))
    ax.legend()
    plt.show()
    assert final["patient LSTM"] >= 0.99
    assert final["plain RNN"] < 0.5
    assert final["LSTM"] < 0.5


def choose(readers, name):
    """One of the readers."""
    return readers[name]


def four_versions(length, seed):
    """One sequence with each of the four letters at the marked place."""
    inputs, place, _ = one_sequence(length, seed)
    versions = inputs.repeat(4, 1, 1)
    versions[:, place, :4] = torch.eye(4)
    return versions, place


def show_gates(model, length, seed):
    """Gates and cells of three units, while the LSTM reads four versions of a sequence."""
    versions, place = four_versions(length, seed)
    with torch.no_grad():
        _, inside = lstm_by_hand(model.recurrent, versions)
        answers = model(versions).argmax(dim=1).tolist()
    print("answers:", ["abcd"[answer] for answer in answers])
    # The units whose write gates open most at the mark.
    opening = inside["write"][:, place] - inside["write"].mean(dim=1)
    units = opening.mean(dim=0).topk(3).indices.tolist()

    fig, axes = plt.subplots(2, 3, figsize=(6.4, 4), sharex=True, layout="constrained")
    for (gates, cells), unit in zip(axes.T, units, strict=True):
        for gate, color in (("keep", "C4"), ("write", "C5")):
            gates.plot(inside[gate][0, :, unit], color=color, label=f"{gate} gate")
        gates.set(title=f"unit {unit}", ylim=(-0.05, 1.05))
        for letter in range(4):
            cells.plot(inside["cell"][letter, :, unit], label="abcd"[letter])
        cells.set(xlabel="step")
        for ax in (gates, cells):
            ax.axvline(place, color="0.5", linestyle=":")
    axes[0, 0].set_ylabel("gate, for letter a")
    axes[1, 0].set_ylabel("cell")
    axes[0, 0].legend(fontsize=8, loc="center right")
    handles, letters = axes[1, 0].get_legend_handles_labels()
    fig.legend(handles, letters, title="marked", loc="outside right center")
    plt.show()
    assert answers == [0, 1, 2, 3]


def try_lengths(model, lengths):
    """Accuracies on sequences of other lengths than those of the training."""
    for length in lengths:
        print(f"length {length:4}: accuracy {accuracy(model, length, seed=2):.2f}")
