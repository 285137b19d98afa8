"""`python -m proctor`: the command `proctor`, where it is not on the path."""

from proctor.cli import main

main()
