"""A loop inside a loop, and clean-up after Ctrl-C.

    progrun -- python3 loop.py [STEPS]
"""

import sys
import tempfile
import time

from progrun import track

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20

# Also after a cancellation, the folder is removed, and the script ends with status 130 and without a traceback.
with tempfile.TemporaryDirectory() as folder:
    try:
        for album in track(["spring", "summer", "autumn"], "albums"):
            for photo in track(range(steps), album, unit="photos"):
                with open(f"{folder}/{album}-{photo}", "w") as file:
                    file.write("a photo")
                time.sleep(0.01)
        print("done")
    finally:
        print("cleaned up")
