"""Which size of a pack suits which board, before there is a network to compile."""

from __future__ import annotations

from sqz_tf.deploy.boards import boards

BESIDE_WEIGHTS = 32 << 10  # code, start-up, labels of a thousand classes
FLASH_PER_BYTE = 1.08  # of a pack: the codes that a device reads are longer than the file's, and channels have tables
STEP = 5  # thousand bytes


def pack_budgets(int8_bytes: int) -> dict[str, int]:
    """Return boards that do not hold a network's dense weights → thousand bytes of a pack that they hold.

    Args:
      int8_bytes: of the weights, dense.
    """
    found = {}
    for board in sorted(boards().values(), key=lambda board: (board.flash_bytes, board.name)):
        room = board.flash_bytes - BESIDE_WEIGHTS
        if int8_bytes > room and (budget := int(room / FLASH_PER_BYTE / 1000 // STEP * STEP)) > 0:
            found[board.name] = budget
    return found
