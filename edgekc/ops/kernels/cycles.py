"""Estimated cycles of what packed convolutions do, fitted. `python tests/cross/kernel_costs.py --fit` writes this file.

The estimates are those of `edgekc measure`: on a Cortex-M4 for kernels that end in dsp, on a Cortex-M3 for mul2, on a
Cortex-M55 for mve, on a Cortex-A53 for vec. What each number is of, `Cost.work` of the kernel says.
"""

CYCLES: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (1.19, 40.2, 113, 652, 5.7, 300, 7.05, 46.7, 11.4, 1.81, 1.85, 6.43, 0.332),
    "ek_clustered_conv2d_s8_mul2": (25.4, 116, 16.6, 69, 5.76, 38.8, 1.12e03, 8.3, 33.5),
    "ek_clustered_conv2d_s8_mve": (1.2, 9.64, 200, 8.1, 7.55, 2.64, 3.35, 3.06e03),
    "ek_clustered_winograd_s8_dsp": (1.18, 119, 282, 93.4, 285, 792, 103, 172, 9.75, 14.4, 0.813),
    "ek_clustered_winograd_s8_mul2": (27, 1.46e03, 33.4, 71.7, 122, 73.8, 92.1, 1.12e03, 7.72, 15.4),
    "ek_clustered_winograd_s8_mve": (1.06, 341, 1.1, 152, 152, 6.2, 2.29e03),
    "ek_conv2d_s8_dsp": (17.7, 123, 5.36, 65.5, 3.68, 46.4, 0.02, 3.05),
    "ek_template_conv2d_s8_dsp": (206, 200, 14.4, 44, 5.32e03, 12.4, 28, 215, 28.1),
    "ek_template_conv2d_s8_mul2": (25.3, 172, 22.2, 69.7, 4.84, 21.5, 1.09e03, 14.8, 17.5, 29.1),
    "ek_template_conv2d_s8_mve": (1.05, 28.1, 77.9, 1.55, 144, 1.99, 4.01, 2.21e03, 15.9),
    "ek_template_conv2d_s8_vec": (0.273, 12, 0.623, 12.2, 112, 2.87e03),
    "ek_template_expanded_s8_dsp": (1.15, 80.2, 201, 436, 5.68, 301, 5.25, 46.9, 8.72, 1.67, 7.81, 9.54, 15.5, 22),
    "ek_template_pixels_s8_vec": (22.4, 48.1, 21.5, 14.1, 13.3, 52, 2.06e03),
    "ek_template_winograd_s8_dsp": (1.15, 102, 320, 46.4, 365, 869, 156, 198, 92.8, 108, 446, 26.8),
    "ek_template_winograd_s8_mul2": (26.5, 1.51e03, 33.1, 74.8, 135, 76.4, 121, 1.19e03, 11.1, 13.7, 28.7),
    "ek_template_winograd_s8_mve": (1.03, 410, 1.1, 34.8, 189, 4.66, 2.8e03, 262, 19.1),
    "ek_winograd_s8_dsp": (1.28, 136, 203, 57, 279, 1.17e03, 109, 186, 69.3),
}
