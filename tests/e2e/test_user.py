"""The whole of it without root: a user's own lab and mount, through fusermount3."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

from lab import SKRFS, is_mounted, wait_for

UID = 65534  # nobody: fusermount3 wants to know its name


def as_user(*arguments, home, check=True):
    done = subprocess.run(["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups", "env", "-i", f"HOME={home}", f"XDG_RUNTIME_DIR={home}",
                           "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *map(str, arguments)], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert not check or done.returncode == 0, done.stderr
    return done


def test_lab_and_mount_of_a_user(tmp_path):
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        if folder != pathlib.Path("/tmp"):
            os.chmod(folder, 0o755)
    program = tmp_path / "skrfs"
    shutil.copy(SKRFS, program)
    home = tmp_path / "home"
    (home / "mnt").mkdir(parents=True)
    os.chown(home, UID, UID)
    os.chown(home / "mnt", UID, UID)
    conf = as_user(program, "lab", "up", "--no-throttle", home=home).stdout.strip()
    try:
        policy = home / "policy.json"
        policy.write_text(as_user(program, "policy", "new", "--config", conf, home=home).stdout)
        as_user(program, "key", "create", "mine", "--config", conf, "--vault", "vault", "--kty", "EC-HSM", "--curve", "P-256", "--policy", policy, home=home)
        with open(pathlib.Path(conf + ".d") / "mine.conf", "w") as drop_in:
            drop_in.write(f"[key mine]\nvault = vault\n[audit]\njournal = no\nfile = {home}/audit.log\nrequired = yes\n")
        os.chown(drop_in.name, UID, UID)
        as_user(program, "mount", "--config", conf, home / "mnt", home=home)
        try:
            assert as_user("cat", home / "mnt/keys/mine", home=home).stdout.startswith("-----BEGIN PRIVATE KEY-----")
            assert "mine" in as_user(program, "status", home / "mnt", home=home).stdout
            assert "nothing is missing" in as_user(program, "audit", "verify", "--mount", home / "mnt", home=home).stdout
            # Nobody else enters, not even root, without allow_other.
            assert as_user("ls", home / "mnt", home=home).returncode == 0
            assert subprocess.run(["ls", str(home / "mnt")], capture_output=True).returncode != 0
        finally:
            as_user("fusermount3", "-u", home / "mnt", home=home)
        wait_for("it is unmounted", lambda: not is_mounted(home / "mnt"))
        wait_for("the audit is ended", lambda: '"kind":"end"' in (home / "audit.log").read_text())
        assert "nothing is missing" in as_user(program, "audit", "verify", "--config", conf, home=home).stdout
        begin = json.loads((home / "audit.log").read_text().splitlines()[0].split(" ", 1)[1])
        assert begin["config_sha256"] == hashlib.sha256(pathlib.Path(conf).read_bytes() + pathlib.Path(conf + ".d/mine.conf").read_bytes()).hexdigest()
    finally:
        as_user(program, "lab", "down", home=home)
