"""Losses: what each one measures, and how to hand it the right numbers."""

import inspect
import math
import re
import warnings

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F


def huber_by_hand(residuals, delta):
    """Half the square near zero, a straight line of slope `delta` outside."""
    size = residuals.abs()
    return torch.where(size < delta, 0.5 * size**2, delta * (size - 0.5 * delta))


def binary_cross_entropy_by_hand(probabilities, targets):
    """Mean surprise over samples whose target is 1 (yes) or 0 (no)."""
    yes = targets * probabilities.log()
    no = (1 - targets) * (1 - probabilities).log()
    return -(yes + no).mean()


def naive_log_softmax(logits):
    """The logarithm of the softmax, written as the formula reads."""
    exponentials = logits.exp()
    return (exponentials / exponentials.sum(dim=-1, keepdim=True)).log()


def log_softmax_by_hand(logits):
    """The logarithm of the softmax over the last dimension, safe for large logits."""
    shifted = logits - logits.amax(dim=-1, keepdim=True)
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()


def cross_entropy_by_hand(logits, targets):
    """Mean negative log-probability of each sample's class."""
    log_probabilities = log_softmax_by_hand(logits)
    picked = log_probabilities.gather(dim=1, index=targets.unsqueeze(1))
    return -picked.mean()


def loss_and_gradient(loss, inputs, *targets):
    """A loss per element, and its gradient with respect to the inputs."""
    inputs = inputs.detach().requires_grad_()
    values = loss(inputs, *targets)
    values.sum().backward()
    return values.detach(), inputs.grad


def lead_logits(leads):
    """Logits of three classes, the first ahead of the others by the given leads."""
    return torch.stack([leads, torch.zeros_like(leads), torch.zeros_like(leads)], dim=1)


def example_arguments(batch, classes):
    """For every loss module without weights of its own, tensors of the right kind."""
    scores, values = torch.randn(batch, classes), torch.randn(batch, classes)
    other = torch.randn(batch, classes)
    labels = torch.randint(classes, (batch,))
    yes_no = torch.randint(2, (batch, classes)).float()
    signs = 2.0 * torch.randint(2, (batch,)) - 1
    log_probs, probs = scores.log_softmax(dim=1), values.softmax(dim=1)
    positions = torch.full_like(yes_no, -1).long()
    positions[:, 0] = labels
    sequence = torch.randn(7, batch, classes).log_softmax(dim=2)
    words = torch.randint(1, classes, (batch, 3))
    lengths = [torch.full((batch,), 7), torch.full((batch,), 3)]
    return {
        "MSELoss": [scores, values],
        "L1Loss": [scores, values],
        "SmoothL1Loss": [scores, values],
        "HuberLoss": [scores, values],
        "GaussianNLLLoss": [scores, values, torch.ones(batch, classes)],
        "PoissonNLLLoss": [scores, yes_no],
        "BCELoss": [probs, yes_no],
        "BCEWithLogitsLoss": [scores, yes_no],
        "SoftMarginLoss": [scores, 2 * yes_no - 1],
        "HingeEmbeddingLoss": [scores, 2 * yes_no - 1],
        "CrossEntropyLoss": [scores, labels],
        "NLLLoss": [log_probs, labels],
        "MultiMarginLoss": [scores, labels],
        "KLDivLoss": [log_probs, probs],
        "MultiLabelSoftMarginLoss": [scores, yes_no],
        "MultiLabelMarginLoss": [scores, positions],
        "CosineEmbeddingLoss": [scores, values, signs],
        "TripletMarginLoss": [scores, values, other],
        "TripletMarginWithDistanceLoss": [scores, values, other],
        "MarginRankingLoss": [scores[:, 0], values[:, 0], signs],
        "CTCLoss": [sequence, words, *lengths],
    }


def squared_and_absolute_error() -> None:
    """MSE is the mean of squared residuals, L1 the mean of their sizes."""
    predictions = torch.tensor([2.5, 0.0, 2.0, 8.0])
    targets = torch.tensor([3.0, -0.5, 2.0, 4.0])
    residuals = predictions - targets

    print("residuals:       ", residuals.tolist())
    print("squares:         ", residuals.square().tolist())
    print("mean of squares: ", residuals.square().mean().item())
    print("nn.MSELoss:      ", nn.MSELoss()(predictions, targets).item())
    print("mean of sizes:   ", residuals.abs().mean().item())
    print("nn.L1Loss:       ", nn.L1Loss()(predictions, targets).item())

    assert F.mse_loss(predictions, targets) == residuals.square().mean()
    assert F.l1_loss(predictions, targets) == residuals.abs().mean()


def best_constant_guess() -> None:
    """The best single guess is the mean under MSE and the median under L1."""
    prices = torch.tensor([1.0, 2.0, 3.0, 4.0, 90.0])
    guesses = torch.arange(0.0, 101.0)
    losses = {
        "MSE": nn.MSELoss(reduction="none"),
        "L1": nn.L1Loss(reduction="none"),
        "Huber": nn.HuberLoss(reduction="none", delta=10.0),
    }

    # One row for each guess, one column for each price.
    predictions, targets = torch.broadcast_tensors(guesses.unsqueeze(1), prices)
    best = {}
    for name, loss in losses.items():
        per_guess = loss(predictions, targets).mean(dim=1)
        best[name] = guesses[per_guess.argmin()]
        print(f"best guess, {name + ':':6} {best[name].item()}")

    print("mean:  ", prices.mean().item())
    print("median:", prices.median().item())
    assert best["MSE"] == prices.mean()
    assert best["L1"] == prices.median()
    assert prices.median() < best["Huber"] < prices.mean()


def smooth_l1_is_huber_at_one() -> None:
    """Smooth L1 and Huber agree at 1 and differ by a factor elsewhere."""
    residuals = torch.tensor([0.25, 1.0, 4.0])
    targets = torch.zeros(3)

    for width in [0.5, 1.0, 2.0]:
        smooth = F.smooth_l1_loss(residuals, targets, beta=width, reduction="none")
        huber = F.huber_loss(residuals, targets, delta=width, reduction="none")
        print(f"width {width}")
        print("  smooth l1:", smooth.tolist())
        print("  huber:    ", huber.tolist())
        torch.testing.assert_close(huber, width * smooth)
        torch.testing.assert_close(huber, huber_by_hand(residuals, width))
        assert torch.equal(huber, smooth) == (width == 1.0)


def losses_against_residual() -> None:
    """Regression losses and their gradients against the residual."""
    residuals = torch.arange(-40, 41) / 10
    zeros, ones = torch.zeros_like(residuals), torch.ones_like(residuals)
    losses = {
        "MSE": (nn.MSELoss(reduction="none"), [zeros]),
        "L1": (nn.L1Loss(reduction="none"), [zeros]),
        "smooth L1, beta 2": (nn.SmoothL1Loss(reduction="none", beta=2.0), [zeros]),
        "Huber, delta 2": (nn.HuberLoss(reduction="none", delta=2.0), [zeros]),
        "Gaussian NLL, variance 1": (
            nn.GaussianNLLLoss(reduction="none"),
            [zeros, ones],
        ),
    }
    fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.6), layout="constrained")
    for name, (loss, targets) in losses.items():
        values, gradient = loss_and_gradient(loss, residuals, *targets)
        last, slope = values[-1].item(), gradient[-1].item()
        print(f"{name:25} at residual 4: loss {last:4.1f}, gradient {slope:.1f}")
        axes[0].plot(residuals.cpu(), values.cpu(), label=name)
        axes[1].plot(residuals.cpu(), gradient.cpu())
        # Lowest, and without a push, where the residual is 0.
        assert values[40] == values.min() == 0
        assert gradient[40] == 0
    for ax, title in zip(axes, ["loss", "gradient"], strict=True):
        ax.set(
            title=title,
            xlabel="residual",
            ylim=(-4.5, 4.5) if title == "gradient" else (-0.3, 8.7),
        )
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    plt.show()


def reductions() -> None:
    """`none` keeps every term, `sum` adds them, `mean` divides by their count."""
    predictions = torch.zeros(2, 3)
    targets = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 2.0]])

    terms = F.mse_loss(predictions, targets, reduction="none")
    total, gradient_of_sum = loss_and_gradient(
        nn.MSELoss(reduction="sum"), predictions, targets
    )
    mean, gradient_of_mean = loss_and_gradient(
        nn.MSELoss(reduction="mean"), predictions, targets
    )
    print("none:", terms.tolist())
    print("sum: ", total.item())
    print("mean:", mean.item())
    print("sum over batch size:", total.item() / len(predictions))
    assert total == terms.sum()
    assert mean == total / terms.numel()

    torch.testing.assert_close(gradient_of_sum, 6 * gradient_of_mean)
    labels = torch.tensor([0, 2])
    assert F.cross_entropy(predictions, labels, reduction="none").shape == labels.shape


def broadcast_trap() -> None:
    """A column against a row compares everything with everything."""
    predictions = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    targets = torch.tensor([1.0, 2.0, 3.0, 4.0])

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrong = F.mse_loss(predictions, targets)
        terms = F.mse_loss(predictions, targets, reduction="none")
    right = F.mse_loss(predictions.squeeze(1), targets)

    print("loss of a perfect prediction:", wrong.item())
    print("terms compared:              ", tuple(terms.shape))
    print("warning:                     ", str(caught[0].message).split(". ")[0])
    print("with equal shapes:           ", right.item())
    assert wrong == 2.5
    assert right == 0


def bce_by_hand() -> None:
    """Binary cross-entropy is the surprise at the outcome which came true."""
    probabilities = torch.tensor([0.9, 0.5, 0.1])
    targets = torch.tensor([1.0, 1.0, 1.0])

    surprise = F.binary_cross_entropy(probabilities, targets, reduction="none")
    for probability, value in zip(
        probabilities.tolist(), surprise.tolist(), strict=True
    ):
        print(f"said {probability:.1f} for yes, and yes came: {value:.4f}")

    answers = torch.tensor([1.0, 0.0, 0.0])
    by_hand = binary_cross_entropy_by_hand(probabilities, answers)
    logits = torch.logit(probabilities)
    print(f"yes, no, no by hand:     {by_hand.item():.4f}")
    print(f"nn.BCELoss:              {nn.BCELoss()(probabilities, answers).item():.4f}")
    print(
        f"nn.BCEWithLogitsLoss:    {nn.BCEWithLogitsLoss()(logits, answers).item():.4f}"
    )
    torch.testing.assert_close(F.binary_cross_entropy(probabilities, answers), by_hand)
    torch.testing.assert_close(
        F.binary_cross_entropy_with_logits(logits, answers), by_hand
    )


def bce_saturates() -> None:
    """A sigmoid that rounds to 1 ends learning; the loss from logits goes on."""
    target = torch.zeros(1)

    def from_probability(logit, target):
        return F.binary_cross_entropy(logit.sigmoid(), target)

    for wrong in [5.0, 20.0, 200.0]:
        logit = torch.tensor([wrong])
        rounded, lost = loss_and_gradient(from_probability, logit, target)
        exact, kept = loss_and_gradient(
            F.binary_cross_entropy_with_logits, logit, target
        )
        print("wrong logit", wrong)
        print(
            f"  BCE of the sigmoid: loss {rounded.item():6.2f}, gradient {lost.item():.2f}"
        )
        print(
            f"  BCE with logits:    loss {exact.item():6.2f}, gradient {kept.item():.2f}"
        )
        assert kept > 0.99
        assert (lost == 0) == (logit.sigmoid() == 1) == (wrong >= 20)


def rare_positives() -> None:
    """`pos_weight` multiplies the terms of positive targets."""
    logits = torch.tensor([-2.0, -1.0, 0.0, 1.0])
    targets = torch.tensor([0.0, 0.0, 0.0, 1.0])
    pos_weight = torch.tensor(3.0)

    plain = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    weighted = F.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=pos_weight, reduction="none"
    )
    print("plain terms:   ", [round(term, 4) for term in plain.tolist()])
    print("weighted terms:", [round(term, 4) for term in weighted.tolist()])

    mean = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=pos_weight)
    print(f"weighted loss: {mean.item():.4f}")
    torch.testing.assert_close(
        weighted, torch.where(targets == 1, pos_weight * plain, plain)
    )
    torch.testing.assert_close(mean, weighted.sum() / 4)


def large_logits() -> None:
    """The formula as it reads overflows; shifted by the largest logit it holds."""
    logits = torch.tensor(
        [[2.0, 0.0, -2.0], [90.0, 0.0, -90.0], [1000.0, 999.0, -1000.0]]
    )

    naive, shifted = naive_log_softmax(logits), log_softmax_by_hand(logits)
    for row, plain, safe in zip(logits, naive, shifted, strict=True):
        print("logits ", row.tolist())
        print("  naive:  ", [round(value, 4) for value in plain.tolist()])
        print("  shifted:", [round(value, 4) for value in safe.tolist()])

    total = logits.logsumexp(dim=-1)
    naive_total = logits.exp().sum(dim=-1).log()
    print("log of the sum of exponentials")
    print("  naive:    ", [round(value, 4) for value in naive_total.tolist()])
    print("  logsumexp:", [round(value, 4) for value in total.tolist()])
    assert naive[0].isfinite().all()
    assert naive[1:].isnan().any(dim=1).all()
    assert shifted.isfinite().all()
    torch.testing.assert_close(shifted, F.log_softmax(logits, dim=-1))
    torch.testing.assert_close(logits[:, 0] - shifted[:, 0], total)


def cross_entropy_in_steps() -> None:
    """Cross-entropy is log-softmax, then NLL, which picks one entry a row."""
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0]])
    targets = torch.tensor([0, 1, 2])

    log_probabilities = log_softmax_by_hand(logits)
    for row, target in zip(log_probabilities.tolist(), targets.tolist(), strict=True):
        rounded = [round(value, 4) for value in row]
        print(f"class {target}: picks {rounded[target]} from {rounded}")

    by_hand = cross_entropy_by_hand(logits, targets)
    in_two = F.nll_loss(F.log_softmax(logits, dim=1), targets)
    library = F.cross_entropy(logits, targets)
    print(f"by hand:              {by_hand.item():.4f}")
    print(f"log_softmax then nll: {in_two.item():.4f}")
    print(f"cross_entropy:        {library.item():.4f}")
    print(f"nll of raw logits:    {F.nll_loss(logits, targets).item():.4f}")
    torch.testing.assert_close(by_hand, library)
    torch.testing.assert_close(in_two, library)
    assert F.nll_loss(logits, targets) == -logits.diagonal().mean()


def gradient_is_probability_minus_target() -> None:
    """The gradient of cross-entropy: predicted minus wanted probabilities."""
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0]], requires_grad=True)
    targets = torch.tensor([0, 2])

    F.cross_entropy(logits, targets).backward()
    predicted = logits.detach().softmax(dim=1)
    wanted = F.one_hot(targets, num_classes=3)
    for name, table in {
        "predicted": predicted,
        "wanted": wanted,
        "gradient": logits.grad,
    }.items():
        print(
            f"{name:9}", [[round(value, 4) for value in row] for row in table.tolist()]
        )

    torch.testing.assert_close(logits.grad, (predicted - wanted) / len(targets))
    torch.testing.assert_close(logits.grad.sum(dim=1), torch.zeros(2))


def softmax_twice() -> None:
    """A softmax before cross-entropy changes loss and gradient."""
    logits = torch.tensor([[5.0, 0.0, 0.0]], requires_grad=True)
    target = torch.tensor([0])

    losses = {}
    given = {"logits": logits, "probabilities": logits.softmax(dim=1)}
    for name, scores in given.items():
        losses[name] = F.cross_entropy(scores, target)
        (gradient,) = torch.autograd.grad(losses[name], logits)
        print(f"given {name}")
        print(f"  loss:     {losses[name].item():.4f}")
        print(
            f"  gradient: {[round(value, 4) for value in gradient.flatten().tolist()]}"
        )

    perfect = torch.tensor([[1.0, 0.0, 0.0]])
    floor = F.cross_entropy(perfect, target)
    print(f"lowest loss that probabilities can reach: {floor.item():.4f}")
    torch.testing.assert_close(floor, torch.tensor(math.log(math.e + 2) - 1))
    assert losses["logits"] < 0.02
    assert losses["probabilities"] > floor > 0.55


def softmax_twice_drawn() -> None:
    """Loss and gradient of both recipes, from badly wrong to clearly right."""
    leads = torch.arange(-40, 41) / 4
    first_class = torch.zeros(81, dtype=torch.int64)

    def from_logits(leads, targets):
        return F.cross_entropy(lead_logits(leads), targets, reduction="none")

    def from_probabilities(leads, targets):
        return F.cross_entropy(
            lead_logits(leads).softmax(dim=1), targets, reduction="none"
        )

    fig, axes = plt.subplots(1, 2, figsize=(6.4, 2.8), layout="constrained")
    for name, recipe in {
        "logits": from_logits,
        "softmax first": from_probabilities,
    }.items():
        values, gradient = loss_and_gradient(recipe, leads, first_class)
        first, slope = values[0].item(), gradient[0].item()
        print(f"{name + ',':14} 10 behind: loss {first:5.2f}, gradient {slope:.1e}")
        axes[0].plot(leads.cpu(), values.cpu(), label=name)
        axes[1].plot(leads.cpu(), gradient.cpu())
        assert gradient[0] < -0.99 if name == "logits" else gradient[0] > -1e-4
    for ax, title in zip(axes, ["loss", "gradient of the true logit"], strict=True):
        ax.set(title=title, xlabel="lead of the true logit")
    axes[0].legend(frameon=False)
    plt.show()


def targets_as_classes_or_probabilities() -> None:
    """Class numbers and probabilities are both targets, told apart by their shape."""
    torch.manual_seed(0)
    logits = torch.randn(4, 3)
    classes = torch.tensor([0, 2, 1, 2])
    one_hot = F.one_hot(classes, num_classes=3).float()

    for name, targets in {"class numbers": classes, "probabilities": one_hot}.items():
        loss = F.cross_entropy(logits, targets).item()
        print(f"{name}, {tuple(targets.shape)} {targets.dtype}: {loss:.4f}")
    torch.testing.assert_close(
        F.cross_entropy(logits, classes), F.cross_entropy(logits, one_hot)
    )

    refused = []
    for targets in [classes.float(), classes.unsqueeze(1)]:
        try:
            F.cross_entropy(logits, targets)
        except RuntimeError as error:
            refused.append(str(error).split("\n")[0])
            print(f"{targets.dtype} {tuple(targets.shape)}: {refused[-1]}")
    assert len(refused) == 2

    pixels = torch.randn(2, 3, 4, 5)
    labels = torch.zeros(2, 4, 5, dtype=torch.int64)
    per_pixel = F.cross_entropy(pixels, labels, reduction="none")
    print(
        "images:",
        tuple(pixels.shape),
        "with labels",
        tuple(labels.shape),
        "give",
        tuple(per_pixel.shape),
    )
    torch.testing.assert_close(
        per_pixel[1, 2, 3], F.cross_entropy(pixels[1, :, 2, 3], labels[1, 2, 3])
    )


def class_weights() -> None:
    """Class weights scale each sample, and the mean divides by the weights used."""
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
    targets = torch.tensor([0, 0, 0, 1])
    weight = torch.tensor([1.0, 3.0])

    terms = F.cross_entropy(logits, targets, reduction="none")
    weighted = F.cross_entropy(logits, targets, weight=weight, reduction="none")
    mean = F.cross_entropy(logits, targets, weight=weight)
    print("terms:           ", [round(term, 4) for term in terms.tolist()])
    print("weighted terms:  ", [round(term, 4) for term in weighted.tolist()])
    print("weight of each:  ", weight[targets].tolist())
    print(f"loss, unweighted: {terms.mean().item():.4f}")
    print(f"loss, weighted:   {mean.item():.4f}")
    torch.testing.assert_close(weighted, terms * weight[targets])
    torch.testing.assert_close(mean, weighted.sum() / weight[targets].sum())

    doubled = F.cross_entropy(logits, targets, weight=2 * weight)
    torch.testing.assert_close(doubled, mean)


def label_smoothing() -> None:
    """Label smoothing mixes the target with the uniform distribution."""
    target = torch.tensor([0])
    smoothing = 0.1
    mixed = (1 - smoothing) * F.one_hot(target, num_classes=4) + smoothing / 4
    print("smoothed target:", [round(value, 4) for value in mixed.flatten().tolist()])

    losses = {}
    for lead in [2.0, 3.6, 6.0, 20.0]:
        logits = torch.tensor([[lead, 0.0, 0.0, 0.0]])
        smoothed = F.cross_entropy(logits, target, label_smoothing=smoothing)
        losses[lead] = smoothed.item()
        plain = F.cross_entropy(logits, target).item()
        print(f"lead {lead:4}: plain {plain:.4f}, smoothed {losses[lead]:.4f}")
        torch.testing.assert_close(smoothed, F.cross_entropy(logits, mixed))

    best_lead = math.log(0.925 / 0.025)
    print(f"lead at which the softmax equals the smoothed target: {best_lead:.4f}")
    torch.testing.assert_close(
        torch.tensor([[best_lead, 0.0, 0.0, 0.0]]).softmax(dim=1), mixed
    )
    assert min(losses, key=losses.get) == 3.6


def ignored_targets() -> None:
    """`ignore_index` leaves padding out of the sum and out of the count."""
    torch.manual_seed(0)
    vocabulary, padding = 5, 0
    logits = torch.randn(2, 4, vocabulary, requires_grad=True)
    words = torch.tensor([[3, 1, 4, 2], [2, 4, padding, padding]])

    flat, targets = logits.flatten(0, 1), words.flatten()
    loss = F.cross_entropy(flat, targets, ignore_index=padding)
    kept = targets != padding
    loss.backward()
    print(f"words kept: {kept.sum().item()} of {targets.numel()}")
    print(f"loss with ignore_index:  {loss.item():.4f}")
    print(
        f"loss of the kept words:  {F.cross_entropy(flat[kept], targets[kept]).item():.4f}"
    )
    print(f"loss with padding in it: {F.cross_entropy(flat, targets).item():.4f}")
    torch.testing.assert_close(loss, F.cross_entropy(flat[kept], targets[kept]))
    assert (logits.grad[1, 2:] == 0).all()

    nothing_left = F.cross_entropy(
        flat, torch.full_like(targets, padding), ignore_index=padding
    )
    print("every word ignored:     ", nothing_left.item())
    assert nothing_left.isnan()


def losses_against_margin() -> None:
    """Classification losses against the margin of the true class."""
    margins = torch.arange(-30, 31) / 10
    ones = torch.ones(61)
    classes = torch.zeros(61, dtype=torch.int64)
    two_logits = torch.stack([margins, torch.zeros(61)], dim=1)
    losses = {
        "cross-entropy": F.cross_entropy(two_logits, classes, reduction="none"),
        "BCE with logits": F.binary_cross_entropy_with_logits(
            margins, ones, reduction="none"
        ),
        "soft margin": F.soft_margin_loss(margins, ones, reduction="none"),
        "multi margin": F.multi_margin_loss(two_logits, classes, reduction="none"),
        "errors counted": (margins < 0).float(),
    }
    torch.testing.assert_close(losses["cross-entropy"], losses["BCE with logits"])
    torch.testing.assert_close(losses["cross-entropy"], losses["soft margin"])
    torch.testing.assert_close(losses["multi margin"], (1 - margins).clamp(min=0) / 2)

    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    # Lines that lie on each other become thinner, so that all of them are seen.
    for (name, values), width in zip(losses.items(), [9, 5, 2, 2, 2], strict=True):
        print(
            f"{name:15} at margin -1, 0, 1:",
            [round(value, 4) for value in values[[20, 30, 40]].tolist()],
        )
        shape = "steps-post" if name == "errors counted" else "default"
        ax.plot(
            margins.cpu(), values.cpu(), linewidth=width, drawstyle=shape, label=name
        )
    ax.set(xlabel="logit of the true class minus logit of the other", ylabel="loss")
    ax.legend(frameon=False)
    plt.show()


def reference_of_losses() -> None:
    """Every loss module: its function, the tensors it takes, an example value."""
    torch.manual_seed(0)
    for name, tensors in example_arguments(batch=4, classes=5).items():
        module = getattr(nn, name)
        # A module's forward calls its function: read which from the source.
        function = re.search(r"F\.(\w+)", inspect.getsource(module.forward)).group(1)
        keywords = {"reduction": "batchmean"} if name == "KLDivLoss" else {}
        value = module(**keywords)(*tensors)
        kinds = ", ".join(
            f"{tuple(tensor.shape)} {str(tensor.dtype)[6:]}" for tensor in tensors
        )
        print(f"{name}, F.{function}\n    {kinds} -> {value.item():.4f}")
        torch.testing.assert_close(value, getattr(F, function)(*tensors, **keywords))


def options_of_losses() -> None:
    """Constructor options of every loss module, with their defaults."""
    for name in example_arguments(batch=1, classes=2):
        parameters = inspect.signature(getattr(nn, name)).parameters.values()
        options = [
            f"{p.name}={p.default}"
            for p in parameters
            if p.name not in ("size_average", "reduce")
        ]
        print(f"{name}: {', '.join(options)}")
        assert "reduction=mean" in options


def solution_quantile_loss() -> None:
    """The quantile loss, whose best guess is a quantile."""
    minutes = torch.tensor([2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 30.0])
    guesses = torch.arange(0.0, 31.0)

    for quantile in [0.25, 0.5, 0.75]:
        missing = minutes - guesses.unsqueeze(1)
        terms = torch.maximum(quantile * missing, (quantile - 1) * missing)
        best = guesses[terms.mean(dim=1).argmin()].item()
        known = minutes.quantile(quantile).item()
        print(f"quantile {quantile}: best guess {best}, torch.quantile {known}")
        assert best == known


def solution_floor_of_double_softmax() -> None:
    """The lowest loss which softmax before cross-entropy can reach."""
    for classes in [2, 10, 1000]:
        perfect = F.one_hot(torch.tensor([0]), num_classes=classes).float()
        floor = F.cross_entropy(perfect, torch.tensor([0]))
        chance = math.log(classes)
        print(f"{classes:4} classes: floor {floor.item():.4f}, guessing {chance:.4f}")
        torch.testing.assert_close(
            floor.item(), math.log(math.e + classes - 1) - 1, rtol=1e-5, atol=0
        )


def solution_cross_entropy_and_divergence() -> None:
    """Cross-entropy is the divergence plus the entropy of the targets."""
    torch.manual_seed(0)
    logits = torch.randn(4, 3)
    wanted = torch.randn(4, 3).softmax(dim=1)

    cross_entropy = F.cross_entropy(logits, wanted)
    divergence = F.kl_div(logits.log_softmax(dim=1), wanted, reduction="batchmean")
    entropy = torch.special.entr(wanted).sum(dim=1).mean()
    print(f"cross-entropy:        {cross_entropy.item():.4f}")
    print(f"divergence + entropy: {divergence.item():.4f} + {entropy.item():.4f}")
    torch.testing.assert_close(cross_entropy, divergence + entropy)
