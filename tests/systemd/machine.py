"""A machine of its own that systemd has booted: this one's files below an overlay that nothing outlives, in systemd-nspawn."""
import contextlib
import os
import pathlib
import pty
import signal
import subprocess
import threading
import time

from lab import BUILD, wait_for

# Everything here happens in a mount namespace that ends with the machine. Upper and work are on a file system of their own:
# an overlay refuses layers that lie in each other. Units that are enabled on this machine are nothing to the other one.
BOOT = """set -eu
room=$1
shift
mount -t tmpfs -o mode=0755 skrfs-test "$room"
mkdir "$room/upper" "$room/work" "$room/root"
DESTDIR=$room/upper meson install -C "$1" --no-rebuild --quiet
shift
mkdir -p "$room/upper/etc"
: >"$room/upper/etc/fstab"
mount -t overlay -o "lowerdir=/,upperdir=$room/upper,workdir=$room/work" overlay "$room/root"
mount -t tmpfs -o mode=0755 skrfs-units "$room/root/etc/systemd/system"
for unit in console-getty.service getty.target apt-daily.timer systemd-networkd.service systemd-resolved.service; do
  ln -s /dev/null "$room/root/etc/systemd/system/$unit"
done
exec systemd-nspawn --quiet --register=no --keep-unit --console=interactive --system-call-filter=@known --bind=/dev/fuse -D "$room/root" --boot systemd.unit=basic.target
"""


PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Machine:
    """Booted; ends with end()."""

    def __init__(self, room):
        self.room = pathlib.Path(room)
        self.console = b""
        master, slave = pty.openpty()
        # nspawn wants a terminal: with pipes it ends at once, and says nothing.
        self.process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", BOOT, "boot", str(self.room), str(BUILD)],
                                        stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        threading.Thread(target=self._drain, args=(master,), daemon=True).start()
        self.leader = 0
        try:
            wait_for("systemd has booted", self._booted, 60)
        except BaseException:
            self.end()
            print(self.console.decode(errors="replace"))
            raise

    def _drain(self, master):
        with contextlib.suppress(OSError):
            while data := os.read(master, 4096):
                self.console += data
        os.close(master)

    def _booted(self):
        assert self.process.poll() is None, self.console.decode(errors="replace")
        with contextlib.suppress(OSError, ValueError):
            for child in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
                if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    self.leader = int(child)
        return self.leader and self.run("systemctl", "is-active", "basic.target", check=False).stdout.strip() == "active"

    def inside(self, command, user=None):
        """The words that run a command there, as root or another."""
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-p", "--root", "--wd=/", "--", "env", "-i", "--chdir=/", PATH, "LANG=C.UTF-8",
                *(["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []), *map(str, command)]

    def run(self, *command, check=True, timeout=60, user=None):
        """Runs a command there to its end."""
        done = subprocess.run(self.inside(command, user), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *command, user=None):
        """Starts a command there that is spoken with by pipes."""
        return subprocess.Popen(self.inside(command, user), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def path(self, path):
        """The same file, as this machine sees it."""
        return pathlib.Path(f"/proc/{self.leader}/root") / str(path).lstrip("/")

    def write(self, path, text, mode=0o644):
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def systemctl(self, *arguments, **options):
        return self.run("systemctl", *arguments, **options)

    def show(self, name, unit="skrfs.service"):
        return self.systemctl("show", "--value", "--property", name, unit).stdout.strip()

    def journal(self, *arguments):
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", "-o", "cat", *arguments).stdout

    def end(self):
        if self.leader:
            self.run("systemctl", "poweroff", "--force", "--force", check=False)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
