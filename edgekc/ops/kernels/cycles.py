"""Estimated cycles of what packed convolutions do, fitted. `python tests/cross/kernel_costs.py --fit` writes this file.

The estimates are those of `edgekc measure`: on a Cortex-M4 for kernels that end in dsp, on a Cortex-M55 for mve, on a
Cortex-A53 for vec. What each number is of, `Cost.work` of the kernel says.
"""

CYCLES: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (1.21, 49.4, 171, 521, 6.02, 312, 7.31, 48.8, 11.3, 1.87, 2.37, 7.04, 1.4),
    "ek_clustered_conv2d_s8_mve": (1.2, 9.64, 200, 8.1, 7.55, 2.64, 3.35, 3.06e03),
    "ek_clustered_winograd_s8_dsp": (1.14, 128, 108, 363, 884, 118, 185, 10.3, 15, 1.22),
    "ek_clustered_winograd_s8_mve": (1.06, 341, 1.1, 152, 152, 6.2, 2.29e03),
    "ek_conv2d_s8_dsp": (17.5, 129, 6.52, 81.8, 3.73, 45.9, 1.78, 3.42),
    "ek_template_conv2d_s8_dsp": (206, 200, 14.4, 44, 5.33e03, 12.4, 28.1, 215, 28),
    "ek_template_conv2d_s8_mve": (1.05, 28.1, 77.9, 1.55, 144, 1.99, 4.01, 2.21e03, 15.9),
    "ek_template_conv2d_s8_vec": (0.273, 12, 0.623, 12.2, 112, 2.87e03),
    "ek_template_expanded_s8_dsp": (1.18, 80.4, 178, 480, 5.96, 305, 5.01, 57.5, 8.99, 1.72, 8.38, 10.1, 16.2, 22.1),
    "ek_template_pixels_s8_vec": (22.4, 48.1, 21.5, 14.1, 13.3, 52, 2.06e03),
    "ek_template_winograd_s8_dsp": (1.15, 126, 93.8, 469, 986, 131, 198, 105, 120, 430, 28.3),
    "ek_template_winograd_s8_mve": (1.03, 410, 1.1, 34.8, 189, 4.66, 2.8e03, 262, 19.1),
    "ek_winograd_s8_dsp": (1.28, 152, 82.6, 342, 1.21e03, 105, 188, 70.2),
}
