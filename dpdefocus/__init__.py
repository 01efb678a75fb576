"""Defocus maps and all-in-focus images from a single dual-pixel capture.

After Xin et al., "Defocus Map Estimation and Deblurring from a Single Dual-Pixel Image", ICCV 2021. One
module for each subject of the paper; import them by name, for instance ``from dpdefocus import mpi``.
Importing computes nothing.
"""

__version__ = "0.1.0"
