"""Answers right, and leaves twenty-one processes behind."""

import os
import sys
import time

numbers = sys.stdin.read().split()


def sleep_silently() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    time.sleep(3600)
    os._exit(0)


for _ in range(20):
    if os.fork() == 0:
        sleep_silently()

reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()  # Out of the reach of a signal to the process group, ...
    if os.fork() == 0:  # ... and nobody's child.
        with open("detached.pid", "w") as file:
            file.write(str(os.getpid()))
        os.write(writer, b"!")
        sleep_silently()
    os._exit(0)
os.read(reader, 1)

print(sum(map(int, numbers)))
