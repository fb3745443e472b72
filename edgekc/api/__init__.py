"""What a user of the Python package calls: models, packed models and programs, and the records of what was found.

`edgekc/__init__.py` names all of it. The command line is a thin layer on these functions.
"""
