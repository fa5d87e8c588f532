"""
One GPU to many
===============

How does a training step move from one device to several, and is the result still the same?

Two processes will train one model, each with half of every batch, and we compare what they learn with what one process learns from the
whole batch. The last picture shows both: the losses of the two processes scatter around those of one, their mean lies on it, and their
weights never part.

You need no GPU. Processes can talk to each other on a CPU as well, and that is how every cell on this page ran. Where GPUs would behave
differently, the text says so. The notebook needs ``pip install torch matplotlib``. You should have read about the five lines of a
`training loop <../docs/learn/training_loop.md>`_; the chapter on `several devices <../docs/learn/data_parallel.md>`_ has each tool of this
story in a block of its own.
"""

# %%
# What one training step does
# ---------------------------
#
# The model is small: two linear layers, 49 weights. The data contain no chance: every process that makes a batch has the same rows. Both
# matters later, when the processes each make their own.

from snippets.data_parallel import make_batch, make_model

model = make_model(seed=0)
batch = make_batch(64)

# %%
# A training step computes outputs and a loss, sends the loss back through the model to get a gradient for every weight, and moves the
# weights against it.

from snippets.one_gpu_to_many import one_step

one_step(batch, learning_rate=0.1)

# %%
# Of these actions, the first two go row by row, in a model like this: each row has its own output and its own part of the loss. Only the gradient brings
# the rows together, and it does so in the simplest way. The loss is a mean over rows, so its gradient is a mean over rows, too. And a
# mean over 64 rows is the mean of four means over 16.
#
# So cut the batch in four shares, compute a gradient from each, and take the mean.

from snippets.one_gpu_to_many import share_the_gradient

share_the_gradient(batch, count=4)

# %%
# Each share alone points somewhere else: its gradient is farther from that of the batch than zero would be. Their mean is the gradient of the
# batch. This is the whole idea of *data parallelism*. Each device computes the gradient of its own rows, and somebody takes the mean. The
# shares must be equal; the chapter shows `what goes wrong with unequal ones <../docs/learn/data_parallel.md#data_parallel.uneven_shares>`_.
# And no layer may mix rows. Batch normalization does, and `sees only its share <../docs/learn/training_loop.md#training_loop.solution_batch_norm_sees_small_batches>`_.
#
# Two questions are left: who cuts the batch, and who takes the mean? The two tools in PyTorch answer them differently.
#
# The first answer: DataParallel
# ------------------------------
#
# ``nn.DataParallel`` lives in one process. It wraps a model, and in each forward pass it does four things:
#
# * *scatter*: cut the batch in chunks, one for each GPU,
# * *replicate*: copy the model to each GPU,
# * *apply*: run all replicas, each in a thread of its own,
# * *gather*: bring the outputs together on the first GPU.
#
# Nothing in this needs a GPU to be understood. Here are the four actions by hand, one replica after the other, for a batch of ten rows
# and four replicas.

from snippets.one_gpu_to_many import step_in_replicas

step_in_replicas(make_batch(10), replica_count=4)

# %%
# The replicas saw 3, 3, 3 and 1 rows: a chunk has the number of rows divided by the number of replicas, rounded up, and the last chunk gets
# the rest. The loss was computed once, from the ten gathered outputs. Its gradient went back through all the replicas and added up in the
# weights that they were cloned from, so it is that of the batch, although the shares were unequal.
#
# Look at the weights copied: 4 times 49, for a single step. The next step copies them again, because the weights have changed.
#
# What does the real class do on a machine without a GPU? We ask it, with a model that takes notes. (On a machine with GPUs the cell hides them.)

from snippets.one_gpu_to_many import ask_data_parallel

ask_data_parallel(batch)

# %%
# Nothing: no devices, no chunks, one call with all 64 rows. With one GPU there is nothing to cut either. With two or more, the four
# actions are real. For these cases the chapter has `a block for one GPU <../docs/learn/data_parallel.md#data_parallel.data_parallel_on_one_gpu>`_
# and `one for two <../docs/learn/data_parallel.md#data_parallel.data_parallel_on_two_gpus>`_, and says under each where it ran, or that it did not.
#
# Why it was replaced
# -------------------
#
# ``DataParallel`` changes one line of a script. Yet its own documentation `recommends something else <../docs/learn/data_parallel.md#data_parallel.not_deprecated_but_advised_against>`_. The reasons are in what you saw:
#
# * The weights are copied to all GPUs in every forward pass.
# * One GPU cuts the batch for all, and gathers all outputs.
# * One Python process does it all. Its threads take turns in running Python, and it cannot reach a GPU in another machine.
#
# ``DistributedDataParallel``, DDP for short, starts with a process for each device. Each process has its own model, its own rows, its own
# loss and its own optimizer. They exchange nothing but gradients.
#
# Processes that exchange gradients
# ---------------------------------
#
# The exchange is one operation. ``all_reduce`` adds up a tensor over all processes, and leaves the sum in each. Divided by the number of
# processes this is the mean that we are after. We could write it ourselves, after ``backward()`` and before ``step()``. DDP does it
# inside of ``backward()``.
#
# The next function trains on every second row of the batch, in three ways. The processes exchange nothing, or they exchange gradients
# by hand, or DDP does it. The *rank* is the number of the process, from 0.

from snippets.one_gpu_to_many import average_gradients, train_share

# %%
# Each process needs to find the others. ``init_process_group`` does that: it reads from the environment who this process is, how many there are,
# and where they meet. Its argument is the *backend*, the library that carries the numbers; ``gloo`` works on any CPU.

from snippets.one_gpu_to_many import three_exchanges

# %%
# Now we need two processes. A function which was defined in a notebook cannot be sent to another process: that process would look for it
# in a file. So we write the functions to a file, a script like any other.

from snippets.one_gpu_to_many import write_script

exchange_script = write_script(
    "exchange.py",
    make_model,
    make_batch,
    average_gradients,
    train_share,
    three_exchanges,
    call="three_exchanges(steps=100)",
)

# %%
# And then we start it twice. Each copy gets its rank, the number of processes (the *world size*) and an address to meet at.

from snippets.one_gpu_to_many import start_by_hand

ranks = start_by_hand(exchange_script, world_size=2)

# %%
# Two processes have trained, and saved what they did. For comparison we train in this process, on all 64 rows.

from snippets.one_gpu_to_many import compare_exchanges, train_alone

alone = train_alone(steps=100)
compare_exchanges(ranks, alone)

# %%
# Without exchange, the two processes are two trainings on half the data each. They started with the same weights and parted.
#
# With exchange, by hand or by DDP, all 100 gradients are those of one process with the whole batch, and so are the weights after each of the 100
# steps, within rounding (1e-5 in the assert). The two ranks agree with each other without any tolerance. Equal weights
# and equal gradients lead equal optimizers to equal weights: that is why weights need not be sent again.
#
# If both give the same, what is DDP good for? Its documentation says that it starts to exchange some gradients while ``backward()`` is still computing
# others, so that sending and computing overlap. (Our model is too small to see it.) It sends the weights of rank 0 to all others when it is made, in case they started
# differently. And nobody can forget to call it.
#
# Who cuts the batch: DistributedSampler
# --------------------------------------
#
# In a real script there is a ``DataLoader``, and each process has its own. It must draw rows that the other does not draw. ``DistributedSampler`` takes care:
# each rank shuffles the same indices in the same order, and takes every second one (with two processes).
#
# There is a trap in "the same order". All ranks must agree on it, so it does not come from chance, but from a seed and the number of the epoch. The
# sampler does not know the epoch unless somebody tells it. Each row of the picture is an epoch, each column a sample, and the color is
# the rank which draws it.

from snippets.one_gpu_to_many import plot_shares

# alt: Two charts with a row for each epoch and a cell for each of 16 samples, colored by rank. Without set_epoch the four rows are alike; with it each row differs, and both colors always fill half of it.
plot_shares(sample_count=16, epochs=4)

# %%
# In both halves every sample is drawn once in each epoch. On the left, where nobody called ``set_epoch``, each epoch has the
# same order, and each rank sees the same eight samples forever. Nothing warns about this; the call is one line at the start of an epoch.
#
# The script
# ----------
#
# Now all of it together, as one would write it. The function is a usual training loop with four changes:
#
# * the process group at the beginning and the end,
# * a sampler, which is told the epoch,
# * a model wrapped in DDP, whose own weights are under ``model.module``,
# * a batch size divided by the number of processes, so that a step sees as many rows as before.
#
# It makes its model from another seed on each rank, on purpose, to see DDP repair that. Usually only rank 0 saves; here
# both do, since we want to compare.

from snippets.one_gpu_to_many import train_everywhere

train_script = write_script(
    "train.py",
    make_model,
    make_batch,
    train_everywhere,
    call="train_everywhere(batch_size=32, epochs=5)",
)

# %%
# Starting a process for each device, with the right environment, is the task of ``torchrun``, which comes with PyTorch. In a shell one writes
#
# ::
#
#     torchrun --standalone --nproc-per-node=2 train.py
#
# and this cell does the same. ``--standalone`` means that all processes are on this machine, so ``torchrun`` finds a meeting place itself.

from snippets.one_gpu_to_many import start_with_torchrun

trained = start_with_torchrun(train_script, process_count=2)

# %%
# The opponent is one process, with the whole batch of 32, without DDP and without any other process.

from snippets.one_gpu_to_many import compare_trained, train_without_processes

whole = train_without_processes(batch_size=32, epochs=5)
compare_trained(trained, whole)

# %%
# The losses of the two ranks differ, since each is a mean over other rows. Their mean is the loss of one process. After 40 steps both ranks
# hold the same weights, without tolerance, and they are those of one process within 1e-5, although rank 1 began with others.
#
# One warning about reading such losses: a script which logs the loss of rank 0 logs half of the data. For a true number, average over the
# ranks, with ``all_reduce`` once more.
#
# What changes on real GPUs
# -------------------------
#
# Little, and ``train_everywhere`` has it already. None of it ran for this page, which was made without a GPU:
#
# * The backend is ``nccl``, NVIDIA's own library, which moves numbers from GPU to GPU.
# * Each process takes the GPU of its *local rank*, its number on this machine: ``cuda:0`` for the first, ``cuda:1`` for the second.
#   ``torchrun`` puts it in the environment as ``LOCAL_RANK``.
# * On several machines, ``--standalone`` gives way to the number of machines and an address to meet at. The script stays as it is.
#
# The results keep their meaning, but not their last digits: GPUs add in another order. And one thing this page cannot show is speed. Two processes
# on one CPU share its cores. On GPUs, measure: more devices help while computing a share takes longer than exchanging the gradients.
#
# The final picture
# -----------------
#
# On the left are the losses of the script which ``torchrun`` started, and those of one process. On the right, the first experiment again:
# how far apart the weights of the two ranks are, when they exchange nothing and when DDP exchanges gradients.

from snippets.one_gpu_to_many import plot_many

# alt: Left, loss over 40 steps on a logarithmic scale: dots of rank 0 and rank 1 scatter around a broad line for one process, and the line of their mean lies on it. Right, the distance between the weights of the two ranks: it grows to 0.024 when nothing is exchanged, and is zero with DDP.
plot_many(trained, whole, ranks)

# %%
# What to remember
# ----------------
#
# * The gradient of a batch is the mean of the gradients of its equal shares. All of data parallelism rests on this.
# * ``DataParallel`` scatters, replicates, applies and gathers, in one process and in every step. Without a GPU it only calls the model.
# * DDP gives each process a model of its own and averages gradients during ``backward()``. Two ranks stay equal to the last bit, and do what
#   one process does with the whole batch.
# * ``DistributedSampler`` cuts the data, and has to be told the epoch.
# * ``torchrun`` starts the processes and tells each who it is.
#
# Where to go next: the chapter on `several devices, once more <../docs/learn/data_parallel.md>`_ goes on where this page ends, with models that are too large for one device:
# ``fully_shard`` and models in stages.
