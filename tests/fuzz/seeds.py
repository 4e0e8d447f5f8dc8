"""The seeds that tests/tools/fuzz-seeds writes, by target: functions from what the lab made to (name, octets) pairs."""
import seeds_azure
import seeds_fs

MAKERS = {}
for room in (seeds_azure, seeds_fs):
    for target, maker in room.MAKERS.items():
        MAKERS.setdefault(target, []).append(maker)
