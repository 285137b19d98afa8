# testify, ready to link: what tests written for Go import most.
export GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=/tmp/go-cache
go install $(go list -deps github.com/stretchr/testify/assert github.com/stretchr/testify/require \
    | grep '\.')
mkdir -p /usr/local/lib/proctor
mv /usr/share/gocode/pkg/linux_* /usr/local/lib/proctor/go
rm -r /tmp/go-cache
