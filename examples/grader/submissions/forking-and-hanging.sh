# Twenty children, one that has left the process group, and a parent that waits for them.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  sleep 86413 &
done
setsid sleep 86413 &
wait
