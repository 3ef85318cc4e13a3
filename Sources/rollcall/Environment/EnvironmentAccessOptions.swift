// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EvalProtocol
import RolloutEnvironment

/// The flags of `rollcall environment` that say who may call it.
struct EnvironmentAccessOptions: ParsableArguments {
    @Option(
        name: .customLong("api-keys-file"),
        help: ArgumentHelp(
            "A file with the keys of which callers have to show one, a line KEY each. (ROLLCALL_ENVIRONMENT_KEYS holds "
                + "keys themselves, separated by commas)", valueName: "file"))
    var apiKeysFile: String?

    @Option(
        help: ArgumentHelp(
            "A file with a secret that has to stand in front of each path, for callers that can show no key: their base "
                + "URL is http://host:port/SECRET then.", valueName: "file"))
    var pathSecretFile: String?

    @Option(
        name: .customLong("tls-certificate"),
        help: ArgumentHelp(
            "Serve over TLS with this certificate, in PEM, with those that lead to a trusted one after it.",
            valueName: "file"))
    var tlsCertificate: String?

    @Option(
        name: .customLong("tls-key"), help: ArgumentHelp("The certificate's private key, in PEM.", valueName: "file"))
    var tlsKey: String?

    /// Those that are given.
    var flags: [String] {
        let values = [
            ("--api-keys-file", apiKeysFile), ("--path-secret-file", pathSecretFile),
            ("--tls-certificate", tlsCertificate), ("--tls-key", tlsKey),
        ]
        return values.filter { $0.1 != nil }.map(\.0)
    }

    func validate() throws {
        switch (tlsCertificate, tlsKey) {
        case (_?, nil): throw ValidationError("--tls-certificate needs --tls-key.")
        case (nil, _?): throw ValidationError("--tls-key needs --tls-certificate.")
        default: break
        }
    }

    /// Reads the files.
    ///
    /// - Throws: ``SecretFile/Unusable``, and ``KeyFileError`` for what a keys file has in it.
    func apply(to configuration: inout RolloutEnvironment.Configuration) throws {
        let logger = configuration.logger
        if let apiKeysFile {
            let contents = try SecretFile(apiKeysFile, flag: "--api-keys-file").read(logger)
            configuration.acceptedAPIKeys = try KeyRing(file: contents, name: apiKeysFile).keys
        }
        if let pathSecretFile {
            configuration.pathSecret = try SecretFile(pathSecretFile, flag: "--path-secret-file").read(logger)
        }
        if let tlsCertificate, let tlsKey {
            SecretFile(tlsKey, flag: "--tls-key").checkPermissions(logger)
            configuration.tls = RolloutEnvironment.TLSFiles(certificate: tlsCertificate, key: tlsKey)
        }
    }

    /// What was wrong with a setting, with the flag's name.
    static func sentence(about error: RolloutEnvironment.ConfigurationError) -> String {
        let flag =
            switch error.setting {
            case .pathSecret: "--path-secret-file"
            case .tlsCertificate: "--tls-certificate"
            case .tlsKey: "--tls-key"
            }
        return "\(flag): \(error.reason)"
    }
}
