"""How a command is declared: shared options as one argument, examples, help without types."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, get_type_hints

from typer import Typer
from typer.core import TyperArgument, TyperCommand, TyperGroup


@dataclass(frozen=True, kw_only=True)
class OptionGroup:
    """Base of options that several commands share: a frozen dataclass, a field an option.

    A command that takes a parameter of such a type has the options; it is given their values as
    one object.
    """

    def check_beside(self, others: Mapping[str, Any]) -> None:
        """Refuse values that do not go together; `others` are those of the other options.

        Raises:
            BadParameter: they do not.
        """


class Command(TyperCommand):
    """A command whose help names what a person types, not the Python type that it becomes."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; flags and arguments show no type."""
        return _without_types(super().get_params(ctx))


class Group(TyperGroup):
    """Commands in one; see `Command`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; flags show no type."""
        return _without_types(super().get_params(ctx))


def _without_types(parameters: list[Any]) -> list[Any]:
    for each in parameters:
        setattr(each, "_get_number_range_help_str", _nothing)  # noqa: B010 - the help text says it
        if isinstance(each, TyperArgument):
            setattr(each, "display_type", _nothing)  # noqa: B010
        elif each.metavar is None and getattr(each, "is_flag", False):
            each.metavar = ""
    return parameters


def _nothing(*_: Any) -> str:
    return ""


def add_command(
    app: Typer, function: Callable[..., None], name: str | None = None, *, examples: str = ""
) -> None:
    """Make a function a command.

    Args:
        app: what the command belongs to.
        function: its parameters are the arguments and options, its docstring the help.
        name: of the command; the function's own if None.
        examples: command lines, one a line, shown in the help and the command reference.
    """
    lines = inspect.cleandoc(examples)
    text = inspect.cleandoc(function.__doc__ or "")
    if lines:
        text += f"\n\n\b\nExamples:\n{lines}"
    app.command(name, cls=Command, help=text)(_with_groups_spread(function))


def new_group(help_text: str) -> Typer:
    """Return a command that has commands of its own."""
    return Typer(help=help_text, cls=Group, no_args_is_help=True, add_completion=False)


def _with_groups_spread(function: Callable[..., None]) -> Callable[..., None]:
    """Return the function with an option for each field of the groups among its parameters."""
    hints = get_type_hints(function, include_extras=True)
    spread: dict[str, type[OptionGroup]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if isinstance(kind, type) and issubclass(kind, OptionGroup):
            spread[parameter.name] = kind
            of_fields = get_type_hints(kind, include_extras=True)
            parameters += [
                parameter.replace(
                    name=each.name, annotation=of_fields[each.name], default=each.default
                )
                for each in fields(kind)
            ]
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))

    @wraps(function)
    def command(**given: Any) -> None:
        typed = dict(given)
        for name, kind in spread.items():
            values = {field.name: given.pop(field.name) for field in fields(kind)}
            group = kind(**values)
            group.check_beside({key: typed[key] for key in typed.keys() - values.keys()})
            given[name] = group
        function(**given)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command
