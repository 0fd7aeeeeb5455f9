# Shows Doxygen the house's comments as it understands them: formulas as code, the rows (Shape, Units, ...) as rows.
# Line numbers stay.
!/^ *\/\/\// { row = 0; print; next }
/\/\/\/ (Shape|Units|Writes|Errors|Cost|Source|Pre) / {
  row = 1
  sub(/\/\/\/ [A-Z][a-z]+ +/, "&@a@")              # mark the end of the word
  match($0, /\/\/\/ [A-Z][a-z]+/)
  word = substr($0, RSTART + 4, RLENGTH - 4)
  rest = $0
  sub(/.*@a@/, "", rest)
  print "/// @n **" word "** &ensp;" rest
  next
}
/\/\/\/ *$/ { row = 0 }
/\/\/\/   / && !row { sub(/\/\/\//, "///    ") }   # four spaces more: a block of code
{ print }
