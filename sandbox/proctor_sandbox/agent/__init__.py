"""The agent: the small supervisor that lives inside a sandbox and runs programs there.

Standard library only, relative imports only: the folder is copied into every image and
run as it stands, and the host imports `frames`, `values` and `asserts` from it.

main         commands in, reports out
├── places   what is writable, shut
├── program  one program: compile, its tests, wipe
│   ├── box        the program's files, and the proof that nothing stays
│   └── supervise  one test: pipes, limits, what ended it
│       ├── meter      what the cgroup says of memory and CPU
│       └── crew       our other processes, and the means to end a program's
│           └── spawner    the zygote: a process whose forks are the tests
│               └── child      confinement, then one of
│                   ├── script     a source as __main__
│                   ├── candidate  a module whose functions are called from outside
│                   └── examiner   test code that calls a candidate
└── frames, spec, values, asserts
"""
