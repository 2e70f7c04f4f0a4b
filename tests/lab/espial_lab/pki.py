# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for one scenario."""
import os
import subprocess

_CONFIGURATION = """\
[ca]
default_ca = lab
[lab]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = names
copy_extensions = copy
[names]
commonName = supplied
"""


class Pki:
    """Keys and certificates in PEM, in a folder of its own."""

    def __init__(self, folder: str):
        self._folder = folder
        os.makedirs(folder)
        for name, text in (("ca.cnf", _CONFIGURATION), ("index", ""), ("index.attr", "unique_subject = no\n"),
                           ("serial", "01\n")):
            with open(f"{folder}/{name}", "w") as file:
                file.write(text)
        self._key("ca")
        self._openssl("req", "-x509", "-new", "-key", "ca.key", "-days", "3650", "-subj", "/CN=lab", "-out",
                      "ca.crt")

    def issue(self, name: str, begins: int, ends: int) -> None:
        """A key and a certificate that is valid from one year's beginning to another's."""
        self._key(name)
        self._openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-addext",
                      f"subjectAltName=DNS:{name}", "-out", f"{name}.csr")
        self._openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key",
                      "-startdate", f"{begins}0101000000Z", "-enddate", f"{ends}0101000000Z",
                      "-in", f"{name}.csr", "-out", f"{name}.crt")

    def text(self, file: str) -> str:
        with open(f"{self._folder}/{file}") as opened:
            return opened.read()

    def _key(self, name: str) -> None:
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self._folder, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr.strip()}"
