"""What the variables of a program hold when it has ended, in a few words each.

Asked inside the program's own process when the program is done. torch is looked up, never imported: where the program has not
imported it, no variable holds any of it.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

# Between a name, what its value is, and what is in it.
SEPARATOR = ": "
# Stands where something is not told.
LEFT_OUT = "…"
# Up to so many elements are told one by one; of more, the range.
_FEW = 8
# Where a text ends, and where the words for what is inside a container do.
_TEXT = 160
_WIDTH = 480
# A tensor with more elements is not looked through.
_MANY = 10_000_000
# So deep is a container looked into.
_DEEP = 2
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_NOT_DATA = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
_TOLD_AS_THEY_ARE = ("torch.dtype", "torch.device", "torch.Size", "torch.layout", "builtins.range", "builtins.slice")


class Chance:
    """Tells whether a program draws random numbers from torch's own generator and never seeds it; made before it starts."""

    def __init__(self) -> None:
        self._before = self._state()

    def was_taken(self) -> bool:
        """Whether it has; of a program that imported torch itself nothing is known, and the answer is yes."""
        now = self._state()
        if self._before is None or now is None:
            return "torch" in sys.modules
        return now[0] == self._before[0] and now[1] != self._before[1]

    def _state(self) -> tuple[int, list[int]] | None:
        torch = sys.modules.get("torch")
        try:
            return (torch.initial_seed(), torch.get_rng_state().tolist()) if torch else None
        except Exception:  # A torch that lacks what every torch has is the program's to report.
            return None


def variables(namespace: Mapping[str, Any], by_chance: bool = False, places: Iterable[str] = ()) -> list[str]:
    """A line for each variable, such as "steps: float32 tensor (50,): from 0.0 to 4.9, mean 2.45".

    Args:
        namespace: A program's globals. Modules, functions, classes, figures and private names are left out.
        by_chance: Whether their content may be another one each time: then it is not told.
        places: Texts that stand for this machine; content that holds one is not told.
    """
    told = []
    for name, value in list(namespace.items()):
        if name.startswith("_") or not _is_data(value):
            continue
        what, inside = _described(value)
        if by_chance or any(place in inside for place in places):
            inside = ""
        told.append(SEPARATOR.join(filter(None, [name, what, inside])))
    return told


def _is_data(value: Any) -> bool:
    kind = type(value)
    # Matplotlib hands out the parts of a figure in arrays of objects.
    drawn = kind.__module__.startswith("matplotlib.") or (
        kind.__name__ == "ndarray" and str(getattr(value, "dtype", "")) == "object"
    )
    return not (drawn or issubclass(kind, _NOT_DATA))


def _described(value: Any, depth: int = 0) -> tuple[str, str]:
    """What a value is, and what is in it."""
    torch = sys.modules.get("torch")
    kind = type(value)
    try:
        if torch and isinstance(value, torch.Tensor):
            return _tensor(torch, value)
        if torch and isinstance(value, torch.nn.Module):
            return _module(torch, value)
        if torch and isinstance(value, torch.optim.Optimizer):
            return kind.__name__, "; ".join(_options(group) for group in value.param_groups)
        if torch and isinstance(value, torch.Generator):
            return kind.__name__, f"seed {value.initial_seed()}"
        if kind.__name__ == "ndarray" and torch:
            what, inside = _tensor(torch, torch.from_numpy(value.copy()))
            return what.replace(" tensor", " array"), inside
        if isinstance(value, dict | list | tuple | set | frozenset) and _full_name(value) not in _TOLD_AS_THEY_ARE:
            return _container(value, depth)
        if kind in _PLAIN:
            text = _number(value) if kind is float else repr(value)
            return kind.__name__, text if len(text) <= _TEXT else f"{text[:_TEXT]}{LEFT_OUT}"
        if _full_name(value) in _TOLD_AS_THEY_ARE:
            return kind.__name__, str(value)
    except Exception:
        # A value that cannot be looked into, such as a tensor of a kind that has no minimum, is told by its kind.
        pass
    return kind.__name__, ""


def _full_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__name__}"


def _tensor(torch: Any, value: Any) -> tuple[str, str]:
    kind = "parameter" if isinstance(value, torch.nn.Parameter) else "tensor"
    what = f"{str(value.dtype).removeprefix('torch.')} {kind} {tuple(value.shape)}"
    if value.device.type != "cpu":
        what += f" on {value.device.type}"
    if value.requires_grad:
        what += ", requires grad"
    try:
        inside = _elements(torch, value.detach())
        if value.is_leaf and value.grad is not None:
            inside += f"; grad {_elements(torch, value.grad)}"
        return what, inside
    except Exception:
        return what, ""


def _elements(torch: Any, value: Any) -> str:
    if value.numel() == 0 or value.numel() > _MANY or value.device.type == "meta":
        return ""
    if value.numel() <= _FEW:
        return _nested(value.tolist())
    if value.dtype == torch.bool:
        return f"{int(value.sum())} of {value.numel()} true"
    if value.is_complex():
        value = value.abs()
    value = value.double() if value.is_floating_point() else value.long()
    return _range(value.min().item(), value.max().item(), value.double().mean().item())


def _module(torch: Any, value: Any) -> tuple[str, str]:
    parameters = [parameter.detach() for parameter in value.parameters()]
    count = sum(parameter.numel() for parameter in parameters)
    what = f"{type(value).__name__} with {count} parameters" if count else type(value).__name__
    if not value.training:
        what += ", in eval mode"
    if not 0 < count <= _MANY:
        return what, ""
    inside = _elements(torch, _together(torch, parameters))
    grads = [parameter.grad for parameter in value.parameters() if parameter.grad is not None]
    return what, f"{inside}; grad {_elements(torch, _together(torch, grads))}" if grads else inside


def _together(torch: Any, tensors: list[Any]) -> Any:
    """All elements in one tensor."""
    return torch.cat([tensor.detach().reshape(-1).double().cpu() for tensor in tensors])


def _options(group: dict[str, Any]) -> str:
    """What an optimizer does with a group of parameters, options that are off left out."""
    options = {name: option for name, option in group.items() if name not in ("params", "param_names")}
    return _joined(f"{name}={_inside(option, 0)}" for name, option in options.items() if option is not None and option != 0)


def _container(value: Any, depth: int) -> tuple[str, str]:
    what = f"{type(value).__name__} of {len(value)}"
    if len(value) > _FEW and isinstance(value, list | tuple) and all(type(number) in (int, float) for number in value):
        return what, _range(min(value), max(value), sum(value) / len(value))
    return what, _listed(value, depth)


def _listed(value: Any, depth: int) -> str:
    """A container as Python writes it, cut where it gets long."""
    if isinstance(value, dict):
        return f"{{{_joined(f'{_inside(key, depth)}: {_inside(item, depth)}' for key, item in value.items())}}}"
    parts = (_inside(item, depth) for item in value)
    if isinstance(value, list):
        return f"[{_joined(parts)}]"
    if isinstance(value, tuple):
        return f"({_joined(parts)}{',' * (len(value) == 1)})"
    # The order of a set is nothing that a program may rely on.
    return f"{{{_joined(sorted(parts))}}}" if value else "set()"


def _inside(value: Any, depth: int) -> str:
    """A value as it stands inside a container."""
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _listed(value, depth + 1) if depth < _DEEP else LEFT_OUT
    what, inside = _described(value, depth + 1)
    if type(value) in _PLAIN or _full_name(value) in _TOLD_AS_THEY_ARE:
        return inside or what
    return f"{what} ({inside})" if inside else what


def _joined(parts: Iterable[str]) -> str:
    text = ""
    for part in parts:
        if len(text) + len(part) > _WIDTH:
            return f"{text}, {LEFT_OUT}" if text else LEFT_OUT
        text = f"{text}, {part}" if text else part
    return text


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_nested, value))}]"
    return _number(value) if isinstance(value, float) else str(value)


def _range(smallest: float, largest: float, mean: float) -> str:
    if smallest == largest:
        return f"all {_number(smallest)}"
    # What is left of a sum that cancels is nothing but rounding.
    mean = 0.0 if abs(mean) < 1e-6 * max(abs(smallest), abs(largest)) else mean
    return f"from {_number(smallest)} to {_number(largest)}, mean {_number(mean)}"


def _number(value: float) -> str:
    """Four digits; a float always shows that it is one."""
    text = str(value) if isinstance(value, int) else f"{value:.4g}"
    return text if isinstance(value, int) or set(text) & set(".en") else f"{text}.0"
