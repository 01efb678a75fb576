"""The constants of the default solution, with their units, step by step. Nothing belongs to one scene.

Units: sizes are defocus sizes, in units of the calibrated kernels; light is in units of twice the views' mean
(mean 0.5), energies in its square; "reduced" pixels are those of the views on which sizes are found.
"""

from dataclasses import dataclass

from dpdefocus.support.nested import adjust, require


@dataclass(frozen=True)
class NaturalImagePrior:
    """Noise-to-signal ratio ``σ²|Φ(f)|² = level (1 + f² / corner²)`` of the Wiener estimate (27).

    Args:
        level: the ratio at frequency 0.
        corner: frequency at which it has doubled, in cycles per full-size pixel.
    """

    level: float = 3e-4
    corner: float = 0.01


@dataclass(frozen=True)
class NoiseSettings:
    """How the noise is measured in a capture (`noise.estimate_noise`).

    Args:
        corrected: whether the noise is measured, and its own share is taken off the energies.
        block: side of a block that gives one variance, in pixels.
        least_blocks: fewer blocks say nothing about a line over brightness.
        least_contrast: ratio of brightness, 95 % over 5 % of the blocks, from which the line can be told.
        lights: groups of blocks of like brightness that a first line is drawn through.
        quiet: quantile of a group's variances for that first line.
    """

    corrected: bool = False
    block: int = 16
    least_blocks: int = 30
    least_contrast: float = 1.2
    lights: int = 8
    quiet: float = 0.1


@dataclass(frozen=True)
class EnergySettings:
    """How the energies of the defocus hypotheses are measured (`wiener`, `defocus`).

    Args:
        nearest, farthest: smallest and largest size that is tried.
        hypotheses: number of sizes, evenly spaced between them.
        blur_per_pixel: standard deviation of the calibrated kernels, in reduced pixels: how far the views may
            be reduced without losing what tells sizes apart.
        window: standard deviation of the energies' Gaussian window, in reduced pixels.
        border_weight: weight of pixels so near the frame's edge that light from outside plays in.
    """

    nearest: float = 0.0
    farthest: float = 2.1
    hypotheses: int = 22
    blur_per_pixel: float = 1.5
    window: float = 2.0
    border_weight: float = 1e-3

    def __post_init__(self) -> None:
        require(self.farthest > self.nearest, "energy.farthest", self.farthest, "more than energy.nearest")
        require(self.hypotheses >= 3, "energy.hypotheses", self.hypotheses, "3 or more")
        require(self.window > 0, "energy.window", self.window, "more than 0 reduced pixels")
        require(self.blur_per_pixel > 0, "energy.blur_per_pixel", self.blur_per_pixel, "more than 0")


@dataclass(frozen=True)
class BrightnessSettings:
    """The views' relative brightness, fitted surface by surface (`wiener.relative_brightness`).

    Args:
        deviation: its standard deviation about the calibrated one (0.03: 3 %).
        window: width of its window, in widths of the energies' window.
        limit: largest relative brightness.
    """

    deviation: float = 0.03
    window: float = 8.0
    limit: float = 0.15


@dataclass(frozen=True)
class LabellingSettings:
    """The Markov random field that gives each pixel one size (`labelling`).

    Args:
        calibration_error: multiple of the smallest energy that counts as error of the calibration.
        noise_floor: energy that counts as noise.
        largest_cost: of a single pixel.
        contrast: step of light between two reduced pixels at which the smoothness falls to 1/e.
        least_smoothness: share of the smoothness that no edge takes away.
        smoothness: cost of one label's difference between two neighbours.
        truncation: difference in labels beyond which it costs no more.
        sweeps: iterations of message passing on each grid, coarsest first.
    """

    calibration_error: float = 3.0
    noise_floor: float = 2.5e-6
    largest_cost: float = 5.0
    contrast: float = 0.05
    least_smoothness: float = 0.02
    smoothness: float = 12.0
    truncation: float = 20.0
    sweeps: tuple[int, ...] = (15, 10, 8)

    def __post_init__(self) -> None:
        counted = isinstance(self.sweeps, tuple) and self.sweeps and min(self.sweeps) >= 1
        require(bool(counted), "labelling.sweeps", self.sweeps, "a tuple with iterations for each grid")
        require(self.contrast > 0, "labelling.contrast", self.contrast, "more than 0")


@dataclass(frozen=True)
class ConfidenceSettings:
    """Where the map can be trusted (`defocus.confidence`).

    Args:
        rival: difference in labels from which another size is a rival of the chosen one.
        edge_range: range of sizes nearby at which confidence falls to 1/e.
        reach: how far nearby reaches, in standard deviations of the energies' window.
    """

    rival: int = 2
    edge_range: float = 0.1
    reach: float = 4.0


@dataclass(frozen=True)
class LayerSettings:
    """The planes of the multiplane image (`layers`).

    Args:
        count: number of planes, evenly spaced in size.
        left_out: per cent of the pixels that may lie beyond the first plane, and beyond the last.
        least_range: of the planes' sizes, so that those of a scene of one depth still lie apart.
        depth_gap: difference in size from which a surface stands in front of another.
        dilation: how far near surfaces are widened where they stand in front, in reduced pixels.
        feather: standard deviation of the blur of the planes' outlines, in pixels.
    """

    count: int = 12
    left_out: float = 0.5
    least_range: float = 0.1
    depth_gap: float = 0.1
    dilation: int = 2
    feather: float = 2.5

    def __post_init__(self) -> None:
        require(self.count >= 1, "layers.count", self.count, "1 or more")
        require(self.feather > 0, "layers.feather", self.feather, "more than 0 pixels")


@dataclass(frozen=True)
class OcclusionSettings:
    """What a layer would show if nothing stood in front of it (`occlusion`).

    Args:
        reach: share of a kernel's reach within which a nearer surface throws most of its light.
        coverage: standard deviation of the share of a pixel's light that comes from nearer surfaces there.
        outline: weight of near blocks at an outline, where far light is mixed in, beside those well inside.
        noise: variance that the views have anywhere.
        block: side of a block, in pixels; a power of two.
        texture_block: side of the window in which texture is measured, in blocks; a power of two.
    """

    reach: float = 0.5
    coverage: float = 0.2
    outline: float = 0.05
    noise: float = 1e-7
    block: int = 4
    texture_block: int = 4

    def __post_init__(self) -> None:
        for name in ("block", "texture_block"):
            side = getattr(self, name)
            require(side >= 1 and side & (side - 1) == 0, f"occlusion.{name}", side, "a power of two")


@dataclass(frozen=True)
class SplittingSettings:
    """Half-quadratic splitting with sparse gradients (`deconvolution.sparse_deconvolution`).

    Args:
        sparseness: exponent ν of the gradients.
        first_coupling: between gradients and image.
        growth: of the coupling, from step to step.
        steps: number of steps.
    """

    sparseness: float = 0.7
    first_coupling: float = 5e-3
    growth: float = 4.0
    steps: int = 4


@dataclass(frozen=True)
class DeconvolutionSettings:
    """The sharp image, layer by layer (`deconvolution`).

    Args:
        sparsity: weight λ of the gradients.
        splitting: how the problem is solved.
        least_share: share of a pixel from which a layer shows there.
        nearer: by how many layers nearer are the rivals that may explain the views better.
        leeway: a layer may leave up to this multiple of the residual of its best rival.
        residual_tolerance: added to that limit, a mean square summed over the views.
        residual_window: reach of the kernels, in standard deviations of the residuals' window.
    """

    sparsity: float = 4e-4
    splitting: SplittingSettings = SplittingSettings()
    least_share: float = 1e-3
    nearer: tuple[int, ...] = (1, 2, 4)
    leeway: float = 1.5
    residual_tolerance: float = 1e-4
    residual_window: float = 4.0

    def __post_init__(self) -> None:
        require(isinstance(self.nearer, tuple), "deconvolution.nearer", self.nearer, "a tuple of numbers")


@dataclass(frozen=True)
class FastSettings:
    """The default solution: settings of each step, and those that steps share.

    Args:
        reach: share of a kernel's light within its reach.
        prior: of the Wiener estimate, in energies and in the start of the deconvolution.
    """

    reach: float = 0.98
    prior: NaturalImagePrior = NaturalImagePrior()
    noise: NoiseSettings = NoiseSettings()
    energy: EnergySettings = EnergySettings()
    brightness: BrightnessSettings = BrightnessSettings()
    labelling: LabellingSettings = LabellingSettings()
    confidence: ConfidenceSettings = ConfidenceSettings()
    layers: LayerSettings = LayerSettings()
    occlusion: OcclusionSettings = OcclusionSettings()
    deconvolution: DeconvolutionSettings = DeconvolutionSettings()


FAST = FastSettings()
CLASSROOM = adjust(FAST, {"energy.hypotheses": 15, "labelling.sweeps": (15, 8), "layers.count": 8})
LOW_LIGHT = adjust(FAST, {"noise.corrected": True})
