swift test -c release
