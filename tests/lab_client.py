#!/usr/bin/env python3
"""Sends one request to a lab, over the network as any client would, and prints the status and the body.

usage: lab_client.py LAB-FOLDER imds|attestation|vault|hsm METHOD PATH-AND-QUERY [--token] [--body FILE]
                     [--header NAME:VALUE]... [--timeout SECONDS]

--token asks the lab's metadata service for an access token of the vault or HSM first. The first line of the
output is the status, or "broken" when there was no whole answer; the rest is the body.
"""
import argparse
import http.client
import json
import pathlib
import socket
import ssl
import sys
import urllib.parse


def send(lab, service, method, path, headers, body, timeout):
    url = urllib.parse.urlsplit(lab[service])
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=str(lab["folder"] / "ca.pem"))
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=timeout)
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    # Names below .localhost are this machine (RFC 6761), whatever the resolver says.
    connection._create_connection = lambda address, *rest: socket.create_connection(("127.0.0.1", address[1]), timeout)
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def access_token(lab, service, timeout):
    resource = "https://managedhsm.azure.net" if service == "hsm" else "https://vault.azure.net"
    path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=" + urllib.parse.quote(resource, safe="")
    _, body = send(lab, "imds", "GET", path, {"Metadata": "true"}, None, timeout)
    return json.loads(body)["access_token"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("service", choices=["imds", "attestation", "vault", "hsm"])
    parser.add_argument("method")
    parser.add_argument("path")
    parser.add_argument("--token", action="store_true")
    parser.add_argument("--body", type=pathlib.Path)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--timeout", type=float, default=20)
    args = parser.parse_args()
    lab = json.loads((args.folder / "lab.json").read_text())
    lab["folder"] = args.folder
    headers = dict(header.split(":", 1) for header in args.header)
    body = args.body.read_bytes() if args.body else None
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    try:
        if args.token:
            headers["Authorization"] = "Bearer " + access_token(lab, args.service, args.timeout)
        status, text = send(lab, args.service, args.method, args.path, headers, body, args.timeout)
    except (OSError, http.client.HTTPException) as error:
        print("broken")
        print(type(error).__name__, error)
        return
    print(status)
    sys.stdout.flush()
    sys.stdout.buffer.write(text)


if __name__ == "__main__":
    main()
