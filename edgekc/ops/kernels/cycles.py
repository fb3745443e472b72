"""Estimated cycles of what packed convolutions do, fitted. `python tests/cross/kernel_costs.py --fit` writes this file.

The estimates are those of `edgekc measure`: on a Cortex-M4 for kernels that end in dsp, on a Cortex-M55 for mve, on a
Cortex-A53 for vec. What each number is of, `Cost.work` of the kernel says.
"""

CYCLES: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (1.61, 49.6, 182, 461, 6.58, 294, 7.31, 55.3, 10.8, 2.2, 2.49, 6.78, 1.41),
    "ek_clustered_conv2d_s8_mve": (1.33, 8.59, 197, 9.06, 1.73, 2.48, 3.12, 2.78e03),
    "ek_clustered_winograd_s8_dsp": (1.52, 139, 106, 337, 842, 119, 205, 10.3, 14.6, 1.34),
    "ek_clustered_winograd_s8_mve": (1.04, 342, 1.1, 154, 150, 5.86, 2.32e03),
    "ek_template_conv2d_s8_dsp": (206, 199, 14.4, 44, 5.31e03, 12.3, 27.9, 215, 28),
    "ek_template_conv2d_s8_mve": (1.17, 30.5, 76.8, 2.31, 158, 1.52, 4.01, 1.88e03, 15.7),
    "ek_template_conv2d_s8_vec": (0.273, 12, 0.623, 12.2, 112, 2.87e03),
    "ek_template_expanded_s8_dsp": (1.56, 81, 244, 445, 6.38, 297, 4.85, 58.4, 11, 2.11, 7.98, 9.81, 14.7, 25.2),
    "ek_template_pixels_s8_vec": (22.4, 48.1, 21.5, 14.1, 13.3, 52, 2.06e03),
    "ek_template_winograd_s8_dsp": (1.52, 136, 85.1, 437, 937, 140, 223, 102, 119, 419, 32.1),
    "ek_template_winograd_s8_mve": (1.03, 392, 1.1, 21.3, 190, 4.29, 2.9e03, 260, 19.4),
}
