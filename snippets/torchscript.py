"""TorchScript and what replaces it: a model as a program that needs no Python class."""

import io
import logging
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from time import perf_counter
from zipfile import ZipFile

import matplotlib.pyplot as plt
import onnxruntime
import pytest
import torch
from torch import nn
from torch._inductor import metrics


class Classifier(nn.Module):
    """Four features in, three logits out."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 16)
        self.output = nn.Linear(16, 3)

    def forward(self, features):
        return self.output(torch.relu(self.hidden(features)))


class ConvBlock(nn.Module):
    """Two convolutions, each followed by batch normalization and ReLU."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        )  # fmt: skip

    def forward(self, images):
        return self.layers(images)


def cap_length(features):
    """Shrink a vector to length 1 if it is longer."""
    length = torch.linalg.vector_norm(features)
    if length > 1:
        return features / length
    return features


class CapLength(nn.Module):
    """The same `if` in a module."""

    def forward(self, features):
        return cap_length(features)


class CapLengthWithCond(nn.Module):
    """Both branches as functions, so that the choice between them can be written down."""

    def forward(self, features):
        length = torch.linalg.vector_norm(features)

        def shrink(features, length):
            return features / length

        def keep(features, length):
            # A branch of `cond` may not return one of its inputs.
            return features.clone()

        return torch.cond(length > 1, shrink, keep, (features, length))


@contextmanager
def silence(start):
    """A `with` block in which warnings that start with this text are not shown."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", start)
        yield


def double_until(features, limit: float):
    """Double a vector until its length reaches a limit."""
    while torch.linalg.vector_norm(features) < limit:
        features = 2 * features
    return features


def node_kinds(block, depth=0):
    """Yield each node's kind, with its depth inside the branches of a TorchScript graph."""
    for node in block.nodes():
        yield depth, node.kind()
        for branch in node.blocks():
            yield from node_kinds(branch, depth + 1)


def run_elsewhere(code):
    """Run code in a new Python process, which knows nothing of this one, and return what it prints."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write_loader(path):
    """Write the C++ program: load a TorchScript file, evaluate it at 21 points, print the logits."""
    path.write_text("""\
#include <torch/script.h>

#include <iostream>

int main(int argc, char* argv[]) {
    torch::NoGradGuard no_grad;
    torch::jit::Module classifier = torch::jit::load(argv[1]);
    torch::Tensor features = torch::linspace(-2, 2, 21).unsqueeze(1).expand({21, 4});
    torch::Tensor logits = classifier.forward({features}).toTensor();
    for (int row = 0; row < logits.size(0); ++row) {
        for (int label = 0; label < logits.size(1); ++label) {
            std::cout << logits[row][label].item<float>() << " ";
        }
        std::cout << "\\n";
    }
}
""")


def build(source, program):
    """Compile a C++ file with the headers, and link it with the libraries, of the torch wheel."""
    wheel = Path(torch.__file__).parent
    headers = [f"-I{wheel}/include", f"-I{wheel}/include/torch/csrc/api/include"]
    libraries = [
        f"-L{wheel}/lib",
        f"-Wl,-rpath,{wheel}/lib",
        "-ltorch",
        "-ltorch_cpu",
        "-lc10",
    ]
    command = ["g++", "-std=c++20", *headers, source, "-o", program, *libraries]
    subprocess.run(command, check=True, capture_output=True)


def best_times(variants, tensor):
    """Milliseconds of the fastest of 30 calls of each variant, which take turns."""
    durations = {name: [] for name in variants}
    for _ in range(35):
        for name, variant in variants.items():
            start = perf_counter()
            variant(tensor)
            if tensor.device.type != "cpu":
                torch.accelerator.synchronize()
            durations[name].append(1000 * (perf_counter() - start))
    # The first calls compile and warm up.
    return {name: min(times[5:]) for name, times in durations.items()}


def smooth_step(inputs):
    """A chain of element-wise operations."""
    return (
        torch.sigmoid(3 * inputs) * torch.tanh(inputs)
        + 0.1 * inputs**2
        - torch.cos(inputs)
    )


def jit_is_deprecated() -> None:
    """The main functions of TorchScript warn that they are deprecated."""
    classifier = Classifier()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scripted = torch.jit.script(classifier)
        torch.jit.trace(classifier, torch.ones(2, 4))
        torch.jit.freeze(scripted.eval())
        torch.jit.save(scripted, "classifier.pt")
        torch.jit.load("classifier.pt")

    for message in dict.fromkeys(str(warning.message) for warning in caught):
        name, advice = message.split("`")[1], message.partition(". ")[2]
        print(f"{name:22} {advice}")

    # Python hides a DeprecationWarning that comes from inside a library, a FutureWarning never.
    expected = FutureWarning if torch.__version__ >= (2, 14) else DeprecationWarning
    assert {warning.category for warning in caught} == {expected}


def two_ways_to_capture() -> None:
    """Tracing runs the model and records, scripting reads its source; here both compute the same."""
    torch.manual_seed(0)
    classifier = Classifier()
    features = torch.randn(5, 4)

    with silence("`torch.jit"):
        traced = torch.jit.trace(classifier, features[:2])
        scripted = torch.jit.script(classifier)

    print(
        "logits:         ",
        [round(logit, 4) for logit in classifier(features)[0].tolist()],
    )
    for name, captured in {"traced": traced, "scripted": scripted}.items():
        print(f"{name}:")
        print("  kind:         ", type(captured).__name__)
        print(
            "  parameters:   ",
            [parameter for parameter, _ in captured.named_parameters()],
        )
        print("  same logits:  ", torch.equal(captured(features), classifier(features)))
        assert torch.equal(captured(features), classifier(features))
        assert isinstance(captured, torch.jit.ScriptModule)


def read_the_code() -> None:
    """The code that scripting kept, and the code that tracing kept."""
    short, long = torch.tensor([0.3, 0.4]), torch.tensor([3.0, 4.0])
    with silence("`torch.jit"), silence("Converting a tensor to a Python boolean"):
        scripted = torch.jit.script(cap_length)
        traced_short = torch.jit.trace(cap_length, short)
        traced_long = torch.jit.trace(cap_length, long)

    print("scripted\n" + scripted.code)
    print("traced with a short vector\n" + traced_short.code)
    print("traced with a long vector\n" + traced_long.code)
    assert "if " in scripted.code
    assert "if " not in traced_short.code + traced_long.code


def tracing_loses_a_branch() -> None:
    """The branch not taken during tracing is gone, and only a warning says so."""
    short, long = torch.tensor([0.3, 0.4]), torch.tensor([3.0, 4.0])
    with silence("`torch.jit"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", torch.jit.TracerWarning)
        functions = {
            "Python": cap_length,
            "scripted": torch.jit.script(cap_length),
            "traced with a short vector": torch.jit.trace(cap_length, short),
            "traced with a long vector": torch.jit.trace(cap_length, long),
        }
    print("warning:", str(caught[0].message).partition(".")[0])
    assert {warning.category for warning in caught} == {torch.jit.TracerWarning}

    lengths = torch.linspace(0.05, 3, 60)
    direction = torch.tensor([0.6, 0.8])
    fig, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    styles = [("C0", "-", 6), ("C2", "-", 2), ("C1", "--", 2), ("C3", ":", 2)]
    for (name, function), (color, style, width) in zip(
        functions.items(), styles, strict=True
    ):
        returned = torch.stack(
            [function(length * direction).norm() for length in lengths]
        )
        right = torch.isclose(returned, lengths.clamp(max=1)).sum().item()
        print(f"{name:26}  right for {right} of 60 lengths")
        ax.plot(
            lengths.tolist(),
            returned.tolist(),
            color,
            linestyle=style,
            linewidth=width,
            label=name,
        )
        assert (right == 60) == (name in ("Python", "scripted"))
    ax.set_xlabel("length of the input")
    ax.set_ylabel("length of the output")
    ax.legend()
    plt.show()


@pytest.mark.not_importable(
    "TorchScript prefixes a function's name with that of its module"
)
def scripted_inside_traced() -> None:
    """A trace records the call of a scripted function as a call, branch included."""
    with silence("`torch.jit"):
        capped = torch.jit.script(cap_length)
        # No TracerWarning here: the `if` is inside the scripted part.
        doubled = torch.jit.trace(
            lambda features: 2 * capped(features), torch.tensor([0.3, 0.4])
        )

    print(doubled.code)
    for features in (torch.tensor([0.3, 0.4]), torch.tensor([3.0, 4.0])):
        print(
            [round(f, 4) for f in features.tolist()],
            "->",
            [round(f, 4) for f in doubled(features).tolist()],
        )
        assert torch.allclose(doubled(features), 2 * cap_length(features))


def script_is_typed() -> None:
    """A parameter without a type is a tensor, and only a part of Python compiles."""

    def first(features, count):
        return features[:count]

    def guarded(features):
        try:
            return features.log()
        except RuntimeError:
            return features

    messages = []
    with silence("`torch.jit"):
        try:
            torch.jit.script(first)(torch.ones(5), 2)
        except RuntimeError as error:
            messages.append(str(error).split("\n")[1])
        try:
            torch.jit.script(guarded)
        except torch.jit.frontend.UnsupportedNodeError as error:
            messages.append(str(error).split(":\n")[0])
    print("\n".join(messages))
    assert "not annotated" in messages[0]
    assert "try blocks" in messages[1]


def walk_the_graph() -> None:
    """A graph of TorchScript: typed values, operators, and branches as blocks inside a node."""
    with silence("`torch.jit"):
        scripted = torch.jit.script(cap_length)

    # A comment on each line names the line of Python it came from.
    print(re.sub(r" +# .*", "", str(scripted.graph)))
    kinds = list(node_kinds(scripted.graph))
    for depth, kind in kinds:
        print("  " * depth + kind)
    assert (0, "prim::If") in kinds
    assert (1, "aten::div") in kinds


def file_needs_no_class() -> None:
    """A TorchScript file holds code and parameters: another process runs it without the class."""
    torch.manual_seed(0)
    classifier = Classifier()
    with silence("`torch.jit"):
        torch.jit.save(torch.jit.script(classifier), "classifier.pt")

    with ZipFile("classifier.pt") as archive:
        code = next(
            name
            for name in archive.namelist()
            if "/code/" in name and name.endswith(".py")
        )
        lines = archive.read(code).decode().splitlines()
    print("\n".join(lines[-4:]))

    answer = run_elsewhere("""
import torch
loaded = torch.jit.load("classifier.pt", map_location="cpu")
print(loaded.original_name, *loaded(torch.ones(1, 4))[0].tolist())
""")
    name, *logits = answer.split()
    here = classifier(torch.ones(1, 4))[0]
    print("loaded there:", name)
    print("logits there:", [round(float(logit), 4) for logit in logits])
    print("logits here: ", [round(logit, 4) for logit in here.tolist()])
    assert torch.allclose(
        torch.tensor([float(logit) for logit in logits]), here, atol=1e-5
    )


@pytest.mark.needs("g++")
@pytest.mark.slow
@pytest.mark.time_limit(180)
@pytest.mark.cpu_only("the C++ program runs the model on the CPU")
def load_in_cpp() -> None:
    """A C++ program loads the file and computes what Python computes."""
    torch.manual_seed(0)
    classifier = Classifier()
    with silence("`torch.jit"):
        torch.jit.save(torch.jit.script(classifier), "classifier.pt")

    write_loader(Path("loader.cpp"))
    build("loader.cpp", "loader")
    answer = subprocess.run(
        ["./loader", "classifier.pt"], check=True, capture_output=True, text=True
    )
    from_cpp = torch.tensor(
        [
            [float(logit) for logit in line.split()]
            for line in answer.stdout.splitlines()
        ]
    )

    points = torch.linspace(-2, 2, 21)
    with torch.no_grad():
        from_python = classifier(points.unsqueeze(1).expand(21, 4))
    print("C++, first point:   ", [round(logit, 4) for logit in from_cpp[0].tolist()])
    print(
        "Python, first point:", [round(logit, 4) for logit in from_python[0].tolist()]
    )
    print("all 63 logits agree:", torch.allclose(from_cpp, from_python, atol=1e-5))
    assert torch.allclose(from_cpp, from_python, atol=1e-5)

    fig, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    for label in range(3):
        ax.plot(
            points, from_python[:, label], f"C{label}", label=f"label {label}, Python"
        )
        ax.plot(
            points,
            from_cpp[:, label],
            f"C{label}o",
            markersize=4,
            label=f"label {label}, C++",
        )
    ax.set_xlabel("value of all four features")
    ax.set_ylabel("logit")
    ax.legend(ncols=3, fontsize=8)
    plt.show()


def freezing_folds() -> None:
    """Freezing turns parameters into constants, and folds batch normalization into convolutions."""
    torch.manual_seed(0)
    # In double precision, since a GPU may round the inputs of float32 convolutions.
    block = ConvBlock().double()
    images = torch.randn(8, 3, 32, 32, dtype=torch.float64)
    # One batch in training mode, so that the running statistics are not the initial ones.
    block(images)
    block.eval()

    with silence("`torch.jit"):
        scripted = torch.jit.script(block)
        frozen = torch.jit.freeze(scripted)

    for name, module in {"scripted": scripted, "frozen": frozen}.items():
        print(f"{name}, {len(list(module.parameters()))} parameters")
        for kind in ("prim::GetAttr", "aten::conv2d", "aten::batch_norm", "aten::relu"):
            print(f"  {kind:16} {len(module.inlined_graph.findAllNodes(kind)):2}")
    assert not frozen.inlined_graph.findAllNodes("aten::batch_norm")
    assert not list(frozen.parameters())
    assert torch.allclose(frozen(images), block(images), atol=1e-5)


@pytest.mark.measurement
def freezing_timed() -> None:
    """The same block in Python, scripted, frozen, and optimized for inference, measured."""
    torch.manual_seed(0)
    block = ConvBlock().eval()
    images = torch.randn(8, 3, 64, 64)
    with silence("`torch.jit"):
        scripted = torch.jit.script(block)
        variants = {
            "Python": block,
            "scripted": scripted,
            "frozen": torch.jit.freeze(scripted),
            "optimized": torch.jit.optimize_for_inference(scripted),
        }

    with torch.no_grad():
        expected = block(images)
        times = best_times(variants, images)
        for name, variant in variants.items():
            print(f"{name:9}  {times[name]:6.2f} ms")
            # Not closer, since a GPU may round the inputs of float32 convolutions.
            assert torch.allclose(variant(images), expected, atol=1e-2)

    fig, ax = plt.subplots(figsize=(6.4, 2), layout="constrained")
    ax.barh(list(times), list(times.values()))
    ax.invert_yaxis()
    ax.set_xlabel("milliseconds for 8 images")
    plt.show()


def export_refuses_a_branch() -> None:
    """`torch.export` raises where tracing drops a branch; `torch.cond` writes both branches down."""
    short, long = torch.tensor([0.3, 0.4]), torch.tensor([3.0, 4.0])

    message = ""
    try:
        # It also shows the graph up to that point on standard error.
        with redirect_stderr(io.StringIO()):
            torch.export.export(CapLength(), (short,), strict=True)
    except RuntimeError as error:
        message = str(error).split("\n")[0]
    print("with if:  ", message)
    assert message == "Data-dependent branching"

    exported = torch.export.export(CapLengthWithCond(), (short,)).module()
    for features in (short, long):
        print("with cond:", [round(f, 4) for f in exported(features).tolist()])
        assert torch.allclose(exported(features), cap_length(features))


def export_a_graph() -> None:
    """An exported program: operators, a batch size that may vary, and a file."""
    torch.manual_seed(0)
    classifier = Classifier().eval()
    features = torch.linspace(-1, 1, 20).reshape(5, 4)

    sizes = {"features": {0: torch.export.Dim("batch")}}
    exported = torch.export.export(classifier, (features[:2],), dynamic_shapes=sizes)
    torch.export.save(exported, "classifier.pt2")
    # Up to torch 2.11, loading warns about a buffer of its own.
    with silence("The given buffer is not writable"):
        loaded = torch.export.load("classifier.pt2")

    for node in loaded.graph.nodes:
        print(f"{node.op:13}  {node.target}")
    logits = loaded.module()(features)
    print("first logits:", [round(logit, 4) for logit in logits[0].tolist()])
    assert torch.allclose(logits, classifier(features), atol=1e-5)


def compile_keeps_the_branch() -> None:
    """`torch.compile` splits a function at a branch, and lets Python decide."""
    graphs = []

    def note_and_run(graph_module, example_inputs):
        graphs.append(
            [
                node.name
                for node in graph_module.graph.nodes
                if node.op.startswith("call")
            ]
        )
        return graph_module.forward

    compiled = torch.compile(cap_length, backend=note_and_run)
    for features in (
        torch.tensor([0.3, 0.4]),
        torch.tensor([3.0, 4.0]),
        torch.tensor([0.1, 0.2]),
    ):
        returned = compiled(features)
        print(
            f"returned {[round(f, 4) for f in returned.tolist()]}, graphs so far {graphs}"
        )
        assert torch.allclose(returned, cap_length(features))
    assert len(graphs) == 2


@pytest.mark.needs("g++")
@pytest.mark.slow
@pytest.mark.time_limit(180)
def compile_in_place() -> None:
    """`torch.compile`: the model stays a Python object, and its forward pass becomes machine code."""
    # A machine with a CUDA compiler but no GPU would be told so while the kernel is built.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    torch.manual_seed(0)
    classifier = Classifier().eval()
    features = torch.linspace(-1, 1, 20).reshape(5, 4)

    compiled = torch.compile(classifier)
    # On a GPU the compiler recommends TensorFloat32, which would round the logits.
    with torch.no_grad(), silence("TensorFloat32"):
        logits = compiled(features)  # the first call compiles
    print("first logits:     ", [round(logit, 4) for logit in logits[0].tolist()])
    print("kind of model:    ", type(compiled).__name__)
    print("shares parameters:", compiled.output.weight is classifier.output.weight)
    assert torch.allclose(logits, classifier(features), atol=1e-5)
    assert compiled.output.weight is classifier.output.weight


@pytest.mark.measurement
@pytest.mark.needs("g++")
@pytest.mark.slow
@pytest.mark.time_limit(180)
def fusing_timed() -> None:
    """A chain of element-wise operations: one by one, scripted, and fused by the compiler, measured."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    torch.manual_seed(0)
    inputs = torch.randn(2_000_000)
    with silence("`torch.jit"):
        scripted = torch.jit.script(smooth_step)
    variants = {
        "Python": smooth_step,
        "scripted": scripted,
        "compiled": torch.compile(smooth_step),
    }

    times = best_times(variants, inputs)
    for name, variant in variants.items():
        print(f"{name:8}  {times[name]:6.2f} ms")
        assert torch.allclose(variant(inputs), smooth_step(inputs), atol=1e-5)
    print("loops or kernels generated:", metrics.generated_kernel_count)
    assert metrics.generated_kernel_count == 1
    assert times["compiled"] < times["Python"]

    fig, ax = plt.subplots(figsize=(6.4, 1.8), layout="constrained")
    ax.barh(list(times), list(times.values()))
    ax.invert_yaxis()
    ax.set_xlabel("milliseconds for 2 million numbers")
    plt.show()


@pytest.mark.needs("g++")
@pytest.mark.slow
@pytest.mark.time_limit(180)
@pytest.mark.cpu_only(
    "on an NVIDIA H200 with torch 2.11.0 the process crashed while it loaded the package"
)
def package_ahead_of_time() -> None:
    """AOTInductor: an exported program compiled once into a package with a shared library."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    torch.manual_seed(0)
    classifier = Classifier().eval()
    features = torch.linspace(-1, 1, 20).reshape(5, 4)

    exported = torch.export.export(classifier, (features,))
    # Up to torch 2.11, the compiler uses a function of torch that is deprecated; on a GPU
    # it recommends TensorFloat32, which would round the logits.
    with silence("`isinstance"), silence("TensorFloat32"):
        torch._inductor.aoti_compile_and_package(
            exported, package_path="classifier.pt2"
        )
    with ZipFile("classifier.pt2") as archive:
        libraries = [name for name in archive.namelist() if name.endswith(".so")]
    loaded = torch._inductor.aoti_load_package("classifier.pt2")

    logits = loaded(features)
    print("shared libraries:", len(libraries))
    print("first logits:    ", [round(logit, 4) for logit in logits[0].tolist()])
    assert libraries
    assert torch.allclose(logits, classifier(features), atol=1e-5)


def export_to_onnx() -> None:
    """ONNX: the same model as a file for other runtimes, run by ONNX Runtime."""
    torch.manual_seed(0)
    classifier = Classifier().eval()
    features = torch.linspace(-1, 1, 20).reshape(5, 4)

    # Up to torch 2.11, the exporter uses a function of its own that is deprecated.
    with silence("`isinstance"):
        program = torch.onnx.export(classifier, (features,), dynamo=True, verbose=False)
    program.save("classifier.onnx")
    session = onnxruntime.InferenceSession(
        "classifier.onnx", providers=["CPUExecutionProvider"]
    )

    (wanted,) = session.get_inputs()
    (logits,) = session.run(None, {wanted.name: features.cpu().numpy()})
    print("input:       ", wanted.name, wanted.shape, wanted.type)
    print("operators:   ", [node.op_type for node in program.model.graph])
    print("first logits:", [round(logit, 4) for logit in logits[0].tolist()])
    assert torch.allclose(
        torch.from_numpy(logits), classifier(features).cpu(), atol=1e-5
    )


def solution_trace_a_loop() -> None:
    """A traced loop is unrolled: it repeats as often as it did for the example."""
    example, smaller = torch.tensor([1.0, 0.0]), torch.tensor([0.1, 0.0])
    with silence("`torch.jit"), silence("Converting a tensor to a Python boolean"):
        traced = torch.jit.trace(lambda features: double_until(features, 8.0), example)
        scripted = torch.jit.script(double_until)

    for features in (example, smaller):
        print("input:   ", [round(f, 4) for f in features.tolist()])
        print("Python:  ", [round(f, 4) for f in double_until(features, 8.0).tolist()])
        print("scripted:", [round(f, 4) for f in scripted(features, 8.0).tolist()])
        print("traced:  ", [round(f, 4) for f in traced(features).tolist()])
        assert torch.equal(scripted(features, 8.0), double_until(features, 8.0))
        assert torch.equal(traced(features), 8 * features)
    print("multiplications in the trace:", traced.code.count("torch.mul"))


def solution_rescue_the_weights() -> None:
    """The parameters of a TorchScript file go into a new class through its `state_dict`."""
    torch.manual_seed(0)
    with silence("`torch.jit"):
        torch.jit.save(torch.jit.script(Classifier()), "old.pt")
        old = torch.jit.load("old.pt")

    rescued = Classifier()
    features = torch.linspace(-1, 1, 20).reshape(5, 4)
    print("equal before:", torch.equal(rescued(features), old(features)))
    assert not torch.equal(rescued(features), old(features))

    print("keys:        ", rescued.load_state_dict(old.state_dict()))
    print("equal after: ", torch.equal(rescued(features), old(features)))
    assert torch.equal(rescued(features), old(features))
