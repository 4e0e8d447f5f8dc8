"""The shipped unit under a systemd of its own: who sees the mount, what its processes may do, and what ends when."""
import contextlib
import json
import os
import re
import tempfile
import urllib.request

import pytest
from lab import wait_for
from machine import Machine

UNIT = "skrfs.service"
LAB = "/run/skrfs-lab"
KEY = "/run/skrfs/keys/"
PEM = "-----BEGIN PRIVATE KEY-----\n"
PTRACE, READ_SEARCH = 1 << 19, 1 << 2
KEYS = {
    "root": "",
    "web": "owner = daemon\n",
    "head": "mode = 0444\nallow = exe:/usr/bin/head\n",
    "home": "mode = 0444\nallow = exe:/home/head & host\n",
    "unit": "mode = 0444\nallow = unit:program.service & exe:/usr/bin/head\n",
}


class Skrfs(Machine):
    """A machine with a lab on it, and a configuration that root alone may read."""

    def set_up(self):
        self.run("skrfs", "lab", "up", "--no-throttle", "--dir", LAB, timeout=120)
        self.base = self.path(LAB + "/skrfs.conf").read_text()
        self.run("sh", "-c", f"skrfs policy new -c {LAB}/skrfs.conf >/run/policy.json")
        self.run("skrfs", "key", "create", "rsa", "-c", LAB + "/skrfs.conf", "-V", "vault", "-k", "RSA-HSM", "-p", "/run/policy.json")
        self.configure()

    def fault(self, **how):
        """Has the lab fail on purpose. Its loopback is this machine's too."""
        url = re.search(r"^\[imds\]\nurl = (\S+)", self.base, re.M).group(1)
        request = urllib.request.Request(url + "/lab/faults", data=json.dumps(how).encode(), method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10):
            pass

    def configure(self, more="", **keys):
        text = self.base + more
        for name, values in (KEYS | keys).items():
            text += f"\n[key {name}]\nvault = vault\nname = rsa\n{values}"
        self.write("/etc/skrfs/skrfs.conf", text, 0o600)

    def mounts(self):
        """What is mounted below /run/skrfs in the host's namespace: numbers of mounts."""
        lines = self.path("/proc/1/mountinfo").read_text().splitlines()
        return [line.split()[0] for line in lines if line.split()[4] == "/run/skrfs"]

    def read(self, name, user=None, command=("head", "-c", "28")):
        """What a reader gets, or why it gets nothing."""
        done = self.run("timeout", "20", *command, KEY + name, user=user, check=False)
        return done.stdout + done.stderr

    def main(self):
        return int(self.show("MainPID"))

    def processes(self):
        """Process ids, as they are there, by role."""
        found = {}
        for pid in self.run("cat", f"/proc/{self.main()}/task/{self.main()}/children").stdout.split():
            found[self.path(f"/proc/{pid}/comm").read_text().strip().removeprefix("skrfs-")] = int(pid)
        return found

    def end_process(self, pid):
        """Kills one and waits for its end: the kernel answers EIO for a process that dies while it is handed a request."""
        keeper = self.processes().get("keeper", pid)
        parent = pid == self.main()
        self.run("kill", "-KILL", pid)
        for dying in {pid, keeper} if parent else {pid}:
            wait_for("it is gone", lambda: not self.lives(dying))

    def lives(self, pid):
        with contextlib.suppress(OSError):
            return ") Z" not in self.path(f"/proc/{pid}/stat").read_text()
        return False

    def status_of(self, pid):
        return dict(re.findall(r"^(\w+):\s*(.*)$", self.path(f"/proc/{pid}/status").read_text(), re.M))

    def oneshot(self, name, settings):
        """Runs a service of somebody else's to its end, and returns what it wrote and its result."""
        self.write(f"/run/systemd/system/{name}.service",
                   f"[Service]\nType=oneshot\nStandardOutput=truncate:/run/{name}.out\nStandardError=inherit\n{settings}")
        self.systemctl("daemon-reload")
        self.systemctl("start", name + ".service", check=False)
        return self.path(f"/run/{name}.out").read_text(), self.show("Result", name + ".service")

    def holder(self, name):
        """A process that has a key open, and says at each line that it is sent whether it can read on."""
        held = self.start("sh", "-c", f"exec 3<{KEY}{name}; head -c 5 <&3; echo; while read -r _; do head -c 5 <&3 2>&1; echo; done")
        assert held.stdout.readline() == "-----\n"
        return held

    def ask(self, held):
        held.stdin.write("on\n")
        held.stdin.flush()
        return held.stdout.readline()


@pytest.fixture(scope="module")
def host():
    room = tempfile.mkdtemp(prefix="skrfs-systemd-")
    with contextlib.ExitStack() as stack:
        stack.callback(os.rmdir, room)
        machine = Skrfs(room)
        stack.callback(machine.end)
        machine.set_up()
        yield machine


@pytest.fixture
def unit(host):
    """The service, running, as it is shipped."""
    host.systemctl("reset-failed", UNIT, check=False)
    host.configure()
    try:
        host.systemctl("restart", UNIT)
        yield host
    finally:
        print(host.journal("-u", UNIT, "-n", "60"))


def test_everybody_sees_the_mount(unit):
    assert len(unit.mounts()) == 1
    assert unit.read("web", "daemon") == PEM
    shut_in = "User=daemon\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nNoNewPrivileges=yes\nCapabilityBoundingSet=\n"
    text, result = unit.oneshot("reader", f"{shut_in}ExecStart=/usr/bin/head -c 28 {KEY}web\n")
    assert (text, result) == (PEM, "success")
    text, result = unit.oneshot("stranger", f"User=games\nExecStart=/usr/bin/head -c 28 {KEY}web\n")
    assert "Permission denied" in text and result == "exit-code"


def test_roots_keys_stay_roots(unit):
    """Whose a key is that names no owner does not depend on the user whom the service runs as."""
    assert unit.read("root") == PEM
    assert "Permission denied" in unit.read("root", "skrfs")
    assert "Permission denied" in unit.read("root", "daemon")
    assert unit.run("stat", "-c", "%U %a", KEY + "root").stdout == "root 400\n"
    assert unit.run("skrfs", "status").returncode == 0
    assert unit.run("cat", "/run/skrfs/status/status.json", user="skrfs", check=False).returncode != 0


def test_the_witness_sees_what_callers_run(unit):
    """From a mount namespace of its own, with /proc of others hidden from everybody else in the unit."""
    assert unit.read("head", "games") == PEM
    assert unit.read("head") == PEM
    refused = unit.read("head", "games", ("cat",))
    assert "PRIVATE" not in refused and "Permission denied" in refused
    text, result = unit.oneshot("program", f"User=games\nPrivateTmp=yes\nExecStart=/usr/bin/head -c 28 {KEY}head\n")
    assert (text, result) == (PEM, "success")
    # Its own is not the host's namespace, and /home is empty there.
    unit.run("install", "-D", "/usr/bin/head", "/home/head")
    assert unit.read("home", "games", ("/home/head", "-c", "28")) == PEM
    shut_in = ("unshare", "--mount", "--propagation", "private", "--")
    assert "Permission denied" in unit.read("home", None, (*shut_in, "/home/head", "-c", "28"))
    text, result = unit.oneshot("program", f"User=games\nExecStart=/usr/bin/head -c 28 {KEY}unit\n")
    assert (text, result) == (PEM, "success")
    assert "Permission denied" in unit.read("unit", "games")


def test_what_the_processes_may_do(unit):
    skrfs = unit.run("id", "-u", "skrfs").stdout.strip()
    tss = unit.run("getent", "group", "tss").stdout.split(":")[2]
    processes = {"parent": unit.main(), **unit.processes()}
    assert set(processes) >= {"parent", "keeper", "courier", "witness", "relay", "scribe"}
    for role, pid in processes.items():
        status = unit.status_of(pid)
        kept = PTRACE | READ_SEARCH if role in ("parent", "witness") else 0
        assert status["Uid"].split() == [skrfs] * 4, role
        assert set(status["Groups"].split()) <= {skrfs, tss, unit.run("id", "-g", "skrfs").stdout.strip()}, role
        assert [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [kept, kept, 0, 0], role
        assert int(status["CapBnd"], 16) == PTRACE | READ_SEARCH, role
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), role


def test_what_the_service_sees_of_the_machine(unit):
    unit.run("sh", "-c", "test -e /dev/tpmrm0 || mknod -m 0660 /dev/tpmrm0 c 1 3; mkdir -p /home/somebody")
    unit.systemctl("restart", UNIT)

    def there(command):
        return unit.run("nsenter", "-t", unit.main(), "-m", "--", "sh", "-c", command, check=False)

    for path in ("/usr/x", "/etc/x", "/var/lib/x", "/run/x", "/x"):
        assert "Read-only file system" in there(f"echo >{path}").stderr, path
    assert there("ls -A /home /root").stdout.split() == ["/home:", "/root:"]
    assert there("ls /tmp").stdout == ""
    assert there("test -c /dev/tpmrm0").returncode == 0
    assert there("test -e /dev/fuse").returncode != 0
    assert set(there("ls /dev").stdout.split()) <= {"char", "console", "core", "fd", "full", "hugepages", "initctl", "log", "mqueue", "null", "ptmx",
                                                    "pts", "random", "shm", "stderr", "stdin", "stdout", "tpmrm0", "tty", "urandom", "zero"}
    assert there("test -w /proc/sys/kernel/hostname").returncode != 0
    assert there("setpriv --reuid skrfs --regid skrfs --clear-groups ls -d /proc/1").returncode != 0
    assert there("ls -d /proc/1").stdout == "/proc/1\n"
    assert unit.run("stat", "-c", "%U %a", "/var/log/skrfs").stdout == "skrfs 750\n"
    assert there("echo >/var/log/skrfs/x && rm /var/log/skrfs/x").returncode == 0
    unit.run("rm", "/dev/tpmrm0")


@pytest.mark.parametrize("role", ["keeper", "courier", "witness", "relay", "scribe"])
def test_a_child_that_is_killed(unit, role):
    before, mounted = unit.main(), unit.mounts()
    old = unit.processes()[role]
    unit.end_process(old)
    assert unit.read("web", "daemon") == PEM
    wait_for(f"another {role} lives", lambda: unit.processes().get(role, old) != old)
    assert unit.read("web", "daemon") == PEM
    assert (unit.main(), unit.mounts()) == (before, mounted)
    assert unit.show("ActiveState") == "active"


def test_the_parent_is_killed(unit):
    before, mounted, restarts = unit.main(), unit.mounts(), int(unit.show("NRestarts"))
    held = unit.holder("web")
    unit.end_process(before)
    # Nobody serves now: who comes waits.
    assert unit.read("web", "daemon") == PEM
    assert "Stale file handle" in unit.ask(held)
    held.kill()
    assert unit.mounts() == mounted
    assert unit.main() not in (0, before)
    assert int(unit.show("NRestarts")) == restarts + 1
    assert unit.show("NFileDescriptorStore") == "3"


def test_restart_keeps_the_mount(unit):
    mounted, before = unit.mounts(), unit.main()
    held = unit.holder("web")
    unit.configure(more="", web="owner = games\n")
    unit.systemctl("restart", UNIT)
    assert unit.mounts() == mounted and unit.main() != before
    assert "Stale file handle" in unit.ask(held)
    held.kill()
    assert unit.read("web", "games") == PEM
    assert "Permission denied" in unit.read("web", "daemon")
    # The operator's restart of one that was killed is no different.
    unit.systemctl("kill", "--signal=KILL", UNIT)
    unit.systemctl("restart", UNIT)
    assert unit.mounts() == mounted and unit.read("web", "games") == PEM


@pytest.fixture
def emptied(unit):
    """Before and after, the TPM has nothing loaded. The kernel's resource manager takes away what a client leaves that
    dies; between a service that is killed whole and a software TPM there is none."""
    tcti = re.search(r"^tcti = (\S+)", unit.base, re.M).group(1)

    def flush():
        unit.systemctl("stop", UNIT)
        unit.run("tpm2_flushcontext", "-T", tcti, "-t")
        unit.systemctl("start", UNIT)

    flush()
    yield
    flush()


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_reader_waits_over_it(unit, emptied, how):
    """Who waits for a release is answered by the service that comes after."""
    unit.fault(at="release", delay_ms=3000, times=1)
    reader = unit.start("head", "-c", "28", KEY + "web", user="daemon")
    wait_for("the release is under way", lambda: "under way" in unit.run("cat", "/run/skrfs/status/why/web").stdout)
    if how == "restart":
        unit.systemctl("restart", UNIT)
    else:
        unit.run("kill", "-KILL", unit.main())
    assert reader.communicate(timeout=30)[0] == PEM


def test_a_bind_of_the_mount_itself_lives_on(unit):
    """As a container has it that was given the mount as a volume: it need not be started again with the service."""
    volume = unit.start("unshare", "--mount", "--propagation", "private", "sh", "-c",
                        "mkdir -p /run/volume; mount --bind /run/skrfs /run/volume; mount -t tmpfs none /run/skrfs; echo ready; "
                        "while read -r _; do head -c 28 /run/volume/keys/web 2>&1; done")
    assert volume.stdout.readline() == "ready\n"
    assert unit.ask(volume) == PEM
    unit.systemctl("restart", UNIT)
    assert unit.ask(volume) == PEM
    unit.end_process(unit.main())
    assert unit.ask(volume) == PEM
    unit.systemctl("stop", UNIT)
    assert "not connected" in unit.ask(volume)
    volume.kill()


def test_a_crash_gives_nothing_back(unit):
    """A key that was read as often as it may be stays taken back until an operator does something."""
    unit.configure(web="owner = daemon\nreads = 1\n")
    unit.systemctl("restart", UNIT)
    assert unit.read("web", "daemon") == PEM
    assert "Key has been revoked" in unit.read("web", "daemon")
    unit.end_process(unit.main())
    assert "Key has been revoked" in unit.read("web", "daemon")
    unit.run("skrfs", "renew", "web")
    assert unit.read("web", "daemon") == PEM
    assert "Key has been revoked" in unit.read("web", "daemon")
    unit.systemctl("restart", UNIT)
    assert unit.read("web", "daemon") == PEM


def test_stop_leaves_nothing(unit):
    held = unit.holder("web")
    unit.systemctl("stop", UNIT)
    assert unit.mounts() == []
    assert unit.run("ls", "-A", "/run/skrfs").stdout == ""
    assert unit.run("pgrep", "-f", "skrfs mount --service", check=False).stdout == ""
    assert unit.show("NFileDescriptorStore") == "0"
    assert unit.show("Result") == "success"
    assert "-----" not in unit.ask(held)
    held.kill()
    unit.systemctl("start", UNIT)
    assert unit.read("web", "daemon") == PEM


def test_unmounted_by_hand(unit):
    unit.run("umount", "/run/skrfs")
    wait_for("the service ends", lambda: unit.show("ActiveState") == "inactive")
    assert unit.show("Result") == "success" and unit.show("NFileDescriptorStore") == "0"
    unit.systemctl("start", UNIT)
    assert len(unit.mounts()) == 1 and unit.read("web", "daemon") == PEM


def test_a_wrong_configuration_is_told(unit):
    unit.configure(web="owner = daemon\nmood = 0400\n")
    failed = unit.systemctl("restart", UNIT, check=False)
    assert failed.returncode != 0
    wait_for("systemd gives up", lambda: unit.show("ActiveState") == "failed")
    assert re.search(r"/etc/skrfs/skrfs\.conf:\d+:\d+: .*'mood'.*'mode'", unit.journal("-u", UNIT, "-n", "20"))
    # Nobody will answer: no reader is left waiting.
    assert unit.mounts() == []
    unit.configure()
    unit.systemctl("reset-failed", UNIT)
    unit.systemctl("start", UNIT)
    assert unit.read("web", "daemon") == PEM


def test_what_is_left_when_systemd_gives_up_is_cleared(unit):
    for _ in range(10):
        if unit.show("ActiveState") == "failed":
            break
        main = wait_for("a parent lives", lambda: unit.main() or unit.show("ActiveState") == "failed")
        if main is not True:
            unit.run("kill", "-KILL", main, check=False)
            wait_for("it is dead", lambda: unit.main() != main)
    wait_for("systemd gives up", lambda: unit.show("ActiveState") == "failed")
    left = unit.read("web", "daemon")
    assert "not connected" in left or "connection" in left
    unit.systemctl("reset-failed", UNIT)
    unit.systemctl("start", UNIT)
    assert len(unit.mounts()) == 1 and unit.read("web", "daemon") == PEM


def test_somebody_elses_mount_is_left_alone(unit):
    unit.systemctl("stop", UNIT)
    unit.run("skrfs", "mount", "/run/skrfs")
    mounted = unit.mounts()
    try:
        assert unit.systemctl("start", UNIT, check=False).returncode != 0
        assert "already, by another than this service" in unit.journal("-u", UNIT, "-n", "20")
        wait_for("systemd gives up", lambda: unit.show("ActiveState") == "failed")
        assert unit.mounts() == mounted and unit.read("web", "daemon") == PEM
    finally:
        unit.run("umount", "/run/skrfs")


def test_a_secret_that_the_service_cannot_read_is_told(unit):
    unit.write("/etc/skrfs/secret", "not telling\n", 0o600)
    vault = "\n[vault other]\nurl = https://other.vault.azure.net\nidentity = secret-file:/etc/skrfs/secret\ntenant = contoso.onmicrosoft.com\n" \
            "client = 00000000-0000-0000-0000-000000000001\n"
    unit.configure(vault)
    unit.systemctl("restart", UNIT)
    group = unit.run("id", "-g", "skrfs").stdout.strip()
    told = f"[vault other] /etc/skrfs/secret is not open to the user who logs in, uid {unit.run('id', '-u', 'skrfs').stdout.strip()}: " \
           f"give the file the group {group} and mode 0640"
    wait_for("it is told", lambda: told in unit.journal("-u", UNIT, "-n", "10"))
    unit.run("chown", "root:skrfs", "/etc/skrfs/secret")
    unit.run("chmod", "0640", "/etc/skrfs/secret")
    unit.systemctl("restart", UNIT)
    assert unit.read("web", "daemon") == PEM
    assert "is not open" not in unit.journal("-u", UNIT, "-n", "5")


def test_the_audit_in_file_and_journal(unit):
    unit.run("rm", "-rf", "/var/log/skrfs")
    unit.configure("\n[audit]\nfile = /var/log/skrfs/audit.log\nrequired = yes\n")
    unit.systemctl("restart", UNIT)
    assert unit.run("stat", "-c", "%U:%G %a", "/var/log/skrfs", "/var/log/skrfs/audit.log").stdout == "skrfs:skrfs 750\nskrfs:skrfs 640\n"
    assert unit.read("web", "daemon") == PEM
    unit.end_process(unit.processes()["scribe"])
    log = unit.path("/var/log/skrfs/audit.log")
    assert "Permission denied" in unit.read("web", "games")
    # The refusal is told of by the keeper until a scribe has written it.
    wait_for("it is recorded", lambda: '"refused"' in log.read_text())
    unit.end_process(unit.main())
    assert unit.read("web", "daemon") == PEM
    lines = log.read_text().splitlines()
    records = [json.loads(line.split(" ", 1)[1]) for line in lines]
    assert [record["seq"] for record in records] == list(range(records[0]["seq"], records[0]["seq"] + len(records))), lines
    opens = [record for record in records if record["kind"] == "open"]
    assert [(record["who"]["uid"], record["verdict"]) for record in opens] == [(1, "granted"), (5, "refused"), (1, "granted")], lines
    assert [record["prev"] for record in records[1:]] == [line.split(" ", 1)[0] for line in lines[:-1]]
    kept = unit.journal("-u", UNIT, "-o", "json", "-n", "60", "SKRFS_KEY=web").splitlines()
    assert any(json.loads(entry).get("SKRFS_KIND") == "open" for entry in kept), kept


def test_the_journal_has_what_happened(unit):
    unit.read("web", "daemon")
    unit.read("web", "games")
    lines = unit.journal("-u", UNIT, "-n", "30")
    assert "mounted at /run/skrfs" in lines
    assert re.search(r"keeper: opened 'web' version [0-9a-f]{32} by uid 1 ", lines)
    warnings = unit.journal("-u", UNIT, "-n", "30", "-p", "warning")
    assert re.search(r"denied: open 'web' by uid 5 ", warnings)
    refused = unit.systemctl("reload", UNIT, check=False)
    assert refused.returncode != 0 and "not applicable" in refused.stderr


def test_the_drop_in_for_roots_devices(unit):
    """Root, for TEEs whose devices are root's: with no more of its powers than the courier's change of user takes."""
    name = "/etc/systemd/system/skrfs.service.d/root.conf"
    unit.systemctl("stop", UNIT)
    unit.write(name, unit.path("/usr/local/share/doc/skrfs/examples/skrfs.service.d/root.conf").read_text())
    unit.systemctl("daemon-reload")
    try:
        unit.systemctl("start", UNIT)
        assert unit.read("web", "daemon") == PEM and unit.read("root") == PEM
        users = {role: unit.status_of(pid)["Uid"].split()[0] for role, pid in unit.processes().items()}
        assert users["courier"] == "65534" and users["keeper"] == users["witness"] == "0"
        for role in ("keeper", "courier", "relay"):
            status = unit.status_of(unit.processes()[role])
            assert [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")] == [0] * 5, role
        unit.end_process(unit.main())
        assert unit.read("web", "daemon") == PEM
    finally:
        unit.run("rm", name)
        unit.systemctl("daemon-reload")
        unit.systemctl("stop", UNIT)
    assert unit.mounts() == []
