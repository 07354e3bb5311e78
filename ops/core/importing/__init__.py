"""What people's label files say, in neutral words: a reader a format, pure.

Readers take bytes and give a Reading (neutral.py); matching.py finds the picture each answer is of,
building.py makes annotations of them. Nothing here opens a file: that is ops/label_files.py.
"""
