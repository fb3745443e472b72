"""What `edgekc` alone prints: which command is for whom."""

from __future__ import annotations

# What somebody has or wants to know, and what to type.
_ROWS = (
    ("two minutes to look", "edgekc demo"),
    ("an int8 .tflite, or an .ekc", "edgekc compile MODEL --board BOARD -o DIR"),
    ("a model: can it run?", "edgekc check MODEL"),
    ("a float model and data", "edgekc compress MODEL --data DATA -o NAME.ekc"),
    ("a budget of flash or RAM", "edgekc search -h"),
    ("a model, and no board yet", "edgekc fit MODEL"),
    ("a compiled folder: is it right?", "edgekc verify DIR"),
    ("how accurate is it?", "edgekc evaluate DIR --data DATA"),
    ("what does it cost?", "edgekc measure DIR"),
    ("what did a change cost?", "edgekc diff BEFORE AFTER"),
    ("a board on the desk", "edgekc flash DIR; edgekc run DIR"),
    ("a project to start from", "edgekc new-app KIND -o DIR"),
    ("a list of boards", "edgekc boards"),
    ("a tool is missing", "edgekc doctor"),
)
_WIDTH = max(len(what) for what, _ in _ROWS)

GUIDE = (
    "edgekc turns a trained CNN into small C99 for Arm Cortex-M and Cortex-A.",
    "",
    f"{'You have':{_WIDTH}}  Type",
    f"{'-' * _WIDTH}  {'-' * max(len(command) for _, command in _ROWS)}",
    *(f"{what:{_WIDTH}}  {command}" for what, command in _ROWS),
    "",
    "`edgekc -h` lists all commands, `edgekc COMMAND -h` explains one with examples.",
    "In Python, `import edgekc` does the same.",
)
