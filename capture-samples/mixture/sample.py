"""A messy mirror: five of the other recordings at once, as a bad SPAN port would show them. Made from those recordings by
recorder/mangle.py, the same each time."""

PARTS = ["shop", "httpbin", "powerdns", "registry", "aria2"]


def make(here):
    from recorder import mangle

    mangle.make(here, PARTS, here / "mixture")


def routes(load):
    out = []
    for part in PARTS:
        sample = load(part)
        out += [r if isinstance(r, tuple) else (host, r) for host in sample.HOSTS for r in sample.ROUTES]
    return out
