"""Errors have what they know as attributes, are one line, and stand in the tree as it is drawn."""

import inspect
import pickle
import re
from pathlib import Path

import pytest

from simsearch import errors
from simsearch.errors import (
    FilterError,
    GenerationNameError,
    GoneStudyError,
    NctIdError,
    RejectedRecordsError,
    SimsearchError,
    UnknownFieldError,
)

EXAMPLES = {
    "str": "x", "int": 1, "float": 0.5, "object": "x", "bool": True, "Path": Path("x"),
    "Sequence[str]": ("x", "y"), "tuple[str, ...]": ("x", "y"),
}  # fmt: skip


def below(error):
    """Return the error classes of the package that derive from one."""
    ours = f"{errors.__name__}."
    children = [each for each in error.__subclasses__() if each.__module__.startswith(ours)]
    return [*children, *(each for child in children for each in below(child))]


def arguments(error):
    """Return the arguments of an error by name, with an example of each."""
    if error is not SimsearchError and "__init__" in vars(error):
        parameters = list(inspect.signature(error.__init__).parameters.values())[1:]
        return {each.name: EXAMPLES[each.annotation] for each in parameters}
    annotated = {
        name: kind
        for each in reversed(error.__mro__)
        if issubclass(each, SimsearchError)
        for name, kind in inspect.get_annotations(each).items()
    }
    return {name: EXAMPLES[kind] for name, kind in annotated.items() if "ClassVar" not in kind}


CLASSES = below(SimsearchError)
RAISED = [each for each in CLASSES if arguments(each)]
every_class = pytest.mark.parametrize("error", CLASSES, ids=lambda each: each.__name__)
every_raised = pytest.mark.parametrize("error", RAISED, ids=lambda each: each.__name__)


def test_the_tree_drawn_is_that_of_the_classes():
    drawn, path = {}, []
    for line in errors.__doc__.splitlines():
        if found := re.match(r" {4}([ │├└─]*)(\w+Error)\b", line):
            path = [*path[: len(found[1]) // 4], found[2]]
            drawn[path[-1]] = path[-2] if len(path) > 1 else "Exception"
    classes = [SimsearchError, *CLASSES]
    assert drawn == {each.__name__: each.__base__.__name__ for each in classes}


@every_class
def test_every_error_of_the_tree_can_be_imported_from_the_package(error):
    assert getattr(errors, error.__name__) is error
    assert error.__name__ in errors.__all__


@every_raised
def test_an_error_has_what_those_it_derives_from_have(error):
    assert vars(error(**arguments(error))).keys() >= arguments(error.__base__).keys()


@every_raised
def test_an_error_has_its_arguments_as_attributes(error):
    known = arguments(error)
    named, placed = error(**known), error(*known.values())
    assert {name: getattr(named, name) for name in known} == known
    assert str(named) == str(placed)
    assert vars(named) == vars(placed)


@every_raised
def test_an_error_is_one_line_whatever_its_arguments_hold(error):
    known = arguments(error)
    broken = {
        name: value.replace("x", "a\nb\x1b[31m") if isinstance(value, str) else value
        for name, value in known.items()
    }
    for values in (known, broken):
        line = str(error(**values))
        assert line
        assert line.isprintable()


@every_raised
def test_an_error_comes_back_from_another_process_as_it_was(error):
    made = error(**arguments(error))
    back = pickle.loads(pickle.dumps(made))
    assert type(back) is error
    assert str(back) == str(made)
    assert vars(back) == vars(made)


@every_raised
def test_an_error_names_no_option_of_the_command(error):
    assert "--" not in str(error(**arguments(error)))


@every_raised
def test_an_error_takes_its_arguments_and_no_others(error):
    known = arguments(error)
    with pytest.raises(TypeError):
        error(**known, colour="red")
    with pytest.raises(TypeError):
        error(*known.values(), "red")
    with pytest.raises(TypeError):
        error()


@pytest.mark.parametrize(
    ("close", "n_allowed", "advice"),
    [
        ((), 2, "the values are v0, v1"),
        (("v1",), 2, "did you mean 'v1'? The values are v0, v1"),
        ((), 2000, "none of the 2,000 values in this index is like it"),
        (("v1",), 2000, "did you mean 'v1'? There are 2,000 values in all"),
        (("v1", "v2"), 2000, "did you mean 'v1' or 'v2'? There are 2,000 values in all"),
    ],
)
def test_a_filter_value_is_refused_with_those_that_may_be_meant(close, n_allowed, advice):
    allowed = [f"v{n}" for n in range(n_allowed)]
    error = FilterError("study_type", "v", close, allowed)
    assert str(error) == f"study type 'v' is not known: {advice}"


def test_a_field_that_no_record_has_needs_no_value():
    assert UnknownFieldError("country").value == ""


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ({}, "NCT00000101 has left the registry"),
        ({"since": "2026-11-23"}, "NCT00000101 has left the registry (noticed on 2026-11-23)"),
        (
            {"since": "2026-11-23", "became": "NCT00000102"},
            "NCT00000101 was merged into NCT00000102 (noticed on 2026-11-23): use that ID instead",
        ),
    ],
)
def test_a_study_that_is_gone_is_refused_with_what_is_known(known, line):
    assert str(GoneStudyError("NCT00000101", "the index x", 6, "2026-11-01", **known)) == line


def test_a_name_of_several_generations_is_refused_with_them():
    error = GenerationNameError(Path("x"), "2026", ("20261123", "20261124"), ("20261123",) * 2)
    assert "matches 2 generations: 20261123, 20261123; give more of the name" in str(error)


def test_a_long_text_is_cut_where_it_is_quoted():
    assert str(NctIdError("word " * 100, "is not an NCT ID")).count("word") < 15
    assert len(str(NctIdError("x" * 10_000, "is not an NCT ID"))) < 200


def test_rejected_records_are_counted():
    error = RejectedRecordsError(2, 101, "line 100: no title")
    assert (error.n_rejected, error.n_read, error.first) == (2, 101, "line 100: no title")
    assert str(error).startswith("2 of 101 records rejected: more than 1 %")


def test_of_a_long_value_the_beginning_is_shown():
    error = FilterError("city", "x" * 5000)
    assert str(error).startswith("city 'xxx")
    assert len(str(error)) < 200
