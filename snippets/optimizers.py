"""Optimizers: what a step does with a gradient, and what it keeps for the next one."""

from copy import deepcopy

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.patches import Ellipse
from torch import nn

# The loss curves 25 times as much across the valley as along it.
CURVATURES = (1.0, 25.0)
START = (-4.0, 1.0)

EVERY_OPTIMIZER = [
    (torch.optim.SGD, {}),
    (torch.optim.SGD, {"momentum": 0.9}),
    (torch.optim.ASGD, {}),
    (torch.optim.Rprop, {}),
    (torch.optim.Adagrad, {}),
    (torch.optim.Adadelta, {}),
    (torch.optim.RMSprop, {}),
    (torch.optim.RMSprop, {"centered": True, "momentum": 0.9}),
    (torch.optim.Adam, {}),
    (torch.optim.Adam, {"amsgrad": True}),
    (torch.optim.AdamW, {}),
    (torch.optim.Adamax, {}),
    (torch.optim.NAdam, {}),
    (torch.optim.RAdam, {}),
    (torch.optim.SparseAdam, {}),
    (torch.optim.Adafactor, {}),
    (torch.optim.Muon, {}),
    (torch.optim.LBFGS, {"history_size": 10}),
]

ON_THE_SURFACE = {
    "SGD": (torch.optim.SGD, {"lr": 0.07}),
    "momentum": (torch.optim.SGD, {"lr": 0.03, "momentum": 0.9}),
    "Nesterov": (torch.optim.SGD, {"lr": 0.03, "momentum": 0.9, "nesterov": True}),
    "Adagrad": (torch.optim.Adagrad, {"lr": 0.7}),
    "Adadelta": (torch.optim.Adadelta, {"lr": 20.0}),
    "RMSprop": (torch.optim.RMSprop, {"lr": 0.1}),
    "Adam": (torch.optim.Adam, {"lr": 0.3}),
    "AdamW": (torch.optim.AdamW, {"lr": 0.3, "weight_decay": 0.3}),
    "Adamax": (torch.optim.Adamax, {"lr": 0.3}),
    "NAdam": (torch.optim.NAdam, {"lr": 0.3}),
    "RAdam": (torch.optim.RAdam, {"lr": 0.06}),
    "Adafactor": (torch.optim.Adafactor, {"lr": 0.3}),
    "ASGD": (torch.optim.ASGD, {"lr": 0.07}),
    "Rprop": (torch.optim.Rprop, {"lr": 0.3}),
    "LBFGS": (torch.optim.LBFGS, {"lr": 0.5, "max_iter": 1}),
}


class HandSGD:
    """Gradient descent: subtract the gradient times the learning rate."""

    def __init__(self, params, lr):
        self.params = list(params)
        self.lr = lr

    def zero_grad(self):
        for parameter in self.params:
            parameter.grad = None

    @torch.no_grad()
    def step(self):
        for parameter in self.params:
            parameter -= self.lr * parameter.grad


class HandMomentum(HandSGD):
    """SGD which steps along a fading sum of all gradients so far."""

    def __init__(self, params, lr, momentum):
        super().__init__(params, lr)
        self.momentum = momentum
        self.velocities = [torch.zeros_like(parameter) for parameter in self.params]

    @torch.no_grad()
    def step(self):
        for parameter, velocity in zip(self.params, self.velocities, strict=True):
            velocity.mul_(self.momentum).add_(parameter.grad)
            parameter -= self.lr * velocity


class HandRMSprop(HandSGD):
    """Divide each gradient by the root of a running mean of its square."""

    def __init__(self, params, lr, alpha=0.99, eps=1e-8):
        super().__init__(params, lr)
        self.alpha, self.eps = alpha, eps
        self.squares = [torch.zeros_like(parameter) for parameter in self.params]

    @torch.no_grad()
    def step(self):
        for parameter, square in zip(self.params, self.squares, strict=True):
            square.mul_(self.alpha).add_((1 - self.alpha) * parameter.grad**2)
            parameter -= self.lr * parameter.grad / (square.sqrt() + self.eps)


class HandAdam(HandSGD):
    """Running means of the gradient and of its square, both corrected for their start at zero."""

    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, lr)
        self.betas, self.eps = betas, eps
        self.means = [torch.zeros_like(parameter) for parameter in self.params]
        self.squares = [torch.zeros_like(parameter) for parameter in self.params]
        self.steps = 0

    @torch.no_grad()
    def step(self):
        self.steps += 1
        beta1, beta2 = self.betas
        for parameter, mean, square in zip(
            self.params, self.means, self.squares, strict=True
        ):
            mean.mul_(beta1).add_((1 - beta1) * parameter.grad)
            square.mul_(beta2).add_((1 - beta2) * parameter.grad**2)
            corrected_mean = mean / (1 - beta1**self.steps)
            corrected_square = square / (1 - beta2**self.steps)
            parameter -= self.lr * corrected_mean / (corrected_square.sqrt() + self.eps)


class HandAdamW(HandAdam):
    """Adam with weight decay outside of the gradient."""

    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, lr, betas, eps)
        self.weight_decay = weight_decay

    @torch.no_grad()
    def step(self):
        for parameter in self.params:
            parameter *= 1 - self.lr * self.weight_decay
        super().step()


def regression_problem(samples):
    """Inputs and targets of a small linear regression, with columns of very different size."""
    torch.manual_seed(0)
    inputs = torch.randn(samples, 3) * torch.tensor([1.0, 0.5, 0.1])
    targets = inputs @ torch.tensor([2.0, -1.0, 5.0])
    return inputs, targets


def rounded(tensor, digits=3):
    """The numbers of a vector, rounded for printing."""
    return [round(number, digits) for number in tensor.tolist()]


def fit(weights, optimizer, inputs, targets, steps):
    """Run the training loop on linear weights and return the loss before every step."""
    losses = []
    for _ in range(steps):
        loss = F.mse_loss(inputs @ weights, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def step_lengths(weights, optimizer, slopes, steps):
    """How far each weight moves in each step when its gradient is always the same slope."""
    lengths = []
    for _ in range(steps):
        before = weights.detach().clone()
        optimizer.zero_grad()
        (slopes * weights).sum().backward()
        optimizer.step()
        lengths.append((before - weights.detach()).tolist())
    return lengths


def valley(weights):
    """A loss with a long, narrow valley along the first weight."""
    return 0.5 * (torch.tensor(CURVATURES) * weights**2).sum()


def rosenbrock(weights):
    """A curved valley whose lowest point is at (1, 1)."""
    return (1 - weights[0]) ** 2 + 100 * (weights[1] - weights[0] ** 2) ** 2


def descend(loss_of, optimizer_class, options, steps):
    """The path of two weights from the start, as steps + 1 points."""
    weights = torch.tensor(START, requires_grad=True)
    optimizer = optimizer_class([weights], **options)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(weights)
        loss.backward()
        return loss

    path = [weights.tolist()]
    for _ in range(steps):
        optimizer.step(closure)
        path.append(weights.tolist())
    return path


def tensors_in(value):
    """Every tensor in a value of an optimizer's state, lists included."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in tensors_in(item)]
    return []


def kept_tensors(optimizer):
    """The bytes an optimizer keeps under each name of its state, scalars left out."""
    kept = {}
    for state in optimizer.state.values():
        for name, value in state.items():
            size = sum(
                tensor.nbytes for tensor in tensors_in(value) if tensor.numel() > 1
            )
            if size:
                kept[name] = kept.get(name, 0) + size
    return kept


def step_on_a_table(optimizer, table, sparse):
    """One step on a loss of all rows of a table, with a dense or a sparse gradient."""

    def closure():
        optimizer.zero_grad()
        rows = F.embedding(torch.arange(len(table)), table, sparse=sparse)
        loss = rows.pow(4).mean()
        loss.backward()
        return loss

    optimizer.step(closure)


def one_step_is_a_subtraction() -> None:
    """One step of SGD: the weights minus the learning rate times the gradient."""
    weights = torch.tensor([3.0, -2.0], requires_grad=True)
    optimizer = torch.optim.SGD([weights], lr=0.1)

    loss = (weights**2).sum()
    loss.backward()
    expected = weights.detach() - 0.1 * weights.grad

    print("weights:  ", weights.tolist())
    print("gradient: ", weights.grad.tolist())
    optimizer.step()
    print("after:    ", rounded(weights, digits=4))
    print("loss:     ", loss.item(), "->", round((weights**2).sum().item(), 4))
    torch.testing.assert_close(weights.detach(), expected)

    optimizer.zero_grad()
    print("gradient after zero_grad():", weights.grad)
    assert weights.grad is None


def sgd_by_hand() -> None:
    """Our SGD and `torch.optim.SGD` take the same fifty steps."""
    inputs, targets = regression_problem(samples=64)
    by_hand = torch.zeros(3, requires_grad=True)
    by_library = torch.zeros(3, requires_grad=True)

    hand_losses = fit(by_hand, HandSGD([by_hand], lr=0.3), inputs, targets, steps=50)
    library = torch.optim.SGD([by_library], lr=0.3)
    library_losses = fit(by_library, library, inputs, targets, steps=50)

    for step in (0, 10, 49):
        print(f"loss {step:2}: {hand_losses[step]:.4f} and {library_losses[step]:.4f}")
    print("weights by hand:       ", rounded(by_hand))
    print("weights by the library:", rounded(by_library))
    torch.testing.assert_close(by_hand, by_library)


def momentum_by_hand() -> None:
    """Under a constant gradient the steps grow, up to ten times with momentum 0.9."""
    slope = torch.tensor([1.0])
    by_hand = torch.zeros(1, requires_grad=True)
    by_library = torch.zeros(1, requires_grad=True)

    ours = HandMomentum([by_hand], lr=0.1, momentum=0.9)
    library = torch.optim.SGD([by_library], lr=0.1, momentum=0.9)
    lengths = step_lengths(by_hand, ours, slope, steps=100)
    library_lengths = step_lengths(by_library, library, slope, steps=100)

    for step in (1, 2, 3, 10, 100):
        print(f"length of step {step:3}: {lengths[step - 1][0]:.4f}")
    print(f"lr / (1 - momentum): {0.1 / (1 - 0.9):.4f}")
    torch.testing.assert_close(torch.tensor(lengths), torch.tensor(library_lengths))
    assert abs(lengths[-1][0] - 1) < 0.001


def momentum_in_a_valley() -> None:
    """Steps to the bottom of a narrow valley, for several momentums."""
    steps_needed = {}
    for momentum in (0.0, 0.5, 0.9, 0.99):
        options = {"lr": 0.04, "momentum": momentum}
        path = torch.tensor(descend(valley, torch.optim.SGD, options, steps=2000))
        far = path.norm(dim=1) > 0.01
        # The first step after the last point which is still far from the bottom.
        steps = far.nonzero().max().item() + 1
        signs = path[:steps, 0].sign()
        swings = (signs[1:] != signs[:-1]).sum().item()
        steps_needed[momentum] = steps
        print(f"momentum {momentum:4}: {steps:4} steps, {swings:2} swings past 0")

    assert steps_needed[0.5] < steps_needed[0.0] < steps_needed[0.99] < 2000


def rmsprop_by_hand() -> None:
    """RMSprop moves both weights alike, though one gradient is ten thousand times the other."""
    slopes = torch.tensor([100.0, 0.01])
    by_hand = torch.zeros(2, requires_grad=True)
    by_library = torch.zeros(2, requires_grad=True)

    lengths = step_lengths(by_hand, HandRMSprop([by_hand], lr=0.01), slopes, steps=500)
    library = torch.optim.RMSprop([by_library], lr=0.01)
    library_lengths = step_lengths(by_library, library, slopes, steps=500)

    for step in (1, 2, 3, 10, 500):
        steep, flat = lengths[step - 1]
        print(
            f"step {step:3}: steep weight moves {steep:.4f}, flat weight moves {flat:.4f}"
        )
        assert abs(steep - flat) < 1e-4
    assert abs(lengths[0][0] - 0.01 / (1 - 0.99) ** 0.5) < 1e-4
    torch.testing.assert_close(torch.tensor(lengths), torch.tensor(library_lengths))


def adam_by_hand() -> None:
    """Our Adam equals the library's, and its first step is as long as the learning rate."""
    inputs, targets = regression_problem(samples=64)
    by_hand = torch.zeros(3, requires_grad=True)
    by_library = torch.zeros(3, requires_grad=True)
    ours = HandAdam([by_hand], lr=0.1)
    library = torch.optim.Adam([by_library], lr=0.1)

    fit(by_hand, ours, inputs, targets, steps=1)
    fit(by_library, library, inputs, targets, steps=1)
    print("gradient:        ", rounded(by_hand.grad, digits=4))
    print("after one step:  ", rounded(by_hand, digits=4))
    torch.testing.assert_close(by_hand.detach(), -0.1 * by_hand.grad.sign())

    fit(by_hand, ours, inputs, targets, steps=299)
    fit(by_library, library, inputs, targets, steps=299)
    print("after 300 steps: ", rounded(by_hand))
    print("by the library:  ", rounded(by_library))
    torch.testing.assert_close(by_hand, by_library)


def decay_inside_or_outside() -> None:
    """Adam's decay depends on the size of the gradients, AdamW's does not."""
    noise = torch.tensor([0.01, 0.1, 10.0])
    optimizers = {
        "Adam": torch.optim.Adam,
        "AdamW": torch.optim.AdamW,
        "by hand": HandAdamW,
    }
    final = {}

    print("gradient sizes: ", rounded(noise, digits=2))
    for name, optimizer_class in optimizers.items():
        weights = torch.ones(3, requires_grad=True)
        optimizer = optimizer_class([weights], lr=0.01, weight_decay=0.1)
        for step in range(300):
            optimizer.zero_grad()
            # Gradients of alternating sign lead nowhere; only the decay adds up.
            ((-1) ** step * noise * weights).sum().backward()
            optimizer.step()
        final[name] = weights.detach()
        print(f"{name:8} leaves: ", rounded(weights))

    print(f"300 decays by 1 - lr * weight_decay: {(1 - 0.01 * 0.1) ** 300:.3f}")
    print("default of Adam: ", torch.optim.Adam([weights]).defaults["weight_decay"])
    print("default of AdamW:", torch.optim.AdamW([weights]).defaults["weight_decay"])
    torch.testing.assert_close(final["by hand"], final["AdamW"])
    assert final["AdamW"].max() - final["AdamW"].min() < 1e-4
    assert final["Adam"][0] < 0.1 < 0.9 < final["Adam"][2]


def lbfgs_takes_a_closure() -> None:
    """LBFGS evaluates the loss several times a step, so it needs a function which does."""
    weights = torch.tensor([-1.5, 2.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], line_search_fn="strong_wolfe")
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(weights)
        loss.backward()
        losses.append(loss.item())
        return loss

    optimizer.step(closure)
    print("evaluations in the first step:", len(losses))
    assert len(losses) > 10
    optimizer.step(closure)
    optimizer.step(closure)
    print("weights after three steps:", rounded(weights))
    assert rosenbrock(weights) < 1e-6

    message = ""
    try:
        optimizer.step()
    except TypeError as error:
        message = str(error)
    print("TypeError:", message)
    assert "missing 1 required positional argument: 'closure'" in message


def paths_on_one_surface() -> None:
    """The first twenty-five steps of fifteen optimizers down one valley."""
    _, axes = plt.subplots(
        5, 3, figsize=(6.4, 6), sharex=True, sharey=True, layout="constrained"
    )
    for ax, (name, run) in zip(axes.flat, ON_THE_SURFACE.items(), strict=True):
        optimizer_class, options = run
        path = torch.tensor(descend(valley, optimizer_class, options, steps=25))
        assert valley(path[-1]) < valley(path[0])

        for loss in (2, 12):
            # A contour crosses an axis where curvature / 2 * weight**2 is the loss.
            width, height = [
                2 * (2 * loss / curvature) ** 0.5 for curvature in CURVATURES
            ]
            ax.add_patch(Ellipse((0, 0), width, height, fill=False, ec="0.5", lw=0.5))
        ax.plot(*path.T.tolist(), color="C0", marker="s", ms=3, markevery=5, lw=1)
        ax.set_title(f"{name}, lr {options['lr']}", fontsize=9)
        ax.set_axis_off()
    plt.show()


def what_each_optimizer_keeps() -> None:
    """The tensors each optimizer keeps, and their bytes for each float32 parameter."""
    print(f"{'optimizer':36}  bytes  tensors kept")
    for optimizer_class, options in EVERY_OPTIMIZER:
        torch.manual_seed(0)
        table = torch.randn(64, 32, requires_grad=True)
        optimizer = optimizer_class([table], **options)
        # SparseAdam accepts nothing but sparse gradients, which an embedding can return.
        step_on_a_table(
            optimizer, table, sparse=optimizer_class is torch.optim.SparseAdam
        )

        kept = kept_tensors(optimizer)
        each = sum(kept.values()) / table.numel()
        values = ", ".join(f"{name}={value}" for name, value in options.items())
        title = f"{optimizer_class.__name__}({values})"
        print(f"{title:36}  {each:5.2f}  {', '.join(kept) or 'none'}")
        if optimizer_class in (torch.optim.Adam, torch.optim.AdamW) and not options:
            assert each == 2 * table.element_size()


def memory_of_a_training_step() -> None:
    """Parameters, gradients and optimizer state of one model, in bytes."""
    torch.manual_seed(0)
    runs = {
        "SGD": (torch.optim.SGD, {}, 0),
        "momentum": (torch.optim.SGD, {"momentum": 0.9}, 1),
        "Adam": (torch.optim.Adam, {}, 2),
    }
    for name, (optimizer_class, options, copies) in runs.items():
        model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 10))
        optimizer = optimizer_class(model.parameters(), lr=0.001, **options)
        parameters = sum(parameter.nbytes for parameter in model.parameters())
        assert kept_tensors(optimizer) == {}

        model(torch.ones(8, 256)).sum().backward()
        gradients = sum(parameter.grad.nbytes for parameter in model.parameters())
        optimizer.step()
        state = sum(kept_tensors(optimizer).values())
        print(
            f"{name:8}  parameters {parameters}  gradients {gradients}  state {state:7}"
        )
        assert gradients == parameters
        assert state == copies * parameters


def parameter_groups() -> None:
    """Two groups of one optimizer, each with a learning rate of its own."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    body, head = model[0], model[2]
    groups = [{"params": body.parameters()}, {"params": head.parameters(), "lr": 0.01}]
    optimizer = torch.optim.Adam(groups, lr=0.001)

    for group in optimizer.param_groups:
        shapes = [tuple(parameter.shape) for parameter in group["params"]]
        print("lr", group["lr"], " betas", group["betas"], " shapes", shapes)

    before = deepcopy(model.state_dict())
    F.cross_entropy(model(torch.randn(16, 4)), torch.randint(3, (16,))).backward()
    optimizer.step()
    for name, parameter in model.named_parameters():
        print(f"{name} moved by {(parameter - before[name]).abs().max().item():.4f}")

    body_step = (body.weight - before["0.weight"]).abs().max()
    head_step = (head.weight - before["2.weight"]).abs().max()
    torch.testing.assert_close(head_step, 10 * body_step, rtol=0.01, atol=0)

    optimizer.param_groups[0]["lr"] = 0.0
    before = deepcopy(model.state_dict())
    optimizer.step()
    print("body stays at lr 0:", torch.equal(body.weight, before["0.weight"]))
    assert torch.equal(body.weight, before["0.weight"])
    assert not torch.equal(head.weight, before["2.weight"])


def replaced_layer_stays_still() -> None:
    """An optimizer holds the parameters it was given, not the model."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model[2] = nn.Linear(8, 5)
    inputs, labels = torch.randn(16, 4), torch.randint(5, (16,))

    for attempt in ("replaced", "added"):
        before = deepcopy(model.state_dict())
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
        after = model.state_dict()
        moved = [name for name in after if not torch.equal(after[name], before[name])]
        print(f"head {attempt}: {moved} moved")
        assert ("2.weight" in moved) == (attempt == "added")

        if attempt == "replaced":
            optimizer.add_param_group({"params": model[2].parameters()})


def no_gradient_or_zero_gradient() -> None:
    """A gradient of None skips the parameter, a gradient of zeros does not."""
    moves = {}
    for gradient in (None, torch.zeros(1)):
        weights = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.SGD([weights], lr=0.1, momentum=0.9)
        weights.grad = torch.ones(1)
        optimizer.step()

        before = weights.item()
        weights.grad = gradient
        optimizer.step()
        name = "None" if gradient is None else "zeros"
        moves[name] = weights.item() - before
        print(
            f"gradient {name:5}: first step {before:.2f}, second step {moves[name]:.2f}"
        )
    assert moves["None"] == 0
    assert abs(moves["zeros"] + 0.09) < 1e-6


def state_dict_counts_parameters() -> None:
    """An optimizer's `state_dict` numbers the parameters and holds none of them."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    print("state before a step:", optimizer.state_dict()["state"])

    model(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    saved = optimizer.state_dict()
    print("keys:               ", list(saved))
    group = saved["param_groups"][0]
    print(
        "group:              ",
        {name: group[name] for name in ("lr", "betas", "params")},
    )
    for number, state in saved["state"].items():
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        print(f"parameter {number}:", shapes)

    # Not a copy: the next step of the optimizer changes what is saved.
    assert saved["state"][0]["exp_avg"] is optimizer.state[model.weight]["exp_avg"]

    named = torch.optim.Adam(model.named_parameters(), lr=0.01)
    print(
        "with named parameters:", named.state_dict()["param_groups"][0]["param_names"]
    )


def resume_needs_the_state() -> None:
    """A resumed run equals the uninterrupted one only with the optimizer's state."""
    inputs, targets = regression_problem(samples=64)
    weights = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=0.1)
    fit(weights, optimizer, inputs, targets, steps=20)
    saved = deepcopy({"weights": weights.detach(), "optimizer": optimizer.state_dict()})
    fit(weights, optimizer, inputs, targets, steps=5)

    resumed = saved["weights"].clone().requires_grad_()
    optimizer = torch.optim.Adam([resumed], lr=0.7)
    optimizer.load_state_dict(saved["optimizer"])
    print("lr after loading:  ", optimizer.param_groups[0]["lr"])
    fit(resumed, optimizer, inputs, targets, steps=5)

    restarted = saved["weights"].clone().requires_grad_()
    fit(restarted, torch.optim.Adam([restarted], lr=0.1), inputs, targets, steps=5)

    print("uninterrupted:     ", rounded(weights))
    print("with state:        ", rounded(resumed))
    print("without:           ", rounded(restarted))
    assert torch.equal(resumed, weights)
    assert (restarted - weights).abs().max() > 0.05


def clip_by_norm_or_value() -> None:
    """Clipping by norm keeps the direction of the gradient, clipping by value does not."""
    slopes = {"weight": [30.0, 0.0], "bias": [-4.0]}
    for clip, limit in [
        (nn.utils.clip_grad_norm_, 5.0),
        (nn.utils.clip_grad_value_, 5.0),
    ]:
        params = {
            name: torch.zeros(len(slope), requires_grad=True)
            for name, slope in slopes.items()
        }
        for name, slope in slopes.items():
            params[name].grad = torch.tensor(slope)
        before = torch.cat([parameter.grad for parameter in params.values()])

        returned = clip(params.values(), limit)
        after = torch.cat([parameter.grad for parameter in params.values()])
        cosine = F.cosine_similarity(before, after, dim=0)
        print(clip.__name__)
        print("  before:", rounded(before))
        print("  after: ", rounded(after))
        print(
            f"  norm {after.norm().item():.3f}, cosine with the gradient {cosine.item():.4f}"
        )
        if returned is not None:
            print(f"  returned the norm before: {returned.item():.3f}")
            torch.testing.assert_close(returned, before.norm())
            assert cosine > 0.9999


def clipping_survives_a_bad_batch() -> None:
    """One batch with broken targets, without clipping and with it."""
    inputs, targets = regression_problem(samples=64)
    errors = {}
    for name, max_norm in {"no clipping": float("inf"), "clipped to 1": 1.0}.items():
        weights = torch.zeros(3, requires_grad=True)
        optimizer = torch.optim.SGD([weights], lr=0.2)
        for step in range(220):
            scale = 1000 if step == 200 else 1
            loss = F.mse_loss(inputs @ weights, scale * targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([weights], max_norm)
            optimizer.step()
            if step in (199, 200, 219):
                errors[name, step] = F.mse_loss(inputs @ weights, targets).item()
                print(
                    f"{name:12}  after step {step + 1}: loss {errors[name, step]:.4f}"
                )
    assert errors["no clipping", 219] > 1 > errors["clipped to 1", 219]


def solution_nesterov_by_hand() -> None:
    """Nesterov's momentum looks one step ahead along the velocity."""
    inputs, targets = regression_problem(samples=64)
    by_hand = torch.zeros(3, requires_grad=True)
    by_library = torch.zeros(3, requires_grad=True)
    velocity = torch.zeros(3)

    for _ in range(50):
        F.mse_loss(inputs @ by_hand, targets).backward()
        with torch.no_grad():
            velocity = 0.9 * velocity + by_hand.grad
            by_hand -= 0.05 * (by_hand.grad + 0.9 * velocity)
        by_hand.grad = None

    library = torch.optim.SGD([by_library], lr=0.05, momentum=0.9, nesterov=True)
    fit(by_library, library, inputs, targets, steps=50)
    print("by hand:       ", rounded(by_hand))
    print("by the library:", rounded(by_library))
    torch.testing.assert_close(by_hand, by_library)


def solution_turned_valley() -> None:
    """Turning the surface changes nothing for SGD, and much for Adam."""
    angle = torch.tensor(torch.pi / 4)
    across = torch.stack([angle.cos(), angle.sin()])
    turn = torch.stack([across, across.flip(0) * torch.tensor([-1.0, 1.0])], dim=1)
    torch.testing.assert_close(turn @ turn.T, torch.eye(2))

    for optimizer_class, lr in [(torch.optim.SGD, 0.07), (torch.optim.Adam, 0.3)]:
        losses = {}
        for name, rotation in {"straight": torch.eye(2), "turned": turn}.items():
            weights = (rotation @ torch.tensor(START)).requires_grad_()
            optimizer = optimizer_class([weights], lr=lr)
            for _ in range(15):
                optimizer.zero_grad()
                valley(rotation.T @ weights).backward()
                optimizer.step()
            losses[name] = valley(rotation.T @ weights).item()
        print(
            optimizer_class.__name__,
            {name: round(loss, 3) for name, loss in losses.items()},
        )
        same = abs(losses["straight"] - losses["turned"]) < 1e-3
        assert same == (optimizer_class is torch.optim.SGD)


def solution_decay_only_matrices() -> None:
    """Weight decay for matrices, none for biases and normalization."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3))
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.01, weight_decay=0.1)

    # Gradients of zero leave the decay as the only cause of a change.
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = deepcopy(model.state_dict())
    optimizer.step()
    for name, parameter in model.named_parameters():
        print(
            f"{name:8} {'stays' if torch.equal(parameter, before[name]) else 'shrinks'}"
        )
        expected = 0.999 * before[name] if parameter.ndim > 1 else before[name]
        torch.testing.assert_close(parameter.detach(), expected)
