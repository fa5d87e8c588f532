"""The tutorial `notebook_to_cpp`: one model, every way out of Python, equal outputs."""

import io
import logging
import shutil
import subprocess
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import matplotlib.pyplot as plt
import onnxruntime
import torch
from torch import nn

from snippets.data import mnist_tensors
from snippets.torchscript import best_times, build, silence


class FirstReader(nn.Module):
    """Reads light digits on a dark ground, and dark digits on paper."""

    def __init__(self, classifier):
        super().__init__()
        self.classifier = classifier

    def forward(self, images):
        if images.mean() > 0.5:  # more light than dark: paper
            images = 1 - images
        return self.classifier(images)


class DigitReader(nn.Module):
    """The same decision, taken for each image, without an `if`."""

    def __init__(self, classifier):
        super().__init__()
        self.classifier = classifier

    def forward(self, images):
        on_paper = images.mean(dim=(1, 2, 3), keepdim=True) > 0.5
        return self.classifier(torch.where(on_paper, 1 - images, images))


class Way(NamedTuple):
    """A model that left Python: how to call it, and how many seconds it took to make."""

    run: Callable[[torch.Tensor], torch.Tensor]
    seconds: float


class CppProgram(NamedTuple):
    """A compiled program, and how many seconds the compiler took."""

    path: str
    seconds: float


class CppRun(NamedTuple):
    """What the C++ program answered, and the milliseconds of its fastest call."""

    logits: torch.Tensor
    milliseconds: float
    seconds: float


def held_out_digits(root):
    """The digits that the classifier was not trained with."""
    return mnist_tensors(root, train=False)


def accuracy(run, images, labels):
    """The share of the digits that a model reads right."""
    with torch.no_grad():
        return (run(images).argmax(dim=1) == labels).float().mean().item()


def accuracies(name, run, images, labels):
    """Accuracy on light digits, and on the same digits on paper."""
    light, paper = (accuracy(run, batch, labels) for batch in (images, 1 - images))
    print(f"{name + ':':9} light digits {light:.2f}, on paper {paper:.2f}")
    return light, paper


def capture_old_way(reader, images, labels):
    """Trace and script a model with an `if`, with all the warnings that come."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        traced = torch.jit.trace(reader, images)
        scripted = torch.jit.script(reader)
    # Some come more than once.
    for category, message in dict.fromkeys(
        (w.category, str(w.message)) for w in caught
    ):
        print(f"{category.__name__}: {message.split('. ')[0]}")
    assert torch.jit.TracerWarning in [warning.category for warning in caught]

    print()
    in_python = accuracies("Python", reader, images, labels)
    assert min(in_python) > 0.9
    assert accuracies("scripted", scripted, images, labels) == in_python
    light, paper = accuracies("traced", traced, images, labels)
    assert light == in_python[0]
    assert paper < 0.1


def show_refusal(reader, images):
    """`torch.export` refuses an `if` on a tensor's value."""
    message = ""
    try:
        # It also shows the graph up to that point on standard error.
        with redirect_stderr(io.StringIO()):
            torch.export.export(reader, (images,), strict=True)
    except RuntimeError as error:
        message = str(error).split("\n")[0]
    print("torch.export:", message)
    assert message == "Data-dependent branching"


def to_torchscript(reader, images, path):
    """Trace and script: both through one file each, and back."""
    ways = []
    for suffix, capture in {
        "traced": lambda: torch.jit.trace(reader, images),
        "scripted": lambda: torch.jit.script(reader),
    }.items():
        start = perf_counter()
        file = f"{path}_{suffix}.pt"
        with silence("`torch.jit"):
            torch.jit.save(capture(), file)
            loaded = torch.jit.load(file)
        ways.append(Way(loaded, perf_counter() - start))
        print(f"{file} took {ways[-1].seconds:.2f} s")
    return ways


def to_exported(reader, images):
    """`torch.export`: a program of operators, for any number of images."""
    start = perf_counter()
    sizes = {"images": {0: torch.export.Dim("batch")}}
    exported = torch.export.export(reader, (images,), dynamic_shapes=sizes)
    seconds = perf_counter() - start
    for node in exported.graph.nodes:
        if node.op == "call_function":
            print(node.target)
    print(f"exported program took {seconds:.2f} s")
    return exported, Way(exported.module(), seconds)


def has_compiler(name):
    """Whether there is a C++ compiler; if not, the cell says so."""
    found = shutil.which(name) is not None
    if not found:
        print(f"There is no {name} on this machine: nothing is compiled.")
    return found


def to_compiled(reader, images):
    """`torch.compile`: machine code inside this process."""
    if not has_compiler("g++"):
        return None
    # A machine with a CUDA compiler but no GPU would be told so.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    start = perf_counter()
    compiled = torch.compile(reader)
    with torch.no_grad():
        compiled(images)  # the first call compiles
    way = Way(compiled, perf_counter() - start)
    print(f"compiled, first call took {way.seconds:.2f} s")
    return way


def to_package(exported, path):
    """AOTInductor: an exported program as a package with a shared library."""
    if not has_compiler("g++"):
        return None
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    start = perf_counter()
    # Up to torch 2.11, the compiler uses a function of torch that is deprecated.
    with silence("`isinstance"):
        torch._inductor.aoti_compile_and_package(exported, package_path=path)
    way = Way(torch._inductor.aoti_load_package(path), perf_counter() - start)
    print(f"{path} took {way.seconds:.2f} s")
    return way


def to_onnx(exported, path):
    """ONNX: a file for other runtimes, run by ONNX Runtime."""
    start = perf_counter()
    # Up to torch 2.11, the exporter uses a function of its own that is deprecated.
    with silence("`isinstance"):
        program = torch.onnx.export(exported, dynamo=True, verbose=False)
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(images):
        (logits,) = session.run(None, {"images": images.numpy()})
        return torch.from_numpy(logits)

    way = Way(run, perf_counter() - start)
    print("operators:", [node.op_type for node in program.model.graph])
    print(f"{path} took {way.seconds:.2f} s")
    return way


def write_cpp(path):
    """Write the C++ program: read a model and images, compute logits, note the fastest call."""
    Path(path).write_text("""\
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

using torch::Tensor;

std::function<Tensor(Tensor)> load(const std::string& path) {
    if (path.ends_with(".pt2")) {
        auto package = std::make_shared<torch::inductor::AOTIModelPackageLoader>(path);
        return [package](Tensor images) { return package->run({images})[0]; };
    }
    auto module = std::make_shared<torch::jit::Module>(torch::jit::load(path));
    return [module](Tensor images) { return module->forward({images}).toTensor(); };
}

int main(int argc, char* argv[]) {
    torch::NoGradGuard no_grad;
    auto read_digits = load(argv[1]);
    Tensor images = torch::empty({std::stoi(argv[3]), 1, 8, 8}), logits;
    std::ifstream pixels(argv[2], std::ios::binary);
    pixels.read(static_cast<char*>(images.data_ptr()), images.nbytes());

    double fastest = 1e9;
    for (int call = 0; call < 35; ++call) {
        auto start = std::chrono::steady_clock::now();
        logits = read_digits(images).contiguous();
        std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
        fastest = std::min(fastest, spent.count());
    }
    std::ofstream answer(argv[4], std::ios::binary);
    answer.write(static_cast<char*>(logits.data_ptr()), logits.nbytes());
    std::cout << fastest << std::endl;
}
""")
    print("wrote", path)
    return path


def build_cpp(source, path):
    """Compile the C++ program against the torch wheel."""
    if not has_compiler("g++"):
        return None
    start = perf_counter()
    build(source, path)
    program = CppProgram(path, perf_counter() - start)
    print(f"g++ took {program.seconds:.2f} s")
    return program


def run_cpp(program, model_file, images):
    """Run the C++ program on a model file; pixels go in as a file, logits come out as one."""
    if program is None:
        print(f"There is no program to run {model_file} with.")
        return None
    images.numpy().tofile("pixels.bin")
    command = [
        f"./{program.path}",
        model_file,
        "pixels.bin",
        str(len(images)),
        "logits.bin",
    ]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    logits = torch.from_file("logits.bin", size=10 * len(images)).reshape(-1, 10)
    milliseconds = float(answer.stdout)
    print(f"{model_file} in C++: one call took {milliseconds:.3f} ms")
    return CppRun(logits.clone(), milliseconds, program.seconds)


def compare_ways(reader, images, **ways):
    """Every way out against Python: logits of light digits and of dark ones, within 1e-5."""
    for name, way in ways.items():
        if way is None:
            print(f"{name + ':':9} not on this machine")
            continue
        with torch.no_grad():
            for batch in (images, 1 - images, images[:5]):
                logits, expected = way.run(batch), reader(batch)
                assert torch.allclose(logits, expected, rtol=0, atol=1e-5), name
        print(f"{name + ':':9} equal logits, light and on paper, 297 images and 5")


def compare_cpp(reader, images, **runs):
    """The logits of the C++ program against those of Python, within 1e-5."""
    with torch.no_grad():
        expected = reader(images)
    for name, run in runs.items():
        if run is not None:
            print(f"{name}:", [round(logit, 2) for logit in run.logits[0, :4].tolist()])
            assert torch.allclose(run.logits, expected, rtol=0, atol=1e-5), name
    print("python:", [round(logit, 2) for logit in expected[0, :4].tolist()])


def measure_calls(reader, images, ways, cpp):
    """Milliseconds of the fastest call: Python and its other forms take turns, C++ has measured itself."""
    runs = {"Python": reader}
    runs |= {name: way.run for name, way in ways.items() if way is not None}
    with torch.no_grad():
        calls = best_times(runs, images)
    calls |= {name: run.milliseconds for name, run in cpp.items() if run is not None}
    for name, milliseconds in calls.items():
        print(f"{name + ':':20} one call took {milliseconds:.3f} ms")
    return calls


def plot_ways(calls, ways, cpp):
    """The final picture: seconds to make each, milliseconds of a call."""
    made = {name: way for name, way in (ways | cpp).items() if way is not None}
    # The model in Python was there from the beginning.
    seconds = [made[name].seconds if name in made else 0 for name in calls]
    colors = ["C1" if name in cpp else "C0" if name in ways else "C7" for name in calls]

    _, (left, right) = plt.subplots(
        1, 2, figsize=(6.4, 3.2), sharey=True, layout="constrained"
    )
    names = list(calls)
    left.barh(names, seconds, color=colors)
    left.set_xlabel("seconds that making it took")
    right.barh(names, list(calls.values()), color=colors)
    right.set_xlabel("milliseconds that a call took")
    left.invert_yaxis()
    plt.show()
