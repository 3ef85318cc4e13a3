swift build -c release
