"""The seeds that tests/tools/fuzz-seeds writes, by target: functions from what the lab made to (name, octets) pairs."""
import seeds_azure
import seeds_conf
import seeds_fs
import seeds_lab
import seeds_rooms

MAKERS = {}
for room in (seeds_azure, seeds_conf, seeds_fs, seeds_lab, seeds_rooms):
    for target, maker in room.MAKERS.items():
        MAKERS.setdefault(target, []).append(maker)
