"""
An autoencoder: what is a digit made of?
========================================

Can a network find out what is typical of handwritten digits when nobody tells it which digit is which?

You will squeeze 64 pixels through a code of 32 numbers and draw them again, and compare the result with the best that a linear method can do. You will try convolutions, a learning-rate
schedule and sparse codes. The last picture is a map: the network was given no labels, and still most digits have one of their kind beside them.

You should have read `Modules <../docs/learn/modules.md>`_ and `Data <../docs/learn/data.md>`_.
"""

# %%
# Squeeze and draw again
# ----------------------
#
# An *autoencoder* has two parts. The *encoder* makes a short *code* of an image. The *decoder* makes an image of a code. Both are trained for one purpose: what comes out should be what went in. The images are
# their own targets, so no labels are needed. With fewer numbers than pixels, copying is impossible. What all digits have in common, the decoder can learn once; the code has to hold what tells them apart.

from snippets.autoencoder import digit_tensors

images, labels, test_images, test_labels = digit_tensors("digits")

# %%
# The labels are for our eyes only; no model will see them. The test digits are those of `the data chapter <../docs/learn/data.md#data.digits_in_mnist_format>`_.
#
# The one to beat
# ---------------
#
# Before you train anything, ask how far you get without. *Principal component analysis* (PCA) finds the directions in which the images differ most, and keeps the coordinates along them. Among all linear
# codes of one size, it has the smallest squared error on the data it was fitted to. It needs no training loop, one singular value decomposition does it.

from snippets.autoencoder import PCA, compare_errors

pca = PCA(images, code_size=32)
compare_errors({"PCA": pca}, test_images)

# %%
# This is the mean squared error of a pixel that goes from 0 to 1. Can a network do better? It may bend: with a ReLU between two linear layers, encoder and decoder are no longer linear.

from snippets.autoencoder import make_dense, train

dense = make_dense(code_size=32, seed=0)
history = train(dense, images, epochs=60, seed=0)

# %%
# The loop is the usual one, with one line missing: there are no targets to fetch. Now compare on digits that neither of them has seen. PCA gets a second chance, with one number more.

from snippets.autoencoder import beats_pca

beats_pca(pca, dense, test_images)
beats_pca(PCA(images, code_size=33), dense, test_images)

# %%
# It beats PCA with 32 numbers, in the run shown here by about a fifth, and PCA with 33 as well. PCA is hard to beat at this size: 32 of 64 numbers keep nearly everything. A network has to earn its place. We will see below where it pulls away.
#
# (Processors round sums differently, and many steps of training make other numbers of that. Where we say "in the run shown here", yours may differ. That the network beats PCA, both times, is an ``assert`` in the code: it has to hold wherever this runs.)
#
# Why the learning rate changes
# -----------------------------
#
# The rate above rose and fell in `one cycle <../docs/learn/schedulers.md#schedulers.one_cycle_counts_steps>`_. Was it worth it? The same model once more, with the rate at its largest value all the time.

from snippets.autoencoder import plot_histories

constant = make_dense(code_size=32, seed=0)
constant_history = train(constant, images, epochs=60, seed=0, schedule=False)
# alt: The error on the training digits in 60 epochs, on a logarithmic scale. In the run shown here, the constant rate is ahead at first. In the second half the one cycle, still falling, gets below it, and ends there.
plot_histories({"one cycle": history, "constant rate": constant_history})
compare_errors({"PCA": pca, "one cycle": dense, "constant rate": constant}, test_images)

# %%
# In the run shown here, the constant rate learns faster at first. Then its steps are too large for the bottom of the valley, and it rattles. The cycle takes small steps at the end and gets lower. On new
# digits, too, it has the smaller error.
#
# Convolutions
# ------------
#
# Images ask for convolutions (`LeNet-5 <lenet5.ipynb>`_ says why). This encoder makes 16 maps, halves them to 32 maps of 4 by 4, and turns those into a code. The decoder goes the other way; a *transposed* convolution, which draws a small patch for each cell, doubles the maps.

from snippets.autoencoder import count_parameters, make_convolutional, show_reconstructions

convolutional = make_convolutional(code_size=32, seed=0)
conv_history = train(convolutional, images, epochs=40, seed=0)
count_parameters({"dense": dense, "convolutional": convolutional})
compare_errors({"PCA": pca, "dense": dense, "convolutional": convolutional}, test_images)
# alt: Four rows of the same eight digits: the originals, and what PCA, the dense and the convolutional autoencoder make of them. In the run shown here, the rows are hard to tell apart.
show_reconstructions({"PCA": pca, "dense": dense, "convolutional": convolutional}, test_images)

# %%
# The convolutional one has fewer parameters (and got fewer epochs, as each takes longer). In the run shown here, it comes near PCA and does not beat it. A likely reason: in an image of 8 by 8 pixels each pixel has a place and a meaning of its own,
# and there is little to gain from using one kernel everywhere. The lesson is to measure, and to keep the plain baseline in the table.
#
# Sparse codes
# ------------
#
# A code can be long and still say little at a time: let many of its numbers be 0. Two changes do it. A ReLU at the end of the encoder makes exact zeros possible, and a *penalty* on the size of the
# numbers makes them worthwhile: what is not needed, is not used.

from snippets.autoencoder import compare_sparsity, make_sparse

sparse = make_sparse(code_size=32, seed=0)
sparse_history = train(sparse, images, epochs=40, seed=0, penalty=0.1)
compare_sparsity(sparse, images, test_images)

# %%
# In the run shown here, more than half of the numbers are used by no image at all. Once the penalty has closed a number for all images, its ReLU passes no gradient, and it tends to stay closed. Of the others, an image
# uses most, and rarely all. Two things are asserted: on average an image uses fewer than 20 of the 32 numbers, and the sparse code is better than PCA with as many numbers. It bends, and it can choose which numbers to use.

from snippets.autoencoder import show_codes

# alt: Two grids, dense above and sparse below, with a column for each of 80 test digits and a row for each of 32 numbers. The dense grid is full. In the sparse one, in the run shown here, more than half of the rows are empty, and most of the others have gaps.
show_codes({"dense": dense, "sparse": sparse}, test_images, test_labels)

# %%
# Columns are sorted by digit; the stronger the color, the larger the number, and a gap is a 0. In the dense code every number is used for every digit. In the sparse one, in the run shown here, many rows are strong for
# some digits and have gaps for others. Such a number detects something that some digits have and others lack, and no label told it to.
#
# A map of the digits
# -------------------
#
# Now squeeze hard: two numbers. They can be drawn as a point, so the encoder becomes a map maker. Here PCA and the network part ways. This time we also give PCA two numbers more, four in all.

two_numbers = make_dense(code_size=2, seed=0)
two_history = train(two_numbers, images, epochs=60, seed=0)
flat = PCA(images, code_size=2)
beats_pca(flat, two_numbers, test_images)
beats_pca(PCA(images, code_size=4), two_numbers, test_images)
# alt: Three rows of eight digits: the originals, blurs that PCA makes of two numbers, in which few digits can be read, and what the autoencoder makes of two numbers, in which, in the run shown here, more can be read.
show_reconstructions({"PCA": flat, "autoencoder": two_numbers}, test_images)

# %%
# On digits that neither has seen, the network makes a smaller error from two numbers than PCA from four. The code asserts it.
#
# A map is good if neighbors are alike. So for each test digit, find the nearest one on the map, and ask whether both have the same label. For the code of 32 numbers, take its two main directions.

from snippets.autoencoder import compare_maps, named_maps, show_maps

maps = named_maps(flat, dense, two_numbers)
compare_maps(maps, test_images, test_labels)
# alt: Three maps of the test digits. In the run shown here, most digits overlap in the first two, PCA of the pixels and of the 32 numbers. In the third, made by two numbers, the 0, 2, 4 and 6 form groups of their own, and others touch.
show_maps(maps, test_images, test_labels)

# %%
# The third map keeps the most neighbors together, and the code asserts it. With two numbers, the encoder had to put what matters into these two. With room for 32, nothing made it do so: in the run shown here, the main directions of the
# 32 numbers are no better a map than those of the pixels. In the same run, about three of four digits on the third map have a neighbor of their kind, though the network was never told a label. Where digits overlap, the decoder has to draw the mean of both, and you see such blurs in the last row of digits above.
#
# What to remember
# ----------------
#
# - An autoencoder learns without labels: its targets are its inputs, and the short code keeps it from copying.
# - PCA is the best linear code. Compare with it, at the same size and on new data, before you believe in a network.
# - At 32 numbers and at 2 the dense autoencoder beats PCA. At 2, PCA may even have twice as many. In the run shown here the convolutional one did not beat it, on images this small.
# - A rate that falls at the end can get lower than one that stays. A penalty and a ReLU make codes sparse.
#
# Where to go next: `Learning-rate schedules <../docs/learn/schedulers.md>`_, and `LeNet-5 <lenet5.ipynb>`_, which reads these digits with the help of labels.
