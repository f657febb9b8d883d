"""Changes of attributes as people name them, checked and made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rgunit_tf.domains import AttributeSchema
from rgunit_tf.errors import UserError


def parse_changes(text: str) -> tuple[str, ...]:
    """`"Blond_Hair, -Young"` -> `("Blond_Hair", "-Young")`; a dash switches an attribute off."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def check_changes(schema: AttributeSchema, changes: Sequence[str], where: str = "attributes") -> None:
    """Checks that changes can be made to any image.

    Raises:
      UserError: unknown names, names that exclude each other, a name both on and off, or, where exactly one attribute
        holds, none to take the place of the one that is switched off.
    """
    if isinstance(changes, str):
        raise UserError(f"{where}={changes!r} must be a sequence of names; write [{changes!r}]")
    names = set(changes)
    for name in changes:
        if name.startswith("-") and name[1:] in names:
            raise UserError(f"{where}: {name[1:]} is both on and off; keep one of the two")
    try:
        schema.apply(np.zeros(schema.size, np.float32), changes)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if schema.categorical and changes and all(name.startswith("-") for name in changes):
        others = [name for name in schema.names if f"-{name}" not in names]
        hint = f", such as {others[0]}" if others else ""
        raise UserError(f"{where}: exactly one of {', '.join(schema.names)} holds; name it{hint}")


def target_labels(schema: AttributeSchema, own: np.ndarray, changes: Iterable[str]) -> np.ndarray:
    """Labels [B, K] with the changes made: float32 [B, K]."""
    changes = tuple(changes)
    return np.stack([schema.apply(label, changes) for label in own])
