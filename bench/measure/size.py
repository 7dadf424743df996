"""The size of the release binary."""

from .common import BRAMBLE


def measure(_settings):
    return {"bytes": BRAMBLE.stat().st_size}
