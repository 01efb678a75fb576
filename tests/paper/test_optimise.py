"""The published optimisation: golden cases, the whole objective without tiles, checkpoints, and
divergence.
"""

import dataclasses
import io
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import golden as golden_case
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from edge_margin import with_margin

from dpdefocus import paper
from dpdefocus.optics.mpi import composite, transmittance
from dpdefocus.optics.tiled_blur import blur, kernel_spectra
from dpdefocus.optics.tiling import tiling_of
from dpdefocus.paper import optimise
from dpdefocus.support.errors import InputError

# A learning rate at which a few iterations change something, on the smallest thing that has all parts.
SETTINGS = paper.PublishedSettings(nearest=0.2, farthest=1.5, layers=3, iterations=8)


def small_capture(height=13, width=14):
    rng = np.random.default_rng(0)
    views = rng.uniform(0.1, 0.8, size=(2, height, width)).astype(np.float32)
    kernels = rng.uniform(size=(2, 2, 2, 5, 5)).astype(np.float32)
    return views, kernels / kernels.sum((-2, -1), keepdims=True)


def fit(checkpoint=None, every=2, settings=SETTINGS, height=13):
    views, kernels = small_capture(height)
    return paper.fit_published(views, kernels, settings.scales, settings, checkpoint, every)


def whole_objective(intensity_logits, alpha_logits, observed, kernels, scene):
    """The objective on whole images, from the library's parts, without windows, groups or one-pass
    gradients.
    """
    tiling = tiling_of(*observed.shape[1:], kernels)
    spectra = kernel_spectra(kernels, tiling)
    intensities, alphas = jax.nn.sigmoid(intensity_logits), jax.nn.sigmoid(alpha_logits)
    blurred_alphas = blur(alphas, spectra, tiling)
    seen = transmittance(blurred_alphas)
    rendered = composite(blur(intensities * alphas, spectra, tiling), blurred_alphas)
    shares = transmittance(alphas)

    def variance(images):
        return paper.local_variance(with_margin(images))

    sharp = variance(scene.gain * (shares * intensities).sum(0, keepdims=True))[0]
    roots = paper.root(alphas), paper.root(shares)
    bias = (seen * scene.bias[:, None, None, None]).sum(0)
    maps = [
        scene.gain * paper.data_loss(rendered, observed, bias),
        scene.gain * paper.auxiliary_loss(blur(intensities, spectra, tiling), seen, observed, scene.bias),
        paper.intensity_loss(sharp, variance(scene.gain * intensities), shares),
        paper.alpha_loss(variance(roots[0]), variance(roots[1]), sharp),
        paper.entropy_loss(*roots),
    ]
    terms = scene.weights * jnp.stack([loss.mean() for loss in maps])
    return terms.sum(), terms


def apart(script, **environment):
    """A process of its own that runs a script, which may import these tests."""
    tests = Path(__file__).parents[1]
    folders = Path(__file__).parent, tests, tests.parent / "benchmarks"
    paths = os.pathsep.join(map(str, folders))
    return {
        "args": [sys.executable, "-c", textwrap.dedent(script)],
        "env": {**os.environ, "PYTHONPATH": paths, "DPDEFOCUS_BATCH": "1", **environment},
    }


@pytest.mark.parametrize("case", ["a", "b"])
def test_golden_case(case, golden_folder):
    errors = golden_case.relative_errors(golden_folder / f"loss_case_{case}.npz")
    gradients = {name: errors.pop(name) for name in list(errors) if name.startswith("grad_")}
    assert max(errors.values()) < 2e-6, errors
    assert max(gradients.values()) < 3e-5, gradients


def test_one_pass_over_tiles_is_the_objective_on_whole_images():
    """On an image that the grid does not divide."""
    shape = (13, 15)
    rng = np.random.default_rng(1)
    observed = jnp.asarray(rng.uniform(size=(2, *shape)), jnp.float32)
    kernels = rng.uniform(size=(3, 2, 2, 2, 5, 5))
    kernels = jnp.asarray(kernels / kernels.sum((-2, -1), keepdims=True), jnp.float32)
    logits = [jnp.asarray(rng.normal(size=(3, *shape)), jnp.float32) for _ in range(2)]
    logits[1] = logits[1].at[0].set(jnp.inf)
    tiling = tiling_of(*shape, kernels)
    scene = paper.scene_of(observed, kernels, SETTINGS.weights(3), 5e-5, 1e2, tiling)
    terms, gradient = paper.value_and_gradient(*logits, scene, tiling)
    whole = jax.jit(jax.value_and_grad(whole_objective, argnums=(0, 1), has_aux=True))
    (_, expected_terms), expected = whole(*logits, observed, kernels, scene)
    np.testing.assert_allclose(terms, expected_terms, rtol=1e-5)
    for found, wanted in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5 * float(jnp.abs(wanted).max()))


def test_shared_out_between_two_devices_is_the_same():
    """In a process of its own: a CPU is made two devices before JAX starts. Layers and tiles are even."""
    settings = dataclasses.replace(SETTINGS, layers=4)
    script = """
        import sys
        import jax
        import numpy as np
        from dpdefocus.support import devices
        devices.cores = lambda: 2
        assert devices.share_among_cores()
        from test_optimise import SETTINGS, dataclasses, fit
        assert len(jax.devices()) == 2
        devices.cores = lambda: 3
        assert not devices.share_among_cores()
        intensities, alphas, history = fit(settings=dataclasses.replace(SETTINGS, layers=4))
        np.savez(sys.stdout.buffer, intensities=intensities, alphas=alphas, terms=history.terms)
    """
    done = subprocess.run(**apart(script), stdout=subprocess.PIPE, check=True)
    found = np.load(io.BytesIO(done.stdout))
    intensities, alphas, history = fit(settings=settings)
    np.testing.assert_allclose(found["terms"], history.terms, rtol=1e-4)
    np.testing.assert_allclose(found["intensities"], intensities, atol=1e-4)
    np.testing.assert_allclose(found["alphas"], alphas, atol=1e-4)


def test_gradient_by_finite_differences():
    """Of the data and auxiliary losses; the others' stopped gradients are no derivatives of their values."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(2)
        observed = jnp.asarray(rng.uniform(size=(2, 7, 8)))
        kernels = rng.uniform(size=(3, 2, 2, 2, 3, 3))
        kernels = jnp.asarray(kernels / kernels.sum((-2, -1), keepdims=True))
        logits = [jnp.asarray(rng.normal(size=(3, 7, 8))) for _ in range(2)]
        logits[1] = logits[1].at[0].set(jnp.inf)
        tiling = tiling_of(7, 8, kernels)
        weights = jnp.array([2.5e4, 0.0, 0.0, 0.0, 0.0])
        scene = paper.scene_of(observed, kernels, weights, 5e-5, 1e2, tiling)
        _, gradient = paper.value_and_gradient(*logits, scene, tiling)
        for which, index in [(0, (0, 0, 0)), (0, (2, 3, 4)), (1, (1, 6, 7)), (1, (2, 0, 3)), (1, (2, 3, 3))]:
            ends = []
            for sign in (1, -1):
                moved = list(logits)
                moved[which] = moved[which].at[index].add(sign * 1e-4)
                ends.append(float(paper.value_and_gradient(*moved, scene, tiling)[0].sum()))
            assert float(gradient[which][index]) == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-5)


def test_hand_settings_are_the_published_table():
    assert len(paper.HAND_SETTINGS) == 17
    first, last = paper.HAND_SETTINGS["001"], paper.HAND_SETTINGS["017"]
    assert (first.nearest, first.farthest, first.alpha, first.entropy) == (0.5, 1.6, 1.5e4, 20)
    assert (last.nearest, last.farthest, last.alpha, last.entropy) == (0.2, 1.6, 7.5e4, 20)
    np.testing.assert_allclose(first.scales[jnp.array([0, -1])], [1.6, 0.5])
    # Twelve layers make the paper's entropy weights of about 8 and 12.
    assert float(paper.HAND_SETTINGS["005"].weights(12)[4]) == pytest.approx(12, abs=0.1)


def test_fit_starts_from_the_mean_and_lowers_the_loss():
    views, _ = small_capture()
    intensities, alphas, history = fit()
    assert history.diverged_at is None and history.terms.shape == (8, 5)
    assert history.terms[-1].sum() < history.terms[0].sum()
    assert float(intensities.max()) <= views.max() and bool((alphas[0] == 1).all())
    state = paper.start(jnp.array(0.4), 3, tiling_of(13, 14, small_capture()[1]), SETTINGS)
    np.testing.assert_allclose(jax.nn.sigmoid(state.logits[0]), 0.4, rtol=1e-6)
    np.testing.assert_allclose(transmittance(jax.nn.sigmoid(state.logits[1])), 1 / 3, rtol=1e-6)


def test_killed_run_resumes_to_the_same_numbers(tmp_path):
    """Killed for good, from outside, as soon as its first checkpoint is there."""
    checkpoint = tmp_path / "state.npz"
    script = """
        import sys
        from test_optimise import fit, optimise
        save = optimise._save_checkpoint
        def save_and_wait(*arguments):
            save(*arguments)
            print("saved", flush=True)
            sys.stdin.read()
        optimise._save_checkpoint = save_and_wait
        fit(sys.argv[1])
    """
    process = apart(script)
    process["args"].append(str(checkpoint))
    run = subprocess.Popen(**process, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with run:
        assert run.stdout.readline() == "saved\n"
        run.send_signal(signal.SIGKILL)
    with np.load(checkpoint) as saved:
        assert len(saved["history"]) == 2
    resumed, whole = fit(checkpoint), fit()
    for found, expected in zip(resumed[:2], whole[:2], strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(resumed[2].terms, whole[2].terms)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_checkpoint_of_another_run_is_refused_and_kept(tmp_path):
    checkpoint = tmp_path / "state.npz"
    fit(checkpoint)
    before = checkpoint.read_bytes()
    with pytest.raises(InputError, match="belongs to an optimisation of other views"):
        fit(checkpoint, settings=dataclasses.replace(SETTINGS, entropy=1.0))
    assert checkpoint.read_bytes() == before
    checkpoint.write_bytes(b"something else")
    with pytest.raises(InputError, match="is not a checkpoint"):
        fit(checkpoint)


def test_divergence_stops_with_the_last_good_state(tmp_path, monkeypatch):
    checkpoint = tmp_path / "state.npz"
    advance = optimise._advance

    def break_after_four(state, *arguments):
        if int(state.iteration) == 4:
            state = state._replace(logits=(state.logits[0] * jnp.nan, state.logits[1]))
        return advance(state, *arguments)

    monkeypatch.setattr(optimise, "_advance", break_after_four)
    with jax.debug_nans(False), pytest.warns(RuntimeWarning, match="not finite at iteration 4"):
        intensities, _, history = fit(checkpoint, every=2)
    assert history.diverged_at == 4 and len(history.terms) == 2
    assert np.isfinite(np.asarray(intensities)).all()
    with np.load(checkpoint) as saved:
        assert np.isfinite(saved["leaf_0"]).all() and len(saved["history"]) == 2


def test_warm_start_goes_on_from_the_layers_that_it_is_given(tmp_path, monkeypatch):
    views, kernels = small_capture()
    intensities, alphas, cold = fit()
    given = np.clip(intensities, 0.01, 0.7), np.clip(alphas, 0.01, 0.99)
    given[1][1:, :3] = 0.0  # clipped, since a logit of 0 could not move
    checkpoint, slow = tmp_path / "state.npz", dataclasses.replace(SETTINGS, first_rate=1e-4, last_rate=1e-5)

    def fit_from(start):
        scales = SETTINGS.scales
        return paper.fit_published(views, kernels, scales, slow, checkpoint, 2, start_from=start)

    warm_intensities, warm_alphas, warm = fit_from(given)
    np.testing.assert_allclose(warm_intensities, given[0], atol=2e-3)
    np.testing.assert_allclose(warm_alphas[1:, 3:], given[1][1:, 3:], atol=2e-3)
    np.testing.assert_allclose(warm_alphas[1:, :3], 0.005, atol=1e-4)
    assert np.isfinite(warm.terms).all()
    assert warm.terms[0].sum() < 0.9 * cold.terms[0].sum()
    with pytest.raises(InputError, match="belongs to an optimisation of other .* start"):
        fit_from((given[0][:, ::-1], given[1]))
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(InputError, match=r"start_from: found .*expected \(3, 13, 14\)"):
        fit_from((given[0][:2], given[1][:2]))


def test_whoever_watches_can_end_the_run():
    views, kernels = small_capture()
    seen = []

    def watch(intensities, alphas, terms):
        seen.append(len(terms))
        return len(terms) >= 4

    *_, history = paper.fit_published(views, kernels, SETTINGS.scales, SETTINGS, None, 2, watch)
    assert seen == [2, 4] and len(history.terms) == 4


def test_unordered_layers_are_refused():
    views, kernels = small_capture()
    with pytest.raises(InputError, match="falling from the farthest to the nearest"):
        paper.fit_published(views, kernels, jnp.array([0.2, 1.5]), SETTINGS)


def test_bilateral_filter_against_its_definition():
    image = np.random.default_rng(5).uniform(0.4, 0.6, size=(9, 8)).astype(np.float32)
    padded = np.pad(image, 9, mode="edge")
    expected = np.zeros_like(image)
    away = np.arange(-9, 10)
    space = np.exp(-0.5 * (away[:, None] ** 2 + away**2) / 9)
    for y, x in np.ndindex(image.shape):
        around = padded[y : y + 19, x : x + 19]
        weights = space * np.exp(-0.5 * ((around - image[y, x]) * 2 / 0.05) ** 2)
        expected[y, x] = (weights * around).sum() / weights.sum()
    np.testing.assert_allclose(paper.bilateral_filter(jnp.asarray(image), 2.0), expected, rtol=1e-5)
