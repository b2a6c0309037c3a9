"""A soundfile module that crashes on some contents."""

from pathlib import Path

# Replaces `soundfile` if its folder comes first in sys.path: the same except for these contents.
SOUNDFILE = """
import ctypes, os, signal, sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

spec = PathFinder.find_spec("soundfile", [folder for folder in sys.path if folder != os.path.dirname(__file__)])
real = sys.modules["soundfile"] = module_from_spec(spec)
spec.loader.exec_module(real)
opened = real.SoundFile.__init__

def open_file(self, file, *arguments, **options):
    match file.getvalue():
        case b"crash": ctypes.string_at(0)
        case b"hang": ctypes.CDLL(None).pause()
        case b"kill": os.kill(os.getpid(), signal.SIGKILL)
        case b"starve": raise MemoryError
        case b"fail": 1 / 0
    opened(self, file, *arguments, **options)

real.SoundFile.__init__ = open_file
"""


def put(folder: Path) -> Path:
    """Write it into a new folder, which is returned."""
    folder.mkdir()
    (folder / "soundfile.py").write_text(SOUNDFILE, encoding="utf-8")
    return folder
