"""Writes to standard output a tar of a small Linux made of this machine's own files.

Where no registry can be reached, the images that the Dockerfile names are stood in for by this: a shell, what a build
step calls, the Python that runs this script, and CA roots. Its C library is this machine's, so what is built here runs in it.

    rootfs.py PROGRAM...    programs whose libraries shall be there too
"""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

TOOLS = "sh bash cat chmod cp env grep id ls mkdir mv rm sed sleep sort tail test touch tr true uname".split()
WITHOUT = {"__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "ensurepip", "lib2to3"}
SYSTEM = re.compile(r"^/(usr/)?lib(32|64|x32)?/")
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}


def libraries(binary):
    """What the loader says that a binary needs: paths, none where it is static or no binary."""
    said = subprocess.run(["ldd", binary], capture_output=True, text=True).stdout
    return [found for found in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, re.MULTILINE)]


class Rootfs:
    """A tar in the making, in which everything belongs to root and is readable for everybody."""

    def __init__(self, stream):
        self.tar = tarfile.open(fileobj=stream, mode="w|")
        self.seen = set()

    def add(self, info, content=None):
        if info.name not in self.seen:
            self.seen.add(info.name)
            self.tar.addfile(info, content)

    def entry(self, name, kind, mode=0o755, target=""):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.linkname = kind, mode, target
        self.add(info)

    def text(self, name, text):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(text), 0o644
        self.add(info, io.BytesIO(text.encode()))

    def file(self, name, source):
        info = tarfile.TarInfo(name)
        status = os.stat(source)
        info.size, info.mode = status.st_size, 0o755 if status.st_mode & 0o111 else 0o644
        with open(source, "rb") as content:
            self.add(info, content)

    def binary(self, name, source):
        self.file(name, source)
        self.libraries(source)

    def libraries(self, source):
        for library in libraries(source):
            # A library of a Python in somebody's home is found by the loader only in a folder of the system.
            inside = re.sub(r"^/lib", "/usr/lib", library) if SYSTEM.match(library) else f"/usr/lib/{Path(library).name}"
            self.file(inside.removeprefix("/"), library)

    def python(self):
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.binary(f"usr/local/bin/{version}", os.path.realpath(sys.executable))
        for alias in ["python3", "python"]:
            self.entry(f"usr/local/bin/{alias}", tarfile.SYMTYPE, target=version)
        top = Path(sysconfig.get_path("stdlib"))
        for folder, below, names in os.walk(top):
            below[:] = [name for name in below if name not in WITHOUT and not name.startswith("config-")]
            for name in names:
                source = Path(folder, name)
                inside = f"usr/local/lib/{version}/{source.relative_to(top)}"
                (self.binary if name.endswith(".so") else self.file)(inside, source)


def main(programs):
    root = Rootfs(sys.stdout.buffer)
    for folder in ["etc", "root", "usr", "usr/bin", "usr/lib", "usr/lib64", "usr/local", "usr/local/bin", "var"]:
        root.entry(folder, tarfile.DIRTYPE)
    root.entry("tmp", tarfile.DIRTYPE, 0o1777)
    for link in ["bin", "lib", "lib64"]:
        root.entry(link, tarfile.SYMTYPE, target=f"usr/{link}")
    for name, text in FILES.items():
        root.text(name, text)
    roots = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    if os.path.exists(roots):
        root.file("etc/ssl/certs/ca-certificates.crt", roots)
    for tool in TOOLS:
        source = shutil.which(tool, path="/usr/bin:/bin")
        if source is None:
            sys.exit(f"{tool} is missing on this machine")
        root.binary(f"usr/bin/{tool}", source)
    for program in programs:
        root.libraries(program)
    root.python()
    root.tar.close()


main(sys.argv[1:])
