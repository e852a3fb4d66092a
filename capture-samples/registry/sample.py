"""Docker's registry: skopeo pushing and pulling an image, curl, a cleaner in Python. The document is our own short one,
for the OCI distribution API as this registry is offered to its users."""

import gzip
import hashlib
import io
import json
import pathlib
import re
import subprocess
import tarfile

HOSTS = ["registry.test"]
PORT = 5000
SPECS = ["registry.yaml"]
COMPRESS = "gz"
ROUTES = [
    "/v2/", "/v2/_catalog", "/debug/health",
    "/v2/{name}/tags/list", "/v2/{name}/manifests/{reference}", "/v2/{name}/blobs/uploads/",
    "/v2/{name}/blobs/uploads/{upload}", "/v2/{name}/blobs/{digest}", "/",
]
REPOSITORIES = [f"team{n:02}-app" for n in range(1, 9)]

CONFIG = """
version: 0.1
log: {level: warn, accesslog: {disabled: false}}
storage:
  delete: {enabled: true}
  filesystem: {rootdirectory: ROOT}
http:
  addr: 0.0.0.0:5000
  secret: test-secret-not-a-secret
"""

def image(folder: pathlib.Path, text: str):
    """A one-layer image as skopeo's `dir:` form; the same bytes each time."""
    folder.mkdir(parents=True)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as t:
        data = (text * 200).encode()
        info = tarfile.TarInfo("hello.txt")
        info.size = len(data)
        t.addfile(info, io.BytesIO(data))
    layer = gzip.compress(tar.getvalue(), mtime=0)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar.getvalue()).hexdigest()]}}).encode()
    blobs = []
    for data in (config, layer):
        digest = hashlib.sha256(data).hexdigest()
        (folder / digest).write_bytes(data)
        blobs.append({"digest": f"sha256:{digest}", "size": len(data)})
    kind = "application/vnd.docker.container.image.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip"
    (folder / "manifest.json").write_text(json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": kind[0], **blobs[0]}, "layers": [{"mediaType": kind[1], **blobs[1]}]}))
    (folder / "version").write_text("Directory Transport Version: 1.1\n")


def prepare(lab):
    (lab.work / "config.yml").write_text(CONFIG.replace("ROOT", str(lab.work / "storage")))
    (lab.work / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    for name in REPOSITORIES:
        image(lab.work / name, f"hello from {name}\n")


def serve(lab, here):
    lab.serve("docker-registry", "serve", lab.work / "config.yml", port=PORT, env={"OTEL_TRACES_EXPORTER": "none"})


def drive(truth):
    import requests

    base = f"http://registry.test:{PORT}"
    skopeo = ["skopeo", "--policy", "policy.json", "--insecure-policy"]
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    # skopeo keeps no log of its requests: the registry's access log is the truth for them (server_truth).
    for name in REPOSITORIES:
        subprocess.run([*skopeo, "copy", "-q", "--dest-tls-verify=false", f"dir:{name}", f"docker://registry.test:{PORT}/{name}:1.0"], **quiet)
    for name in REPOSITORIES[:3]:
        subprocess.run([*skopeo, "inspect", "--tls-verify=false", f"docker://registry.test:{PORT}/{name}:1.0"], **quiet)
    subprocess.run([*skopeo, "copy", "-q", "--src-tls-verify=false", f"docker://registry.test:{PORT}/{REPOSITORIES[0]}:1.0", "dir:pulled"], **quiet)

    s = requests.Session()
    s.headers["User-Agent"] = "registry-cleaner/1.0"
    s.get(f"{base}/v2/_catalog", params={"n": 100})
    s.get(f"{base}/v2/_catalog", params={"n": 5})
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    for name in REPOSITORIES:
        s.get(f"{base}/v2/{name}/tags/list")
        digest = s.head(f"{base}/v2/{name}/manifests/1.0", headers=accept).headers["Docker-Content-Digest"]
        if name == REPOSITORIES[-1]:
            s.delete(f"{base}/v2/{name}/manifests/{digest}")
    s.get(f"{base}/v2/{REPOSITORIES[0]}/manifests/missing", headers=accept)
    # An upload in pieces, by hand.
    data = b"".join(hashlib.sha256(bytes([n & 255, n >> 8])).digest() for n in range(1500))
    r = s.post(f"{base}/v2/{REPOSITORIES[1]}/blobs/uploads/")
    for n in range(0, len(data), 20000):
        piece = data[n : n + 20000]
        r = s.patch(r.headers["Location"], data=piece, headers={"Content-Type": "application/octet-stream",
                                                               "Content-Range": f"{n}-{n + len(piece) - 1}"})
        s.get(r.headers["Location"])
    s.put(r.headers["Location"], params={"digest": "sha256:" + hashlib.sha256(data).hexdigest()})
    # A load balancer's look, which no document of the registry names.
    for _ in range(12):
        requests.get(f"{base}/", headers={"User-Agent": "lb-health/1"})
    # A scanner.
    for w in (".env", "wp-login.php", "admin", "v1/search", "api/v2.0/projects", "metrics", "service/token"):
        requests.get(f"{base}/{w}", headers={"User-Agent": "Mozilla/5.0 zgrab/0.x"})


def server_truth(lab, file):
    """The registry's own access log, in the combined log format."""
    lines = []
    for line in (lab.work / "server.log").read_text().splitlines():
        m = re.match(r'(\S+) - - \[.*?\] "([A-Z]+) (\S+) HTTP/[\d.]+" (\d+) \d+ "[^"]*" "([^"]*)"', line)
        if m:
            lines.append({"client": m[5].split("/")[0], "method": m[2], "host": "registry.test", "port": PORT, "target": m[3],
                          "status": int(m[4]), "request_type": "", "response_type": ""})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
