"""Tensors that an objective keeps."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Generic, TypeVar

from torch import Tensor, nn

Key = TypeVar("Key", bound=Hashable)


class Kept(nn.Module, Generic[Key]):
    """Tensors by keys of any kind, as buffers: they go where the objective goes, and are not saved."""

    def __init__(self, values: Mapping[Key, Tensor]) -> None:
        super().__init__()
        self._keys = list(values)
        for number, value in enumerate(values.values()):
            self.register_buffer(f"value{number}", value, persistent=False)

    def __getitem__(self, key: Key) -> Tensor:
        return self.get_buffer(f"value{self._keys.index(key)}")

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def items(self) -> list[tuple[Key, Tensor]]:
        """The keys, each with its tensor."""
        return [(key, self[key]) for key in self._keys]
