"""The proof's steps hold; with a sign, a conjugate or a modulus changed anywhere, a check fails."""

import ast
import copy
import inspect
import textwrap

import numpy as np
import pytest
import sympy

from dpdefocus import proof
from dpdefocus.proof import derivation as derivation_room, steps
from dpdefocus.proof.checks import CheckFailed, check_algebra, check_expectation, check_fails, check_numbers
from dpdefocus.proof.derivation import Frequency, abs2, conj, expectation
from dpdefocus.proof.steps import STEPS, Step, check


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_step_holds(step):
    assert step.name in check(step, seed=7)


class Breaker(ast.NodeTransformer):
    """Changes the n-th place that can be changed: + to - and back, conj(x) to x, abs2(x) to x**2."""

    def __init__(self, place):
        self.left, self.what = place, None

    def _here(self, what):
        self.left -= 1
        if self.left == -1:
            self.what = what
        return self.left == -1

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Sub) and self._here(f"sign in {ast.unparse(node)}"):
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        name = getattr(node.func, "id", None)
        if name == "conj" and self._here(f"conjugate in {ast.unparse(node)}"):
            return node.args[0]
        # The square of something real is its squared modulus.
        real = name == "abs2" and "abs2(" not in ast.unparse(node.args[0])
        if real and self._here(f"modulus in {ast.unparse(node)}"):
            return ast.BinOp(node.args[0], ast.Pow(), ast.Constant(2))
        return node


def broken(function):
    """(what was changed, the changed function) for every place of a function that can be changed."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    tree.body[0].decorator_list = []
    for place in range(1000):
        breaker = Breaker(place)
        changed = ast.fix_missing_locations(breaker.visit(copy.deepcopy(tree)))
        if breaker.what is None:
            return
        namespace = dict(vars(derivation_room))
        exec(compile(changed, "<broken>", "exec"), namespace)
        yield breaker.what, namespace[function.__name__]


def functions_of(steps):
    return {side.__name__: side for step in steps for side in (step.left, step.right)}


def fails(step):
    try:
        check(step)
    except CheckFailed:
        return True
    return False


@pytest.mark.parametrize("name", functions_of(STEPS.values()))
def test_every_broken_formula_is_found(name):
    function = functions_of(STEPS.values())[name]
    users = [step for step in STEPS.values() if function in (step.left, step.right)]
    for what, changed in broken(function):
        swapped = [
            Step(
                step.name,
                changed if step.left is function else step.left,
                changed if step.right is function else step.right,
                step.free,
                step.average,
                step.averaged,
            )
            for step in users
        ]
        assert any(fails(step) for step in swapped), f"{name}: nobody noticed a changed {what}"


@pytest.mark.parametrize("name", STEPS)
def test_every_step_notices_some_broken_formula(name):
    step = STEPS[name]
    rest = (step.free, step.average, step.averaged)
    changes = [Step(name, step.left, right, *rest) for _, right in broken(step.right)]
    changes += [Step(name, left, step.right, *rest) for _, left in broken(step.left)]
    assert changes and any(fails(change) for change in changes)


@pytest.mark.parametrize("shorthand", ["B", "S", "n", "observed"])
def test_broken_shorthands_are_found(shorthand, monkeypatch):
    whole = Frequency.__dict__[shorthand]
    for what, changed in broken(whole.fget):
        monkeypatch.setattr(Frequency, shorthand, property(changed))
        assert any(fails(step) for step in STEPS.values()), f"{shorthand}: nobody noticed a changed {what}"
        monkeypatch.undo()


def test_a_broken_average_is_found(monkeypatch):
    averaged = [step for step in STEPS.values() if step.average]
    for what, changed in broken(expectation):
        monkeypatch.setattr(steps, "expectation", changed)
        assert any(fails(step) for step in averaged), f"nobody noticed a changed {what}"
        monkeypatch.undo()


def test_broken_pieces_are_found_by_either_kind_of_check():
    """A wrong sign, a wrong conjugate, by algebra alone and by numbers alone."""
    cases = (proof.symbols(), check_algebra), (proof.random_frequencies(0), check_numbers)
    for f, agree in cases:
        agree("as it is", proof.lagrange_left(f), proof.lagrange_right(f))
        (kl, kr), (tl, tr) = f.hypothesis, f.truth
        conjugated = abs2(tl * conj(kr) - tr * conj(kl))
        for wrong in (abs2(tl * kr + tr * kl), conjugated, abs2(tl * kr) - abs2(tr * kl)):
            with pytest.raises(CheckFailed, match="differ"):
                agree("broken", proof.lagrange_left(f), wrong)


def test_the_printed_steps_fail():
    symbols, numbers = proof.symbols(), proof.random_frequencies(0)
    printed = proof.eq34_printed
    check_fails(check_algebra, "printed", printed(symbols), proof.eq34(symbols))
    check_fails(check_numbers, "printed", printed(numbers), proof.eq34(numbers))
    # With a real transform the square is the squared modulus, and the print holds.
    real = numbers._replace(hypothesis=tuple(k.real for k in numbers.hypothesis))
    check_numbers("symmetric kernels", printed(real), proof.eq34(real))


def test_expectation_is_the_average_of_samples():
    rng = np.random.default_rng(0)

    def formula(f):
        return abs2((1 + 2j) * f.scene - 1j * f.noise[0] + 3 * f.noise[1]) + abs2(f.scene - f.noise[1])

    draws = (rng.normal(size=(3, 40000)) + 1j * rng.normal(size=(3, 40000))) / np.sqrt(2)
    noise = (draws[1] * np.sqrt(0.3), draws[2] * np.sqrt(0.3))
    sampled = Frequency((1, 1), (1, 1), draws[0] / np.sqrt(5.0), noise, 0.3, 5.0)
    check_expectation("average", formula(sampled).real, expectation(formula, sampled).real)
    # The sample's variance and the prior's inverse, each in its place: another pair gives another number.
    with pytest.raises(CheckFailed):
        wrong = expectation(formula, sampled._replace(prior=4.0)).real
        check_expectation("average", formula(sampled).real, wrong)


def test_symbols_and_their_conjugates():
    kl, tl = proof.symbols().hypothesis[0], proof.symbols().truth[0]
    assert conj(conj(kl)) == kl and conj(kl) != kl
    assert conj(kl * conj(tl) + 1) == conj(kl) * tl + 1
    assert conj(proof.symbols().variance) == proof.symbols().variance
    check_algebra("same", (kl + tl) ** 2, kl**2 + 2 * kl * tl + tl**2)
    with pytest.raises(CheckFailed, match="1 terms"):
        check_algebra("differ", sympy.Integer(1), sympy.Integer(1) + kl)
