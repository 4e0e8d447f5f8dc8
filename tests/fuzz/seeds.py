"""The seeds that tests/tools/fuzz-seeds writes, by target: functions from what the lab made to (name, octets) pairs."""
import seeds_audit
import seeds_azure
import seeds_cli
import seeds_conf
import seeds_daemon
import seeds_fs
import seeds_lab
import seeds_rooms
import seeds_tee

MAKERS = {}
for room in (seeds_audit, seeds_azure, seeds_cli, seeds_conf, seeds_daemon, seeds_fs, seeds_lab, seeds_rooms, seeds_tee):
    for target, maker in room.MAKERS.items():
        MAKERS.setdefault(target, []).append(maker)
