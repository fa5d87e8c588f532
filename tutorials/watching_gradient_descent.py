"""
Watching gradient descent
=========================

Why does a training run crawl with one learning rate, and blow up with another that is only a little larger? You will watch
gradient descent fit a line, with learning rates from 0.0005 to 0.03. With 0.028 it finds the line. With 0.03 the loss grows
without end. The border between the two is not a matter of luck: you can compute it before the first step.

The last picture shows this border as a cliff, and how to move it: after one short line of code that prepares the inputs, the same
problem takes learning rates thirty times larger.

You need Python, and the idea of a gradient. `One line, five ways <one_line_five_ways.ipynb>`_ explains it, with the same
kind of line.
"""

# %%
# The problem
# -----------
#
# The data are a hundred noisy points along the line :math:`y = 3x`, with :math:`x` from 0 to 10. We look for the
# intercept and the slope of least *loss*, the mean squared error. Every line is a pair of two numbers, so it is a place
# in a plane, and the loss is a landscape over that plane. With two parameters we can look at all of it; that is why the
# problem is so small.
from snippets.watching_gradient_descent import draw_valley, steep_line

x, y = steep_line(seed=0)
# alt: Left, points along a rising line. Right, the plane of intercept and slope: curves of equal loss are long, thin, tilted ellipses around a star near intercept 0 and slope 3.
draw_valley(x, y)

# %%
# The star marks the line of least loss. Each curve connects places of equal loss; from one curve to the next, the loss
# doubles. The landscape is a *valley*: steep across, and almost flat along.
#
# It comes from the data. Add 1 to the slope, and the prediction at :math:`x = 10` changes by 10. Add 1 to the
# intercept, and it changes by 1. So the loss reacts to the slope much more. And a smaller slope can be made up for, in
# part, by a larger intercept, so the valley is tilted.
#
# Six walks
# ---------
#
# Gradient descent starts anywhere and repeats one move. It computes the gradient :math:`\nabla L`, which points to
# where the loss grows fastest, and steps the other way. The *learning rate* sets how far:
#
# .. math::
#
#     w \leftarrow w - \text{lr} \cdot \nabla L(w)
#
# Here :math:`w` is the pair of intercept and slope. In PyTorch, ``backward()`` computes the gradient and the optimizer
# ``SGD`` makes the step. The function ``descend`` in the next block does this, and keeps every place on the way. Forty
# steps from the same start, with six learning rates:
from snippets.watching_gradient_descent import draw_paths

# alt: Six panels. With 0.0005 the walk creeps down the wall of the valley. With 0.005 it reaches the floor and almost stops there. With 0.015 it reaches the floor in one step. With 0.028 and 0.029 it jumps from wall to wall, less each time. With 0.03 the jumps grow and leave the picture.
draw_paths(x, y, start=[-10.0, 8.0], rates=[0.0005, 0.005, 0.015, 0.028, 0.029, 0.03], steps=40)

# %%
# All walks first go across the valley, since that is where the gradient points. With 0.0005 the walk creeps down the
# wall. With 0.015 it is on the floor after one step. With 0.028 and 0.029 it jumps over the floor to the other wall, a
# little lower each time. With 0.03 it lands a little *higher* each time.
#
# And not one of them has reached the star. Along the floor the gradient is small, so the steps are short. Four hundred
# steps tell more:
from snippets.watching_gradient_descent import draw_losses

# alt: Loss above the least over 400 steps, on a logarithmic scale. The curves for 0.0005 to 0.029 fall, the larger the rate the lower they end. The curve for 0.03 rises without end.
draw_losses(x, y, start=[-10.0, 8.0], rates=[0.0005, 0.005, 0.015, 0.028, 0.029, 0.03], steps=400)

# %%
# There is a dilemma in this picture. The larger the learning rate, the lower the loss ends, up to 0.029. With 0.03
# everything is lost. The best rate is right before the cliff.
#
# One parameter: a parabola
# -------------------------
#
# To find the cliff, take away what we can: one parameter :math:`w`, with the loss :math:`L = \frac{\lambda}{2} w^2`.
# The number :math:`\lambda` (lambda) is the *curvature*: it says how quickly the slope of the parabola changes. The
# slope at :math:`w` is :math:`\lambda w`, so a step is
#
# .. math::
#
#     w \leftarrow w - \text{lr} \cdot \lambda w = (1 - \text{lr} \cdot \lambda) \, w
#
# Each step multiplies the position by the same factor, :math:`1 - \text{lr} \cdot \lambda`. Nothing else happens. The
# code checks every position against this rule.
from snippets.watching_gradient_descent import draw_parabola

# alt: Four parabolas. With factor 0.90 the positions slide down one side. With factor 0 the first step lands at the bottom. With factor -0.90 they jump from side to side and sink. With factor -1.10 they jump from side to side and rise.
draw_parabola(curvature=1.0, rates=[0.1, 1.0, 1.9, 2.1], steps=12)

# %%
# A factor between 0 and 1 slides down one side. A factor of 0 lands at the bottom at once. A negative factor changes
# sides. As long as it is above :math:`-1`, the walk still shrinks; below :math:`-1`, it grows. The border is where the
# factor is :math:`-1`:
#
# .. math::
#
#     1 - \text{lr} \cdot \lambda = -1 \quad\Longleftrightarrow\quad \text{lr} = \frac{2}{\lambda}
#
# Two parameters: two parabolas
# -----------------------------
#
# The valley is made of two such parabolas, one across and one along it. To find them we need all second derivatives of
# the loss. They fit into a square matrix, the *Hessian*, which PyTorch computes from the loss function. It has two
# special directions, its *eigenvectors*. On a line through the minimum in such a direction, the gradient points along
# the line, so a walk that starts there never leaves it: one parabola, one factor. The *eigenvalues* are the curvatures
# of these two parabolas.
#
# The loss of a line is quadratic, so its Hessian is the same everywhere. The code asserts that for two places.
from snippets.watching_gradient_descent import curvatures

eigenvalues, directions = curvatures(x, y)

# %%
# Across the valley the curvature is 135 times as large as along it. The largest curvature meets its border first, and
# there it is: :math:`2 / \lambda_{\max} \approx 0.0298`.
#
# If the story of two parabolas is right, we can predict the whole walk. Take the distance from the minimum along each
# direction, and multiply it by its own factor in every step. The lines below are this prediction; the dots are measured
# on the real walk with a learning rate of 0.028.
from snippets.watching_gradient_descent import draw_directions

# alt: Distance from the minimum over 60 steps. Along the valley it shrinks slowly from 10.7 to 4.6. Across the valley it changes sign each step and fades away within 30 steps. The measured dots lie on the predicted lines.
draw_directions(x, y, [-10.0, 8.0], 0.028, 60, eigenvalues, directions)

# %%
# The dots lie on the lines, and the code asserts it. Both halves of the dilemma are in this picture. Across the valley
# the factor is close to :math:`-1`, so the rate can hardly be larger. Along the valley the factor is still close to 1,
# so the walk is slow.
#
# The last check is the claim from the beginning, with a thousand steps:
from snippets.watching_gradient_descent import check_threshold

check_threshold(x, y, start=[-10.0, 8.0], eigenvalues=eigenvalues)

# %%
# .. note::
#
#    PyTorch can find a Hessian in more than one way; the chapter
#    `Autograd <../docs/learn/autograd.md#autograd.jacobian_and_hessian>`_ shows two that agree. For a model with a million parameters the matrix would
#    have a million times a million entries, so there one tries learning rates instead, as an exercise in
#    `Schedulers <../docs/learn/schedulers.md>`_ does.
#
# Move the cliff
# --------------
#
# No learning rate is good for this valley. But we may change the valley. It was steep in one direction because
# :math:`x` is a large number next to the 1 that stands for the intercept, and tilted because all :math:`x` are
# positive. So shift :math:`x` to have mean 0, and scale it to have standard deviation 1. This is called
# *standardizing*. The lines that we can describe are the same; only the numbers that describe them are different.
from snippets.watching_gradient_descent import standardized

even_x = standardized(x)
# alt: Three panels with upright ellipses. With 0.05 the walk goes straight to the star. With 0.5 it arrives in one step. With 0.95 it jumps through the star from side to side, closer each time.
draw_paths(even_x, y, start=[4.0, 4.0], rates=[0.05, 0.5, 0.95], steps=40)

# %%
# The valley is a bowl now. (The ellipses would be circles if both axes had the same scale.) Every walk heads straight
# for the star, and with 0.5 it is there after one step. So, in the end, here is the loss after a hundred steps against
# the learning rate, for both versions of :math:`x`. The dotted lines are :math:`2 / \lambda_{\max}`, computed from the
# Hessians.
from snippets.watching_gradient_descent import draw_cliffs

# alt: Loss above the least after 100 steps, against the learning rate. With raw x the loss falls slowly and shoots up at 0.0298. With standardized x it falls to a millionth before 0.05, stays there, and shoots up at 1.
draw_cliffs(y, start=[4.0, 4.0], steps=100, raw=x, standardized=even_x)

# %%
# (A loss closer to the least than a millionth is drawn as a millionth.) With raw :math:`x` there is a cliff at 0.0298,
# and no learning rate below it comes near the minimum in a hundred steps. With standardized :math:`x` both curvatures
# are 2. The cliff moved to 1, and a wide range of rates before it reaches the bottom.
#
# What to remember
# ----------------
#
# - On a parabola with curvature :math:`\lambda`, a step of gradient descent multiplies the distance from the minimum by
#   :math:`1 - \text{lr} \cdot \lambda`.
# - It diverges when lr is above :math:`2 / \lambda_{\max}`, where :math:`\lambda_{\max}` is the largest eigenvalue of
#   the Hessian.
# - The largest curvature limits the rate, and the smallest one then sets the speed. Their ratio tells how hard the
#   problem is.
# - Standardizing the input made this ratio 1 here. It is one reason why inputs are normalized before training.
#
# The loss of a neural network is not quadratic, so its Hessian changes along the way. The picture of a steep direction
# that sets the limit is still a good one to have in mind when a loss turns to ``nan``. In the chapter
# `Optimizers <../docs/learn/optimizers.md#descent.the_steepest_curvature_decides>`_ you can move the learning rate
# yourself and watch the walk, and see how *momentum* and *Adam* deal with a valley. For the first real model, go on
# with `Digits from scratch <digits_from_scratch.ipynb>`_.
