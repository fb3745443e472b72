"""Estimated cycles of what packed convolutions do, fitted. `python tests/cross/kernel_costs.py --fit` writes this file.

The estimates are those of `edgekc measure`: on a Cortex-M4 for kernels that end in dsp, on a Cortex-M3 for mul2, on a
Cortex-M55 for mve, on a Cortex-A53 for vec; in `TWO_ISSUE` on a Cortex-M7. What each number is of, `Cost.work` of the
kernel says.
"""

CYCLES: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_bytes_s8_vec": (0.245, 0.476, 2.32, 4.54, 0.377, 0.269, 8.16, 104, 443),
    "ek_clustered_conv2d_s8_dsp": (1.19, 39.4, 88.1, 667, 5.83, 304, 7.37, 47.3, 11.3, 1.81, 1.84, 6.43, 0.355),
    "ek_clustered_conv2d_s8_mul2": (25.6, 118, 16.6, 72.4, 5.33, 38.8, 1.15e03, 8.29, 34.4),
    "ek_clustered_conv2d_s8_mve": (1.17, 11.5, 196, 8.42, 3.22, 2.68, 3.36, 2.99e03),
    "ek_clustered_conv2d_s8_vec": (0.283, 0.88, 0.02, 38, 0.958, 0.415, 6.45, 1.14e03),
    "ek_clustered_winograd_s8_dsp": (1.17, 115, 279, 94, 290, 710, 105, 168, 8.03, 12.6, 0.719),
    "ek_clustered_winograd_s8_mul2": (27.1, 1.46e03, 33.5, 71.6, 121, 73.8, 91.3, 1.13e03, 7.67, 15.4),
    "ek_clustered_winograd_s8_mve": (1.05, 340, 1.1, 161, 151, 6.22, 2.29e03),
    "ek_clustered_winograd_s8_vec": (0.286, 23.5, 15.7, 3.15, 1.32, 7.31, 771),
    "ek_conv2d_s8_dsp": (17.7, 123, 5.36, 65.6, 3.68, 46.4, 0.02, 3.05),
    "ek_template_conv2d_s8_dsp": (204, 165, 14.3, 53.3, 6.72e03, 15.4, 31.6, 183, 26.9),
    "ek_template_conv2d_s8_mul2": (24.9, 157, 20.6, 67.4, 6.26, 21.9, 1.04e03, 15.3, 15.1, 25.9),
    "ek_template_conv2d_s8_mve": (1.03, 23.2, 73.2, 2.48, 160, 2.34, 4.08, 1.97e03, 15.9),
    "ek_template_conv2d_s8_vec": (0.261, 1.06, 2.5, 29.2, 1.75, 7.79, 27.1, 1.29e03),
    "ek_template_expanded_s8_dsp": (1.14, 77.9, 183, 470, 6.55, 308, 5.7, 52.4, 8.81, 1.81, 8.46, 10.3, 24.1),
    "ek_template_pixels_s8_vec": (22.4, 48.3, 20.2, 12.6, 11.3, 69.3, 1.97e03),
    "ek_template_winograd_s8_dsp": (1.18, 109, 290, 118, 293, 1.21e03, 74.4, 227, 97.4, 114, 28.7),
    "ek_template_winograd_s8_mul2": (25.9, 1.5e03, 21.7, 75, 200, 75.7, 129, 1.2e03, 11.6, 14, 29.9),
    "ek_template_winograd_s8_mve": (0.971, 433, 1.1, 1.1, 183, 4.72, 2.68e03, 252, 19.2),
    "ek_template_winograd_s8_vec": (0.299, 32.1, 0.387, 69.8, 4.42, 5.39, 830),
    "ek_winograd_s8_dsp": (1.25, 128, 222, 68.1, 269, 1.02e03, 105, 179, 56.7),
}

TWO_ISSUE: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (0.757, 37.1, 66.2, 505, 3.77, 223, 4.29, 28.6, 6.03, 1.26, 1.17, 3.65, 0.561),
    "ek_clustered_winograd_s8_dsp": (0.728, 77.7, 179, 68, 184, 536, 74.9, 109, 5.32, 7.77, 0.612),
    "ek_conv2d_s8_dsp": (11.5, 89.7, 4.65, 57.9, 1.82, 34.2, 0.02, 2.27),
    "ek_template_conv2d_s8_dsp": (216, 130, 14.7, 43.3, 3.93e03, 10.3, 18.4, 117, 21.3),
    "ek_template_expanded_s8_dsp": (0.716, 63.2, 104, 346, 4.83, 223, 3.53, 33, 5.68, 1.25, 5.05, 5.93, 14.4),
    "ek_template_winograd_s8_dsp": (0.755, 59.7, 185, 83.7, 182, 934, 49.8, 182, 55.9, 64, 18.4),
    "ek_winograd_s8_dsp": (0.77, 86.8, 135, 59.5, 183, 639, 70.9, 109, 35.3),
}
