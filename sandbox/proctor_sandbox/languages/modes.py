"""What runs a source otherwise than its language does: as tests, or as a script.

Only raw runs take them. A test runner is one process with the program that it tests, so that their
exit status is that program's word.
"""

from proctor_sandbox.languages.jvm import JUNIT, KOTLIN_SCRIPT
from proctor_sandbox.languages.native import D_UNITTEST, GO_TEST

MODES = (GO_TEST, JUNIT, D_UNITTEST, KOTLIN_SCRIPT)
