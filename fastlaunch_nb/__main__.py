"""The command line of ``python -m fastlaunch_nb``.

Python looks for modules in the current folder first, which ``fastlaunch-nb`` does not do. Here
neither does, unless the package itself lies in it: its files could be anybody's.
"""

import os
import sys

# With -P the current folder is not in the path, and the package's own must stay there.
if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(__file__)):
    del sys.path[0]

from fastlaunch_nb.cli.main import run

run()
