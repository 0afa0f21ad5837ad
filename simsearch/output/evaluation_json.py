"""Evaluations → JSON.

The `schema` value is its version; docs/evaluation.md describes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from simsearch.evaluation.comparison import Report
from simsearch.evaluation.intervals import Estimate, Values
from simsearch.evaluation.scoring import Evaluation
from simsearch.evaluation.summary import summary_of
from simsearch.files import pretty_json
from simsearch.output.evaluation import sliced_systems
from simsearch.output.formats import View

EVALUATION_SCHEMA = "simsearch.evaluation/1"

Slices = Mapping[str, npt.NDArray[np.bool_]]


def evaluation_json(report: Report, _: View) -> Iterator[str]:
    """Yield one JSON object: all figures, and the values of every query."""
    shape = {
        "schema": EVALUATION_SCHEMA,
        "weights": dict(report.weights),
        "judged_sets": [_set_json(*each) for each in report.evaluations],
        "summary": summary_of([each for each, _ in report.evaluations]),
        "agreements": report.agreements,
        "without_judgements": report.neighbourhoods,
        "index": report.facts,
        "beside": report.beside,
    }
    yield pretty_json(shape)


def _set_json(evaluation: Evaluation, parts: Slices) -> dict[str, Any]:
    selection = evaluation.selection
    best, first = evaluation.best_baseline(), evaluation.systems[0]
    return {
        "name": selection.name,
        "protocol": selection.protocol,
        "unit": selection.unit,
        "n_queries": len(selection.cases),
        "n_units": len({case.unit for case in selection.cases}),
        "left_out": selection.left_out,
        "systems": [_system_json(evaluation, system) for system in evaluation.systems],
        "best_baseline": best,
        "times_the_best_baseline": evaluation.ratio(first, best) if best else None,
        "ceiling": _by_measure(evaluation, evaluation.ceiling),
        "random_order": _by_measure(evaluation, evaluation.chance),
        "slices": [_slice_json(evaluation, name, chosen) for name, chosen in parts.items()],
        "queries": _queries_json(evaluation),
    }


def _system_json(evaluation: Evaluation, system: str) -> dict[str, Any]:
    values, first = evaluation.values[system], evaluation.values[evaluation.systems[0]]
    unjudged = evaluation.unjudged.get(system)
    return {
        "name": system,
        "baseline": system in evaluation.baselines,
        "measures": _by_measure(evaluation, values),
        "less_the_first": _by_measure(evaluation, values - first),
        "unjudged": None if unjudged is None or not len(unjudged) else float(unjudged.mean()),
    }


def _slice_json(evaluation: Evaluation, name: str, chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "name": name,
        "n_queries": int(chosen.sum()),
        "systems": {
            system: _by_measure(evaluation, evaluation.values[system], chosen)
            for system in sliced_systems(evaluation)
        },
    }


def _queries_json(evaluation: Evaluation) -> list[dict[str, Any]]:
    names = [measure.name for measure in evaluation.selection.measures]
    return [
        {
            "unit": case.unit,
            "query": case.query,
            "values": {
                system: dict(zip(names, values[place].tolist(), strict=True))
                for system, values in evaluation.values.items()
            },
        }
        for place, case in enumerate(evaluation.selection.cases)
    ]


def _by_measure(
    evaluation: Evaluation, values: Values, chosen: npt.NDArray[np.bool_] | None = None
) -> dict[str, Estimate]:
    names = [measure.name for measure in evaluation.selection.measures]
    return dict(zip(names, evaluation.estimates(values, chosen), strict=True))
