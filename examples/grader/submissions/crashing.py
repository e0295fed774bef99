import sys

words = sys.stdin.read().split()
# No number at all: IndexError.
total = int(words[0])
for word in words[1:]:
    total += int(word)
print(total)
