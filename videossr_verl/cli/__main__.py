"""`python -m videossr_verl.cli`."""

import sys

from videossr_verl.cli import main

sys.exit(main())
