#!/usr/bin/env python3
"""Checks the deployments below contrib: that each file is of its form, that policies and configurations are ones
that the program takes and that they belong together, and that what the READMEs name and run exists. Argument: the
built program."""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tomllib

ROOT = pathlib.Path("contrib")
VALUES = {
    "arch_libdir": "/lib/x86_64-linux-gnu",
    "app": "/usr/local/bin/app",
    "data": "/srv/app/data",
    "gramine.libos": "/usr/lib/x86_64-linux-gnu/gramine/libsysdb.so",
    "gramine.runtimedir()": "/usr/lib/x86_64-linux-gnu/gramine/runtime/glibc",
}
# Written by the reader, by the tools or by the platform.
NOT_OURS = {"admin.conf", "skrfs.manifest", "skrfs.manifest.sgx", "skrfs.sig"}


class Program:
    def __init__(self, path):
        self.path, self.texts = path, {}

    def run(self, *words):
        return subprocess.run([self.path, *words], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)

    def help(self, *verb):
        if verb not in self.texts:
            done = self.run(*verb, "--help")
            self.texts[verb] = done.stdout if done.returncode == 0 else ""
        return self.texts[verb]

    def verb(self, words):
        """The verb that words begin with, and how many of them it has."""
        for count in (2, 1):
            if len(words) >= count and re.match(r"^[a-z ]+$", " ".join(words[:count])):
                if f"Usage: skrfs {' '.join(words[:count])} " in self.help(*words[:count]):
                    return count
        return 0

    def problems(self, words):
        """What is wrong with `skrfs WORDS`: its verb and its options; a command behind --exec skrfs too."""
        count = self.verb(words)
        if not count:
            return [f"skrfs {' '.join(words)}: no such verb"]
        known = set(re.findall(r"--[\w-]+", self.help(*words[:count])))
        rest = words[count:]
        end = rest.index("--") if "--" in rest else len(rest)
        found = [f"skrfs {' '.join(words[:count])}: no option {word}"
                 for word in rest[:end] if word.startswith("--") and word.split("=")[0] not in known]
        if "--exec" in rest[:end] and rest[rest.index("--exec") + 1].endswith("/skrfs"):
            found += self.problems(rest[end + 1:])
        return found


def render(text):
    """Jinja's {{ expressions }}; nothing else of it is used. One that is not known is an error."""
    if "{%" in text or "{#" in text:
        raise ValueError("only {{ expressions }} are used here")
    return re.sub(r"\{\{\s*(.+?)\s*\}\}", lambda found: VALUES[found.group(1)], text)


def check_manifest(path, program):
    manifest = tomllib.loads(render(path.read_text()))
    sgx, mounts = manifest["sgx"], manifest["fs"]["mounts"]
    if sgx["remote_attestation"] != "dcap" or sgx["debug"] is not False:
        yield "an enclave that can be debugged, or without quotes"
    if any("insecure" in key for part in (manifest["loader"], manifest["fs"], sgx, manifest["sys"]) for key in part):
        yield "an insecure option"
    if sgx.get("file_check_policy", "strict") != "strict":
        yield "files are not checked"
    argv = manifest["loader"]["argv"]
    yield from program.problems(argv[1:])
    trusted, allowed = set(sgx["trusted_files"]), set(sgx["allowed_files"])
    for mount in mounts:
        kind = mount.get("type", "chroot")
        if kind == "chroot" and not {mount["uri"], mount["uri"] + "/"} & (trusted | allowed):
            yield f"{mount['path']} is mounted, and neither trusted nor allowed"
    tmpfs = {mount["path"] for mount in mounts if mount.get("type") == "tmpfs"}
    for folder in (argv[at + 1] for at, word in enumerate(argv) if word == "--to"):
        if folder not in tmpfs:
            yield f"--to {folder} is not of the enclave's own memory"
    for uri in trusted | allowed:
        if not uri.startswith("file:/") and not (path.parent / uri.removeprefix("file:")).exists():
            yield f"{uri} is not here"
    measured = {mount["path"] for mount in mounts if mount.get("uri") in trusted}
    if "/etc/skrfs/skrfs.conf" not in measured or manifest["libos"]["entrypoint"] not in measured:
        yield "the program or its configuration is not measured"
    if "SKRFS_CONFIG" in manifest["loader"]["env"]:
        yield "the host chooses the configuration"
    policy = claims_of(path.parent / "release-policy.json")
    for claim, value in (("x-ms-sgx-product-id", sgx["isvprodid"]), ("x-ms-sgx-svn", sgx["isvsvn"])):
        if policy.get(claim) != str(value):
            yield f"{claim} of the policy is not the manifest's"


def claims_of(path):
    (one,) = json.loads(path.read_text())["anyOf"]
    return {claim["claim"]: claim["equals"] for claim in one["allOf"]}


def check_template(path, program):
    template = json.loads(path.read_text())
    (group,) = template["resources"]
    properties = group["properties"]
    if not template["$schema"].endswith("/deploymentTemplate.json#") or template["contentVersion"] != "1.0.0.0":
        yield "not a deployment template"
    if group["type"] != "Microsoft.ContainerInstance/containerGroups" or group["identity"]["type"] != "UserAssigned":
        yield "not a container group with an identity of its own"
    if properties["sku"] != "Confidential" or properties["confidentialComputeProperties"] != {"ccePolicy": ""}:
        yield "not a confidential group whose policy is still to be made"
    text = path.read_text()
    for kind in ("parameters", "variables"):
        used = set(re.findall(kind + r"\('(\w+)'\)", text))
        if used != set(template[kind]):
            yield f"{kind}: {sorted(used ^ set(template[kind]))} are only used or only declared"
    if text.count("[") != text.count("]") or text.count("(") != text.count(")"):
        yield "an expression is not closed"
    volumes = {volume["name"] for volume in properties.get("volumes", [])}
    for container in properties["containers"]:
        command = container["properties"]["command"]
        yield from program.problems(command[1:])
        for mount in container["properties"].get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"no volume {mount['name']}"
    # Keys that the command names are in the configuration that goes into the image.
    conf = (path.parent / "skrfs.conf").read_text()
    if f"[key {command[2]}]" not in conf:
        yield f"skrfs.conf has no key {command[2]}"


def check_policy(path, program):
    done = program.run("policy", "lint", "--level", "warning", str(path))
    if done.returncode:
        yield done.stdout + done.stderr


def check_conf(path, program):
    """A new policy with this configuration, and the example's claims, is the policy that lies beside it."""
    policy = path.parent / "release-policy.json"
    claims = claims_of(policy)
    tee = "sgx" if any("-sgx-" in claim for claim in claims) else "snp"
    own = {"x-ms-attestation-type", "x-ms-compliance-status", f"x-ms-{'sgx' if tee == 'sgx' else 'sevsnpvm'}-is-debuggable"}
    words = [f"--claim={claim}={value}" for claim, value in claims.items() if claim not in own]
    done = program.run("policy", "new", "--config", str(path), "--tee", tee, *words)
    if done.returncode:
        yield done.stderr
    elif json.loads(done.stdout) != json.loads(policy.read_text()):
        yield f"not the policy that lies beside it: {done.stdout}"


def check_readme(path, program):
    text = path.read_text()
    for name in sorted(set(re.findall(r"`([\w./-]+\.(?:md|json|conf|template|py|sgx|sig|manifest)|Containerfile)`", text))):
        if name in NOT_OURS or name.startswith("/"):
            continue
        if not (path.parent / name).exists() and not pathlib.Path(name).exists():
            yield f"names {name}, which is not here"
    commands = []
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "skrfs":
                commands.append([word for word in words[1:] if not word.startswith(">")])
    for span in re.findall(r"`skrfs ([^`]+)`", text):
        words = shlex.split(span)
        if words[0].isalpha():
            commands.append(words)
    if not commands:
        yield "shows no command of skrfs"
    for words in commands:
        yield from program.problems(words)


CHECKS = {
    "*.manifest.template": check_manifest,
    "template.json": check_template,
    "release-policy.json": check_policy,
    "skrfs.conf": check_conf,
    "README.md": check_readme,
}


def main():
    program = Program(sys.argv[1])
    problems, looked = [], 0
    for folder in ("aci", "gramine"):
        for path in sorted((ROOT / folder).iterdir()):
            for pattern, check in CHECKS.items():
                if path.match(pattern):
                    looked += 1
                    problems += [f"{path}: {problem}" for problem in check(path, program)]
    print("\n".join(problems) or f"{looked} files of deployments are as they should be")
    return 1 if problems or looked != 8 else 0


if __name__ == "__main__":
    sys.exit(main())
