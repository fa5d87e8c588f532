"""
Seeing a training run
=====================

A training run does not do what you hoped, and raises no error. Which instrument would have told you, and what would you have seen?

We train one small network on digits, once as it should be and four times with a planted fault: a learning rate that is too high, a forgotten
``zero_grad``, a data loader that starves the model, and a validation that keeps what it should throw away. Three instruments look at them:
TensorBoard, the profiler, and a count of memory. The last picture has four charts, one for each fault. Each chart shows one fault clearly, and two of the faults
cannot be seen in any loss.

The notebook needs ``pip install torch torchvision matplotlib scikit-learn tensorboard``. You should know the
`training loop <../docs/learn/training_loop.md>`_. No GPU is needed.
"""

# %%
# The run
# -------
#
# The data are scikit-learn's digits, 8 by 8 pixels, 1500 of them to train with. The network has three layers, and reads them in batches of 100.
# Most of the cell writes the digits as files in the format of MNIST, as in the chapter on `data <../docs/learn/data.md>`_.

from snippets.seeing_a_training_run import digits_in_memory

digits = digits_in_memory(".")

# %%
# TensorBoard: numbers that stay
# ------------------------------
#
# Printed numbers scroll away. ``SummaryWriter`` writes them into a folder instead, as events: a name, a step, a value. TensorBoard is a program
# that draws such folders in a browser, several runs side by side, while they are still running. Two numbers go into our log at each step. One
# is the loss. The other is the *gradient norm*: the length of the gradient, if all gradients of the model are seen as one long vector. It costs one line
# and will turn out to be worth it.

from snippets.seeing_a_training_run import train_and_log

sound = train_and_log("runs/sound", digits, learning_rate=0.2, clear_gradients=True, epochs=8)

# %%
# To look at it, one would type
#
# ::
#
#     tensorboard --logdir runs
#
# and open the address that it names. This page cannot hold a running program, so it reads the same files. TensorBoard's own reader for them is called
# ``EventAccumulator``.

from snippets.seeing_a_training_run import plot_curves

# alt: Two curves over 120 steps. In the run shown here, the loss of the sound run falls from 2.3 to about 0.2. The gradient norm rises from 0.3 to about 1, and then swings between 0.4 and 2.
plot_curves({sound: "C0"}, scale="linear")

# %%
# This is what a sound run looks like. The loss falls, and it trembles because every batch is another one. In the run shown here, the gradient becomes longer while the
# network begins to learn, and then swings around one. (Processors round sums differently, and many steps of training make other numbers of that. Where we say "in the run shown here", yours may differ.)
#
# Now two faults. The first run takes a learning rate of 3, which is 15 times the sound one. The second forgets ``zero_grad``: each gradient is then
# added to all gradients before it. Everything else is the same, including the initial weights and the order of the digits. The scales of the next picture are logarithmic.

too_high = train_and_log("runs/rate_too_high", digits, learning_rate=3.0, clear_gradients=True, epochs=8)
forgotten = train_and_log("runs/no_zero_grad", digits, learning_rate=0.2, clear_gradients=False, epochs=8)

# alt: Loss and gradient norm of three runs on logarithmic scales. With the rate too high the loss ends close to 2.3; in the run shown here it jumps before, and its gradient shrinks to about 0.1. Without zero_grad the loss first falls faster than in the sound run; in the run shown here it then rises above it, and its gradient grows from the first steps on and ends far above the others.
plot_curves({sound: "C0", too_high: "C3", forgotten: "C1"}, scale="log")

# %%
# The same in numbers: medians over ten steps, at three places.

from snippets.seeing_a_training_run import compare_runs

compare_runs(sound, too_high, forgotten)

# %%
# *Too high a learning rate* is visible in the loss alone. In the run shown here it jumps up in the first steps, since each step goes too far. Then it stays close to 2.3: within 0.2, the code asserts for the last 20 steps. That number is worth
# knowing: it is the logarithm of 10, the loss of a blind guess among ten digits. The network has been thrown to a place where it answers nearly the same for every digit and
# from where its short gradient does not lead it back. Our loss at the end is not large, and an untrained network has about the same. What tells is the *curve*.
#
# *The forgotten zero_grad* is treacherous. Around step 30 its loss is lower than that of the sound run, which is asserted as well: the sum of all gradients acts like a momentum that never
# fades, and at first this is faster. Somebody who looks at the loss of a short run would be content. The gradient norm is not deceived. In the run shown here it is several times too long from the
# first few steps on. At step 30, the code asserts, it is more than five times as long as any gradient of the sound run so far. And nothing is ever taken away: in the run shown here it goes on growing, until the loss is worse than a blind guess.
#
# So log the gradient norm beside the loss. If it only ever grows, look for ``zero_grad`` first.
#
# The profiler: where the time goes
# ---------------------------------
#
# Both faults so far changed what the network learns. The third does not. It only makes training slow, and no loss can show that.
#
# ``torch.profiler`` writes down when each operation of torch began and ended. ``record_function`` gives a name to a stretch of code. We name the parts of a training step, and the one before it,
# which is easily overlooked: waiting for the data loader. The steps are profiled after one step that is not, because the first one also pays for everything that is loaded once.

from snippets.seeing_a_training_run import (
    digits_on_disk,
    one_by_one,
    profile_steps,
    whole_batches,
)

in_memory, memory_losses = profile_steps(whole_batches(digits, batch_size=100), steps=7)

# %%
# The second run reads the very same digits from a file, one at a time: open, find the place, read 64 bytes, close. It looks harmless, and many a ``Dataset`` is written like this.

on_disk, disk_losses = profile_steps(one_by_one(digits_on_disk("."), batch_size=100), steps=7)

# %%
# First the losses, then the share of a step that goes into waiting.

from snippets.seeing_a_training_run import compare_loaders

compare_loaders(in_memory, on_disk, losses=(memory_losses, disk_losses))

# %%
# The losses of the two are the same, step by step. In TensorBoard these two runs would lie on top of each other. The profiler tells them apart at once. In the picture each stretch of color is
# one part of a step.

from snippets.seeing_a_training_run import plot_steps

# alt: Two bars along the time in milliseconds, cut into colored parts. With digits in memory, waiting for data fills less than half of a step; in the run shown here, forward and backward fill most of it. With digits on disk, waiting fills more than half, and in the run shown here the whole takes several times as long.
plot_steps(in_memory, on_disk)

# %%
# And here are the parts in numbers. The times belong to the machine that ran this page, the counts to the model.

from snippets.seeing_a_training_run import print_profile

print_profile(in_memory)
print_profile(on_disk)

# %%
# The counts can be checked by hand. Three linear layers are three ``addmm`` (matrix product plus bias) forward. Backward, each needs one product for its weight and one for its input, except for the
# first, since nobody asks for a gradient of the images: five ``mm``. The update is one ``add_`` for each of six parameters. They are the same in both runs: the model does the same work.
#
# So the remedy is not a faster model. Read the data once, as the first run does, or ask for whole batches instead of single digits, or let other processes prepare them while the model works:
# the chapter on data shows `workers <../docs/learn/data.md#data.workers_are_processes>`_.
#
# Memory: what a step keeps
# -------------------------
#
# The last instrument answers "why does it not fit?". Training keeps four kinds of things:
#
# * the *parameters*,
# * a *gradient* for each of them,
# * what the *optimizer* remembers about each of them,
# * the *activations*: what the forward pass puts away because the backward pass will need it.
#
# The first three are tensors, and can be asked for their size. For the last there are *saved-tensor hooks*: autograd calls them whenever it puts a tensor away.
# The parameters themselves are put away, too. They are counted already, so we leave them out.

from snippets.seeing_a_training_run import print_memory

print_memory(digits, batch_size=100)

# %%
# Gradients take as much as the parameters. Plain SGD remembers nothing; Adam remembers two numbers for each parameter. Activations do not depend on the optimizer, but on the batch:

from snippets.seeing_a_training_run import plot_memory

# alt: Stacked bars for batches of 16, 64, 256 and 1024 digits, trained with Adam. Parameters, gradients and optimizer are the same in all; the activations grow with the batch, from hardly visible to more than half of the whole.
plot_memory(digits, batch_sizes=[16, 64, 256, 1024])

# %%
# If a run does not fit, this picture says what helps: for large batches a smaller one, for large models an optimizer that remembers less.
#
# The fourth fault is one of memory. Validation sums up a loss over its batches, and there are three ways to write it:
# summing the loss tensors, summing numbers taken with ``.item()``, and doing it all under ``no_grad``. The next cell counts, after each batch, what autograd still keeps.

from snippets.seeing_a_training_run import compare_validations, validate

leaking = validate(digits, way="sum of tensors")
numbers = validate(digits, way="sum of numbers")
without_graph = validate(digits, way="no_grad")
compare_validations(leaking, numbers, without_graph)

# %%
# All three find the same loss, apart from rounding. But a loss tensor holds its graph, the graph holds the activations, and the sum holds all the losses. After 15 batches, 15 times the activations are in memory.
# With more data this ends in an out-of-memory error, in validation, although training has fitted. ``.item()`` lets go of each graph before the next; ``no_grad`` never builds one.
#
# In training the same mistake costs less, because ``backward()`` `frees the activations <../docs/learn/internals.md#internals.graph_holds_tensors>`_. What remains then is the bare graph.
#
# The final picture
# -----------------
#
# Four faults, and for each the chart that shows it.

from snippets.seeing_a_training_run import plot_instruments

# alt: Four charts. The loss of the run with a learning rate too high ends close to 2.3, that of the sound one below 0.5. The gradient norm without zero_grad grows far above the sound one. With digits on disk more than half of a step is spent waiting, with digits in memory less. What a sum of loss tensors keeps grows with every validation batch; with no_grad it is zero.
plot_instruments(
    sound,
    too_high,
    forgotten,
    in_memory,
    on_disk,
    {"no_grad": without_graph, "sum of tensors": leaking},
)

# %%
# What to remember
# ----------------
#
# * Log the loss of every step, and the gradient norm beside it. A loss that stays at the logarithm of the number of classes is a blind guess; a gradient that only grows has not been cleared.
# * A loss that falls proves little: the run without ``zero_grad`` was ahead for a while.
# * A slow loader is invisible in every loss. Name the parts of a step, with the wait for data among them, and profile a few steps.
# * Memory is parameters, gradients, optimizer and activations, and only activations grow with the batch. A sum of loss tensors keeps all of them.
#
# Where to go next: `the chapter on the loop <../docs/learn/training_loop.md>`_ ends with a test that finds many faults before any instrument is needed, overfitting one batch, and
# `internals <../docs/learn/internals.md>`_ looks inside a profile, down to single operators.
