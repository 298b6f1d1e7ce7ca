"""Reports the progress of a script to progrun, and ends the script at a report after Ctrl-C.

    from progrun import track

    for name in track(names, "photos"):
        convert(name)

Run the script with ``progrun -- python3 script.py``. Every report is also the point at which the script can be
cancelled: after Ctrl-C or a timeout, the next one raises `ProgressCancelled` before it sends anything. Without progrun,
nothing is reported and nothing is raised.

Import this package before your program closes or replaces descriptors that it has inherited: the import looks for the
channel to progrun.
"""

from ._cancelled import ProgressCancelled
from ._parts import part
from ._reporter import ProgressReporter, Status, report
from ._track import track, trange

__all__ = ["ProgressCancelled", "ProgressReporter", "Status", "part", "report", "track", "trange"]
