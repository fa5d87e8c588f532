"""
One line, five ways
===================

What does PyTorch do for you when it trains a model? The smallest model that learns anything is a straight line,
and you can fit one without any library. In this tutorial you fit the same line five times. Each way hands one more
piece of the work to PyTorch: first the gradients, then the update, then the parameters, then the data. All five must end
at the same two numbers, and linear algebra tells beforehand what they are.

The last picture shows every step of the five fits: four of them walk the same path, and one trembles on its way.

You need Python and a little NumPy. Whatever is used of PyTorch is explained where it appears.
"""

# %%
# The points
# ----------
#
# We make a hundred points ourselves, so that we know the truth: they lie on the line :math:`y = 1 + 2x`, up to some
# noise. The seed makes the random numbers the same on every run. Eighty points are for fitting. The other twenty are
# *held out*: no fit sees them, and we check the line with them at the end.
from snippets.one_line_five_ways import line_data

x, y, held_out_x, held_out_y = line_data(seed=42)

# %%
# What a good line is
# -------------------
#
# A line is two numbers, the *intercept* and the *slope*. They are the *parameters*: the numbers that fitting may
# change. Any two numbers give a line, so we need a measure of how bad a line is. For each point, take the difference
# between what the line says and what the point says, its *error*, and square it. The mean over all points is the
# *loss*, here the mean squared error:
#
# .. math::
#
#     L(\text{intercept}, \text{slope}) = \frac{1}{n} \sum_{i=1}^{n} e_i^2
#     \qquad \text{with} \qquad e_i = \text{intercept} + \text{slope} \cdot x_i - y_i
#
# Here is a guess, with its errors.
from snippets.one_line_five_ways import draw_errors

# alt: Points rising from 1 to 3, a flatter line that crosses them, and a vertical stroke from each point to the line.
draw_errors(x, y, intercept=1.5, slope=0.5)

# %%
# The answer, beforehand
# ----------------------
#
# For a line, linear algebra finds the parameters of least loss in one go; NumPy's ``lstsq`` does it. Most models have
# no such formula, which is why the rest of this tutorial exists. Where there is one, it is the best test we can have.
from snippets.one_line_five_ways import closed_form

solution = closed_form(x, y)

# %%
# Not 1 and 2: the noise moved the best line a little. For these eighty points, no other line has a smaller loss.
#
# Way 1: NumPy, and gradients from paper
# --------------------------------------
#
# Without a formula for the answer, we can still walk there. The derivative of the loss with respect to a parameter says
# how the loss changes when that parameter grows. The derivatives for all parameters together are the *gradient*. Change
# each parameter a little against its derivative, and the loss falls. Repeat. This is *gradient descent*. How far a step
# goes is set by the *learning rate*, ``lr``.
#
# On paper, the two derivatives are:
#
# .. math::
#
#     \frac{\partial L}{\partial\,\text{intercept}} = \frac{2}{n} \sum_i e_i \qquad
#     \frac{\partial L}{\partial\,\text{slope}} = \frac{2}{n} \sum_i e_i \, x_i
#
# The code is these two formulas and a loop. It starts at 0 and 0, and keeps a history of where it has been.
from snippets.one_line_five_ways import fit_with_numpy

by_numpy = fit_with_numpy(x, y, lr=0.3, steps=1000)

# %%
# Did it arrive? The check is a function of its own, since we will ask this of every way. It fails if a parameter is
# more than 0.001 away from the solution.
from snippets.one_line_five_ways import compare_with

compare_with(solution, by_numpy)

# %%
# Way 2: PyTorch finds the gradients
# ----------------------------------
#
# The weak spot of the first way is the paper. For another loss, or a model with a million parameters, you would derive
# again. PyTorch can do it for you. Its arrays are called *tensors*. If you create one with ``requires_grad=True``,
# PyTorch records what you compute from it. When you call ``backward()`` on the result, it walks through this record in
# reverse and leaves the derivatives in the attribute ``.grad``. The part of PyTorch that does this is named *autograd*.
#
# Our data are NumPy arrays, so they become tensors first. NumPy computes with 64-bit floats. PyTorch's usual floats
# have 32 bits, and we follow that habit; it will be visible in the last picture.
from snippets.one_line_five_ways import compare_gradients

compare_gradients(x, y)

# %%
# The same numbers, and nothing was derived by us. Now the loop. (``.item()`` takes the number out of a tensor that
# holds only one.) Three things in it are new, and each has a reason:
#
# - ``loss.backward()`` fills ``.grad`` of both parameters.
# - The update stands under ``torch.no_grad()``. It is not a part of the prediction, so it must not be recorded.
# - The gradients are removed after each step. ``backward()`` *adds* to ``.grad``, so old ones would mix with the new.
from snippets.one_line_five_ways import fit_with_autograd

by_autograd = fit_with_autograd(x, y, lr=0.3, steps=1000)
compare_with(solution, by_autograd)

# %%
# The chapter `Autograd <../docs/learn/autograd.md>`_ draws the record, and shows
# `what becomes of a walk whose gradients are never removed <../docs/learn/autograd.md#autograd.gradients_accumulate>`_.
#
# Way 3: an optimizer makes the update
# ------------------------------------
#
# The update takes five lines for two parameters. It is also the part that people like to improve. So PyTorch has
# objects for it, called *optimizers*. You hand one the parameters once. In each round, ``zero_grad()`` removes the old
# gradients, and ``step()`` updates the parameters. ``SGD`` is the plain rule that we wrote above.
from snippets.one_line_five_ways import fit_with_optimizer

by_optimizer = fit_with_optimizer(x, y, lr=0.3, steps=1000)
compare_with(solution, by_optimizer)

# %%
# To try another rule, you would now change one line. The chapter `Optimizers <../docs/learn/optimizers.md>`_ rebuilds
# the common ones by hand.
#
# Way 4: a module holds the parameters
# ------------------------------------
#
# Two parameters can be listed by hand; those of a large network can't. A *module* is an object that owns its parameters
# and computes with them. In ``__init__``, it notes everything that you wrap in ``nn.Parameter`` and keep as an
# attribute. In ``forward``, you write the prediction. Then ``model.parameters()`` yields all parameters, which is what
# the optimizer wants. The loss is a ready-made module too.
#
# Note that the loop calls ``model(inputs)``, not ``model.forward(inputs)``. The call does a little more than
# ``forward`` alone, as the chapter `Modules <../docs/learn/modules.md>`_ explains.
from snippets.one_line_five_ways import fit_module

by_module = fit_module(x, y, lr=0.3, steps=1000)
compare_with(solution, by_module)

# %%
# Look at the loop again. Nothing in it says that the model is a line. Predict, measure the loss, clear the gradients,
# ``backward()``, ``step()``: these five moves are at the heart of nearly every training program in PyTorch.
#
# Way 5: a DataLoader brings the data
# -----------------------------------
#
# So far each step looked at all eighty points. With a million images that would be slow, or would not fit into memory.
# The way out is to look at a small part of the data in each step, a *batch*. Its gradient only estimates the true one,
# but it costs far less, and one pass over the data, an *epoch*, makes many steps instead of one.
#
# A ``TensorDataset`` pairs inputs with targets. A ``DataLoader`` shuffles the pairs and hands out batches, here of 16
# points, so that an epoch has 5 steps. You have written a module for a line once, so take the library's from now on:
# ``nn.Linear`` with one input and one output. It calls the slope ``weight`` and the intercept ``bias``, and starts at
# random numbers instead of zeros. The seed in the code makes them, and the shuffling, the same on every run.
#
# The learning rate is the same as before. ``decay=1.0`` keeps it so; we come to that in a moment.
from snippets.one_line_five_ways import draw_distances, fit_in_batches

constant_rate = fit_in_batches(x, y, lr=0.3, epochs=200, decay=1.0)
# alt: Distance from the solution over 1000 steps, on a logarithmic scale. With all points it falls in a straight line to about a millionth. With batches it falls as fast to about a hundredth and trembles there.
draw_distances(solution, all_points=by_module, batches=constant_rate)

# %%
# The picture shows the distance from the solution after each step, on a logarithmic scale. With batches the fit comes
# near quickly, and then trembles. Every batch pulls in a slightly different direction: at the solution, the gradient
# over all points is zero, but the gradient over 16 of them is not.
#
# With a smaller learning rate the trembling would be smaller, but small steps take long to arrive. So start with large
# steps and shrink them on the way. Objects that do this are called *schedulers*. The one in the code multiplies the
# learning rate by ``decay`` after each epoch.
shrinking_rate = fit_in_batches(x, y, lr=0.3, epochs=200, decay=0.98)
compare_with(solution, shrinking_rate)

# %%
# Now it arrives, from a random start and without ever seeing all points in one step. The chapter
# `Data <../docs/learn/data.md>`_ has more about loaders, and `Schedulers <../docs/learn/schedulers.md>`_ draws the
# common schedules.
#
# All five together
# -----------------
#
# The twenty points that we held out tell whether the line is good for more than the points it was fitted to.
from snippets.one_line_five_ways import compare_on_held_out

compare_on_held_out(held_out_x, held_out_y, solution, shrinking_rate)

# %%
# The noise that we added has a mean square of 0.01, and no line can foresee noise. So this is about as good as it gets.
#
# And here is every step of every fit.

# alt: Five curves over 1000 steps. NumPy, autograd, optimizer and module fall together on one straight line; the three PyTorch ones stop near a millionth, NumPy goes on. DataLoader trembles, and falls slowly below one thousandth.
draw_distances(
    solution,
    NumPy=by_numpy,
    autograd=by_autograd,
    optimizer=by_optimizer,
    module=by_module,
    DataLoader=shrinking_rate,
)

# %%
# In the first four ways the parameters are at the same place after every step, up to the rounding of 32-bit floats:
from snippets.one_line_five_ways import same_path

same_path(by_numpy, by_autograd, by_optimizer, by_module)

# %%
# Then why do their curves part? A fit ends where a step is smaller than half the gap between two neighboring
# floating-point numbers: adding such a step changes nothing. The gap is about half a billion times wider with 32 bits
# than with 64.
from snippets.one_line_five_ways import last_change

last_change(by_numpy, dtype="float64")
last_change(by_module, dtype="float32")

# %%
# For a fit to noisy points, a millionth is far more than enough. The chapter `Dtypes <../docs/learn/dtypes.md>`_ opens
# up these numbers bit by bit.
#
# What to remember
# ----------------
#
# - Training is: predict, measure the loss, clear the gradients, ``backward()``, ``step()``.
# - Autograd finds the gradients that you would derive on paper. They add up until you clear them.
# - An optimizer updates, a module owns the parameters, a ``DataLoader`` brings batches. Each takes over a part of the
#   plain loop.
# - Batches give noisy gradients. With a constant learning rate the fit trembles around the solution; with a shrinking
#   one it settles.
# - Test a new method where you know the answer.
#
# Next, `watch what the learning rate does <watching_gradient_descent.ipynb>`_: why a little more of it makes a walk
# explode. Or take the same five moves to pictures in `Digits from scratch <digits_from_scratch.ipynb>`_. The full loop,
# with validation and metrics, is the chapter `Training loop <../docs/learn/training_loop.md>`_.
