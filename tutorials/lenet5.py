"""
LeNet-5: a convolutional network from 1998
==========================================

How does a network see that a 3 is a 3, wherever on the page it stands and whoever wrote it?

LeNet-5 answered this in 1998, with parts that image models still use. You will build it as its paper describes it,
count every parameter against the paper's own numbers, train it until it reads at least 98 of 100 test digits, and look inside.
The last picture shows the digits that it gets wrong. Some of them you may read wrong too.

The paper is `Gradient-based learning applied to document recognition <https://doi.org/10.1109/5.726791>`_ by LeCun, Bottou, Bengio and Haffner.
You should have read `Modules <../docs/learn/modules.md>`_ and `The training loop <../docs/learn/training_loop.md>`_.
"""

# %%
# Small digits in a large field
# -----------------------------
#
# LeNet-5 takes images of 32 by 32 pixels. The digits of scikit-learn have 8 by 8. They have to be made larger,
# and that is a decision to be open about: enlarging adds no detail. A kernel of 5 by 5 pixels that met sharp strokes in 1998
# meets soft ones here.
#
# We follow the paper's proportions. Its characters were at most 20 by 20 pixels, in the middle of a field of 32 by 32. The margin is there so that the end of a stroke can lie in the
# middle of what a unit of a deeper layer sees. The background is -0.1 and ink is 1.175.

from snippets.lenet5 import lenet_sets, show_enlarged

train_set, test_set, other_hands = lenet_sets("digits")
# alt: Three pairs of images. A digit of 8 by 8 blocks, and beside it the same digit, soft and smaller, in the middle of a black field.
show_enlarged("digits")

# %%
# The paper chose this scale to bring the mean of its inputs near 0 and their variance near 1. Here the mean is near 0, but the deviation is a third: the strokes are soft and the margins wide.
#
# Whose digits?
# -------------
#
# The digits are split as in `the training loop <../docs/learn/training_loop.md#training_loop.digit_sets>`_: 1,200 to train with and 300 to test with, drawn at random
# from the first 1,500, and the 297 that stand at the end of the collection. Does it matter that they stand at the end? Look at the order of the labels.

from snippets.lenet5 import sheets_in_order

sheets_in_order(training_digits=1500)

# %%
# The same sequence of labels comes 14 times. Everybody copied the same sheet of digits, and the sheets follow each other. (The collection's description speaks of
# 13 people.) So most of the last 297 digits are on sheets that the training never sees, in other hands. In the random split, all hands are in both parts.
# The two test sets ask two different questions: *can you read these people?* and *can you read new people?* We will ask both.
#
# Why convolutions
# ----------------
#
# A `linear layer <../docs/learn/modules.md#modules.linear_equals_library>`_ has one weight for each pair of an input pixel and an output. Two things are wrong with that for images. A stroke that moves by one pixel meets
# other weights, so it has to be learned again at each place. And there are many weights: from 32 by 32 pixels to the 4,704 units of
# LeNet's first layer there would be 4.8 million.
#
# A *convolution* looks at 5 by 5 pixels at a time, and uses the same 25 weights, the *kernel*, at every place. What it learns at one place it knows at all.
# Its output is a *feature map*: for each place, how well the kernel fits there. Six kernels give six maps.
#
# Then a map is made smaller, because the exact place of a stroke is no help. The paper calls it *subsampling*: the mean of
# four cells, times a weight, plus a bias. Each map has one weight and one bias, so six maps have 12 parameters.

from snippets.lenet5 import Subsampling, count_parameters

count_parameters(Subsampling(maps=6))

# %%
# The paper sums the four cells. The mean is that sum with a weight four times as large, so the layer can compute the same.
# The *squashing function* after each layer is a tanh, scaled so that 1 goes to about 1: values stay in its middle, where the slope is not small.
#
# The next convolution, C3, has a table of its own. Its 16 maps do not see all six maps of S2, but three, four or six of them. The paper gives two
# reasons: it saves connections, and maps that see different things have to learn different things. In the layer below, only the pairs in the table have a kernel:
# 60 kernels of 25 weights, and 16 biases.

from snippets.lenet5 import MAPS_SEEN, SparseConv2d

count_parameters(SparseConv2d(in_maps=6, maps_seen=MAPS_SEEN, kernel_size=5))

# %%
# The rest is in the library. C5 is a convolution whose kernel covers its whole input, so each of its maps is one number.

from snippets.lenet5 import make_lenet5

model = make_lenet5(classes=10)

# %%
# Count everything
# ----------------
#
# A network built from a description is easily built wrong. The paper says how many trainable parameters and how many connections each layer has, which is
# a test of our reading. Follow one image through the untrained network.

from snippets.lenet5 import follow_one_image

follow_one_image(model, train_set)

# %%
# From C1 to F6 the names and both columns of numbers are the paper's: the function asserts it. 60,000 numbers are learned in these layers.
#
# The output layer is where we leave the paper. Its ten outputs measured the distance of the 84 numbers of F6 from a fixed picture of each digit, 7 by 12 pixels, and learned nothing.
# We use a linear layer with 850 parameters, and `cross-entropy <../docs/learn/modules.md#modules.cross_entropy_equals_library>`_ as the loss. Today, this is what one does.
#
# If you look up "LeNet-5", you will often find 61,706 parameters. That is a cousin.

from snippets.lenet5 import compare_counts, make_todays_lenet

compare_counts(lenet5=model, todays=make_todays_lenet(classes=10))

# %%
# Train on digits that were never written
# ---------------------------------------
#
# 1,200 digits are few for 60,850 parameters. But a digit that is turned a little, stretched, slanted or moved is the same digit. So each time
# the network meets a digit, it is distorted anew, and no picture comes twice. The paper tried this as well, to get more out of its 60,000 digits.

from snippets.lenet5 import show_distorted

# alt: A handwritten 7 and six copies of it, each a little turned, stretched, slanted and moved.
show_distorted(train_set, seed=0)

# %%
# Some are at the edge of what you would accept. Only the training digits are distorted; the test digits stay as they were written.
#
# The step is that of `the training loop <../docs/learn/training_loop.md#training_loop.make_train_step>`_. The optimizer is AdamW with a
# `schedule <../docs/learn/schedulers.md#schedulers.one_cycle_counts_steps>`_ that warms up and then cools down. Both are younger than the paper.

from snippets.lenet5 import plot_losses, train_lenet5

model, history = train_lenet5(train_set, epochs=20, seed=0)
# alt: The loss falls from above 2 to below 0.1 in 20 epochs.
plot_losses(history)

# %%
# How good is it?
# ---------------

from snippets.lenet5 import judge

judge(model, test_set, other_hands)

# %%
# For people whose digits it has seen, the network passes 98 percent. For new people it makes several times as many mistakes, although neither test set was used in training.
# A random split would have hidden this. When you split data that comes from people, patients or days, ask which question your test set answers.
#
# What did it learn?
# ------------------
#
# The kernels of C1 are small enough to look at. Orange weights are negative, purple ones are positive.

from snippets.lenet5 import show_kernels

# alt: Six squares of 5 by 5 cells in purple and orange. In some, one side is purple and the other orange.
show_kernels(model)

# %%
# Where a kernel is purple on one side and orange on the other, it answers to an edge in that direction. Kernels are hard to read, though. It is easier to see what they do
# to a digit. A row shows the maps of one layer. Bright cells are where the layer says yes; each map has its own scale of gray.

from snippets.lenet5 import show_feature_maps

# alt: Five rows of images: the digit, six maps of C1 in which it is lit from different sides, the same at half size, and two rows of 16 small maps without a digit to be seen.
show_feature_maps(model, test_set, number=0)

# %%
# The maps of C1 still look like the digit, each with other edges lit. S2 keeps them at half the size. In C3 and S4 the digit is hard to find: a cell there
# says that some combination of strokes is roughly in this place. C5 and F6 have no places any more, only numbers.
#
# Which digits does it get wrong?
# -------------------------------
#
# Those of the other hands, all of them. Above each stands what the writer meant, what the network read, and the probability that it gave to its answer.

from snippets.lenet5 import show_mistakes

# alt: The digits that were read wrong, each with a title such as: 4, read 9 at 97 percent. Many are hard to read.
show_mistakes(model, other_hands)

# %%
# Cover the titles and try to read them yourself. You meet the same difficulty, and part of it comes from the 8 by 8 pixels.
# Note the probabilities: the network is often sure when it is wrong.
#
# What to remember
# ----------------
#
# - A convolution uses one small kernel at every place. That is why C1 needs 156 parameters and not 4.8 million.
# - Counting parameters and connections is a test of a network that you build from a description. Ours has the paper's 60,000 up to F6.
# - Distorting the training images makes few digits go further.
# - The same network reads known hands and new hands with different accuracy. Know which one your test set measures.
#
# Where to go next: `an autoencoder <autoencoder.ipynb>`_ learns from the same digits without their labels, and
# `initialization <../docs/learn/initialization.md>`_ says why squashing functions want values in their middle.
