"""Doubles of devices: machines of the lab's hardware whose guest asks for its reports itself."""
import json
import os
import pathlib
import subprocess

from lab import BUILD, is_mounted, run, wait_for

DOUBLES = BUILD / "tests/doubles"


class Tree:
    """A FUSE tree that stands for one of the kernel's or Gramine's."""

    def __init__(self, program, path, *arguments):
        self.path = pathlib.Path(path)
        self.path.mkdir(exist_ok=True)
        self.log_path = pathlib.Path(f"{path}.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([DOUBLES / program, self.path, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        wait_for(f"{path} is mounted", self.answers)

    def answers(self):
        assert self.process.poll() is None, self.log_path.read_text()
        return is_mounted(self.path)

    def tell(self, **settings):
        for word, number in settings.items():
            with open(self.path / ".control", "wb", buffering=0) as control:
                control.write(f"{word} {int(number)}".encode())

    def seen(self):
        return json.loads((self.path / ".control").read_text())

    def stop(self):
        if is_mounted(self.path):
            run("umount", "-l", self.path, check=False)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Tsm(Tree):
    """configfs-tsm with provider sev_guest or tdx_guest."""

    def __init__(self, lab, path, provider, floor=0):
        super().__init__("tsm_tree", path, lab.dir, provider, floor)
        self.tee = {"tsm": self.path, **({"context": "none"} if provider == "sev_guest" else {})}
        self.env = None

    def folders(self):
        return [entry for entry in os.listdir(self.path) if not entry.startswith(".")]


class Gramine(Tree):
    """/dev/attestation."""

    def __init__(self, lab, path, kind="dcap"):
        super().__init__("attestation_tree", path, lab.dir, kind)
        self.tee = {"attestation": self.path}
        self.env = None


class Sev:
    """/dev/sev-guest (driver 0), a 5.15 guest's /dev/sev (1) or a host's (2), by a library in front of the program."""

    def __init__(self, lab, path, driver=0, **settings):
        self.path = pathlib.Path(path)
        self.path.mkdir()
        self.device = self.path / ("sev" if driver else "sev-guest")
        self.device.write_bytes(b"")
        self.tee = {"device": self.device, "context": "none"}
        self.env = {**os.environ, "LD_PRELOAD": str(DOUBLES / "sev_shim.so"), "SKRFS_DOUBLE_SEV": str(self.path),
                    "SKRFS_DOUBLE_LAB": str(lab.dir)}
        self.settings(driver=driver, **settings)

    def settings(self, **settings):
        lines = [f"{word} {int(number)}\n" for word, number in settings.items()]
        (self.path / "settings").write_text("".join(lines))

    def requests(self):
        return len(self.device.read_bytes())

    def stop(self):
        pass
