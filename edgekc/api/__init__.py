"""Calls of a Python user to models, packed models and programs, and to records of what was found.

`edgekc/__init__.py` names all of it. The command line is a thin layer on these functions.
"""
