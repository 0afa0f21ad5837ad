"""Errors say what they know, as their module draws them."""

import inspect
import re
from pathlib import Path

import pytest

from simsearch import errors
from simsearch.errors import SimsearchError

EXAMPLES = {
    "str": "x", "int": 1, "float": 0.5, "object": "x", "Path": Path("x"), "Sequence[str]": ("x",),
}  # fmt: skip


def below(error):
    """Return the error classes of the module that derive from one."""
    children = [each for each in error.__subclasses__() if each.__module__ == errors.__name__]
    return [*children, *(each for child in children for each in below(child))]


def example(error):
    parameters = inspect.signature(error.__init__).parameters.values()
    return error(*(EXAMPLES[each.annotation] for each in list(parameters)[1:]))


def test_the_tree_drawn_is_that_of_the_classes():
    drawn, path = {}, []
    for line in errors.__doc__.splitlines():
        if found := re.match(r" {4}([ │├└─]*)(\w+Error)\b", line):
            path = [*path[: len(found[1]) // 4], found[2]]
            drawn[path[-1]] = path[-2] if len(path) > 1 else "Exception"
    classes = [SimsearchError, *below(SimsearchError)]
    assert drawn == {each.__name__: each.__base__.__name__ for each in classes}


@pytest.mark.parametrize("error", below(SimsearchError), ids=lambda each: each.__name__)
def test_an_error_has_what_those_it_derives_from_have(error):
    if "__init__" in vars(error.__base__):
        assert vars(example(error)).keys() >= vars(example(error.__base__)).keys()
