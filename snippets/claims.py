"""Claims that no chapter has a place for, each settled by a block."""

import warnings

import torch
import torch.utils.data


def typed_storage_is_deprecated() -> None:
    """`storage()` warns, `untyped_storage()` does not, and both see the same bytes."""
    grid = torch.arange(6.0).reshape(2, 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        untyped = grid.untyped_storage()
        assert not caught
        typed = grid.storage()

    message = str(caught[0].message)
    print(f"{caught[0].category.__name__}: {message.split('.')[0]}.")
    print("elements in storage():       ", len(typed))
    print("bytes in untyped_storage():  ", len(untyped))
    assert "TypedStorage is deprecated" in message
    assert len(untyped) == len(typed) * grid.element_size()


def iterators_have_no_next_method() -> None:
    """The iterator of a loader is asked with the built-in `next`."""
    dataset = torch.utils.data.TensorDataset(torch.arange(6.0))
    batches = iter(torch.utils.data.DataLoader(dataset, batch_size=2))
    message = ""
    try:
        batches.next()
    except AttributeError as error:
        message = str(error)

    (first,) = next(batches)
    print("AttributeError:", message)
    print("next(batches): ", first.tolist())
    assert "has no attribute 'next'" in message
    assert first.tolist() == [0.0, 1.0]


def mixed_precision_has_moved() -> None:
    """The names in `torch.cuda.amp` warn; those in `torch.amp` take the device's name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.amp.GradScaler(enabled=False)
        torch.cuda.amp.autocast(enabled=False)
        old = len(caught)
        torch.amp.GradScaler("cuda", enabled=False)
        torch.amp.autocast("cuda", enabled=False)

    for warning in caught[:old]:
        print(f"{warning.category.__name__}: {warning.message}")
    print("warnings from torch.amp:", len(caught) - old)
    assert old == 2 and len(caught) == old
    assert all("deprecated" in str(warning.message) for warning in caught)
