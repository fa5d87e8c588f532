"""
From notebook to C++
====================

A model works in your notebook. How does it get out of Python, and does it still give the same answers there?

We take one model through every way out that PyTorch offers: TorchScript (traced and scripted), ``torch.export``, ``torch.compile``, AOTInductor and ONNX. At the end, a program written in C++
loads two of the files. All of them must return the logits of the model in Python within 1e-5. The last picture shows what each of them costs: how many seconds to make, and
how many milliseconds to call.

The notebook needs ``pip install torch torchvision matplotlib scikit-learn onnx onnxscript onnxruntime``. Three cells compile with ``g++``; where there is none, they say so and the others go on.
The chapter on `TorchScript and what replaces it <../docs/learn/torchscript.md>`_ explains each tool in a block of its own. You should know what a
`module <../docs/learn/modules.md>`_ is.
"""

# %%
# A model with a decision
# -----------------------
#
# The heart of our model is a small classifier for digits, trained for ten epochs. The cell is long, because a notebook has to bring its data and its training along: they are those
# of the chapters on `data <../docs/learn/data.md>`_ and the `training loop <../docs/learn/training_loop.md>`_. Nothing in it is needed to follow the story.

from snippets.notebook_to_cpp import held_out_digits
from snippets.training_loop import train_on_digits

classifier, history = train_on_digits(".", epochs=10)
images, labels = held_out_digits(".")

# %%
# It has learned light digits on a dark ground. Those who send us scans have dark digits on white paper. So the model gets a decision in front: if an image is light
# on the whole, it is paper, and is inverted first. In Python this is an ``if``.

from snippets.notebook_to_cpp import FirstReader

first_reader = FirstReader(classifier)

# %%
# Why make it harder than it is? Because each way out has to do something about the ``if``, and they do different things. A model without a decision
# would hide that.
#
# The old way: TorchScript
# ------------------------
#
# *TorchScript* is a small language inside PyTorch that C++ can run. There are two ways into it. *Tracing* runs the model once with an example
# and records what happens. *Scripting* reads the source code of ``forward``. The cell does both, prints every warning that comes, and then counts right answers: for the test digits, and for the same digits on paper.

from snippets.notebook_to_cpp import capture_old_way

capture_old_way(first_reader, images, labels)

# %%
# First the warnings. TorchScript is deprecated, and each of its functions says so. Its files are still in use, so it is worth knowing, but a new project should not start with it.
#
# The ``TracerWarning`` is about something else, and is the important one. Look at the last line. The traced model reads light digits as well as Python does, and not a single digit on paper.
# The example was light, so the ``if`` was not taken, and the trace knows nothing of an inversion. No error is raised: it answers, with confidence and wrong. Scripting kept the ``if``.
#
# The new way says no
# -------------------
#
# ``torch.export`` replaces TorchScript. What does it do about the ``if``?

from snippets.notebook_to_cpp import show_refusal

show_refusal(first_reader, images)

# %%
# It refuses. Which way to go depends on the numbers in the images, and an exported program is a list of operations. (A fork in it has to be asked for, with ``torch.cond``; the chapter shows how.) An error now
# is a better answer than that of the trace, which was wrong answers later.
#
# So we rewrite the decision. ``torch.where`` computes both versions of an image and chooses. It is also the better model. The ``if`` decided once for a whole batch; ``where`` decides for each image, so light and
# dark ones may come in one batch.

from snippets.notebook_to_cpp import DigitReader, accuracies

reader = DigitReader(classifier)
read_right = accuracies("Python", reader, images, labels)

# %%
# This is the model that goes all the ways. Each way gets its own cell, and we compare them afterwards.
#
# TorchScript, to a file
# ----------------------
#
# Traced and scripted once more, each saved to a file and loaded from it. With no ``if`` left, the trace has nothing to lose. From here on the warnings about TorchScript are silenced; you have seen them.

from snippets.notebook_to_cpp import to_torchscript

traced, scripted = to_torchscript(reader, images, path="reader")

# %%
# An exported program
# -------------------
#
# ``torch.export`` records *operators*, PyTorch's basic operations. All sizes are fixed to those of the example, unless a dimension gets a name. Ours is called ``batch``, so that any number of images will do.

from snippets.notebook_to_cpp import to_exported

exported, exported_way = to_exported(reader, images)

# %%
# Read the list from the top: the mean of each image, the comparison with 0.5, the inverted image, the choice, and then the classifier. This is the whole model. It can be saved with ``torch.export.save``, but what is it good for? It is the
# door to the next two: both start from this list.
#
# ONNX, for other runtimes
# ------------------------
#
# *ONNX* is a file format that belongs to no framework. The exporter translates PyTorch's operators into those of ONNX. Then ONNX Runtime, which knows nothing of PyTorch, runs the file.

from snippets.notebook_to_cpp import to_onnx

onnx = to_onnx(exported, path="reader.onnx")

# %%
# Machine code, in this process
# -----------------------------
#
# ``torch.compile`` does not leave Python at all. On a CPU it translates the model to C++, compiles that, and loads the result into the running process, where the model can be called as before. It would even have taken the ``if``: it may hand a part back to Python.
# It stands here for comparison, and because the next step uses the same compiler.

from snippets.notebook_to_cpp import to_compiled

compiled = to_compiled(reader, images)

# %%
# Machine code, in a package
# --------------------------
#
# *AOTInductor* compiles as well, but ahead of time (that is the AOT) and into a file. It starts from the exported program, since a file cannot hand anything back to Python.

from snippets.notebook_to_cpp import to_package

package = to_package(exported, path="reader.pt2")

# %%
# Do they agree?
# --------------
#
# Every way against the model in Python: all test digits light, all on paper, and five of them as a smaller batch. The assert demands that no logit differs by more than 1e-5.

from snippets.notebook_to_cpp import compare_ways

compare_ways(
    reader,
    images,
    traced=traced,
    scripted=scripted,
    exported=exported_way,
    compiled=compiled,
    package=package,
    onnx=onnx,
)

# %%
# Note which inputs were compared. With light digits alone, the trace of the first model would have passed. Compare with inputs that take every way through the model.
#
# C++
# ---
#
# Now a program without Python. It loads a model from the file it is given, reads pixels, computes logits 35 times, and reports the fastest call. A TorchScript file is loaded by ``torch::jit::load``, an AOTInductor package by ``AOTIModelPackageLoader``. Once loaded they are
# called in the same way.

from snippets.notebook_to_cpp import write_cpp

source = write_cpp("reader.cpp")

# %%
# What does the compiler need? Headers and libraries, and both are in the torch wheel that ``pip`` installed. A separate download of "LibTorch" is another way to get the same.

from snippets.notebook_to_cpp import build_cpp

program = build_cpp(source, "reader")

# %%
# Then we run it on two files. Pixels go in as a file of plain numbers, and logits come out as one.

from snippets.notebook_to_cpp import run_cpp

torchscript_in_cpp = run_cpp(program, "reader_scripted.pt", images)
package_in_cpp = run_cpp(program, "reader.pt2", images)

# %%
# Again the assert is about all logits of all 297 digits; the first four are printed to look at.

from snippets.notebook_to_cpp import compare_cpp

compare_cpp(reader, images, TorchScript=torchscript_in_cpp, AOTInductor=package_in_cpp)

# %%
# The final picture
# -----------------
#
# What does each way cost? We measure calls in turns, so that a busy moment of the machine hits all of them, and keep the fastest of thirty. The C++ program has done the same on its own.

from snippets.notebook_to_cpp import measure_calls

calls = measure_calls(
    reader,
    images,
    ways={
        "traced": traced,
        "scripted": scripted,
        "exported": exported_way,
        "compiled": compiled,
        "package": package,
        "ONNX": onnx,
    },
    cpp={"TorchScript, C++": torchscript_in_cpp, "package, C++": package_in_cpp},
)

# %%
# On the left the price of making it: for the two last, the time of ``g++``, which is paid once for both. On the right the price of a call. Orange bars are C++.

from snippets.notebook_to_cpp import plot_ways

# alt: Two bar charts with one row for each way out. Left, the seconds to make it: TorchScript and the exported program take hardly any, those that compile take by far the most. Right, the milliseconds of a call with 297 images, for Python, the six ways and two C++ runs.
plot_ways(
    calls,
    ways={
        "traced": traced,
        "scripted": scripted,
        "exported": exported_way,
        "compiled": compiled,
        "package": package,
        "ONNX": onnx,
    },
    cpp={"TorchScript, C++": torchscript_in_cpp, "package, C++": package_in_cpp},
)

# %%
# Do not take the right half for a ranking. It shows one tiny model on one machine in one run, and all its bars are fractions of a millisecond. Measure your own model, on the machine where it will run. The left half is
# easier to read: a TorchScript file is made at once, and every compilation of C++ takes many times as long.
#
# What to remember
# ----------------
#
# * A trace keeps what happened for its example. It lost our ``if``, and its only complaint was a ``TracerWarning``.
# * ``torch.export`` refuses a decision on numbers. ``torch.where`` expresses it as numbers, for each image.
# * From the exported program, AOTInductor makes a package for C++, and the ONNX exporter a file for other runtimes. ``torch.compile`` stays in Python. TorchScript is deprecated.
# * A C++ program finds all it needs in the torch wheel. It returned the same logits within 1e-5.
# * After each step compare with Python, with inputs that go every way.
#
# Where to go next: the chapter on `what replaces TorchScript, tool by tool <../docs/learn/torchscript.md>`_, with freezing, fusing and branches that export accepts.
