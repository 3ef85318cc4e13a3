// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import Foundation

/// A certificate for `localhost` and 127.0.0.1 that signs itself, with its key, for tests on loopback alone.
package enum TestCertificate {
    package static let pem = """
        -----BEGIN CERTIFICATE-----
        MIIBmjCCAUGgAwIBAgIUO+JjsSBYynbgfHFamOjCRYl5NTUwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDE4NDYwMFoYDzIxMjYxMDMx
        MTg0NjAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAAQprlcKUSEfv7fffpItZ4Kmvig0vjzxqpHyMNIU/9ePdB6wqTwW14UC
        3AmE69KexAAK3/AZExvgBgKqtV8mlUG4o28wbTAdBgNVHQ4EFgQU8lAmX3cfa3kN
        647lUZs295csReowHwYDVR0jBBgwFoAU8lAmX3cfa3kN647lUZs295csReowDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDRwAwRAIgPyhaKYtEInEEKOj8XQCLAYsBbC+k5uetvxZLz4xGpskCIGLK
        5cXWnojGssVtbhaazKqvzER1YB9u3akmKyVKeGmQ
        -----END CERTIFICATE-----
        """

    package static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgoU31SlWs2rLdlYEp
        wL36Oeey05Qizs4d5iGi3nNciqWhRANCAAQprlcKUSEfv7fffpItZ4Kmvig0vjzx
        qpHyMNIU/9ePdB6wqTwW14UC3AmE69KexAAK3/AZExvgBgKqtV8mlUG4
        -----END PRIVATE KEY-----
        """

    /// A key that does not belong to the certificate.
    package static let otherKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg25K/FBA0p7NIApRy
        A1JvPqpSJ72kJZQoSFnbChQH7BqhRANCAASKw6LQ06ZwZmXixTQiYRF1HRwGGEzv
        HixiwjBPRYfGqNnNf+cIH77ZYutEUNNn225YSQGdFQPG6IOQyhZD/rg9
        -----END PRIVATE KEY-----
        """

    /// The certificate and its key in files of `folder`.
    package static func write(to folder: URL) throws -> (certificate: String, key: String) {
        let files = (certificate: folder.appending(path: "tls.crt"), key: folder.appending(path: "tls.key"))
        try Data(pem.utf8).write(to: files.certificate)
        try Data(key.utf8).write(to: files.key)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: files.key.path)
        return (files.certificate.path, files.key.path)
    }
}
