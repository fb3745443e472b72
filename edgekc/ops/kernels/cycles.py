"""Estimated cycles of what packed convolutions do, fitted. `python tests/cross/kernel_costs.py --fit` writes this file.

The estimates are those of `edgekc measure`: on a Cortex-M4 for kernels that end in dsp, on a Cortex-M55 for mve, on a
Cortex-A53 for vec. What each number is of, `Cost.work` of the kernel says.
"""

CYCLES: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (1.22, 49.1, 156, 499, 6.12, 307, 7.36, 48.7, 10.5, 1.83, 2.37, 6.65, 1.32),
    "ek_clustered_conv2d_s8_mve": (1.33, 8.59, 197, 9.06, 1.73, 2.48, 3.12, 2.78e03),
    "ek_clustered_winograd_s8_dsp": (1.14, 127, 109, 365, 846, 119, 186, 10.4, 14.6, 1.19),
    "ek_clustered_winograd_s8_mve": (1.04, 342, 1.1, 154, 150, 5.86, 2.32e03),
    "ek_conv2d_s8_dsp": (17.5, 129, 6.52, 81.8, 3.73, 45.9, 1.78, 3.42),
    "ek_template_conv2d_s8_dsp": (206, 199, 14.4, 44, 5.31e03, 12.3, 27.9, 215, 28.1),
    "ek_template_conv2d_s8_mve": (1.17, 30.5, 76.8, 2.31, 158, 1.52, 4.01, 1.88e03, 15.7),
    "ek_template_conv2d_s8_vec": (0.273, 12, 0.623, 12.2, 112, 2.87e03),
    "ek_template_expanded_s8_dsp": (1.18, 78.3, 178, 460, 5.95, 302, 4.96, 57.1, 8.94, 1.71, 7.91, 9.7, 15.8, 22.5),
    "ek_template_pixels_s8_vec": (22.4, 48.1, 21.5, 14.1, 13.3, 52, 2.06e03),
    "ek_template_winograd_s8_dsp": (1.15, 125, 94, 466, 948, 132, 198, 100, 117, 431, 28.5),
    "ek_template_winograd_s8_mve": (1.03, 392, 1.1, 21.3, 190, 4.29, 2.9e03, 260, 19.4),
    "ek_winograd_s8_dsp": (1.28, 152, 82.7, 342, 1.21e03, 105, 188, 70.2),
}
