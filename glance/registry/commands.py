"""What a request asks for, once it has been checked."""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """One command; ``run`` carries it out and returns its encoded result, ``reads`` says that it changes nothing."""

    name: str
    run: Callable[[], Any]
    reads: bool
