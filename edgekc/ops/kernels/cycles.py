"""Estimated cycles of what packed convolutions do, fitted. `python tests/cross/kernel_costs.py --fit` writes this file.

The estimates are those of `edgekc measure`: on a Cortex-M4 for kernels that end in dsp, on a Cortex-M55 for mve, on a
Cortex-A53 for vec. What each number is of, `Cost.work` of the kernel says.
"""

CYCLES: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (1.19, 40.2, 113, 652, 5.7, 300, 7.05, 46.7, 11.4, 1.81, 1.85, 6.43, 0.332),
    "ek_clustered_conv2d_s8_mve": (1.33, 8.59, 197, 9.06, 1.73, 2.48, 3.12, 2.78e03),
    "ek_clustered_winograd_s8_dsp": (1.18, 119, 282, 93.4, 285, 792, 103, 172, 9.75, 14.4, 0.813),
    "ek_clustered_winograd_s8_mve": (1.04, 342, 1.1, 154, 150, 5.86, 2.32e03),
    "ek_conv2d_s8_dsp": (17.7, 123, 5.36, 65.5, 3.68, 46.4, 0.02, 3.05),
    "ek_template_conv2d_s8_dsp": (206, 200, 14.4, 44, 5.32e03, 12.4, 28, 215, 28.1),
    "ek_template_conv2d_s8_mve": (1.17, 30.5, 76.8, 2.31, 158, 1.52, 4.01, 1.88e03, 15.7),
    "ek_template_conv2d_s8_vec": (0.273, 12, 0.623, 12.2, 112, 2.87e03),
    "ek_template_expanded_s8_dsp": (1.15, 80.2, 201, 436, 5.68, 301, 5.25, 46.9, 8.72, 1.67, 7.81, 9.54, 15.5, 22),
    "ek_template_pixels_s8_vec": (22.4, 48.1, 21.5, 14.1, 13.3, 52, 2.06e03),
    "ek_template_winograd_s8_dsp": (1.15, 102, 320, 46.4, 365, 869, 156, 198, 92.8, 108, 446, 26.8),
    "ek_template_winograd_s8_mve": (1.03, 392, 1.1, 21.3, 190, 4.29, 2.9e03, 260, 19.4),
    "ek_winograd_s8_dsp": (1.28, 136, 203, 57, 279, 1.17e03, 109, 186, 69.3),
}
