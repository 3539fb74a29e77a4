"""The kinds of problems, and where s1's pool would have them from."""

from dataclasses import dataclass

from curation.demo import (
    algebra,
    chemistry,
    combinatorics,
    computing,
    games,
    geometry,
    mechanics,
    number_theory,
    probability,
    sequences,
)
from curation.demo.problem import Maker


@dataclass(frozen=True)
class Kind:
    """A generator, its s1 `cot_type`, and the subject under which the MATH source files it ("" for none)."""

    make: Maker
    cot_type: str
    subject: str


KINDS = (
    Kind(number_theory.modular_power, "math", "Number Theory"),
    Kind(number_theory.remainder_system, "math", "Number Theory"),
    Kind(number_theory.divisors, "math", "Number Theory"),
    Kind(combinatorics.committee, "math", "Counting & Probability"),
    Kind(combinatorics.grid_paths, "math", "Counting & Probability"),
    Kind(combinatorics.rows_of_tiles, "math", "Counting & Probability"),
    Kind(algebra.power_sums, "math", "Intermediate Algebra"),
    Kind(algebra.polynomial_remainder, "math", "Algebra"),
    Kind(algebra.trace_of_power, "math", "Precalculus"),
    Kind(algebra.tridiagonal, "math", "Precalculus"),
    Kind(sequences.recurrence, "math", "Algebra"),
    Kind(sequences.telescoping, "math", "Intermediate Algebra"),
    Kind(sequences.range_of_cubic, "math", ""),
    Kind(sequences.piecewise_integral, "math", ""),
    Kind(geometry.lattice_polygon, "math", "Geometry"),
    Kind(geometry.compass_walk, "math", "Geometry"),
    Kind(probability.urn, "math", "Counting & Probability"),
    Kind(probability.two_states, "math", ""),
    Kind(probability.spread_of_data, "math", "Prealgebra"),
    Kind(probability.fitted_line, "math", ""),
    Kind(computing.loop, "math", ""),
    Kind(computing.reverse_polish, "math", ""),
    Kind(computing.column_totals, "math", "Number Theory"),
    Kind(computing.letter_cipher, "crossword", ""),
    Kind(mechanics.motion_phases, "science", ""),
    Kind(mechanics.energy_track, "science", ""),
    Kind(mechanics.heat_mixing, "science", ""),
    Kind(chemistry.dilution, "science", ""),
    Kind(chemistry.reaction_yield, "science", ""),
    Kind(chemistry.age_classes, "science", ""),
    Kind(games.nim, "math", ""),
    Kind(games.reroll, "math", ""),
    Kind(games.switches, "math", ""),
)
