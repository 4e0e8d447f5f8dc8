"""can, learn and lint: what the rules say before anything is mounted, and rules from what was seen."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest
from lab import SKRFS, Mount, run, skrfs, wait_for


def cat(path, uid=0, program="/usr/bin/cat"):
    """True when this user can read the file with this program."""
    done = subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", program, str(path)], capture_output=True)
    assert done.returncode == 0 or b"Permission denied" in done.stderr, done.stderr
    return done.returncode == 0


@contextlib.contextmanager
def learning(mount, *arguments):
    """A `skrfs learn` that goes on while the body runs and is then ended by Ctrl-C; the yielded list gets
    (exit status, standard output, standard error)."""
    process = subprocess.Popen([SKRFS, "learn", *arguments, str(mount.path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    result = []
    try:
        wait_for("the mount learns", lambda: json.loads((mount.path / "status/learned").read_text())["learning"])
        yield result
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        result += [process.returncode, out, err]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_learned_rules_let_in_who_was_seen_and_nobody_else(lab, keys, mount, tmp_path):
    shutil.copy("/usr/bin/cat", tmp_path / "reader")
    wide = {**keys["oct"], "mode": "0444"}
    made = mount({"a": wide, "b": wide, "c": {**wide, "deny": "user:4002"}, "none": wide}, "-o", "allow_other")
    with learning(made) as result:
        assert cat(made.key("a"), uid=4000)
        assert cat(made.key("a"), uid=4000)
        assert cat(made.key("a"), uid=4001, program=str(tmp_path / "reader"))
        assert cat(made.key("b"))
        assert cat(made.key("c"), uid=4000)
        assert not cat(made.key("c"), uid=4002)
    status, out, err = result
    assert status == 0, err
    assert "; [key none]: nobody was let in" in out
    assert "; refused: user:4002 exe:/usr/bin/cat" in out and "deny" in out
    assert f"exe:{tmp_path}/reader" in out and "user:root" in out
    assert out.count("user:4000 & exe:/usr/bin/cat") == 2
    # A drop-in as it is.
    (tmp_path / "m0.conf.d").mkdir()
    (tmp_path / "m0.conf.d/50-learned.conf").write_text(out)
    made.stop()
    with Mount(made.conf, made.path, "-o", "allow_other") as again:
        assert cat(again.key("a"), uid=4000)
        assert cat(again.key("a"), uid=4001, program=str(tmp_path / "reader"))
        assert cat(again.key("b"))
        assert cat(again.key("c"), uid=4000)
        assert not cat(again.key("a"))
        assert not cat(again.key("a"), uid=4002)
        assert not cat(again.key("a"), uid=4000, program=str(tmp_path / "reader"))
        assert not cat(again.key("b"), uid=4000)
        assert not cat(again.key("c"), uid=4002)
        assert cat(again.key("none"), uid=4002)


def test_learning_is_for_root_and_the_owner_and_ends_by_itself(lab, keys, mount, tmp_path):
    made = mount({"a": {**keys["oct"], "mode": "0444"}}, "-o", "allow_other")
    done = subprocess.run(["setpriv", "--reuid", "4000", "--regid", "4000", "--clear-groups", SKRFS, "learn", "--for", "1s", str(made.path)], capture_output=True, text=True)
    assert done.returncode == 3 and "root and the user who mounted" in done.stderr
    assert not json.loads((made.path / "status/learned").read_text())["learning"]
    process = subprocess.Popen([SKRFS, "learn", "--for", "3s", "--json", "--digest", "-o", str(tmp_path / "out.json"), str(made.path)], stdin=subprocess.DEVNULL)
    wait_for("the mount learns", lambda: json.loads((made.path / "status/learned").read_text())["learning"])
    assert cat(made.key("a"), uid=4000)
    assert process.wait(30) == 0
    out = json.loads((tmp_path / "out.json").read_text())
    assert [key["key"] for key in out["keys"]] == ["a"]
    assert [seen["uid"] for seen in out["learned"]["seen"]] == [4000]
    assert "user:4000 & exe:/usr/bin/cat" in out["keys"][0]["allow"][0]
    # Nothing stays behind.
    assert json.loads((made.path / "status/learned").read_text())["seen"] == []


def test_what_was_learned_is_gone_with_the_keeper(lab, keys, mount):
    made = mount({"a": {**keys["oct"], "mode": "0444"}}, "-o", "allow_other")
    with learning(made) as result:
        assert cat(made.key("a"))
        keeper = made.processes()["keeper"]
        made.kill("keeper")
        wait_for("a new keeper serves", lambda: made.processes().get("keeper", keeper) != keeper and not made.error("status/health"))
    status, out, err = result
    assert status == 8 and out == "" and "learn again" in err


def test_who_reads_by_a_descriptor_of_another_is_learned(lab, keys, mount):
    made = mount({"a": {**keys["oct"], "mode": "0444"}}, "-o", "allow_other")
    with learning(made) as result:
        done = subprocess.run(["setpriv", "--reuid", "4000", "--regid", "4000", "--clear-groups", "sh", "-c", f"exec /usr/bin/cat < {made.key('a')}"], capture_output=True)
        assert done.returncode == 0 and done.stdout
    _, out, _ = result
    assert "user:4000 & exe:/usr/bin/cat" in out and "user:4000 & exe:/usr/bin/dash" in out


def test_learn_says_what_it_cannot_do(tmp_path):
    done = skrfs("learn", tmp_path, check=False)
    assert done.returncode == 4 and "no skrfs is mounted" in done.stderr
    done = skrfs("learn", "-o", tmp_path / "none/out", tmp_path, check=False)
    assert done.returncode != 0 and "cannot be written" in done.stderr
    done = skrfs("learn", "--for", "soon", check=False)
    assert done.returncode == 2 and "--for wants a time" in done.stderr


@pytest.fixture
def conf(tmp_path):
    """Writes a configuration whose keys begin in line 5."""
    def write(text):
        path = tmp_path / "c.conf"
        path.write_text("[attestation]\nurl = https://a.net\n[vault v]\nurl = https://c.vault.azure.net\n" + text)
        return path
    return write


def can(path, *arguments):
    done = skrfs("can", "-c", path, *arguments, check=False)
    return done.returncode, done.stdout, done.stderr


def test_can_answers_from_the_configuration(conf):
    path = conf("[key a]\nowner = 0\n[key b]\nmode = 0444\nallow = user:4000 & exe:/usr/bin/cat & unit:a.service\n"
                "[key c]\nmode = 0444\nhours = 08:00-09:00\n[key d]\nmode = 0444\nuntil = 2026-01-01T00:00:00Z\n")
    assert can(path, "user:root", "a")[:2] == (0, "a: may: mode 0400\n")
    status, out, err = can(path, "user:4000", "a")
    assert status == 3 and out.startswith("a: may not: mode 0400") and "user:4000 may not read 'a'" in err
    status, out, _ = can(path, "user:4000 & exe:/usr/bin/cat", "b")
    assert status == 3 and out.startswith("b: may not as described: ") and "asks for its unit, which was not said" in out
    assert can(path, "user:4000", "exe:/usr/bin/cat", "unit:a.service", "b")[0] == 0
    status, out, _ = can(path, "user:4000 exe:/usr/bin/cp", "b")
    assert status == 3 and "may not: no allow rule matches uid 4000" in out
    assert can(path, "user:4000", "--at", "08:59", "c")[0] == 0
    assert can(path, "user:4000", "--at", "09:00", "c")[0] == 3
    assert can(path, "user:4000", "--at", "2025-12-31T23:59:59Z", "d")[0] == 0
    status, out, _ = can(path, "user:4000", "d")
    assert status == 3 and "its time is over since 2026-01-01T00:00:00Z" in out


def test_can_answers_for_many_keys(conf):
    path = conf("[key a1]\nowner = 0\n[key a2]\nmode = 0444\n[key b]\nowner = 0\n")
    status, out, err = can(path, "user:4000", "--all")
    assert status == 3 and "may not read 2 of 3 keys" in err
    assert [line.split()[0] for line in out.splitlines()] == ["KEY", "a1", "a2", "b"]
    status, out, _ = can(path, "user:4000", "a*", "--json")
    answer = json.loads(out)
    assert status == 3 and answer["who"] == "user:4000"
    assert [(key["key"], key["may"]) for key in answer["keys"]] == [("a1", False), ("a2", True)]
    assert can(path, "user:root", "--all")[0] == 0
    status, _, err = can(path, "user:root", "a3")
    assert status == 4 and "did you mean" in err
    assert can(path, "user:root", "x*")[0] == 4
    assert can(path, "user:root")[0] == 2
    assert "which user?" in can(path, "exe:/usr/bin/cat", "b")[2]


def test_can_answers_for_a_process_that_is_there(conf):
    path = conf("[key cat]\nmode = 0444\nallow = exe:/usr/bin/sleep & user:4000\n[key root]\nowner = 0\n[key group]\nmode = 0440\nowner = 0\ngroup = 4711\n")
    process = subprocess.Popen(["setpriv", "--reuid", "4000", "--regid", "4000", "--groups", "4711", "/usr/bin/sleep", "60"])
    try:
        wait_for("it runs", lambda: os.readlink(f"/proc/{process.pid}/exe") == "/usr/bin/sleep")
        assert can(path, f"pid:{process.pid}", "cat")[:2] == (0, "cat: may: allow exe:/usr/bin/sleep & user:4000\n")
        assert can(path, f"pid:{process.pid}", "group")[0] == 0
        assert can(path, f"pid:{process.pid}", "root")[0] == 3
        assert can(path, f"pid:{os.getpid()}", "cat")[0] == 3
    finally:
        process.kill()
        process.wait()
    status, _, err = can(path, f"pid:{process.pid}", "cat")
    assert status == 4 and "there is no process" in err
    assert can(path, "pid:none", "cat")[0] == 2


def test_can_says_as_a_mount_decides(lab, keys, mount, tmp_path):
    shutil.copy("/usr/bin/cat", tmp_path / "reader")
    rules = ["user:4000", "user:4001", f"exe:{tmp_path}/reader", "exe:/usr/bin/cat & user:4000", "host & user:4000", "group:4000", "user:0 & host", f"exe:{tmp_path}/*"]
    settings = {f"k{i}": {**keys["oct"], "mode": "0444", "allow": rule} for i, rule in enumerate(rules)}
    settings |= {f"d{i}": {**keys["oct"], "mode": "0444", "deny": rule} for i, rule in enumerate(rules)}
    made = mount(settings, "-o", "allow_other")
    for uid in (0, 4000):
        for program in ("/usr/bin/cat", f"{tmp_path}/reader"):
            out = can(made.conf, f"user:{uid} group:{uid} exe:{program} host", "--all", "--json")[1]
            said = {key["key"]: key["may"] for key in json.loads(out)["keys"]}
            seen = {name: cat(made.key(name), uid=uid, program=program) for name in settings}
            assert said == seen, (uid, program)


def test_lint(conf):
    path = conf("[key a]\nowner = 0\n")
    done = skrfs("lint", "-c", path)
    assert done.stdout == "" and done.stderr == ""
    path = conf("[key a]\nmode = 0444\n[key b]\nowner = 4000\n")
    done = skrfs("lint", "-c", path, check=False)
    assert done.returncode == 2 and f"{path}:6:8: warning: [key a] " in done.stdout and "(open)" in done.stdout
    assert "0 errors, 1 warnings, 1 notes" in done.stderr
    assert skrfs("lint", "-c", path, "--level", "error").stdout == done.stdout
    found = json.loads(skrfs("lint", "-c", path, "--json", check=False).stdout)
    assert [(one["key"], one["level"], one["id"], one["line"]) for one in found] == [("a", "warning", "open", 6), ("b", "note", "root-reads", 8)]
    path = conf("[key b]\nowner = 4000\n")
    assert skrfs("lint", "-c", path).returncode == 0
    assert skrfs("lint", "-c", path, "--level", "note", check=False).returncode == 2
    assert skrfs("lint", "-c", conf("[key b\n"), check=False).returncode == 2
    assert "--level is" in skrfs("lint", "-c", path, "--level", "loud", check=False).stderr


@contextlib.contextmanager
def control_group(name):
    """A control group of that name where systemd would have made it; the yielded function runs a program in it."""
    hierarchies = [folder for folder in map(pathlib.Path, ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")) if (folder / "cgroup.procs").exists()]
    groups = []
    try:
        for hierarchy in hierarchies:
            try:
                (hierarchy / name).mkdir(parents=True, exist_ok=True)
            except OSError:
                continue
            groups.append(hierarchy / name)
        if not groups:
            pytest.skip("no control group can be made here")
        join = " && ".join(f"echo $$ > {group}/cgroup.procs" for group in groups)
        yield lambda *words: subprocess.run(["sh", "-c", f"{join} && exec \"$@\"", "sh", *map(str, words)], capture_output=True)
    finally:
        for group in groups:
            for folder in [group, *group.parents]:
                try:
                    folder.rmdir()
                except OSError:
                    break


def test_units_and_containers_are_learned(lab, keys, mount, tmp_path):
    wide = {**keys["oct"], "mode": "0444"}
    made = mount({"a": wide, "b": wide}, "-o", "allow_other")
    ident = "5c2e" * 16
    with control_group(f"system.slice/skrfs-learn-{os.getpid()}.service") as in_unit, control_group(f"docker/{ident}") as in_container:
        for options in ([], ["--containers"]):
            with learning(made, *options) as result:
                assert in_unit("/usr/bin/cat", made.key("a")).returncode == 0
                assert in_container("/usr/bin/cat", made.key("b")).returncode == 0
            status, out, err = result
            assert status == 0 and f"user:root & exe:/usr/bin/cat & unit:skrfs-learn-{os.getpid()}.service & host" in out
            assert ("--containers writes it" in out) == (not options) and (f"container:{ident}" in out) == bool(options)
            assert ("has another number" in err) == bool(options)
        (tmp_path / "m0.conf.d").mkdir()
        (tmp_path / "m0.conf.d/50-learned.conf").write_text(out)
        made.stop()
        with Mount(made.conf, made.path, "-o", "allow_other") as again:
            assert in_unit("/usr/bin/cat", again.key("a")).returncode == 0
            assert in_unit("/usr/bin/head", again.key("a")).returncode == 1
            assert in_container("/usr/bin/cat", again.key("b")).returncode == 0
            assert in_unit("/usr/bin/cat", again.key("b")).returncode == 1
            assert in_container("/usr/bin/cat", again.key("a")).returncode == 1
            assert not cat(again.key("a")) and not cat(again.key("b"))


def test_callers_in_the_host_are_told_from_others(lab, keys, mount, tmp_path):
    made = mount({"a": {**keys["oct"], "mode": "0444"}}, "-o", "allow_other")
    with learning(made) as result:
        assert cat(made.key("a"))
    (tmp_path / "m0.conf.d").mkdir()
    (tmp_path / "m0.conf.d/50-learned.conf").write_text(result[1])
    made.stop()
    with Mount(made.conf, made.path, "-o", "allow_other") as again:
        assert cat(again.key("a"))
        for space in ("-m", "-U", "-pf"):
            assert run("unshare", space, "/usr/bin/cat", again.key("a"), check=False).returncode == 1, space
