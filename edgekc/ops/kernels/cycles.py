"""Estimated cycles of what packed convolutions do, fitted. `python tests/cross/kernel_costs.py --fit` writes this file.

The estimates are those of `edgekc measure`: on a Cortex-M4 for kernels that end in dsp, on a Cortex-M3 for mul2, on a
Cortex-M55 for mve, on a Cortex-A53 for vec. What each number is of, `Cost.work` of the kernel says.
"""

CYCLES: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (1.21, 49.4, 171, 521, 6.02, 312, 7.31, 48.8, 11.3, 1.87, 2.37, 7.04, 1.4),
    "ek_clustered_conv2d_s8_mul2": (25.4, 116, 16.6, 69, 5.76, 38.8, 1.12e03, 8.3, 33.5),
    "ek_clustered_conv2d_s8_mve": (1.33, 8.59, 197, 9.06, 1.73, 2.48, 3.12, 2.78e03),
    "ek_clustered_winograd_s8_dsp": (1.14, 128, 108, 363, 884, 118, 185, 10.3, 15, 1.22),
    "ek_clustered_winograd_s8_mul2": (27, 1.46e03, 33.4, 71.7, 122, 73.8, 92.1, 1.12e03, 7.72, 15.4),
    "ek_clustered_winograd_s8_mve": (1.04, 342, 1.1, 154, 150, 5.86, 2.32e03),
    "ek_conv2d_s8_dsp": (17.5, 129, 6.52, 81.8, 3.73, 45.9, 1.78, 3.42),
    "ek_template_conv2d_s8_dsp": (206, 200, 14.4, 44, 5.33e03, 12.4, 28.1, 215, 28),
    "ek_template_conv2d_s8_mul2": (25.3, 172, 22.2, 69.7, 4.84, 21.5, 1.09e03, 14.8, 17.5, 29.1),
    "ek_template_conv2d_s8_mve": (1.17, 30.5, 76.8, 2.31, 158, 1.52, 4.01, 1.88e03, 15.7),
    "ek_template_conv2d_s8_vec": (0.273, 12, 0.623, 12.2, 112, 2.87e03),
    "ek_template_expanded_s8_dsp": (1.18, 80.4, 178, 480, 5.96, 305, 5.01, 57.5, 8.99, 1.72, 8.38, 10.1, 16.2, 22.1),
    "ek_template_pixels_s8_vec": (22.4, 48.1, 21.5, 14.1, 13.3, 52, 2.06e03),
    "ek_template_winograd_s8_dsp": (1.15, 126, 93.8, 469, 986, 131, 198, 105, 120, 430, 28.3),
    "ek_template_winograd_s8_mul2": (26.5, 1.51e03, 33.1, 74.8, 135, 76.4, 121, 1.19e03, 11.1, 13.7, 28.7),
    "ek_template_winograd_s8_mve": (1.03, 392, 1.1, 21.3, 190, 4.29, 2.9e03, 260, 19.4),
    "ek_winograd_s8_dsp": (1.28, 152, 82.6, 342, 1.21e03, 105, 188, 70.2),
}
