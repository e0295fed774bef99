import sys

mebibyte = b"All work and no play makes Jack!" * 32768
for _ in range(128):
    sys.stdout.buffer.write(mebibyte)
