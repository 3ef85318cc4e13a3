// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "Librarian",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "rollcall", path: "../rollcall")],
    targets: [
        .target(
            name: "Librarian",
            dependencies: [.product(name: "RolloutEnvironment", package: "rollcall")]),
        .executableTarget(
            name: "LibrarianServer",
            dependencies: ["Librarian", .product(name: "RolloutEnvironment", package: "rollcall")]),
    ]
)
