"""What a `@pipeline` function gets as its parameter: `[global]`, with what the caller laid over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipefile.base.errors import PipefileError
from pipefile.base.paths import show


class ConfigError(PipefileError, AttributeError, KeyError):
    """A pipeline asks for a key that the configuration does not have. `getattr` with a default and `in` work as with any object."""

    __str__ = PipefileError.__str__  # KeyError would quote the text


class Config(Mapping[str, Any]):
    """Configuration by attribute or by key: `config.model.name`, `config["model"]["name"]`. Nobody can change it.

    Raises:
        ConfigError: There is no such key.
    """

    __slots__ = ("_name", "_table")

    def __init__(self, table: Mapping[str, Any], name: str = "config") -> None:
        object.__setattr__(self, "_table", table)
        object.__setattr__(self, "_name", name)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):  # what copy and pickle ask of every object
            raise AttributeError(key)
        return self[key]

    def __setattr__(self, key: str, value: object) -> None:
        raise PipefileError(f"`{self._name}.{show(key)}` cannot be set: a pipeline only reads its configuration")

    def __getitem__(self, key: str) -> Any:
        try:
            value = self._table[key]
        except KeyError:
            from pipefile.plan.near import nearest

            near = nearest(key, self._table)
            raise ConfigError(f"there is no `{self._name}.{show(key)}`", (), f"did you mean `{self._name}.{show(near)}`?" if near else "") from None
        return Config(value, f"{self._name}.{key}") if isinstance(value, Mapping) else plain(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        return f"Config({dict(self._table)!r})"


def plain(value: Any) -> Any:
    """A copy of a value of the configuration as dictionaries and lists."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in (value._table if isinstance(value, Config) else value).items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def laid_over(table: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """*table* with the keys of *over*; tables in both are joined in the same way."""
    merged = dict(table)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = laid_over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else plain(value)
    return merged
