"""`README.md` beside this file names every security case once, and only tests that there are."""

import ast
import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
COUNTS = {"A": 32, "Z": 24, "N": 24, "R": 15, "L": 15, "T": 15, "D": 10, "C": 12}
LINK = re.compile(r"\[`([\w.]+)`\]\(([\w./]+)\)")
REASONS = ("elsewhere: ", "not applicable: ")


def rows() -> list[tuple[str, str]]:
    """Case and proof."""
    lines = (HERE / "README.md").read_text("utf-8").splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if re.match(r"\| [A-Z]\d\d ", line)]
    return [(cell[0], cell[2]) for cell in cells]


@cache
def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_case_is_there_once() -> None:
    expected = [f"{group}{number:02}" for group, count in COUNTS.items() for number in range(1, count + 1)]
    assert [case for case, _ in rows()] == expected


def test_every_case_has_a_test_or_a_reason() -> None:
    for case, proof in rows():
        links = LINK.findall(proof)
        assert links or proof.startswith(REASONS), case
        for label, target in links:
            path = (HERE / target).resolve()
            assert path.is_file(), f"{case}: {target}"
            assert label == path.name or label in names_in(path), f"{case}: {target} has no {label}"


def test_a_case_that_a_test_names_lists_it() -> None:
    """The other way round: `test_z05_…` stands beside Z05."""
    proofs = dict(rows())
    for path in HERE.glob("test_*.py"):
        for name in names_in(path):
            for case in re.findall(r"(?<=_)([aznrltdc]\d\d)(?=_)", name):
                listed = proofs[case.upper()]
                assert path.name in listed, f"{case}: {path.name}::{name}"
