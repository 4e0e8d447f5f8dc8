"""Seeds of the command line's and the environment's targets."""

MOUNT = "36 25 0:32 / {} rw,nosuid - fuse.skrfs skrfs rw\n"


def words(parts):
    lines = ["mount\n/run/skrfs", "mount\n--config\n/x\n-o\nallow_other\n/m", "get\ntls\n--to\n/x", "get\n--format=pem\ntls", "get\na\n--\nb", "status\n--json", "staus", "key", "key\ncreat",
             "key\ncreate\nx\n--size\n2048", "key\ncreate\nx\n--size\n0", "get\n--timeout\n5s\nx", "get\n--timeout\nx\nx", "--help", "get\n--help", "get\n-h", "get\n--formt\nx", "get\n--json=1",
             "get\n-?", "get\n--format", "why", "why\na\nb", "", "policy\nnew\n--tee\nsnp\n--bind\na\n--bind\nb", "lab\nup\n--foreground", "key\nhelp", "wipe\n--all", "attest\n--timeout", "get\n-x",
             "policy\nnew\n" + "--bind\nx\n" * 17, "doctor\n--no-such-option-of-a-very-long-name-that-is-cut-off-somewhere-behind-here-surely", "get\n--exec\n/bin/true\nx\n--\n-a\n-b"]
    for number, text in enumerate(lines):
        yield f"line-{number}", b"\0" + text.encode()
    for number, text in enumerate(["defaults,rw,x-systemd.automount,config=/etc/x,log=debug,allow_other", "config=x", "config=/a,config=/b", "log=what", "log=", ",,", "comment=x,subtype=y,ro", "X-mount"]):
        yield f"mount-{number}", b"\1" + text.encode()
    for number, text in enumerate(["prod", "tls", "tsl", "", "test", "x" * 300, "nothing-near"]):
        yield f"name-{number}", b"\2" + text.encode()
    one, two = MOUNT.format("/run/skrfs"), MOUNT.format("/a\\040b\\134")
    for number, text in enumerate([one, one + two, one + two + "\n/run/skrfs", one + "\n/x", "\n\n/x", two + "\n", "1 2 3 /x\n", MOUNT.format("/x").replace(" - ", " "), one * 70,
                                   "".join(MOUNT.format(f"/m{number}") for number in range(70)), MOUNT.format("/x").replace("fuse.skrfs", "fuse.other"), "1 2 - fuse.skrfs x y\n"]):
        yield f"which-{number}", b"\3" + text.encode()


def environment(parts):
    for number, lines in enumerate([["t", "c", "/token", "https://login.microsoftonline.com/", "http://127.0.0.1/msi", "a-secret-header", "-"], ["-"] * 7, [""] * 7,
                                    ["-", "-", "-", "http://x", "-", "-", "-"], ["-", "-", "-", "https://x/y", "-", "-", "-"], ["-", "-", "-", "-", "http://127.0.0.1:40342/x", "-", "http://127.0.0.1"],
                                    ["-", "-", "-", "-", "ftp://x", "a-secret-header", "-"], ["x" * 4100, "-", "-", "-", "-", "-", "-"], ["t", "c", "-", "https://login", "-", "h" * 5000, "-"],
                                    ["a/b", "c d", "relative", "https://l////", "https://x", "h\x01", "x"], ["-", "-", "-", "-", "http://127.0.0.1/x", "-", "-"]]):
        yield f"lines-{number}", "\n".join(lines)


MAKERS = {"cli_words": words, "environment": environment}
