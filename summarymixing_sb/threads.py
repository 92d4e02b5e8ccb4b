"""How torch's threads wait for each other; imported before torch, which reads it when it starts."""

import os

# Wait a moment and then sleep. By default threads wait for milliseconds, and where something else
# wants one of their cores, a step takes several times as long (results/threads.csv).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
