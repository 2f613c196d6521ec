"""`python -m cellpipe`: the same as the command `cellpipe`."""

import sys

from cellpipe.cli import main

sys.exit(main())
