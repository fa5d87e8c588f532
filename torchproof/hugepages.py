"""Fewer, larger pages for a process that is forked often.

A fork copies one entry for every 4 KiB page that the process wrote, and the copy's end gives each back: 60 ms for the half
gigabyte that torch and its friends write while they are imported. The same memory in pages of 2 MiB takes half of that.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

# From Linux 6.1 on; see madvise(2). Python's mmap module knows neither the name nor memory that it did not map itself.
_MADV_COLLAPSE = 25


def gather() -> None:
    """Ask the kernel to move what this process wrote so far into huge pages.

    To be called before the first fork: from then on pages are shared, and shared ones stay where they are. It is a wish:
    a kernel that cannot, or has no such page free, leaves the memory as it is, and all works as before.
    """
    try:
        madvise = ctypes.CDLL(None).madvise
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except (OSError, AttributeError):
        return
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in maps.splitlines():
        begin, end = _written(line)
        if begin < end:
            # The kernel takes of this what makes whole huge pages.
            madvise(begin, end - begin, _MADV_COLLAPSE)


def _written(line: str) -> tuple[int, int]:
    """First address of a mapping and the one behind it, if it is the process's own writable memory; else nothing."""
    addresses, permissions, _, _, inode, *name = line.split()
    if permissions != "rw-p" or inode != "0" or (name and name != ["[heap]"]):
        return 0, 0
    begin, end = (int(address, 16) for address in addresses.split("-"))
    return begin, end
