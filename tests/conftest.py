import sys
from pathlib import Path

import stages  # noqa: F401  # before transformers: it sets what that reads when it is imported

sys.path.insert(0, str(Path(__file__).parent))
