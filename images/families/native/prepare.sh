# g++ takes a precompiled header only for the very flags that it was made with: those of
# proctor_sandbox/languages.py. It saves about 2 s for each program that includes it.
header="$(echo '#include <bits/stdc++.h>' | g++ -x c++ -M - | tr -d '\\' | tr ' ' '\n' \
    | grep 'bits/stdc++.h$')"
mkdir "$header.gch"
for standard in gnu++17 gnu++20; do
    g++ -O2 -std=$standard -x c++-header "$header" -o "$header.gch/$standard"
done
