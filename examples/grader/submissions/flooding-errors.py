import sys

print(sum(map(int, sys.stdin.read().split())))
for _ in range(20_000):
    print("DeprecationWarning: the right answer, with too much said about it", file=sys.stderr)
