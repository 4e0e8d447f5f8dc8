"""A Podman container given the mount as a volume: the key is read there, and refused to another uid."""
import os
import shutil
import signal
import subprocess
import tarfile

import pytest
from lab import Mount, run, wait_for


class Podman:
    """Podman with a storage of its own, and an image made of busybox alone."""

    def __init__(self, directory):
        self.base = ["podman", "--root", directory / "root", "--runroot", directory / "run", "--storage-driver", "vfs", "--runtime", "runc",
                     "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--tmpdir", directory / "tmp"]
        tree = directory / "tree"
        for folder in ("bin", "etc", "tmp", "vol", "proc", "sys", "dev"):
            (tree / folder).mkdir(parents=True)
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        for applet in ("sh", "cat", "ls", "id", "sleep", "wc"):
            (tree / "bin" / applet).symlink_to("busybox")
        (tree / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
        archive = directory / "image.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(tree, ".")
        self("import", archive, "skrfs-test")

    def __call__(self, *arguments, check=True):
        return run(*self.base, *arguments, check=check, timeout=90)

    def run(self, volume, *command, options=(), check=True, verb=("run", "--rm")):
        return self(*verb, "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--network", "none", "--pull", "never",
                    "-v", volume, *options, "skrfs-test", *command, check=check)


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    directory = tmp_path_factory.mktemp("podman")
    yield Podman(directory)
    subprocess.run(["umount", "-l", str(directory / "root/vfs")], capture_output=True)


@pytest.fixture
def volume(lab, keys, tmp_path):
    """A shared tmpfs with the mount below it: the form that survives a remount."""
    parent = tmp_path / "volume"
    parent.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", parent)
    run("mount", "--make-shared", parent)
    (parent / "keys.d").mkdir()
    conf = lab.config(tmp_path / "c.conf", {
        "open": {**keys["oct"], "mode": "0444"},
        "root-only": {**keys["oct"], "mode": "0400"},
        "user-only": {**keys["rsa"], "mode": "0400", "owner": "1000"},
        "not-container": {**keys["oct"], "mode": "0444", "allow": "user:1001"},
    })
    made = Mount(conf, parent / "keys.d", "-o", "allow_other")
    yield parent, made
    made.stop()
    run("umount", "-l", parent)


def test_the_key_is_read_in_a_container(podman, volume):
    parent, made = volume
    done = podman.run(f"{parent}:/vol:rslave,ro", "cat", "/vol/keys.d/keys/user-only")
    assert done.stdout.encode() == made.read("user-only")
    assert "open" in podman.run(f"{parent}:/vol:rslave,ro", "ls", "/vol/keys.d/keys").stdout


def test_another_uid_is_refused(podman, volume):
    parent, made = volume
    as_user = ("--user", "1000")
    done = podman.run(f"{parent}:/vol:rslave,ro", "cat", "/vol/keys.d/keys/root-only", options=as_user, check=False)
    assert done.returncode != 0 and "Permission denied" in done.stderr
    assert "denied" in made.log() and "uid 1000" in made.log()
    assert podman.run(f"{parent}:/vol:rslave,ro", "cat", "/vol/keys.d/keys/user-only", options=as_user).stdout.encode() == made.read("user-only")
    assert podman.run(f"{parent}:/vol:rslave,ro", "wc", "-c", "/vol/keys.d/keys/open", options=as_user).stdout.split()[0] == "32"


def test_rules_hold_for_the_containers_root(podman, volume):
    parent, _ = volume
    done = podman.run(f"{parent}:/vol:rslave,ro", "cat", "/vol/keys.d/keys/not-container", check=False)
    assert done.returncode != 0 and "Permission denied" in done.stderr


def test_a_container_keeps_its_keys_when_the_keeper_dies(podman, volume):
    parent, made = volume
    expected = made.read("user-only")
    container = subprocess.Popen([*map(str, podman.base), "run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--network", "none",
                                  "-v", f"{parent}:/vol:rslave,ro", "skrfs-test", "sh", "-c",
                                  "cat /vol/keys.d/keys/user-only >/dev/null; echo ready; sleep 2; cat /vol/keys.d/keys/user-only"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert container.stdout.readline() == b"ready\n"
    os.kill(made.processes()["keeper"], signal.SIGKILL)
    out, err = container.communicate(timeout=60)
    assert container.returncode == 0, (err, made.log())
    assert out == expected


def test_a_container_sees_a_new_mount(podman, volume, lab):
    """PARENT:rslave survives unmounting and mounting again."""
    parent, made = volume
    expected = made.read("open")
    container = subprocess.Popen([*map(str, podman.base), "run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--network", "none",
                                  "-v", f"{parent}:/vol:rslave,ro", "skrfs-test", "sh", "-c",
                                  "echo ready; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1; ls /vol/keys.d/keys 2>/dev/null && [ -e /vol/again ] && break; done; cat /vol/keys.d/keys/open"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert container.stdout.readline() == b"ready\n"
    made.stop()
    again = Mount(made.conf, made.path, "-o", "allow_other")
    (parent / "again").touch()
    try:
        out, err = container.communicate(timeout=60)
        assert container.returncode == 0, (err, again.log())
        assert out.endswith(expected)
    finally:
        again.stop()


def test_rules_by_container(podman, lab, keys, tmp_path):
    """One mount, a key for one container alone, one for the host alone: by the ids that Podman gives, and namespaces."""
    parent = tmp_path / "volume"
    parent.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", parent)
    run("mount", "--make-shared", parent)
    path = parent / "keys.d"
    path.mkdir()
    try:
        made = [podman.run(f"{parent}:/vol:rslave,ro", "cat", f"/vol/keys.d/keys/{name}", verb=("create",)).stdout.strip() for name in ("mine", "mine", "home")]
        mine, other, homeless = made
        conf = lab.config(tmp_path / "c.conf", {"mine": {**keys["rsa"], "mode": "0444", "allow": f"container:{mine[:12]} & user:0"},
                                                "home": {**keys["rsa"], "mode": "0444", "allow": "host"}})
        with Mount(conf, path, "-o", "allow_other") as mount:
            assert podman("start", "-a", mine).stdout.encode() == mount.read("home")
            for stranger in (other, homeless):
                done = podman("start", "-a", stranger, check=False)
                assert done.returncode != 0 and "Permission denied" in done.stderr
            assert mount.error("keys/mine") == "EACCES"
            log = mount.log()
            assert "opened 'mine'" in log and f"container {mine[:12]}" in log
            assert "denied: open 'mine'" in log and f"container {other[:12]}" in log
        for container in made:
            podman("rm", "-f", container, check=False)
    finally:
        run("umount", "-l", parent)
