"""
An LSTM that remembers for sixty steps
======================================

How does a network remember something it read long ago?

You will give three networks a task in which one letter has to be kept in mind while 50 others pass by. A plain recurrent network fails: in the
run shown here, it does no better than guessing. An LSTM fails as well, until two of its biases are set. Then it answers at least 99 of 100 sequences right.
The last picture of the run shows how: at the right moment, some of its gates open, a letter goes in, and they close again.

You should have read `Modules <../docs/learn/modules.md>`_, `Autograd <../docs/learn/autograd.md>`_ and `The training loop <../docs/learn/training_loop.md>`_.
"""

# %%
# A task with a known answer
# --------------------------
#
# A sequence has 60 random letters, a to d. One of the first ten is marked. After the last letter has passed, the network is asked: which letter was marked?
#
# There are more than 10 to the power of 36 such sequences, so nobody can learn the answers by heart. And the answer is known, so a score of 100 percent is possible. Guessing gives 25.
#
# The picture shows one sequence. Each step is a column of five numbers: a 1 for its letter, and a 1 for the mark if it is marked.

from snippets.lstm_sequence import show_task

# alt: A grid of 60 steps and five rows. Each step has a square in one of the rows a to d. One step has a square in the row called mark, too, and its letter is circled.
show_task(length=60, seed=3)

# %%
# Everything after the mark is noise. A network that reads step by step has to take the letter in when it sees the mark, and to leave the noise out, 50 times or more.
#
# A network with a state
# ----------------------
#
# A *recurrent* network reads one step at a time. What it knows so far is its *state*, a vector :math:`h_t`. The next state is made of the next input :math:`x_t` and the last state:
#
# .. math:: h_t = \tanh(W x_t + b + U h_{t-1} + c)
#
# The same weights are used at every step, so it can read sequences of any length.
#
# An *LSTM* (long short-term memory) keeps a second vector, the *cell* :math:`c_t`. Three *gates* decide what happens to it. A gate is a number between 0 and 1 for each unit,
# a sigmoid of what comes in and of the last output:
#
# - the *write* gate :math:`i`: how much of the new candidate :math:`g` goes into the cell,
# - the *keep* gate :math:`f`: how much of the old cell stays,
# - the *read* gate :math:`o`: how much of the cell is shown as output.
#
# .. math:: c_t = f \, c_{t-1} + i \, g \qquad h_t = o \, \tanh(c_t)
#
# Elsewhere they are called input, forget and output gate. A forget gate of 1 forgets nothing, which is why it is called *keep* here.

from snippets.lstm_sequence import check_by_hand

check_by_hand(length=60, seed=0)

# %%
# These few lines are the whole of ``nn.RNN`` and ``nn.LSTM`` with one layer: values and gradients are equal within 1e-5.
#
# Three readers
# -------------
#
# Each reader has a recurrent layer with 16 units and a linear layer, which answers from the last output. The third differs from the second in nothing but the biases of two gates
# before the training starts.

from snippets.lstm_sequence import make_readers

readers = make_readers(seed=0)

# %%
# Why the plain network must fail
# -------------------------------
#
# To learn, the network needs to know how the loss depends on the marked step, which lies 50 steps back. Gradients go back
# step by step, and each step multiplies them by the slopes of that step (the `vector-Jacobian product <../docs/learn/autograd.md#autograd.backward_multiplies_the_jacobian>`_).
# If a step makes them smaller, fifty steps make them vanish.
#
# We can look at it before any training: how large is the gradient of the loss with respect to the inputs of each step?

from snippets.lstm_sequence import show_gradients

# alt: Gradient against step, on a logarithmic scale. For the plain RNN and the LSTM it falls in a straight line from the last step back to the first, to less than a millionth. For the patient LSTM it stays nearly level.
show_gradients(readers, length=60, seed=0)

# %%
# A straight line on this scale means: each step back divides by the same factor. What the plain network hears from step 0 is far below the noise from the last steps.
#
# The LSTM was invented against this. On the direct way along the cell, a gradient is multiplied by the keep gate alone. But the library starts with biases near 0, so the keep gates start near
# :math:`\sigma(0) = 0.5`, and :math:`0.5^{50}` is about :math:`10^{-15}`. The architecture *can* remember. It does not start out that way.
#
# The patient LSTM starts with a bias of 5 at its keep gates, so they are near :math:`\sigma(5) = 0.993`. Its write gates have a bias of -2, so they are near 0.12: do not write
# everything down. It has to learn when to write, and this it can learn, because the gradient arrives.
#
# Train all three
# ---------------
#
# Each training step draws 64 new sequences. The test sequences are new as well.

from snippets.lstm_sequence import train_readers

# alt: Accuracy against training steps. The patient LSTM rises and ends at 0.99 or more. In the run shown here, the plain RNN and the LSTM stay close to the dotted line of guessing, at 0.25.
train_readers(readers, length=60, steps=500)

# %%
# The two that could not hear step 0 get fewer than half of the answers right, and in the run shown here no more than guessing does. The patient one gets at least 99 of 100. All three have 16 units, the same optimizer and the same data.
# This does not say that the two never would learn, with more steps or other settings; it says what the initial values of two biases are worth.
#
# (Processors round sums differently, and many steps of training make other numbers of that. Where we say "in the run shown here", yours may differ. That two of them stay below a half and the third reaches 0.99 is an ``assert`` in the code: it has
# to hold wherever this runs.)
#
# (If you want a patient LSTM of your own: ``nn.LSTM`` has *two* bias vectors that are added. Set one, and set the other to 0, or the gate gets the sum.)
#
# Does it remember for longer than it was trained to?

from snippets.lstm_sequence import choose, try_lengths

patient = choose(readers, name="patient LSTM")
try_lengths(patient, lengths=[60, 120, 240, 480])

# %%
# In the run shown here it does: even at eight times the length, nearly all answers are right. A rule for what to write and what to keep does not count steps. But the training never asked for more than 60, so another run may
# do worse at the long ones.
#
# Look inside
# -----------
#
# Give the network four versions of one sequence, which differ in the marked letter alone. Then follow the three units whose write gates react most to the mark.

from snippets.lstm_sequence import show_gates

# alt: Three units, gates above and cells below. Before the mark the cells of the four versions are one line. In the run shown here, the write gates have a peak at the mark, while the keep gates are near 1. There the line of the cells splits in four, and most of the four move apart until the end.
show_gates(patient, length=60, seed=3)

# %%
# To the left of the dotted line the four versions are the same. At the line, in the run shown here, the write gates jump, and the cells of the four letters part. From there on the four sequences
# are the same again, yet the cells do not become one line again: that is the memory. No single unit needs to tell all four letters from each other. Together they do: all four answers are right, and the code asserts it.
#
# The picture is not quite a textbook's. In the run shown here, some cells go on growing after the mark, and a keep gate sinks as the sequence goes on. Nothing in the task forbids it, as long as the answers can be told apart.
# Look at what your network does before you explain it.
#
# What to remember
# ----------------
#
# - A recurrent network uses the same weights at each step, and hands on a state.
# - A gradient that shrinks at each step vanishes in 50 steps, and what gets no gradient is not learned.
# - An LSTM adds to its cell instead of rewriting it. With a keep gate near 1 the gradient survives.
# - Whether the gate is near 1 is up to you at the start: the library's initial gates are near 0.5.
#
# Where to go next: `a small Transformer <small_transformer.ipynb>`_ looks at all steps at once and needs no memory, and `Initialization <../docs/learn/initialization.md>`_ shows the same vanishing
# in deep networks.
