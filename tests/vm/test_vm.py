"""The whole job in a QEMU guest: Debian's kernel, its own /dev/tpmrm0 over an emulated TPM, its FUSE module.

Emulation (TCG) alone: /dev/kvm may be there and yet not boot a stock kernel.
"""
import gzip
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from lab import BUILD, SKRFS, run

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ["fuse", "tpm_crb"]


def download(folder):
    """Puts the kernel's package into the folder; False when apt does not know it or cannot get it."""
    depends = run("apt-cache", "depends", "linux-image-amd64", check=False).stdout
    package = re.search(r"Depends: (linux-image-6\.\S+)", depends)
    return bool(package) and run("apt-get", "download", package.group(1), cwd=folder, check=False, timeout=300).returncode == 0


@pytest.fixture(scope="module")
def kernel():
    """Debian's kernel package, unpacked below the build folder; downloaded once."""
    folder = BUILD / "vm-kernel"
    if not list(folder.glob("boot/vmlinuz-*")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if not download(folder):
            # Lists that are missing or older than the archive.
            run("apt-get", "update", "-qq", timeout=300)
            assert download(folder), "Debian's kernel package cannot be had"
        run("dpkg", "-x", next(folder.glob("*.deb")), folder, timeout=120)
        next(folder.glob("*.deb")).unlink()
    image = next(folder.glob("boot/vmlinuz-*"))
    return image, folder, image.name.removeprefix("vmlinuz-")


def libraries(program):
    return [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", run("ldd", program).stdout)]


def copy_in(root, path, target=None):
    target = root / (target or str(path)).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def build_tree(root, kernel):
    _, folder, version = kernel
    for name in ("bin", "sbin", "proc", "sys", "dev", "etc", "lib", "lib64", "mnt"):
        (root / name).mkdir(parents=True, exist_ok=True)
    copy_in(root, "/bin/busybox", "/bin/busybox")
    copy_in(root, HERE / "init", "/init")
    programs = [(SKRFS, "/bin/skrfs"), (shutil.which("setpriv"), "/sbin/setpriv")]
    extra = list(pathlib.Path("/usr/lib/x86_64-linux-gnu").glob("libtss2-tcti-device.so.0"))
    assert extra, "libtss2-tcti-device is opened at run time and must come along"
    for source, target in programs:
        copy_in(root, source, target)
    for needed in {library for source, _ in programs for library in libraries(source)} | set(extra) | set(libraries(extra[0])):
        copy_in(root, needed)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
    (root / "etc/os-release").write_text('NAME="Debian GNU/Linux"\nVERSION_ID="12"\n')
    for module in MODULES:
        shown = run("modprobe", "-d", folder, "-S", version, "--show-depends", module, check=False).stdout
        for path in re.findall(r"^insmod (\S+)", shown, re.M):
            copy_in(root, path, path[path.index("/lib/modules"):])
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        copy_in(root, folder / "lib/modules" / version / name, f"/lib/modules/{version}/{name}")
    run("depmod", "-b", root, version)


def pack(root, out):
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    packed = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], input=names.encode(), cwd=root, capture_output=True, check=True).stdout
    out.write_bytes(gzip.compress(packed, 1))


@pytest.fixture(scope="module")
def console(kernel, tmp_path_factory):
    """Boots once and returns what the guest printed."""
    work = tmp_path_factory.mktemp("vm")
    run("depmod", "-b", kernel[1], kernel[2], timeout=120)
    state = work / "state"
    state.mkdir()
    run("swtpm_setup", "--tpm2", "--tpmstate", state, "--overwrite", "--pcr-banks", "sha256,sha384")
    root = work / "root"
    build_tree(root, kernel)
    pack(root, work / "init.cpio.gz")
    subprocess.run(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={work}/sock", "--daemon",
                    "--pid", f"file={work}/swtpm.pid", "--terminate"], check=True)
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "Nehalem", "-machine", "q35", "-smp", "1", "-m", "768", "-nodefaults",
               "-nographic", "-no-reboot", "-serial", "stdio", "-kernel", str(kernel[0]), "-initrd", str(work / "init.cpio.gz"),
               "-append", "console=ttyS0 panic=-1 quiet rdinit=/init", "-chardev", f"socket,id=c,path={work}/sock", "-tpmdev", "emulator,id=t,chardev=c",
               "-device", "tpm-crb,tpmdev=t"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=400, stdin=subprocess.DEVNULL)
        output = done.stdout + done.stderr
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode(errors="replace") + "\nthe guest did not end in time"
    finally:
        pid = work / "swtpm.pid"
        if pid.exists():
            try:
                os.kill(int(pid.read_text()), 15)
            except ProcessLookupError:
                pass
    print(output)
    return output


# One test for each line that the guest prints, so that each is counted by itself.
NAMES = re.findall(r'^check "([^"]+)"', (HERE / "init").read_text(), re.M)


@pytest.mark.parametrize("name", NAMES)
def test_in_the_guest(console, name):
    assert f"\nok {name}" in console.replace("\r", ""), console[-4000:]


def test_the_guest_ran_to_its_end(console):
    assert "end of tests" in console
    assert len(NAMES) >= 15
