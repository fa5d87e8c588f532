"""
Hyperparameter search
=====================

How do you choose a learning rate, a momentum and the size of a network, when each try costs a training run? Gradients are no help: the number of hidden units has none, and one through a whole training run is rarely practical. Trying everything on a grid is expensive, and most of it is spent in
places that were hopeless from the start. In this tutorial a library, `Ax <https://ax.dev>`_, proposes each try from what it learned in the tries before.

First you let it loose on a function whose lowest points are known, and compare it with luck. Then it tunes a real network that reads
digits. The last picture shows fifteen tries of that search, and how the best one was found.

You need the network of `Digits from scratch <digits_from_scratch.ipynb>`_. This notebook needs one package more than the others:
``pip install torch torchvision matplotlib scikit-learn ax-platform``.
"""

# %%
# A landscape with known valleys
# ------------------------------
#
# A search is easy to test where the answer is known. Branin's function has two inputs and three valleys, which are
# equally deep. Its lowest value is 0.3979, and the code checks the three places where it is reached.
from snippets.hyperparameter_search import branin, check_minima

check_minima(value=0.3979)

# %%
# Imagine that each value of this function costs an hour. How low do we get with fifteen of them?
#
# Ask and tell
# ------------
#
# The idea behind Ax is *Bayesian optimization*. It keeps a *belief*: for every place, an estimate of the loss there,
# and how unsure the estimate is. Each new trial goes where a low loss is likely, or where the belief is so unsure that
# one might hide there. Then the result changes the belief.
#
# You talk to Ax through a ``Client``. Tell it the range of each parameter, and what to minimize: the minus sign in
# ``objective="-loss"`` says that less is better.
from snippets.hyperparameter_search import new_search

client = new_search(
    ranges=[
        {"name": "x", "bounds": (-5.0, 10.0), "parameter_type": "float"},
        {"name": "y", "bounds": (0.0, 15.0), "parameter_type": "float"},
    ],
    objective="-loss",
    seed=0,
)

# %%
# From now on it is a conversation. ``get_next_trials`` asks for a proposal. You evaluate it in your own way, on any
# machine, and ``complete_trial`` tells the loss. A trial that gave no number at all, as a training that blew up, is
# reported with ``mark_trial_failed``.
from snippets.hyperparameter_search import best_trial, run_search

history = run_search(client, branin, trials=15)
best = best_trial(client)

# %%
# Fifteen values. In the run shown here, the best of them is next to a lowest point. (Processors round sums differently,
# and a search makes other trials of that. Where we say "in the run shown here", yours may differ.)
#
# Here is where they were, on the true landscape and on the belief that Ax has after them. The numbers are those of the
# trials. The first five (blue) are spread out, in order to get an idea: the center, and four places that are drawn to
# lie far apart. The others (orange) follow the belief.
from snippets.hyperparameter_search import draw_belief

# alt: Two contour maps with numbered trials. Left, the function with three valleys. Right, the belief of Ax: in the run shown here, it has the two valleys at the bottom, around which most trials lie, and not the one at the top left. Stars mark the three lowest points.
draw_belief(client, history)

# %%
# In the run shown here, the belief has the right shape near its trials. In two of the three valleys, Ax put trials next
# to the stars. It knows nothing of the third valley, at the top left: no trial was there. For finding a low place, that
# was not necessary.
#
# Better than luck?
# -----------------
#
# The honest rival is the simplest one: fifteen places drawn by lot. One such search may be lucky, so let us see fifty
# of them. Ax has to end below more than forty: the code asserts it.
from snippets.hyperparameter_search import compare_with_luck

# alt: Best loss so far over 15 trials, on a logarithmic scale. Fifty gray curves of random searches end between about 0.05 and 20 above the lowest value. The curve of Ax ends below more than forty of them.
compare_with_luck(
    history,
    ranges=[
        {"name": "x", "bounds": (-5.0, 10.0), "parameter_type": "float"},
        {"name": "y", "bounds": (0.0, 15.0), "parameter_type": "float"},
    ],
    evaluate=branin,
    seeds=50,
    lowest=0.3979,
)

# %%
# A real network
# --------------
#
# Now the digits. A *hyperparameter* is a number that you choose before training, as opposed to the parameters, which
# training finds. We have three of them:
#
# - the learning rate, between 0.001 and 1. Going from 0.001 to 0.01 matters as much as going from 0.1 to 1, so it is
#   searched on a logarithmic scale;
# - the momentum of SGD, between 0 and 0.98;
# - the number of hidden units, between 8 and 128, a whole number, also on a logarithmic scale.
#
# What should be small? Not the training loss: a network can learn its images by heart. And not the loss on the test
# images either: if you choose the best of fifteen by the test, the test has become a part of the training. So we split
# once more. Of the 1,500 training images, 300 are for *validation*: the search looks at these, and the test waits until
# the end.
from snippets.digits_from_scratch import all_digits, shuffled_split
from snippets.hyperparameter_search import make_evaluation

images, labels = all_digits(flat=True)
train_images, train_labels, test_images, test_labels = shuffled_split(images, labels, seed=0)
evaluate = make_evaluation(train_images, train_labels, epochs=8)

# %%
# For Ax there is no difference between a function on paper and a training run. The conversation is the same.
digit_client = new_search(
    ranges=[
        {"name": "lr", "bounds": (0.001, 1.0), "parameter_type": "float", "scaling": "log"},
        {"name": "momentum", "bounds": (0.0, 0.98), "parameter_type": "float"},
        {"name": "hidden", "bounds": (8, 128), "parameter_type": "int", "scaling": "log"},
    ],
    objective="-loss",
    seed=0,
)
digit_history = run_search(digit_client, evaluate, trials=15)
digit_best = best_trial(digit_client)

# %%
# Train once more with the winner, on all 1,500 training images. Then, for the first and only time, look at the test.
# On another processor another trial may win. ``at_least`` is a limit that any of these winners should pass.
from snippets.digits_from_scratch import accuracy
from snippets.hyperparameter_search import retrain

model = retrain(digit_best, train_images, train_labels, epochs=8)
accuracy(model(test_images), test_labels, at_least=0.88)

# %%
# And luck? One random search with as many trials and the same ranges:
from snippets.hyperparameter_search import random_search, show_best

lucky_history = random_search(
    ranges=[
        {"name": "lr", "bounds": (0.001, 1.0), "parameter_type": "float", "scaling": "log"},
        {"name": "momentum", "bounds": (0.0, 0.98), "parameter_type": "float"},
        {"name": "hidden", "bounds": (8, 128), "parameter_type": "int", "scaling": "log"},
    ],
    evaluate=evaluate,
    trials=15,
    seed=0,
)
show_best(lucky_history)

# %%
# In the run shown here, the two are close. That is worth knowing: with few hyperparameters and a broad region of good
# ones, drawing by lot can do about as well, and it is a fair first try. A search that learns is worth its effort when a
# trial is expensive or the good region is small.
#
# The fifteen tries
# -----------------
#
# Left, the trials of Ax by learning rate and momentum; a larger dot has more hidden units, and the star marks the best.
# Right, their losses in order.
from snippets.hyperparameter_search import draw_trials

# alt: Left, a dot for each trial in the plane of learning rate and momentum, and a star at the best. In the run shown here, all losses below 0.2 are at learning rates above 0.1 with a momentum below 0.8. Right, the losses of the trials and the best so far, which falls from about 1 to less than 0.2.
draw_trials(digit_history)

# %%
# In the run shown here, learning rates below 0.01 ended with losses around 2, little better than the 2.3 of a blind
# guess. So did the highest momentum together with a large learning rate. The step of SGD with momentum grows to
# lr / (1 − momentum) times the gradient, so the two must be chosen together, as
# `Optimizers <../docs/learn/optimizers.md#optimizers.momentum_by_hand>`_ explains.
#
# If the star lies at the border of a range, the range may be too narrow: widen it, and search again.
#
# What to remember
# ----------------
#
# - A search is a conversation: ask for a trial, evaluate it, tell the loss.
# - Bayesian optimization spends its trials where a low loss is likely or unknown. On Branin's function it beat more
#   than forty of fifty random searches; on the digits, in the run shown here, one random search came close.
# - Test a search first where the answer is known, and compare it with random search.
# - Choose hyperparameters by validation images. Look at the test once, at the end.
# - Search learning rates on a logarithmic scale.
#
# Why a learning rate can be too large at all is the story of
# `Watching gradient descent <watching_gradient_descent.ipynb>`_. What belongs into a full training run besides, from
# early stopping to metrics, is in `Training loop <../docs/learn/training_loop.md>`_.
