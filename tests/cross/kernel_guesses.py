"""What each thing of a kernel's `Cost.work` takes, by reading its code: instructions, as far as they were counted once.

Where layers do not tell two things apart, the fit of `kernel_costs.py` keeps the proportion that stands here.
"""

GUESSES: dict[str, tuple[float, ...]] = {
    "ek_clustered_conv2d_s8_dsp": (1, 43.7, 185, 246, 5, 212, 3.9, 33.5, 7.3, 1.4, 2.2, 5.8, 1),
    "ek_clustered_conv2d_bytes_s8_vec": (0.26, 0.5, 2, 2, 0.3, 0.4, 5, 60, 500),
    "ek_clustered_conv2d_s8_mul2": (26, 150, 20, 60, 4, 20, 900, 6, 13),
    "ek_clustered_conv2d_s8_mve": (1, 22, 40, 2, 60, 1, 2, 500),
    "ek_clustered_winograd_s8_dsp": (1, 100, 250, 80, 266, 608, 89, 150, 8.2, 11.8, 1),
    "ek_clustered_winograd_s8_mul2": (26, 800, 20, 60, 85, 60, 70, 900, 6, 13),
    "ek_clustered_conv2d_s8_vec": (0.27, 0.5, 2, 10, 0.5, 0.6, 6, 500),
    "ek_clustered_winograd_s8_vec": (0.29, 30, 8, 3, 1.6, 7, 500),
    "ek_clustered_winograd_s8_mve": (1, 152, 110, 110, 60, 2.4, 500),
    "ek_conv2d_s8_dsp": (17, 110, 2, 30, 4, 40, 2, 2),
    "ek_template_conv2d_s8_dsp": (120, 122, 8.9, 25.2, 3940, 9.5, 22.7, 200, 25),
    "ek_template_conv2d_s8_mul2": (26, 150, 20, 60, 4, 20, 900, 7, 10, 20),
    "ek_template_conv2d_s8_mve": (1, 22, 40, 2, 60, 1, 1, 500, 4),
    "ek_template_conv2d_s8_vec": (0.27, 0.5, 2, 10, 0.5, 7, 10, 500),
    "ek_template_expanded_s8_dsp": (1, 43.7, 185, 246, 5, 212, 3.9, 33.5, 7.3, 1.4, 5.9, 7.7, 25),
    "ek_template_pixels_s8_vec": (24, 50, 29, 10, 14, 38, 500),
    "ek_template_winograd_s8_dsp": (1, 100, 250, 80, 266, 608, 89, 150, 69.5, 84.5, 25),
    "ek_template_winograd_s8_mul2": (26, 800, 20, 60, 85, 60, 70, 900, 7, 10, 20),
    "ek_template_winograd_s8_vec": (0.29, 30, 8, 30, 4, 5, 500),
    "ek_template_winograd_s8_mve": (1, 152, 110, 110, 60, 1.5, 500, 150, 4),
    "ek_winograd_s8_dsp": (1, 100, 250, 80, 266, 608, 89, 150, 25),
}
