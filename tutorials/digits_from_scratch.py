"""
Digits from scratch
===================

What is inside a network that reads handwritten digits? Less than you may think. You will build every part from plain
tensor operations: the layer, the activation, the loss, the optimizer and the batches. The network will read more than 95 of 100 digits
that it has never seen. Then you replace each of your parts with the one that PyTorch ships, train again, and compare the two runs:
nine hundred steps, and at each of them the same loss, up to rounding.

The last pictures show these two runs, and the few digits that the network gets wrong. Some of them you may get wrong too.

You need Python, and the loop of `One line, five ways <one_line_five_ways.ipynb>`_: predict, measure the loss, clear the gradients,
``backward()``, ``step()``. The images come with scikit-learn, so nothing is downloaded.
"""

# %%
# The digits
# ----------
#
# There are 1,797 images of 8 × 8 gray pixels, each with a *label*: the digit that its writer meant. The functions below
# store them in the file format of MNIST, a larger collection of digits, and read them back as tensors; the chapter
# `Data <../docs/learn/data.md>`_ explains how. Our network will not know that pixels have neighbors, so each image
# becomes one row of 64 numbers between 0 (black) and 1 (white).
from snippets.digits_from_scratch import all_digits, draw_digits

images, labels = all_digits(flat=True)
# alt: Twenty small gray images of handwritten digits, from 0 to 9 and again from 0 to 9.
draw_digits(images, labels)

# %%
# Whether a network has learned to read, or only learned these images by heart, shows on images that it has not seen. So
# we put some of them aside for a test. The order is drawn by lot first, with a seed.
from snippets.digits_from_scratch import shuffled_split

train_images, train_labels, test_images, test_labels = shuffled_split(images, labels, seed=0)

# %%
# Part 1: a layer
# ---------------
#
# A *linear layer* computes some weighted sums of its inputs. For each output it has one *weight* for every input, and
# one number more, the *bias*, which is added at the end. With the weights of one output in one row of a matrix
# :math:`W`, and one image in one row of :math:`X`, all sums for all images are a single matrix product:
#
# .. math::
#
#     X W^T + b
#
# The bias is added to every row; `broadcasting <../docs/learn/tensors.md#tensors.broadcasting_rules>`_ does that.
from snippets.digits_from_scratch import new_layer
from snippets.modules import my_linear

hidden_weight, hidden_bias = new_layer(inputs=64, outputs=64, seed=0)
sums = my_linear(train_images, hidden_weight, hidden_bias)

# %%
# Before training, weights and biases are random. They should be neither all equal, since then all outputs would stay
# equal, nor too large or too small. ``new_layer`` draws them as PyTorch does for its own linear layers. The chapter
# `Initialization <../docs/learn/initialization.md>`_ shows why it matters.
#
# Part 2: an activation
# ---------------------
#
# If one linear layer followed another, the second would be of no use: sums of sums are sums again. Something must bend
# in between. *ReLU* bends as little as possible. Positive numbers pass, negative ones become 0.
from snippets.modules import my_relu

hidden = my_relu(sums)

# %%
# Part 3: a network
# -----------------
#
# From 64 pixels to 64 *hidden* numbers, ReLU, and from there to 10 numbers, one for each digit. These ten are called
# *logits*. They are scores: the digit with the largest one is the answer.
#
# It is handy to have these three steps as one thing to call. A plain Python class will do.
from snippets.digits_from_scratch import ScratchNetwork

output_weight, output_bias = new_layer(inputs=64, outputs=10, seed=1)
network = ScratchNetwork(hidden_weight, hidden_bias, output_weight, output_bias)
logits = network(train_images)

# %%
# Part 4: a loss
# --------------
#
# The loss must say how bad the logits are, given the labels. First turn logits into probabilities: take the
# exponential, so that all are positive, and divide by their sum, so that they add up to 1. This is *softmax*. Then the
# loss of an image is :math:`-\log p`, where :math:`p` is the probability of the right digit. It is 0 if the network is
# sure and right, and grows without limit as :math:`p` goes to 0. The mean over all images is the *cross-entropy*.
#
# The code computes the logarithms of the probabilities at once, and subtracts the largest logit before it takes
# exponentials. On paper this changes nothing. On a computer, the exponential of 100 is too large for a 32-bit float;
# the chapter `Losses <../docs/learn/losses.md#losses.large_logits>`_ shows the accident.
from snippets.losses import cross_entropy_by_hand

loss = cross_entropy_by_hand(logits, train_labels)

# %%
# A network that knows nothing should give each digit a probability near 1/10, and so have a loss near
# :math:`-\log \frac{1}{10} = \log 10`. It is a good habit to look before training. A very different number would mean a
# bug.
from snippets.digits_from_scratch import check_first_loss

check_first_loss(loss, classes=10)

# %%
# Part 5: an optimizer
# --------------------
#
# ``backward()`` will put a gradient into each of the four parameters. The optimizer takes a step against it.
from snippets.optimizers import HandSGD

optimizer = HandSGD([hidden_weight, hidden_bias, output_weight, output_bias], lr=0.5)

# %%
# Part 6: batches
# ---------------
#
# Each step looks at 50 images. An epoch, one pass over all 1,500 images in a new random order, has 30 steps. We draw up
# the whole plan for 30 epochs at once: which images are in which batch. Both networks will follow this plan.
from snippets.digits_from_scratch import shuffled_batches

batches = shuffled_batches(count=1500, size=50, epochs=30, seed=0)

# %%
# Train
# -----
#
# The second network will start from the same random numbers. So we build it now, from the library's parts, and copy our
# numbers into it before they change. ``nn.Linear`` owns a weight and a bias, ``nn.ReLU`` is the bend, and
# ``nn.Sequential`` calls one after the other.
from snippets.digits_from_scratch import copy_parameters, library_network

model = library_network(inputs=64, hidden=64, outputs=10, seed=0)
copy_parameters(model, network)

# %%
# Now the parts from scratch come together. You have seen every one of them.
from snippets.digits_from_scratch import accuracy, train_from_scratch

losses = train_from_scratch(network, optimizer, train_images, train_labels, batches)
accuracy(network(test_images), test_labels, at_least=0.95)

# %%
# A network of four tensors reads digits that it has never seen. And the other one?
from snippets.digits_from_scratch import train_with_library

library_losses = train_with_library(model, train_images, train_labels, batches, lr=0.5)
accuracy(model(test_images), test_labels, at_least=0.95)

# %%
# Line by line, the two training functions do the same. ``nn.CrossEntropyLoss`` takes the place of our loss,
# ``torch.optim.SGD`` that of our optimizer, and a ``DataLoader`` fetches the batches of the plan. Is it really the same
# computation? Then the loss must agree not only at the end but at every step.
from snippets.digits_from_scratch import compare_losses

# alt: Above, the loss of each batch over 900 steps: two curves, one on top of the other, fall from 2.3 to almost 0. Below, their difference: it stays below one millionth.
compare_losses(losses, library_losses)

# %%
# The dotted line is the limit of 0.00001 which the code asserts. What differs is rounding: the same sum, computed in
# another order or in other steps, ends in other last digits.
#
# So there is no magic in the library. What it adds is speed, care for special cases, and names which everybody knows.
# From here on you can use its parts without wondering.
#
# What it has learned
# -------------------
#
# A hidden unit has one weight for each pixel, so its weights are an image too. Here are sixteen of the 64. Ink on blue
# pixels raises the number of this unit, and ink on red pixels lowers it.
from snippets.digits_from_scratch import draw_hidden_units

# alt: Sixteen images of weights. Some show clear red and blue patches side by side, others are faint noise.
draw_hidden_units(hidden_weight, count=16)

# %%
# Some units look for ink in one place and no ink beside it. Others are still close to the faint noise that they began
# with.
#
# And the digits that are read wrong?
from snippets.digits_from_scratch import draw_mistakes

# alt: The few test images that were read wrong. Several are hard to read for a person.
draw_mistakes(test_images, test_labels, model(test_images))

# %%
# How good is it really?
# ----------------------
#
# Be careful with such a number. We shuffled all images before we put some aside. Suppose we had taken the last 297 in
# the file instead:
from snippets.digits_from_scratch import split_in_order

first_images, first_labels, last_images, last_labels = split_in_order(images, labels)
other_model = library_network(inputs=64, hidden=64, outputs=10, seed=0)
other_losses = train_with_library(other_model, first_images, first_labels, batches, lr=0.5)
accuracy(other_model(last_images), last_labels, at_least=0.88)

# %%
# The same network, the same training, and clearly fewer digits read. A likely reason is that the file is in order of
# the people who wrote: after shuffling, every hand in the test is known from training; in file order, new hands appear.
# Neither number is wrong. They answer different questions, so say which one you ask.
#
# What to remember
# ----------------
#
# - A classifier is a few tensor operations: matrix products with something bent between them, then a loss that compares
#   logits with labels.
# - Cross-entropy is the mean of :math:`-\log p` of the right class. Before training it should be near :math:`\log` of
#   the number of classes.
# - ``nn.Linear``, ``nn.ReLU``, ``nn.CrossEntropyLoss`` and ``torch.optim.SGD`` compute what you computed by hand, step
#   by step.
# - Test on what the network has not seen, and say how you chose it.
#
# Next, let a program choose the learning rate and the number of hidden units in
# `Hyperparameter search <hyperparameter_search.ipynb>`_. The full loop, with validation, metrics and early stopping, is
# the chapter `Training loop <../docs/learn/training_loop.md>`_. The parts by hand come from the chapters
# `Modules <../docs/learn/modules.md>`_, `Losses <../docs/learn/losses.md>`_ and
# `Optimizers <../docs/learn/optimizers.md>`_, where each has tests of its own.
