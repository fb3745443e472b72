"""A problem and a budget to a study: which candidates are measured, by whom and when, and what is written of them."""
