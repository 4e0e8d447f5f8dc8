"""Seeds of the daemon's targets: what is changed between keeper and witness (fuzz_witness.c)."""
import struct

TESTIMONY, QUESTION, CUT = 0, 1, 2


def change(whose, at, octet):
    return struct.pack("<BHB", whose, at, octet)


def witness(parts):
    for facts in (0, 1, 2, 3, 0x10, 0x7f):
        yield f"facts-{facts}", bytes([facts])
    for at in (0, 4, 5, 8, 9, 11, 12, 1040, 1100, 5000):
        yield f"testimony-{at}", bytes([0x7f]) + change(TESTIMONY, at, 0xff)
    for at in (0, 4, 8, 12, 13, 14, 16, 17):
        yield f"question-{at}", bytes([0x7f]) + change(QUESTION, at, 0x41)
    yield "cut-testimony", bytes([0x7f]) + change(TESTIMONY | CUT, 40, 0)
    yield "cut-question", bytes([0x7f]) + change(QUESTION | CUT, 7, 0)
    yield "no-question", bytes([0x7f]) + change(QUESTION | CUT, 0, 0)


MAKERS = {"witness": witness}
