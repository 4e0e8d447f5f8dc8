"""The seeds that tests/tools/fuzz-seeds writes, by target: functions from what the lab made to (name, octets) pairs."""
import seeds_azure

MAKERS = {}
for room in (seeds_azure,):
    for target, maker in room.MAKERS.items():
        MAKERS.setdefault(target, []).append(maker)
