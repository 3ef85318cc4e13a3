// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CLibFuzzer
import Foundation

/// The program that `scripts/fuzz.sh` runs:
///
///     Fuzz list                        the targets
///     Fuzz seeds FOLDER                writes each target's first inputs into a folder of its own
///     FUZZ_TARGET=NAME Fuzz ARGUMENTS  libFuzzer with its own arguments: options, folders of inputs, or inputs to repeat
@main
enum FuzzCommand {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch arguments.first {
        case "list": for target in FuzzTargets.all { print(target.name) }
        case "seeds": try writeSeeds(into: URL(filePath: arguments.dropFirst().first ?? "seeds"))
        default:
            guard FuzzTargets.chosen != nil else {
                print("FUZZ_TARGET is to be one of: \(FuzzTargets.all.map { $0.name }.joined(separator: ", "))")
                exit(2)
            }
            fuzz()
        }
    }

    private static func writeSeeds(into folder: URL) throws {
        for target in FuzzTargets.all {
            let own = folder.appending(path: target.name)
            try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
            for (index, seed) in target.seeds.enumerated() {
                try Data(seed).write(to: own.appending(path: "seed-\(index)"))
            }
        }
    }

    private static func fuzz() -> Never {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        let code = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            FuzzTargets.chosen?.run(Array(UnsafeBufferPointer(start: data, count: size)))
            return 0
        }
        exit(code)
    }
}
