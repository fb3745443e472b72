"""Estimated cycles of what packed convolutions do, fitted. `python tests/cross/kernel_costs.py --fit` writes this file.

The estimates are those of `edgekc measure`: on a Cortex-M4 for kernels that end in dsp, on a Cortex-M3 for mul2, on a
Cortex-M55 for mve, on a Cortex-A53 for vec; in `TWO_ISSUE` on a Cortex-M7. What each number is of, `Cost.work` of the
kernel says.
"""

CYCLES: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (1.2, 39.6, 95.7, 654, 5.99, 301, 7.34, 47.3, 11.3, 1.82, 1.81, 6.41, 0.344),
    "ek_clustered_conv2d_s8_mul2": (25.6, 118, 16.6, 72.4, 5.33, 38.8, 1.15e03, 8.29, 34.4),
    "ek_clustered_conv2d_s8_mve": (1.17, 11.5, 196, 8.42, 3.22, 2.68, 3.36, 2.99e03),
    "ek_clustered_conv2d_s8_vec": (0.284, 0.907, 0.02, 36.9, 0.949, 0.412, 6.44, 1.11e03),
    "ek_clustered_winograd_s8_dsp": (1.17, 115, 278, 93.5, 288, 730, 104, 167, 7.91, 12.5, 0.726),
    "ek_clustered_winograd_s8_mul2": (27.1, 1.46e03, 33.5, 71.6, 121, 73.8, 91.3, 1.13e03, 7.67, 15.4),
    "ek_clustered_winograd_s8_mve": (1.05, 340, 1.1, 161, 151, 6.22, 2.29e03),
    "ek_clustered_winograd_s8_vec": (0.289, 24.2, 13.9, 3.09, 1.33, 7.32, 706),
    "ek_conv2d_s8_dsp": (17.7, 123, 5.39, 65.5, 3.77, 46.3, 0.02, 3.04),
    "ek_template_conv2d_s8_dsp": (196, 164, 14.6, 53.6, 6.05e03, 12.9, 28.3, 205, 27.7),
    "ek_template_conv2d_s8_mul2": (24.9, 157, 20.6, 67.4, 6.26, 21.9, 1.04e03, 15.3, 15.1, 25.9),
    "ek_template_conv2d_s8_mve": (1.03, 23.2, 73.2, 2.48, 160, 2.34, 4.08, 1.97e03, 15.9),
    "ek_template_conv2d_s8_vec": (0.261, 1.06, 2.5, 29.2, 1.75, 7.79, 27.1, 1.29e03),
    "ek_template_expanded_s8_dsp": (1.14, 74.8, 196, 440, 6.8, 300, 5.58, 48, 8.84, 1.86, 8.45, 10.2, 32.7),
    "ek_template_pixels_s8_vec": (22.4, 48.3, 20.2, 12.6, 11.3, 69.3, 1.97e03),
    "ek_template_winograd_s8_dsp": (1.19, 108, 289, 115, 291, 1.19e03, 74.3, 227, 94.4, 110, 35.2),
    "ek_template_winograd_s8_mul2": (25.9, 1.5e03, 21.7, 75, 200, 75.7, 129, 1.2e03, 11.6, 14, 29.9),
    "ek_template_winograd_s8_mve": (0.971, 433, 1.1, 1.1, 183, 4.72, 2.68e03, 252, 19.2),
    "ek_template_winograd_s8_vec": (0.299, 32.1, 0.387, 69.8, 4.42, 5.39, 830),
    "ek_winograd_s8_dsp": (1.25, 128, 221, 68.1, 269, 1.02e03, 105, 179, 56.7),
}

TWO_ISSUE: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (0.76, 37, 67.1, 504, 3.9, 222, 4.31, 28.5, 5.99, 1.26, 1.18, 3.65, 0.563),
    "ek_clustered_winograd_s8_dsp": (0.737, 80.5, 179, 68.1, 176, 591, 74.3, 110, 6.11, 8.59, 0.645),
    "ek_conv2d_s8_dsp": (11.6, 89.4, 4.66, 57.8, 1.81, 34.4, 0.02, 2.3),
    "ek_template_conv2d_s8_dsp": (215, 128, 14.8, 43.7, 3.75e03, 7.99, 14.6, 130, 22.4),
    "ek_template_expanded_s8_dsp": (0.718, 61.1, 111, 321, 4.97, 218, 3.5, 29.8, 5.59, 1.28, 4.7, 5.38, 9.82, 14.1),
    "ek_template_winograd_s8_dsp": (0.749, 58.4, 184, 83.4, 186, 814, 52.3, 171, 50.8, 57.1, 256, 15.9),
    "ek_winograd_s8_dsp": (0.789, 90.4, 128, 52.7, 188, 712, 72.6, 114, 42.1),
}
