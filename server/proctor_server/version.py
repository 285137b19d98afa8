"""The version of what is installed."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("proctor")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+unknown"
