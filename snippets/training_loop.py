"""The training loop: five steps, epochs, validation, metrics, and the checks that keep a loop honest."""

import copy
import math
import os
from time import perf_counter

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from sklearn.metrics import precision_recall_fscore_support
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.checkpoint import checkpoint_sequential
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.tensorboard import SummaryWriter

from snippets.data import mnist_tensors, seeded_generator, write_digits_as_mnist


def digit_sets(root):
    """1,200 digits to train with and 300 to validate with, drawn from the training files."""
    write_digits_as_mnist(root)
    images, labels = mnist_tensors(root, train=True)
    order = torch.randperm(len(labels), generator=seeded_generator(0))
    train, valid = order[:1200], order[1200:]
    return TensorDataset(images[train], labels[train]), TensorDataset(
        images[valid], labels[valid]
    )


def make_classifier(pixels):
    """A small network: one image of that many pixels in, ten logits out."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def make_train_step(model, loss_fn, optimizer):
    """A function that trains on one batch and returns its loss."""

    def train_step(inputs, targets):
        model.train()
        logits = model(inputs)
        loss = loss_fn(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return train_step


def run_epoch(model, loader, loss_fn, optimizer=None):
    """One pass over the data: mean loss and accuracy. It trains if there is an optimizer."""
    training = optimizer is not None
    model.train(training)
    device = next(model.parameters()).device
    total_loss, correct, count = 0.0, 0, 0
    with torch.set_grad_enabled(training):
        for batch_inputs, batch_targets in loader:
            inputs, targets = batch_inputs.to(device), batch_targets.to(device)
            logits = model(inputs)
            loss = loss_fn(logits, targets)
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            # The loss is a mean over its batch, so it counts once for every sample.
            total_loss += loss.item() * len(targets)
            correct += (logits.argmax(dim=1) == targets).sum().item()
            count += len(targets)
    return total_loss / count, correct / count


class EarlyStopping:
    """Tells when the validation loss no longer improves, and keeps the best weights."""

    def __init__(self, patience):
        self.patience = patience
        self.epoch = 0
        self.best_epoch = 0
        self.best_loss = math.inf
        self.best_state = None

    def should_stop(self, model, valid_loss):
        self.epoch += 1
        if valid_loss < self.best_loss:
            self.best_epoch, self.best_loss = self.epoch, valid_loss
            # The state holds the live tensors: without a copy, training would go on changing them.
            self.best_state = copy.deepcopy(model.state_dict())
        return self.epoch - self.best_epoch >= self.patience


def fit(model, train_loader, valid_loader, loss_fn, optimizer, epochs, stopping=None):
    """Train and validate for some epochs; returns the history of both."""
    names = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
    history = {name: [] for name in names}
    for _ in range(epochs):
        trained = run_epoch(model, train_loader, loss_fn, optimizer)
        validated = run_epoch(model, valid_loader, loss_fn)
        for name, number in zip(names, trained + validated, strict=True):
            history[name].append(number)
        if stopping is not None and stopping.should_stop(
            model, history["valid_loss"][-1]
        ):
            break
    return history


def train_on_digits(root, epochs, seed=0):
    """The small network, trained on the digits, and its history."""
    torch.manual_seed(seed)
    train_set, valid_set = digit_sets(root)
    train_loader = DataLoader(
        train_set, batch_size=64, shuffle=True, generator=seeded_generator(seed)
    )
    valid_loader = DataLoader(valid_set, batch_size=300)
    model = make_classifier(train_set[0][0].numel())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    history = fit(
        model, train_loader, valid_loader, nn.CrossEntropyLoss(), optimizer, epochs
    )
    return model, history


def confusion_matrix(targets, predictions, classes):
    """Counts of samples: the row is the true class, the column the predicted one."""
    cells = targets * classes + predictions
    return cells.bincount(minlength=classes**2).reshape(classes, classes)


def precision_recall_f1(matrix):
    """Precision, recall and F1 of every class, from a confusion matrix."""
    hits = matrix.diag()
    # A class which is never predicted, or never occurs, gets 0 rather than 0 / 0.
    precision = hits / matrix.sum(dim=0).clamp(min=1)
    recall = hits / matrix.sum(dim=1).clamp(min=1)
    f1 = 2 * hits / (matrix.sum(dim=0) + matrix.sum(dim=1)).clamp(min=1)
    return precision, recall, f1


def plot_history(ax, history, quantity):
    """Draw one quantity of a history, on the training data and on the validation data."""
    epochs = range(1, len(history[f"train_{quantity}"]) + 1)
    ax.plot(epochs, history[f"train_{quantity}"], ".-", label="train")
    ax.plot(epochs, history[f"valid_{quantity}"], ".-", label="validation")
    ax.set(xlabel="epoch", ylabel=quantity)


def draw_counts(ax, matrix):
    """Draw a confusion matrix: a darker cell for a larger count."""
    shades = LinearSegmentedColormap.from_list(
        "shades", [to_rgba("C0", 0), to_rgba("C0", 0.7)]
    )
    ax.imshow(matrix.tolist(), cmap=shades, interpolation="none")
    for row, column in matrix.nonzero().tolist():
        count = matrix[row, column].item()
        ax.text(column, row, count, ha="center", va="center", fontsize=8)
    classes = range(len(matrix))
    ax.set(xlabel="predicted", ylabel="true", xticks=classes, yticks=classes)


def batch_losses(model, loader, loss_fn):
    """Size and mean loss of every batch."""
    with torch.no_grad():
        return [
            (len(targets), loss_fn(model(inputs), targets).item())
            for inputs, targets in loader
        ]


def gradient_of(model):
    """All gradients of a model as one vector."""
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def bytes_kept_for_backward(compute):
    """Bytes of the tensors that `compute` keeps for its backward pass."""
    storages = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = compute()
    assert output.requires_grad
    return sum(storages.values())


def fastest_step(model, compute):
    """Milliseconds of the fastest of five forward and backward passes."""
    durations = []
    for _ in range(5):
        model.zero_grad()
        start = perf_counter()
        compute().square().mean().backward()
        gradient_of(model).sum().item()  # a GPU works on its own: wait for it
        durations.append(perf_counter() - start)
    return 1000 * min(durations)


def loss_after_overfitting(model, inputs, targets, steps):
    """The loss that a model reaches when it trains on one batch over and over."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    train_step = make_train_step(model, nn.CrossEntropyLoss(), optimizer)
    return [train_step(inputs, targets) for _ in range(steps)][-1]


def five_steps() -> None:
    """One batch, five times through the five steps."""
    torch.manual_seed(0)
    train_set, _ = digit_sets(".")
    images, labels = train_set[:64]
    model = make_classifier(images[0].numel())
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    losses = []
    for _ in range(5):
        logits = model(images)
        loss = loss_fn(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("loss before each update:", [round(number, 4) for number in losses])
    print(f"loss of a blind guess:   {math.log(10):.4f}")
    assert losses == sorted(losses, reverse=True)
    assert abs(losses[0] - math.log(10)) < 0.1


def train_step_factory() -> None:
    """A factory makes the step once; its losses are those of the five steps."""
    torch.manual_seed(0)
    train_set, _ = digit_sets(".")
    images, labels = train_set[:64]
    by_hand = make_classifier(images[0].numel())
    by_factory = copy.deepcopy(by_hand)
    loss_fn = nn.CrossEntropyLoss()

    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.5)
    losses = []
    for _ in range(3):
        loss = loss_fn(by_hand(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    train_step = make_train_step(
        by_factory, loss_fn, torch.optim.SGD(by_factory.parameters(), lr=0.5)
    )
    factory_losses = [train_step(images, labels) for _ in range(3)]
    print("by hand:   ", [round(number, 4) for number in losses])
    print("by factory:", [round(number, 4) for number in factory_losses])
    assert losses == factory_losses


def epoch_with_and_without_optimizer() -> None:
    """One function trains with an optimizer and only looks without one."""
    torch.manual_seed(0)
    train_set, valid_set = digit_sets(".")
    train_loader = DataLoader(
        train_set, batch_size=64, shuffle=True, generator=seeded_generator(0)
    )
    valid_loader = DataLoader(valid_set, batch_size=64)
    model = make_classifier(train_set[0][0].numel())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()

    for epoch in (1, 2):
        before = copy.deepcopy(model.state_dict())
        valid_loss, valid_accuracy = run_epoch(model, valid_loader, loss_fn)
        after_valid = copy.deepcopy(model.state_dict())
        train_loss, train_accuracy = run_epoch(model, train_loader, loss_fn, optimizer)
        print(f"epoch {epoch}")
        print(
            f"  without optimizer: loss {valid_loss:.4f}, accuracy {valid_accuracy:.3f}"
        )
        print(
            f"  with optimizer:    loss {train_loss:.4f}, accuracy {train_accuracy:.3f}"
        )
        assert all(torch.equal(before[name], after_valid[name]) for name in before)
        assert not any(
            torch.equal(before[name], model.state_dict()[name]) for name in before
        )


def eval_and_no_grad() -> None:
    """`eval()` and `no_grad` do two different things, and validation needs both."""
    torch.manual_seed(0)
    _, valid_set = digit_sets(".")
    images, _ = valid_set[:]
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(images[0].numel(), 64),
        nn.Dropout(0.5),
        nn.Linear(64, 10),
    )

    for training in (True, False):
        for gradients in (True, False):
            model.train(training)
            with torch.set_grad_enabled(gradients):
                first, second = model(images), model(images)
            mode = "train()" if training else "eval() "
            context = "      " if gradients else "no_grad"
            same = torch.equal(first, second)
            kept = first.requires_grad
            print(f"{mode} {context:7} two passes equal: {same!s:5} graph kept: {kept}")
            assert same is not training
            assert kept is gradients


def weight_of_the_last_batch() -> None:
    """The mean of batch means is not the mean of the data."""
    model, _ = train_on_digits(".", epochs=3)
    test_set = TensorDataset(*mnist_tensors(".", train=False))
    loss_fn = nn.CrossEntropyLoss()
    batches = batch_losses(model, DataLoader(test_set, batch_size=72), loss_fn)
    [(count, everything)] = batch_losses(
        model, DataLoader(test_set, batch_size=297), loss_fn
    )

    of_batches = sum(loss for _, loss in batches) / len(batches)
    of_samples = sum(size * loss for size, loss in batches) / count
    print("size and mean loss:", [(size, round(loss, 4)) for size, loss in batches])
    print(f"mean of batch means: {of_batches:.4f}")
    print(f"weighted by size:    {of_samples:.4f}")
    print(f"all samples at once: {everything:.4f}")
    assert math.isclose(of_samples, everything, rel_tol=1e-5)
    assert not math.isclose(of_batches, everything, rel_tol=1e-3)

    _, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    for number, (size, loss) in enumerate(batches):
        ax.bar(72 * number, loss, width=size, align="edge", color="C0", edgecolor="0.5")
    ax.axhline(of_batches, color="C1", linestyle="--", label="mean of batch means")
    ax.axhline(everything, color="C2", label="mean of the samples")
    ax.set(xlabel="samples", ylabel="mean loss of the batch", ylim=(0, 0.8))
    ax.legend(ncols=2)
    plt.show()


def learning_curves() -> None:
    """The history of a run, drawn."""
    _, history = train_on_digits(".", epochs=10)
    for name, numbers in history.items():
        print(f"{name + ':':15} first {numbers[0]:.2f}, last {numbers[-1]:.2f}")
    assert all(len(numbers) == 10 for numbers in history.values())
    assert history["valid_loss"][-1] < history["valid_loss"][0] / 2

    _, axes = plt.subplots(1, 2, figsize=(6.4, 2.6), layout="constrained")
    for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        plot_history(ax, history, quantity)
    axes[0].legend()
    plt.show()


def stop_early() -> None:
    """Stop when the validation loss has not improved for ten epochs, and go back to the best."""
    torch.manual_seed(0)
    train_set, valid_set = digit_sets(".")
    images, labels = train_set[:100]
    # Few samples, a fifth of them with labels at random: a network can learn these by heart only.
    labels[:20] = torch.randint(10, (20,))
    train_loader = DataLoader(TensorDataset(images, labels), batch_size=100)
    valid_loader = DataLoader(valid_set, batch_size=300)
    model = make_classifier(images[0].numel())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    stopping = EarlyStopping(patience=10)
    loss_fn = nn.CrossEntropyLoss()
    history = fit(model, train_loader, valid_loader, loss_fn, optimizer, 60, stopping)

    model.load_state_dict(stopping.best_state)
    restored_loss, _ = run_epoch(model, valid_loader, loss_fn)
    valid_losses = history["valid_loss"]
    print("epochs allowed 60, run", len(valid_losses), "| best:", stopping.best_epoch)
    print(f"validation loss at the end: {valid_losses[-1]:.3f}")
    print(f"validation loss restored:   {restored_loss:.3f}")
    assert restored_loss == min(valid_losses) == valid_losses[stopping.best_epoch - 1]
    assert len(valid_losses) == stopping.best_epoch + 10

    _, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    plot_history(ax, history, "loss")
    ax.axvline(stopping.best_epoch, color="0.5", linestyle="--", label="best weights")
    ax.legend()
    plt.show()


def confusion_of_digits() -> None:
    """Which digits are taken for which."""
    model, _ = train_on_digits(".", epochs=5)
    images, labels = mnist_tensors(".", train=False)
    with torch.no_grad():
        predictions = model(images).argmax(dim=1)
    matrix = confusion_matrix(labels, predictions, classes=10)

    print(f"accuracy: {matrix.diag().sum().item()} of {matrix.sum().item()}")
    totals = matrix.sum(dim=1)
    missed = totals - matrix.diag()
    digit = missed.argmax().item()
    print(f"missed most: {digit}, {missed[digit].item()} of {totals[digit].item()}")
    assert matrix.diag().sum() == (predictions == labels).sum()
    assert torch.equal(totals, labels.bincount(minlength=10))

    _, ax = plt.subplots(figsize=(4.2, 4.2), layout="constrained")
    draw_counts(ax, matrix)
    plt.show()


def metrics_of_each_class() -> None:
    """Precision, recall and F1, by hand and by scikit-learn."""
    model, _ = train_on_digits(".", epochs=5)
    images, labels = mnist_tensors(".", train=False)
    with torch.no_grad():
        predictions = model(images).argmax(dim=1)

    metrics = precision_recall_f1(confusion_matrix(labels, predictions, classes=10))
    print(f"digit  {'precision':>9}  {'recall':>9}  {'F1':>9}")
    for digit, numbers in enumerate(
        zip(*(metric.tolist() for metric in metrics), strict=True)
    ):
        print(f"{digit:5}  " + "  ".join(f"{number:9.2f}" for number in numbers))
    print("mean   " + "  ".join(f"{metric.mean():9.2f}" for metric in metrics))

    expected = precision_recall_fscore_support(labels.tolist(), predictions.tolist())
    for metric, reference in zip(metrics, expected[:3], strict=True):
        assert torch.allclose(
            metric.cpu().double(), torch.as_tensor(reference, device="cpu")
        )


def accuracy_of_a_lazy_model() -> None:
    """On rare classes accuracy rewards a model that never finds one."""
    write_digits_as_mnist(".")
    _, labels = mnist_tensors(".", train=False)
    is_eight = (labels == 8).long()
    models = {
        "always no": torch.zeros_like(is_eight),
        "always yes": torch.ones_like(is_eight),
    }

    for name, answers in models.items():
        matrix = confusion_matrix(is_eight, answers, classes=2)
        accuracy = matrix.diag().sum() / matrix.sum()
        precision, recall, f1 = (
            metric[1].item() for metric in precision_recall_f1(matrix)
        )
        print(f"{name}: accuracy {accuracy:.2f}")
        print(f"  precision {precision:.2f}, recall {recall:.2f}, F1 {f1:.2f}")
        assert (accuracy > 0.9) == (recall == f1 == 0) == (name == "always no")


def accumulated_gradients() -> None:
    """Gradients of small batches add up to the gradient of the big one, if each has its share."""
    torch.manual_seed(0)
    train_set, _ = digit_sets(".")
    images, labels = train_set[:64]
    model = make_classifier(images[0].numel())
    loss_fn = nn.CrossEntropyLoss()
    loss_fn(model(images), labels).backward()
    whole = gradient_of(model)

    sizes = (24, 24, 16)
    shares = {
        "added as they are": (1, 1, 1),
        "divided by 3": (1 / 3, 1 / 3, 1 / 3),
        "weighted by size": (24 / 64, 24 / 64, 16 / 64),
    }
    for name, weights in shares.items():
        model.zero_grad()
        parts = zip(images.split(sizes), labels.split(sizes), weights, strict=True)
        for small_images, small_labels, weight in parts:
            (loss_fn(model(small_images), small_labels) * weight).backward()
        equal = torch.allclose(gradient_of(model), whole, rtol=1e-4, atol=1e-6)
        print(f"{name:18} norm {gradient_of(model).norm():.4f}  equal: {equal}")
        assert equal == (name == "weighted by size")
    print(f"{'batch of 64':18} norm {whole.norm():.4f}")


def autocast_chooses_dtypes() -> None:
    """Under autocast each operation gets the dtype that suits it."""
    torch.manual_seed(0)
    train_set, _ = digit_sets(".")
    images, labels = train_set[:64]
    model = make_classifier(images[0].numel())

    with torch.autocast(torch.get_default_device().type, dtype=torch.bfloat16):
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()

    weight = model[1].weight
    for name, tensor in {
        "weight": weight,
        "logits": logits,
        "loss": loss,
        "gradient": weight.grad,
    }.items():
        print(f"{name + ':':9} {tensor.dtype}")
    assert logits.dtype == torch.bfloat16
    assert weight.dtype == loss.dtype == weight.grad.dtype == torch.float32


def train_with_autocast() -> None:
    """A training run in mixed precision beside one in float32."""
    accuracies = {}
    for mixed in (False, True):
        torch.manual_seed(0)
        train_set, valid_set = digit_sets(".")
        train_loader = DataLoader(
            train_set, batch_size=64, shuffle=True, generator=seeded_generator(0)
        )
        valid_loader = DataLoader(valid_set, batch_size=300)
        model = make_classifier(train_set[0][0].numel())
        loss_fn = nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        device_type = torch.get_default_device().type
        for _ in range(5):
            for images, labels in train_loader:
                with torch.autocast(device_type, dtype=torch.bfloat16, enabled=mixed):
                    loss = loss_fn(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        _, accuracies[mixed] = run_epoch(model, valid_loader, loss_fn)
        name = "mixed precision" if mixed else "float32"
        print(f"{name:15} validation accuracy {accuracies[mixed]:.2f}")
    assert abs(accuracies[True] - accuracies[False]) < 0.05


def scaler_saves_small_gradients() -> None:
    """float16 turns small gradients to zero; a scaled loss keeps them."""
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scaler = torch.amp.GradScaler(torch.get_default_device().type)

    updates = []
    optimizer.register_step_post_hook(lambda *_: updates.append("update"))

    for slope in (1e-8, 1e4):
        optimizer.zero_grad()
        (weight.half().float() * slope).sum().backward()
        print(f"gradient {slope:.0e} through float16: {weight.grad.item():.2e}")

        optimizer.zero_grad()
        scale = scaler.get_scale()
        scaler.scale((weight.half().float() * slope).sum()).backward()
        print(f"  with the loss times {scale:.0f}: {weight.grad.item():.2e}")
        scaler.step(optimizer)
        scaler.update()
        print(f"  updates so far: {len(updates)}, next scale: {scaler.get_scale():.0f}")
    assert len(updates) == 1
    assert weight.grad.isinf()
    assert scaler.get_scale() == 2**15


@pytest.mark.measurement
def checkpointing_trades_memory_for_time() -> None:
    """Activation checkpointing: what it keeps, and what it costs."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *[nn.Sequential(nn.Linear(256, 256), nn.Tanh()) for _ in range(16)]
    )
    inputs = torch.randn(1024, 256)
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append("forward"))
    ways = {
        "everything kept": lambda: model(inputs),
        "checkpointed": lambda: checkpoint_sequential(
            model, 4, inputs, use_reentrant=False
        ),
    }

    kept, gradients = [], []
    for name, compute in ways.items():
        kept.append(bytes_kept_for_backward(compute))
        calls.clear()
        duration = fastest_step(model, compute)
        gradients.append(gradient_of(model))
        print(name)
        print(f"  kept for the backward pass: {kept[-1] / 2**20:.1f} MiB")
        print(f"  block 1 ran in five steps:  {len(calls)} times")
        print(f"  fastest of five steps:      {duration:.1f} ms")

    assert kept[1] < kept[0] / 2
    assert len(calls) == 10
    assert torch.allclose(gradients[0], gradients[-1])


def seeds_repeat_a_run() -> None:
    """The same seed gives the same weights, bit by bit."""
    runs = {}
    for name, seed in {"seed 0": 0, "seed 0 again": 0, "seed 1": 1}.items():
        model, history = train_on_digits(".", epochs=2, seed=seed)
        runs[name] = torch.cat(
            [parameter.detach().flatten() for parameter in model.parameters()]
        )
        same = torch.equal(runs[name], runs["seed 0"])
        loss = history["train_loss"][-1]
        print(f"{name:12} loss {loss:.4f}, weights of seed 0: {same}")
    assert torch.equal(runs["seed 0"], runs["seed 0 again"])
    assert not torch.equal(runs["seed 0"], runs["seed 1"])


def deterministic_algorithms() -> None:
    """Ask for an error where an operation may give another result each time."""
    places = torch.tensor([0, 0])
    numbers = torch.tensor([1.0, 2.0])
    message = ""

    torch.use_deterministic_algorithms(True)
    try:
        # Both numbers go to the same place, so the order of the writes decides.
        torch.zeros(3).put_(places, numbers)
    except RuntimeError as error:
        message = str(error).split(", but")[0]
    print("put_:      ", message)
    added = torch.zeros(3).index_add(0, places, numbers)
    print("index_add: ", added.tolist())
    torch.use_deterministic_algorithms(False)

    assert "put_ does not have a deterministic implementation" in message
    assert added.tolist() == [3, 0, 0]


def tensorboard_logs() -> None:
    """Write the history of a run for TensorBoard, and read it back."""
    model, history = train_on_digits(".", epochs=3)
    with SummaryWriter("runs/sgd") as writer:
        for epoch in range(3):
            writer.add_scalar("loss/train", history["train_loss"][epoch], epoch)
            writer.add_scalar("loss/valid", history["valid_loss"][epoch], epoch)
        writer.add_histogram("weights/first", model[1].weight, epoch)

    events = EventAccumulator("runs/sgd").Reload()
    print("scalars:   ", events.Tags()["scalars"])
    print("histograms:", events.Tags()["histograms"])
    for event in events.Scalars("loss/valid"):
        print(f"loss/valid at step {event.step}: {event.value:.3f}")
        assert math.isclose(
            event.value, history["valid_loss"][event.step], rel_tol=1e-6
        )


@pytest.mark.measurement
def profile_of_one_step() -> None:
    """Which part of a training step takes the time, and which operations it calls."""
    # The recorder logs its start and stop to standard error, unless it is told not to.
    os.environ["KINETO_LOG_LEVEL"] = "6"
    torch.manual_seed(0)
    train_set, _ = digit_sets(".")
    images, labels = train_set[:64]
    model = make_classifier(images[0].numel())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    for _ in range(2):  # the first step also pays for what is loaded once
        with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
            with record_function("forward"):
                loss = nn.functional.cross_entropy(model(images), labels)
            with record_function("backward"):
                loss.backward()
            with record_function("update"):
                optimizer.step()
                optimizer.zero_grad()

    averages = {event.key: event for event in profiler.key_averages()}
    for part in ("forward", "backward", "update"):
        print(f"{part + ':':10} {averages[part].cpu_time_total / 1000:.2f} ms")
    for operation in ("aten::addmm", "aten::relu", "aten::mm"):
        print(f"{operation:12} calls: {averages[operation].count}")
    assert averages["aten::addmm"].count == 2
    assert averages["aten::mm"].count == 3


def overfit_one_batch() -> None:
    """A model that cannot learn one batch by heart has a bug."""
    train_set, _ = digit_sets(".")
    images, labels = train_set[:16]
    torch.manual_seed(0)
    sound = make_classifier(images[0].numel())
    models = {
        "sound": sound,
        "softmax before the loss": nn.Sequential(
            *copy.deepcopy(sound), nn.Softmax(dim=1)
        ),
        "ReLU after the last layer": nn.Sequential(*copy.deepcopy(sound), nn.ReLU()),
    }

    for name, model in models.items():
        loss = loss_after_overfitting(model, images, labels, steps=100)
        print(f"{name:26} loss {loss:.3f}")
        assert (loss < 0.05) == (name == "sound")
    assert torch.equal(sound(images).argmax(dim=1), labels)


def solution_top_two() -> None:
    """How often the true digit is among the two best."""
    model, _ = train_on_digits(".", epochs=5)
    images, labels = mnist_tensors(".", train=False)
    with torch.no_grad():
        best_two = model(images).topk(2, dim=1).indices
    hits = best_two == labels.unsqueeze(1)

    top_one, top_two = hits[:, 0].sum().item(), hits.any(dim=1).sum().item()
    print("best guess right:   ", top_one, "of", len(labels))
    print("one of two right:   ", top_two, "of", len(labels))
    assert len(labels) * 0.7 < top_one < top_two


def solution_batch_norm_sees_small_batches() -> None:
    """With batch norm, accumulated gradients are not those of the big batch."""
    torch.manual_seed(0)
    train_set, _ = digit_sets(".")
    images, labels = train_set[:64]
    layers = {"layer norm": nn.LayerNorm(32), "batch norm": nn.BatchNorm1d(32)}

    for name, layer in layers.items():
        model = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 32), layer, nn.ReLU(), nn.Linear(32, 10)
        )
        nn.functional.cross_entropy(model(images), labels).backward()
        whole = gradient_of(model)
        model.zero_grad()
        for small_images, small_labels in zip(
            images.split(16), labels.split(16), strict=True
        ):
            (
                nn.functional.cross_entropy(model(small_images), small_labels) / 4
            ).backward()
        equal = torch.allclose(gradient_of(model), whole, rtol=1e-3, atol=1e-6)
        print(f"{name}: equal {equal}")
        assert equal == (name == "layer norm")


def solution_loss_before_training() -> None:
    """A first loss far from log(classes) tells of a bug."""
    torch.manual_seed(0)
    train_set, _ = digit_sets(".")
    images, labels = train_set[:]
    model = make_classifier(images[0].numel())
    with torch.no_grad():
        first = nn.functional.cross_entropy(model(images), labels).item()
        unscaled = nn.functional.cross_entropy(model(images * 255), labels).item()
    print(f"log of 10 classes:         {math.log(10):.3f}")
    print(f"pixels from 0 to 1:        {first:.3f}")
    print(f"pixels from 0 to 255:      {unscaled:.3f}")
    assert abs(first - math.log(10)) < 0.1
    assert unscaled > 2 * math.log(10)
