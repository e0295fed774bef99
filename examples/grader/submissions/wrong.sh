# Right for the first two cases; forgets that there may be more than one line.
total=0
read -r line
for number in $line; do
  total=$((total + number))
done
echo "$total"
