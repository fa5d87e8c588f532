"""
A small Transformer: look where you need to
===========================================

How does a network know which part of a sequence to look at?

You will write *attention* by hand, the heart of a Transformer, and check that it equals the library's. Then you build a small Transformer around it and train it to
write ten digits in reversed order, until at least 99 of 100 sequences have no mistake. In the last picture you see where it looks while it writes: from the last digit back to the first.

You should have read `Modules <../docs/learn/modules.md>`_ and `The training loop <../docs/learn/training_loop.md>`_. The idea is from
`Attention is all you need <https://doi.org/10.48550/arXiv.1706.03762>`_ by Vaswani and others, 2017.
"""

# %%
# A task with a known answer
# --------------------------
#
# Ten random digits, a sign, and the same digits from the last to the first. The model reads from left to right, and always predicts the next *token*: a digit, or the sign.
# Before the sign nobody can know what comes next. After it, everything is determined.

from snippets.small_transformer import show_task

show_task(count=3, length=10, seed=0)

# %%
# There are ten billion such sequences, so nearly every one that it is tested on is new. To write a digit, the model has to look back at one place, and each time at another.
#
# Attention
# ---------
#
# Each position asks a question, its *query*. Each position offers an answer, its *value*, under a title, its *key*. The dot product of a query and a key says how well they match. A softmax
# makes weights of these *scores*, which add up to 1, and the output is the weighted mean of the values:
#
# .. math:: \text{attention}(Q, K, V) = \text{softmax}\left(\frac{Q K^T}{\sqrt{d}}\right) V
#
# `Modules <../docs/learn/modules.md#modules.attention_equals_library>`_ has a first version. This one takes a *mask* as well, and hands out the weights: we want to look at them later. Is it right?

from snippets.small_transformer import compare_attention

compare_attention(length=12, features=16, seed=0)

# %%
# Values and gradients equal those of ``scaled_dot_product_attention`` within 1e-5, with and without a mask. The library's function computes the same in a smarter order and does not hand out the weights.
#
# Why divide by the square root of :math:`d`, the number of features? A dot product of longer vectors is a sum of more terms, so it varies more. The softmax of numbers that are far apart gives all its weight to one of them.

from snippets.small_transformer import why_divide

why_divide(keys=20, features=[4, 16, 64, 256], seed=0)

# %%
# Without the division, one of twenty keys gets nearly everything before the network has learned anything, and a softmax that is that sure has hardly any gradient. With it, the weights start out alike for any number of features.
#
# Several heads
# -------------
#
# One position may have to look at several places for several reasons. So the features are divided among *heads*, and each head attends on its own. Four linear layers go with
# them: they make queries, keys and values, and mix the outputs.

from snippets.small_transformer import compare_heads

compare_heads(length=10, features=16, heads=2, seed=0)

# %%
# With the same weights, our class and ``nn.MultiheadAttention`` give the same outputs and the same attention weights. (Its mask is the other way around: there, True means *do not look*.)
#
# Where am I?
# -----------
#
# Nothing in attention depends on order: shuffle keys and values together, and every query gets the same mean. So positions have to be put into the numbers. The paper's way is a code of waves, from fast to slow,
# that is added to each token's features.

from snippets.small_transformer import show_position_code

# alt: Left, the code of 21 positions in 64 features, sines and then cosines, each from fast waves to waves so slow that they hardly change. Right, the dot products of all pairs of positions: largest on the diagonal, and the same along each parallel to it.
show_position_code(length=21, features=64)

# %%
# The dot product of two codes depends on how far apart the positions are, and on nothing else: the asserts compare all pairs. "Three to the left" is then the same question everywhere.
#
# The model
# ---------
#
# A *block* has two parts. Attention moves information between positions, then a small network works on each position. Both *add* to what was there, so a block can only refine. The `normalization <../docs/learn/modules.md#modules.layers_for_features_and_images>`_ keeps sizes in bounds.
# One block is enough for this task, and with one block the attention map will tell the whole story.

from snippets.small_transformer import make_transformer

model = make_transformer(features=64, heads=2, blocks=1, positions=True, seed=0)

# %%
# The *causal mask* forbids a position to look to its right. That is what makes training cheap: all positions of a sequence are trained at once, and none sees the token that it should predict. It is an easy thing to get wrong, so test it:
# change the tokens from position 10 on, and see which logits change.

from snippets.small_transformer import no_peeking

no_peeking(model, length=10, seed=0)

# %%
# And a model without the code of positions? Reverse its input, and it predicts the same next token. It has a bag of digits, not a sequence.

from snippets.small_transformer import order_is_invisible

without = make_transformer(features=64, heads=2, blocks=1, positions=False, seed=0)
order_is_invisible(without, length=10, seed=0)

# %%
# (More blocks would tell a model a little about order even so, because the mask shows each position another part of the sequence.)
#
# Train
# -----
#
# Each step draws 64 new sequences. The loss is the `cross-entropy <../docs/learn/modules.md#modules.cross_entropy_equals_library>`_ of the next token, counted after the sign alone.

from snippets.small_transformer import plot_losses, train

losses = train(model, length=10, steps=300, seed=0)
losses_without = train(without, length=10, steps=150, seed=0)
# alt: Loss against steps on a logarithmic scale. Without positions it stays near the dotted line of guessing. With positions it falls to below 0.01.
plot_losses(losses, losses_without)

# %%
# Without positions the loss stays a little below guessing: the model knows which digits there are, not which is next.
#
# Does it reverse?
# ----------------
#
# In training, the model always got the right digits so far (this is called *teacher forcing*). Now it has to live with its own: it writes a digit, reads it again, writes the next. A sequence counts if all ten digits are right.

from snippets.small_transformer import judge

judge(model, length=10, seed=1)

# %%
# And with eleven digits?

from snippets.small_transformer import try_longer

try_longer(model, length=11, seed=1)

# %%
# It did not learn *to reverse*. It learned which of 21 positions to look at from which other, and at eleven digits every one of these pairs is another. Keep this in mind when a model solves the task you trained it on.
#
# Where does it look?
# -------------------
#
# Each row is a digit that the model writes, each column a token that it can look at. The stronger the color, the more weight.

from snippets.small_transformer import show_attention

# alt: Two attention maps, one for each head, with a row for each digit that is written and a column for each token. A diagonal runs from the last of the ten digits in the first row to the first digit in the last row.
show_attention(model, length=10, seed=2)

# %%
# The diagonal runs backward: the first digit that it writes looks at the last that it read, and so on. Is that so for all sequences, or did we pick a pretty one? Take the mean over heads and over 200 sequences.

from snippets.small_transformer import looks_at_the_mirror

looks_at_the_mirror(model, length=10, seed=3)

# %%
# In each row, the mirrored place gets the most. It does not get everything: the places beside it have a similar code and get a share, and the rest of the model can tell them apart. Here the map explains the model,
# because there is one block, and what a row knows of the other tokens has to pass through it. In deep models, where information moves in many steps, a map is a hint at best.
#
# What to remember
# ----------------
#
# - Attention is a weighted mean of values. The weights are a softmax of dot products, divided by the square root of the number of features.
# - It does not know about order. Positions have to be added to the features.
# - A causal mask lets all positions train at once, and you can test that nothing leaks.
# - The small Transformer reverses the length it was trained on and fails at the next.
#
# Where to go next: `an LSTM <lstm_sequence.ipynb>`_ does without attention, and `the layers for sequences <../docs/learn/modules.md#modules.layers_for_sequences>`_ shows what the library has ready.
