"""What harms whoever reads a file, as a library does that crashes on it; imported by the processes it harms."""

import os
import signal

from audiomnist.scoring.seen import Keys


class Deadly(Keys):
    """Known contents, none of them; asked for one of them, by its key, the process is killed."""

    def __init__(self, poison: bytes) -> None:
        super().__init__(bytearray())
        self._poison = poison

    def __contains__(self, key: bytes) -> bool:
        if key == self._poison:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__contains__(key)


class Broken(Keys):
    """Known contents that cannot be asked."""

    def __contains__(self, key: bytes) -> bool:
        return bool(1 / 0)
