"""The quickstart: real pictures, two people's answers, and one dataset's story from nothing to v2.

`pictures` says what is labeled, `answers` what each of two people says of it, `labeling` has them
say it in Label Studio, `reading` reads the versions over S3, `story` puts all that in order. The
rounds themselves are run by ops/runner, as everybody's are. Starts no server: ops/cli/quickstart.py
does.
"""

FEWEST_DIGITS = 20
MOST_DIGITS = 890
"""Somewhat less than half of the 1,797: the other half is for a classifier to learn from."""
