"""`make bench`: Proctor and what it is compared with, measured side by side in one run."""
