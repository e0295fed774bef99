# Neither a hangup nor a polite request ends it.
trap '' HUP INT TERM
echo "you cannot stop me"
while :; do
  sleep 1
done
